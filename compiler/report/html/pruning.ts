import type { GroupRecord, LayerRecord, PruningRecord, RecoveryRecord } from '../../../passes/prune/record.ts';
import type { Report } from '../report.ts';
import { formatBytes, formatChange, formatCount } from '../table.ts';
import { html, type Content, type Markup } from './markup.ts';
import { largestNorm, normsPicture, normSymbols, strideOf, symbolName, viewsOf, widthText, type NormsView } from './norms.ts';
import { counted, decibelText, figure, largeCount, percentText } from './numbers.ts';
import { pruningRecords } from './records.ts';
import { names, table } from './table.ts';

/** Most of each that are shown at once; more are folded, or left out of a list of names. */
const most = { open: 24, reasons: 200, chain: 12, names: 6 };

/** Channels that hardware computes at a time: a width between two multiples costs as much as the next. */
const lanes = 32;

/** What was pruned, in a section for each step that did; nothing where none did. */
export function pruningSections(report: Report): Markup | undefined {
  const records = pruningRecords(report);
  return records.length === 0 ? undefined : html`${records.map(({ step, record, unproved }, index) => html`<section id="pruning${index + 1}"><h2>What was pruned${records.length > 1 && html` by <bdi>${step}</bdi>`}</h2>
${summary(record, unproved)}
${normsPart(record, `n${index + 1}g`)}
${layersPart(record.layers)}
${heldPart(record.groups)}
${sparedPart(record.groups)}
${record.recovery && recoveryPart(record.recovery)}</section>
`)}`;
}

function summary({ cost: { before, after }, groups, prunable, proof }: PruningRecord, unproved: string | undefined): Markup {
  const removed = groups.map(removedOf);
  const total = sum(groups.map(({ kept }) => kept.length));
  const card = (term: string, from: number | null, to: number | null, format: (value: number) => string): Content => (
    from !== null && to !== null && from > 0 && html`<div><dt>${term}</dt><dd>${percentText(to / from)}</dd><dd class="detail">${format(to)} of ${format(from)} stay</dd></div>`
  );
  const held = sum(groups.map(pinnedOf));
  return html`<dl class="cards">${card('multiply-adds', before.macs, after.macs, largeCount)}${card('parameters', before.parameters, after.parameters, largeCount)}${card('weights', before.bytes, after.bytes, formatBytes)}<div><dt>channels removed</dt><dd>${formatCount(sum(removed))}</dd><dd class="detail">of ${formatCount(total)}, in ${removed.filter((count) => count > 0).length} of ${counted(groups.length, 'group')}</dd></div></dl>
<p>${(before.macs === null || after.macs === null) && 'The multiply-adds cannot be told. '}${proofText(proof, unproved)} ${percentText(prunable)} of the parameters belonged to channels that could be removed; ${
  held === 0 ? 'nothing held a channel' : `${counted(held, 'channel')} had to stay`}.</p>`;
}

function proofText(proof: number | null, unproved: string | undefined): string {
  if (proof === null) return unproved === undefined ? 'The pruned model was not run beside the original.' : `${unproved.slice(0, 1).toUpperCase()}${unproved.slice(1)}.`;
  const difference = proof === 0 ? 'it gives exactly the same' : `no output differs by more than ${figure(proof)} of its largest element`;
  return `Proved by a run beside the original with the readers of the removed channels set to zero: ${difference}.`;
}

function normsPart(record: PruningRecord, prefix: string): Markup {
  const { groups } = record;
  return html`<h3>Norms of the channels</h3>
<p class="note">A bar is the L2 norm of the weights that make one channel, over all layers that make it. <span class="key"><svg viewBox="0 0 1 1"><path class="stayed" d="M0 0h1v1H0z"/></svg> blue stayed</span>,
<span class="key"><svg viewBox="0 0 1 1"><path class="gone" d="M0 0h1v1H0z"/></svg> orange was removed</span>. Heights begin at 0 and have the same scale before and after. Norms fall, too,
where a layer reads fewer channels than before.</p>
<svg width="0" height="0" class="store" aria-hidden="true">${normSymbols(record, prefix)}</svg>
${folded(`${counted(groups.length, 'group')} side by side`, groups.length, html`<div class="scroll">${normsPicture(record, prefix)}</div>`)}
<div class="groups">${groups.map((group, index) => groupPart(group, (view) => symbolName(prefix, index, view)))}</div>`;
}

