import type { LayerRecord, PlacementRecord } from '../../../passes/quantize/record.ts';
import { formatCount } from '../table.ts';
import type { LayerFacts, LayerInput, StepRemark } from './facts.ts';
import { chart, isDrawn, symbolOf, thumbnail } from './histogram.ts';
import { html, type Markup } from './markup.ts';
import { counted, decibelText, figure, largeCount, percentText } from './numbers.ts';
import { lines, names } from './table.ts';

/** What the bars of a list are measured against. */
interface Scales {
  /** The largest share of multiply-adds. */
  readonly share: number;
  /** Layers with a rank. */
  readonly ranked: number;
}

/** Classes beyond which distributions are drawn half as fine, so that the page opens fast. */
const many = 500;

/** The list of layers, with what filters and sorts it; the controls show only where the script runs. */
export function layerSection(layers: readonly LayerFacts[], placement: PlacementRecord | undefined): Markup {
  const title = placement === undefined ? 'Nodes that steps remarked on' : 'Layers';
  if (layers.length === 0) return html`<section id="layers"><h2>${title}</h2><p>None.</p></section>`;
  const scales = { share: layers.reduce((most, { share = 0 }) => Math.max(most, share), 0), ranked: layers.filter(({ rank }) => rank !== undefined).length };
  return html`<section id="layers"><h2>${title}</h2>
${placement && introduction(placement)}
${controls(layers, placement !== undefined)}
<div class="list${placement === undefined && ' plain'}" id="list">${placement && html`<div class="head" aria-hidden="true"><span>#</span><span>layer</span><span>computed in</span>
<span>multiply-adds</span><span>predicted SQNR</span><span>input, thresholds</span></div>`}
${layers.map((layer, index) => row(layer, index + 1, scales))}</div></section>`;
}

/** How to read the list, and the drawings that it refers to. */
function introduction({ classes }: PlacementRecord): Markup {
  const symbols = classes.map((scaleClass, index) => symbolOf(scaleClass, index, classes.length > many));
  return html`<svg width="0" height="0" class="store" aria-hidden="true"><defs>${symbols}</defs></svg>
<p class="note">In graph order. Noise is predicted from the distributions and the rounded weights: signal over noise of what the layer computes, rank 1 the noisiest. A row
opens to its distributions and to what every step said of it. Bars count elements on a logarithmic scale, lines are the thresholds, and what is shaded is clipped.</p>`;
}

function controls(layers: readonly LayerFacts[], placed: boolean): Markup {
  const operators = new Map<string, number>();
  for (const { op } of layers) operators.set(op, (operators.get(op) ?? 0) + 1);
  const byCount = [...operators].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([op, count]) => [op, `${op} (${count})`] as const);
  return html`<form class="controls" id="controls" hidden>
<label>Search <input type="search" id="search" placeholder="name, rule, remark"></label>
${choice('Operator', 'operator', [['', 'all'], ...byCount])}
${placed && choice('Computed in', 'precision', [['', 'both'], ['int8', 'int8'], ['float', 'float']])}
${placed && choice('Order', 'order', [['g', 'graph'], ['s', 'most noise'], ['m', 'most multiply-adds'], ['n', 'name']])}
<button type="button" id="open">Open shown</button> <button type="button" id="close">Close all</button> <output id="shown"></output></form>`;
}

function choice(label: string, id: string, options: readonly (readonly [value: string, text: string])[]): Markup {
  return html`<label>${label} <select id="${id}">${options.map(([value, text]) => html`<option value="${value}">${text}</option>`)}</select></label>`;
}

/** One layer. The style knows the cells by their order, and text is said once, so that thousands of rows stay small. */
function row(layer: LayerFacts, number: number, scales: Scales): Markup {
  const { name, op, origin, placed, inputs, remarks } = layer;
  const precision = placed === undefined ? '' : placed.int8 ? 'int8' : 'float';
  const keys = html`${typeof placed?.macs === 'number' && html` data-m="${placed.macs}"`}${typeof placed?.sqnr === 'number' && html` data-s="${placed.sqnr}"`}`;
  const former = origin.length === 1 && origin[0] === name ? [] : origin;
  return html`<details id="l${number}" data-o="${op}" data-p="${precision}"${keys}>
<summary><span>${number}</span><span><bdi>${name}</bdi><small>${op}</small></span>${placed && placedCells(layer, placed, scales)}</summary>
<div>${facts(layer, former)}${inputs.map(inputPart)}${remarks.length > 0 && html`<h4>Remarks</h4><ul>${remarks.map(remarkItem)}</ul>`}</div></details>
`;
}

function placedCells({ inputs: [input], share, rank }: LayerFacts, { int8, rule, reason, macs, sqnr }: LayerRecord, scales: Scales): Markup {
  const cost = macs === null ? 'unknown' : macs === 0 ? undefined : share === undefined ? largeCount(macs) : percentText(share);
  const precision = int8 ? 'int8' : 'float';
  return html`<span><b class="${precision}">${precision}</b> <small>${rule}: ${reason}</small></span><span>${cost}${
    share !== undefined && share > 0 && bar(share / scales.share)}</span><span>${sqnr !== undefined && decibelText(sqnr)}${
    rank !== undefined && html` <small>rank ${rank}</small>${bar((scales.ranked - rank + 1) / scales.ranked)}`}</span><span>${
    input?.scaleClass && isDrawn(input.scaleClass) && thumbnail(input.class)}</span>`;
}

function bar(share: number): Markup {
  return html`<i style="--w:${Math.round(100 * share)}%"></i>`;
}

/** What is known of a layer beside its inputs: a line for each. */
function facts({ placed, measured }: LayerFacts, former: readonly string[]): Markup | undefined {
  const { macs, fused = [], weights, biasCorrection } = placed ?? {};
  const known = [
    ...(typeof macs === 'number' && macs > 0 ? [`${formatCount(macs)} multiply-adds`] : []),
    ...(measured === undefined ? [] : [html`measured at the outputs, with this layer alone in int8: <b>${decibelText(measured)}</b>`]),
    ...(weights ? [weightLine(weights)] : []),
    ...(typeof biasCorrection === 'number' && biasCorrection > 0 ? [`bias corrected by at most ${figure(biasCorrection)}`] : []),
    ...(fused.length > 0 ? [html`in its kernel: ${names(fused)}`] : []),
    ...(former.length > 0 ? [html`made of ${names(former)}`] : []),
  ];
  return known.length === 0 ? undefined : html`<p>${lines(known)}</p>`;
}

function weightLine({ axis, channels, scale: [smallest, largest], rounding, sqnr }: NonNullable<LayerRecord['weights']>): Markup {
  const where = typeof axis === 'number' ? `along axis ${axis}` : 'for the whole tensor';
  const error = sqnr !== undefined && html`, error alone <b>${decibelText(sqnr)}</b>`;
  return html`weights: ${counted(channels, 'scale')} ${where}, ${figure(smallest)} … ${figure(largest)}, rounding ${rounding}${error}`;
}

function inputPart({ tensor, rules, scaleClass, sqnr, class: index }: LayerInput): Markup {
  const about = [...(sqnr === undefined ? [] : [decibelText(sqnr)]), ...rules].join(', ');
  return html`<h4>Reads <bdi>${tensor}</bdi><small>: ${about}</small></h4>${scaleClass && chart(scaleClass, index)}`;
}

function remarkItem({ step, kind, rule, message }: StepRemark): Markup {
  return html`<li><b>${step}</b> ${kind}, ${rule.slice(rule.indexOf('/') + 1)}: ${message}</li>`;
}
