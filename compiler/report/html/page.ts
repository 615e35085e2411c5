import { createHash } from 'node:crypto';
import type { Report } from '../report.ts';
import { evaluationSection } from './evaluation.ts';
import { layerFacts } from './facts.ts';
import { fileSection } from './files.ts';
import { floatSection } from './float.ts';
import { header } from './header.ts';
import { layerSection } from './layers.ts';
import { html, Markup } from './markup.ts';
import { noiseProfile } from './profile.ts';
import { pruningSections } from './pruning.ts';
import { placementRecord } from './records.ts';
import { script } from './script.ts';
import { stepSection } from './steps.ts';
import { style } from './style.ts';
import { warningSection } from './warnings.ts';

/** The policy forbids everything that is not in the file, and any script but ours: whatever a name might contain. */
const policy: string = [
  'default-src \'none\'', 'style-src \'unsafe-inline\'', `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`, 'base-uri \'none\'', 'form-action \'none\'',
].join('; ');

/**
 * A report as one HTML file that needs nothing beside it, and no script to be read: the models before and after, the steps, and every layer with what was
 * decided and why. The same report gives the same bytes.
 */
export function reportHtml(report: Report): string {
  const placement = placementRecord(report);
  const layers = layerFacts(report, placement);
  const title = Object.keys(report.outputs).at(-1) ?? report.recipe.file;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · onnxpress</title>
<style>${new Markup(style)}</style>
</head>
<body>
${header(report, placement)}
<main>
${warningSection(report)}
${evaluationSection(report)}
${stepSection(report)}
${pruningSections(report)}
${noiseProfile(layers)}
${floatSection(layers)}
${layerSection(layers, placement)}
${fileSection(report)}
</main>
<script>${new Markup(script)}</script>
</body>
</html>
`.text;
}
