import type { ClassRecord } from '../../../passes/quantize/record.ts';
import type { Buckets } from '../../../passes/statistics/buckets.ts';
import { html, Markup } from './markup.ts';
import { coordinate, figure, largeCount, percentText } from './numbers.ts';

/** Height of a drawing in its own units; its width is that of what it shows. */
const height = 100;
const width = 1000;

/** The part of the axis that is drawn. */
interface Axis {
  readonly from: number;
  readonly to: number;
}

/** The drawing of one class, which rows and charts refer to: bars, what is clipped, and lines at the thresholds. `coarse` draws half as many bars. Empty without a histogram. */
export function symbolOf(scaleClass: ClassRecord, index: number, coarse: boolean): Markup | undefined {
  const { histogram, holds } = scaleClass;
  if (!isDrawn(scaleClass)) return undefined;
  const axis = axisOf(scaleClass);
  const most = mostOf(histogram!);
  const [low, high] = holds.map((bound) => Math.round(width * (bound - axis.from) / (axis.to - axis.from))) as [number, number];
  const paths = {
    grid: decadesOf(histogram!).map((decade) => `M0 ${Math.round(height - barHeight(10 ** decade, most))}h${width}`).join(''),
    bars: barPath(coarse ? paired(histogram!) : histogram!, axis),
    lost: `${low > 0 ? `M0 0h${low}v${height}H0z` : ''}${high < width ? `M${high} 0H${width}v${height}H${high}z` : ''}`,
    bound: [low, high].filter((x) => x >= 0 && x <= width).map((x) => `M${x} 0v${height}`).join(''),
  };
  return html`<symbol id="h${index}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${
    Object.entries(paths).map(([name, path]) => path !== '' && html`<path class="${name}" d="${new Markup(path)}"/>`)}</symbol>`;
}

/** Whether there is a drawing of a class. */
export function isDrawn(scaleClass: ClassRecord): boolean {
  const { from, to } = axisOf(scaleClass);
  return scaleClass.histogram !== undefined && to > from;
}

/** The distribution in a row of the list, without text. */
export function thumbnail(index: number): Markup {
  return html`<svg><use href="#h${index}"/></svg>`;
}

/** The distribution in full: the drawing, its thresholds and extremes, and what the numbers are. */
export function chart(scaleClass: ClassRecord, index: number): Markup {
  const { histogram, holds, range, seen, scale, zeroPoint, method, clipped } = scaleClass;
  const axis = axisOf(scaleClass);
  const place = (value: number): number => 100 * (value - axis.from) / (axis.to - axis.from);
  const facts = [
    `scale ${figure(scale)}, zero point ${zeroPoint}`, `range ${figure(range[0])} … ${figure(range[1])} ${methods.get(method) ?? `by ${method}`}`,
    ...(histogram === undefined && seen ? [`seen ${figure(seen[0])} … ${figure(seen[1])}`] : []),
    ...(clipped === undefined ? [] : [`${percentText(clipped)} clipped`]), ...(histogram && histogram.zeros > 0 ? [`${largeCount(histogram.zeros)} zeros not drawn`] : []),
  ];
  return html`${isDrawn(scaleClass) && html`<div class="plot"><div>${holds.map((bound, side) => thresholdLabel(bound, place(bound), side === 0))}</div>
<div>${thumbnail(index)}${topTick(histogram!)}</div>
<div>${seenLabels(seen, place)}</div></div>`}<p>${facts.join('; ')}</p>`;
}

/** Ways to a range that are no methods of distributions. */
const methods: ReadonlyMap<string, string> = new Map([['fixed', 'known from the operator'], ['given', 'as the recipe says'], ['constant', 'from its elements']]);

/** The label of the highest line. */
function topTick(histogram: Buckets): Markup | undefined {
  const top = decadesOf(histogram).at(-1);
  return top === undefined ? undefined : html`<span class="tick" style="top:${coordinate(height - barHeight(10 ** top, mostOf(histogram)))}%">10<sup>${top}</sup></span>`;
}

/** The largest count. */
function mostOf({ counts }: Buckets): number {
  return Math.max(1, ...counts);
}

/** Powers of ten among the counts that get a line. */
function decadesOf(histogram: Buckets): number[] {
  return Array.from({ length: Math.min(12, Math.floor(Math.log10(mostOf(histogram)))) }, (_, index) => index + 1);
}

/** The same in buckets of twice the width; an edge stays at `from`. */
function paired({ from, width: step, zeros, counts }: Buckets): Buckets {
  return { from, width: 2 * step, zeros, counts: Array.from({ length: Math.ceil(counts.length / 2) }, (_, index) => counts[2 * index]! + (counts[2 * index + 1] ?? 0)) };
}

/**
 * What is drawn: all that was seen, and the thresholds where they are near. A threshold far beyond what was seen (symmetric ranges of values with one sign)
 * would leave half of the drawing empty.
 */
function axisOf({ holds, seen }: ClassRecord): Axis {
  const side = (threshold: number, extreme: number): number => (threshold > 1.5 * extreme ? 1.05 * extreme : 1.05 * Math.max(threshold, extreme));
  const [min, max] = seen ?? holds;
  return { from: -side(Math.max(0, -holds[0]), Math.max(0, -min)), to: side(Math.max(0, holds[1]), Math.max(0, max)) };
}

/** Logarithmic, and 0 for nothing. */
function barHeight(count: number, most: number): number {
  return height * Math.log10(count + 1) / Math.log10(most + 1);
}

/** One outline around all bars, in whole units. */
function barPath(buckets: Buckets, axis: Axis): string {
  const { from, width: step, counts } = buckets;
  const most = mostOf(buckets);
  const across = (bucket: number): number => Math.min(width, Math.round(width * (from + bucket * step - axis.from) / (axis.to - axis.from)));
  let path = `M${across(0)} ${height}`;
  let last = 0;
  counts.forEach((count, bucket) => {
    const up = Math.round(barHeight(count, most));
    if (up !== last) path += `H${across(bucket)}v${last - up}`;
    last = up;
  });
  return `${path}H${across(counts.length)}V${height}z`;
}

/** Above the drawing: beside its line, towards the side where there is room. */
function thresholdLabel(bound: number, place: number, isLow: boolean): Markup {
  if (place < 0) return html`<span class="bound" style="left:0">◂ ${figure(bound)}</span>`;
  if (place > 100) return html`<span class="bound" style="right:0">${figure(bound)} ▸</span>`;
  const toLeft = isLow ? place > 15 : place > 85;
  return html`<span class="bound" style="${toLeft ? 'right' : 'left'}:${coordinate(toLeft ? 100 - place : place)}%">${figure(bound)}</span>`;
}

/** Below the drawing: the smallest and largest element, and zero where it is not near them. */
function seenLabels(seen: ClassRecord['seen'], place: (value: number) => number): Markup[] {
  if (seen === undefined) return [];
  const [min, max] = seen;
  const [left, zero, right] = [place(min), place(0), place(max)];
  return [
    html`<span style="left:${coordinate(left)}%">min ${figure(min)}</span>`,
    ...(zero > left + 18 && zero < right - 18 ? [html`<span class="zero" style="left:${coordinate(zero)}%">0</span>`] : []),
    html`<span style="right:${coordinate(100 - right)}%">max ${figure(max)}</span>`,
  ];
}