const titles: Readonly<Record<NormsView, string>> = { before: 'In their order', sorted: 'Sorted', after: 'After, those that stayed' };

/** One group, closed until somebody asks. */
function groupPart(group: GroupRecord, symbol: (view: NormsView) => string): Markup {
  const { name, producers, consumers, energy, norms, kept } = group;
  const stayed = norms.filter((_, channel) => kept[channel] !== false);
  const gone = norms.filter((_, channel) => kept[channel] === false);
  const stride = strideOf(group);
  const facts = [
    `norms ${rangeText(norms)}`, ...(gone.length > 0 ? [`of those that stayed ${rangeText(stayed)}`, `of those removed ${rangeText(gone)}`] : []), ...scoreFacts(group),
    ...(stride > 1 ? [`one channel in ${stride} is drawn`] : []),
  ];
  return html`<details><summary><bdi>${name}</bdi> <small>${widthText(group)}${gone.length > 0 && `, ${percentText(energy)} of the energy stays`}</small></summary>
<p>made by ${names(producers, producers.length, most.names)}${consumers.length > 0 && html`; read by ${names(consumers, consumers.length, most.names)}`}</p>
<p>${facts.join('; ')}</p>
${viewsOf(group).map((view) => html`<h4>${titles[view]} <small>0 … ${figure(largestNorm(group))}</small></h4><div class="norms"><svg><use href="#${symbol(view)}"/></svg></div>`)}</details>
`;
}

/** What the choice went by, where that was not the norm alone. */
function scoreFacts({ scores, kept }: GroupRecord): string[] {
  if (scores === null || !kept.includes(false)) return [];
  return [`scores of those that stayed ${rangeText(scores.filter((_, channel) => kept[channel] !== false))}`, `of those removed ${rangeText(scores.filter((_, channel) => kept[channel] === false))}`];
}

function rangeText(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  return `${figure(values.reduce((low, value) => Math.min(low, value), Infinity))} … ${figure(values.reduce((high, value) => Math.max(high, value), -Infinity))}`;
}

function layersPart(layers: readonly LayerRecord[]): Markup | undefined {
  if (layers.length === 0) return undefined;
  const rows = layers.map(({ node, op, inputs, outputs, macs, parameters }) => [
    html`<bdi>${node}</bdi>`, op, widthCell(inputs), widthCell(outputs), macs[0] === null || macs[1] === null ? 'unknown' : formatChange(macs[0], macs[1], largeCount),
    formatChange(...parameters, largeCount), wasteCell(outputs[1] > 0 ? outputs[1] : inputs[1]),
  ]);
  return html`<h3>Layers</h3>
${folded(`${counted(layers.length, 'layer')} of another width`, layers.length, html`${table(['layer', 'operator', '#inputs', '#outputs', '#multiply-adds', '#parameters', '#alignment waste'], rows)}
<p class="note">Alignment waste is the share of the next multiple of ${lanes} that the new width leaves unused: kernels that compute ${lanes} channels at a time spend it on nothing, and the option <code>roundTo</code> avoids it.</p>`)}`;
}

function widthCell([before, after]: readonly [number, number]): string {
  return before === 0 && after === 0 ? '—' : formatChange(before, after);
}

function wasteCell(width: number): Content {
  if (width <= 0) return '—';
  const full = lanes * Math.ceil(width / lanes);
  return html`<span title="${width} of ${full} in use">${percentText((full - width) / full)}</span>`;
}

