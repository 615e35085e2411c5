import type { Report, StepReport } from '../report.ts';
import { formatBytes, formatChange, formatTime } from '../table.ts';
import { html, type Markup } from './markup.ts';
import { counted } from './numbers.ts';
import { lines, names, table } from './table.ts';

/** Most remarks about the whole model that are listed for a step. */
const listed = 20;

/** What the steps did, in order. */
export function stepSection({ steps, timings, model: { before, after } }: Report): Markup {
  const rows = steps.map((step) => {
    const { id, pass, figures } = step;
    const time = timings?.[id];
    return [
      html`${id}${id !== pass && html` <small>${pass}</small>`}`,
      whatItDid(step),
      figures && formatChange(figures.before.nodes, figures.after.nodes),
      figures && formatChange(figures.before.bytes, figures.after.bytes, formatBytes),
      ...(timings === undefined ? [] : [time === undefined ? undefined : formatTime(time)]),
    ];
  });
  return html`<section id="steps"><h2>Steps</h2>
${table(['step', 'did', '#nodes', '#constants', ...(timings === undefined ? [] : ['#time'])], rows)}
<p class="note">${formatChange(before.macs, after.macs)} multiply-adds, ${formatChange(before.parameters, after.parameters)} parameters${
  after.uncounted > 0 && `; the operations of ${counted(after.uncounted, 'node')} cannot be told`}.</p></section>`;
}

function whatItDid(step: StepReport): Markup {
  const { stats, options, remarks, selected } = step;
  const figures = Object.entries(stats).map(([name, value]) => `${name} ${value}`).join(' · ');
  const general = remarks.filter(({ node, tensor }) => node === undefined && tensor === undefined).slice(0, listed).map(({ message }) => message);
  const set = Object.entries(options);
  return html`${lines([outcome(step), ...[...(figures === '' ? [] : [figures]), ...general].map((line) => html`<small>${line}</small>`)])}${
    set.length > 0 && html`<details><summary>options</summary><small>${lines(set.map(([key, value]) => html`<code>${key}: ${JSON.stringify(value)}</code>`))}</small></details>`}${
    selected && html`<details><summary>selected ${counted(selected.length, 'node')}</summary><small>${names(selected, selected.length, 40)}</small></details>`}`;
}

function outcome({ skipped, reverted, outputs, changes }: StepReport): string {
  if (skipped !== undefined) return `skipped: ${skipped}`;
  if (reverted !== undefined) return `taken back: ${reverted}`;
  if (outputs.length > 0) return `wrote ${outputs.join(', ')}`;
  return changes > 0 ? counted(changes, 'change') : 'no change';
}
