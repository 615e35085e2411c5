import type { LayerFacts } from './facts.ts';
import { html, Markup } from './markup.ts';
import { coordinate, decibelText } from './numbers.ts';

/** Units of the drawing. */
const [width, height] = [1000, 100];

/** Most layers that are named below, and most lines across. */
const most = { named: 5, lines: 8 };

/** A layer whose noise is predicted. */
interface Point {
  readonly index: number;
  readonly name: string;
  readonly sqnr: number;
  readonly rank: number;
}

/** The predicted signal over noise of all layers in graph order, and the names of the noisiest; nothing where nothing is predicted. */
export function noiseProfile(layers: readonly LayerFacts[]): Markup | undefined {
  const points = layers.flatMap(({ placed, rank, name }, index): Point[] => (
    typeof placed?.sqnr === 'number' && rank !== undefined ? [{ index, name, sqnr: placed.sqnr, rank }] : []
  ));
  if (points.length < 2) return undefined;
  const least = points.reduce((low, { sqnr }) => Math.min(low, sqnr), Infinity);
  const largest = points.reduce((high, { sqnr }) => Math.max(high, sqnr), -Infinity);
  const step = 10 * Math.ceil((largest - least) / 10 / most.lines || 1);
  const [low, high] = [step * Math.floor(least / step), step * (Math.floor(largest / step) + 1)];
  const y = (sqnr: number): string => coordinate(height * (high - sqnr) / (high - low));
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, tick) => low + step * tick);
  const dots = (of: readonly Point[]): Markup => new Markup(of.map(({ index, sqnr }) => `M${coordinate(width * (index + 0.5) / layers.length)} ${y(sqnr)}h0`).join(''));
  const worst = points.filter(({ rank }) => rank <= most.named).sort((a, b) => a.rank - b.rank);
  const described = `Predicted signal over noise of ${points.length} layers, ${decibelText(least)} to ${decibelText(largest)}`;
  return html`<section id="noise"><h2>Where the noise comes from</h2>
<p class="note">Predicted signal over noise of each layer by itself, in dB, from the first to the last; lower is noisier. The ringed ones are listed below.</p>
<div class="profile"><svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${described}">
${ticks.map((tick) => html`<path class="grid" d="M0 ${y(tick)}h${width}"/>`)}<path class="ring" d="${dots(worst)}"/><path class="dot" d="${dots(points)}"/></svg>
${ticks.map((tick) => html`<span class="tick" style="top:${y(tick)}%">${String(tick).replace('-', '−')}</span>`)}</div>
${ranking(worst)}${measuredPart(layers)}</section>`;
}

/** The layers with the most noise at the outputs, where that was measured. */
function measuredPart(layers: readonly LayerFacts[]): Markup | undefined {
  const points = layers.flatMap(({ measured, name }, index) => (measured === undefined ? [] : [{ index, name, sqnr: measured }]));
  const worst = points.sort((a, b) => a.sqnr - b.sqnr).slice(0, most.named);
  return worst.length === 0 ? undefined : html`<p class="note">Measured at the outputs with one layer alone in int8, the noisiest of ${points.length}:</p>${ranking(worst)}`;
}

function ranking(worst: readonly Omit<Point, 'rank'>[]): Markup {
  return html`<ol class="worst">${worst.map(({ index, name, sqnr }) => html`<li><a href="#l${index + 1}"><bdi>${name}</bdi></a> ${decibelText(sqnr)}</li>`)}</ol>`;
}