/** Channels that one reason holds. */
interface Hold {
  channels: number;
  readonly groups: string[];
  readonly chain: readonly string[];
}

/** What holds channels that stay, by reason; the most channels first. */
function heldPart(groups: readonly GroupRecord[]): Markup | undefined {
  const holds = new Map<string, Hold>();
  for (const { name, pins } of groups) {
    for (const { reason, channels, chain } of pins) {
      const hold = holds.get(reason) ?? { channels: 0, groups: [], chain };
      holds.set(reason, hold);
      hold.channels += channels;
      hold.groups.push(name);
    }
  }
  if (holds.size === 0) return undefined;
  const rows = [...holds].sort(([, a], [, b]) => b.channels - a.channels).slice(0, most.reasons).map(([reason, { channels, groups: members, chain }]) => [
    reason, channels, names(members, members.length, most.names), chain.length > 1 ? chainText(chain) : '—',
  ]);
  return html`<h3>What holds channels</h3>
${folded(counted(holds.size, 'reason'), holds.size, html`${table(['the channels stay:', '#channels', 'of groups', 'by way of'], rows)}${holds.size > rows.length && html`<p>and ${holds.size - rows.length} more</p>`}`)}`;
}

/** The nodes between a channel and what holds it; the middle of long ways is left out. */
function chainText(chain: readonly string[]): Markup {
  const shown: readonly (string | undefined)[] = chain.length > most.chain ? [...chain.slice(0, most.chain / 2), undefined, ...chain.slice(-most.chain / 2)] : chain;
  return html`<small>${shown.map((name, index) => html`${index > 0 && ' → '}${name === undefined ? `${chain.length - most.chain} more` : html`<bdi>${name}</bdi>`}`)}</small>`;
}

/** Groups that had something to give and gave nothing. */
function sparedPart(groups: readonly GroupRecord[]): Markup | undefined {
  const spared = groups.filter((group) => group.spared !== null);
  if (spared.length === 0) return undefined;
  const rows = spared.map((group) => [html`<bdi>${group.name}</bdi>`, group.kept.length - pinnedOf(group), `it ${group.spared!}`]);
  return html`<h3>Groups that lose nothing</h3>
${folded(counted(spared.length, 'group'), spared.length, table(['group', '#could give', 'why'], rows))}`;
}

function recoveryPart({ method, layers }: RecoveryRecord): Markup {
  const rows = layers.map(({ node, used, dropped, repaired }) => {
    const isFitted = used !== 'none';
    const gain = decibels(repaired) - decibels(dropped);
    return [html`<bdi>${node}</bdi>`, isFitted ? `new ${used}` : 'left as it was', errorText(dropped), errorText(repaired), isFitted ? `${gain > 0 ? '+' : ''}${decibelText(gain)}` : '—'];
  });
  return html`<h3>Recovery</h3>
<p class="note">By <code>${method}</code>: signal over error of what each layer gives, on samples that were held out, with the channels merely gone and after the layer was fitted anew.</p>
${rows.length === 0 ? html`<p>No layer reads what was removed.</p>` : folded(counted(layers.length, 'layer'), layers.length, table(['layer', 'fitted', '#channels gone', '#fitted anew', '#gain'], rows))}`;
}

/** The share of an error's power that is none. */
const noError = 1e-12;

/** Signal over error, of error power over power. */
function decibels(share: number): number {
  return -10 * Math.log10(Math.max(share, noError));
}

function errorText(share: number): string {
  return share <= noError ? 'no error' : decibelText(decibels(share));
}

/** Open where there is little, so that hundreds of rows do not push the rest of the page out of sight. */
function folded(title: string, count: number, content: Markup): Markup {
  return html`<details${count <= most.open && html` open`}><summary>${title}</summary>
${content}</details>`;
}

function removedOf({ kept }: GroupRecord): number {
  return kept.filter((each) => !each).length;
}

function pinnedOf({ pins }: GroupRecord): number {
  return sum(pins.map(({ channels }) => channels));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
