import type { DiagnosticFields } from '../../../ir/diagnostic.ts';
import type { Report } from '../report.ts';
import { html, type Markup } from './markup.ts';

/** Most warnings that are listed. */
const listed = 200;

/** What to look at. */
export function warningSection({ diagnostics }: Report): Markup | undefined {
  if (diagnostics.length === 0) return undefined;
  return html`<section id="warnings"><h2>Warnings</h2>
<ul class="warnings">${diagnostics.slice(0, listed).map(item)}</ul>${diagnostics.length > listed && html`<p>and ${diagnostics.length - listed} more</p>`}</section>`;
}

function item({ severity, code, message, file, range, node, tensor, step, suggestion }: DiagnosticFields): Markup {
  const places = [
    file !== undefined && html`<bdi>${file}</bdi>${range && `:${range.line}:${range.column}`}`, node && html`node <bdi>${node.name}</bdi> (${node.op})`,
    tensor !== undefined && html`tensor <bdi>${tensor}</bdi>`, step !== undefined && html`step ${step}`,
  ];
  return html`<li><b>${severity}</b> <code>${code}</code> ${message}${
    places.map((place) => place !== undefined && place !== false && html` <small>${place}</small>`)}${suggestion !== undefined && html`<br><small>${suggestion}</small>`}</li>\n`;
}
