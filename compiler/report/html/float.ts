import type { LayerFacts } from './facts.ts';
import { html, type Markup } from './markup.ts';
import { percentText } from './numbers.ts';
import { lines, names, table } from './table.ts';

/** Most reasons of one rule, and most layers, that are named. */
const most = { reasons: 3, layers: 4 };

/** Layers that one rule left in float. */
interface Refusal {
  readonly reasons: Map<string, number>;
  readonly layers: Markup[];
  share: number;
}

/** Why layers stayed float, by rule; the dearest first. Nothing where nothing was quantized. */
export function floatSection(layers: readonly LayerFacts[]): Markup | undefined {
  if (layers.every(({ placed }) => placed === undefined)) return undefined;
  const refusals = new Map<string, Refusal>();
  layers.forEach(({ placed, name, share = 0 }, index) => {
    if (placed === undefined || placed.int8) return;
    const refusal = refusals.get(placed.rule) ?? { reasons: new Map<string, number>(), layers: [], share: 0 };
    refusals.set(placed.rule, refusal);
    refusal.share += share;
    refusal.reasons.set(placed.reason, (refusal.reasons.get(placed.reason) ?? 0) + 1);
    refusal.layers.push(html`<a href="#l${index + 1}">${name}</a>`);
  });
  const rows = [...refusals].sort(([, a], [, b]) => b.share - a.share || b.layers.length - a.layers.length)
    .map(([rule, { reasons, layers: members, share }]) => [
      rule, reasonLines(reasons), members.length, share > 0 ? percentText(share) : '—', names(members, members.length, most.layers),
    ]);
  return html`<section id="float"><h2>Why layers stayed float</h2>
${rows.length === 0 ? html`<p>None did.</p>` : table(['rule', 'reason', '#layers', '#multiply-adds', 'which'], rows)}</section>`;
}

/** The most frequent reasons. */
function reasonLines(reasons: ReadonlyMap<string, number>): Markup {
  const shown = [...reasons].sort(([, a], [, b]) => b - a).slice(0, most.reasons).map(([reason]) => reason);
  return lines([...shown, ...(reasons.size > shown.length ? [html`<small>and ${reasons.size - shown.length} other reasons</small>`] : [])]);
}
