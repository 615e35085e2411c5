import { evaluationTable } from '../evaluation.ts';
import type { Report } from '../report.ts';
import { html, type Markup } from './markup.ts';
import { table } from './table.ts';

/** The models side by side on the validation data. */
export function evaluationSection({ evaluation }: Report): Markup | undefined {
  if (evaluation === undefined) return undefined;
  const { headings, rows, notes } = evaluationTable(evaluation);
  const elsewhere = evaluation.optimization !== 'all' && evaluation.models.some(({ latency }) => latency !== undefined);
  return html`<section id="evaluation"><h2>Before and after</h2>
${table(headings.map((heading, column) => (column === 0 ? heading : `#${heading}`)), rows)}
<p class="note">${notes.join('; ')}.${elsewhere && ' The latency is that of this processor, and says nothing of the target.'}</p></section>`;
}
