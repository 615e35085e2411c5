import { Diagnostic } from '../../ir/diagnostic.ts';
import type { QuantizedFormat } from '../target.ts';
import { densityOf, noiseOf, powerOf, type Density, type Noise } from './density.ts';
import { entropyThreshold } from './entropy.ts';
import { codesOf, gridOf, type ValueRange } from './grid.ts';
import type { Histogram } from './histogram.ts';
import type { RangeMethod, TensorStatistics } from './statistics.ts';

/** The methods that need a histogram. */
export function needsHistogram(method: RangeMethod): boolean {
  return method !== 'min-max' && method !== 'mean-min-max';
}

/**
 * How much more clipping counts than rounding in the error that `auto` makes least. Rounding errors of the inputs of a layer are independent and average out in its sums; elements that are clipped
 * are the large ones, come together, and all err towards zero.
 */
export const clippingWeight = 4;

/** Share of |x| that the method `percentile` keeps, in percent, unless a recipe says otherwise. */
export const defaultPercentile = 99.99;

/**
 * What of a value is kept, by a method, for a number format. Contains zero and lies within what was seen; [0, 0] if nothing was. Symmetric formats get min = −max.
 * Throws `statistics/no-histogram` where the method needs a histogram and none was gathered, `statistics/format` for formats without codes.
 */
export function rangeOf(statistics: TensorStatistics, method: RangeMethod, format: QuantizedFormat, percentile: number = defaultPercentile): ValueRange {
  const { min, max, count } = statistics;
  if (count === 0) return { min: 0, max: 0 };
  const seen = { min: Math.min(0, min), max: Math.max(0, max) };
  const range = method === 'min-max' ? seen
    : method === 'mean-min-max' ? { min: Math.min(0, statistics.meanMin), max: Math.max(0, statistics.meanMax) }
    : fromHistogram(seen, histogramOf(statistics), method, format, percentile);
  if (!format.symmetric) return { min: Math.max(seen.min, range.min), max: Math.min(seen.max, range.max) };
  const bound = Math.min(boundOf(seen, format), Math.max(-range.min, range.max));
  return { min: -bound, max: bound };
}

/** The bound of the smallest symmetric grid that holds a range: below zero there may be a code more than above. */
function boundOf({ min, max }: ValueRange, format: QuantizedFormat): number {
  const [low, high] = codesOf(format);
  const middle = low < 0 ? 0 : (high + 1) / 2;
  return Math.max(-min * (high - middle) / (middle - low), max);
}

/** What quantization to a range would do to each element of a value, and the mean of x² beside it. Throws `statistics/no-histogram`. */
export function predictNoise(statistics: TensorStatistics, range: ValueRange, format: QuantizedFormat): Noise & { readonly power: number } {
  const density = densityOf(histogramOf(statistics), statistics.min, statistics.max);
  return { ...noiseOf(density, gridOf(range, format)), power: powerOf(density) };
}

function histogramOf({ histogram }: TensorStatistics): Histogram {
  if (histogram !== undefined) return histogram;
  throw new Diagnostic('statistics/no-histogram', 'the statistics hold no histograms, which this method needs', {
    expected: ['min-max', 'mean-min-max'], suggestion: 'Calibrate with the method that you want to use, or with `auto`, which gathers what all methods need.',
  });
}

function fromHistogram(seen: ValueRange, histogram: Histogram, method: RangeMethod, format: QuantizedFormat, percentile: number): ValueRange {
  if (histogram.range === 0) return { min: 0, max: 0 };
  if (method === 'percentile') return percentileRange(histogram, seen, format, percentile);
  if (method === 'entropy') return entropyRange(histogram, seen, format);
  return searchRange(densityOf(histogram, seen.min, seen.max), seen, format, method === 'mse' ? 1 : clippingWeight);
}

/** All magnitudes, signs aside. */
function magnitudes({ positive, negative }: Histogram): Float64Array {
  return positive.map((count, k) => count + negative[k]!);
}

/** Upper edge of the bin up to which the share of elements is reached. `below` of them lie below the first bin. */
function quantile(counts: Float64Array, below: number, wanted: number, width: number): number {
  let sum = below;
  if (sum >= wanted) return 0;
  for (let k = 0; k < counts.length; k++) {
    sum += counts[k]!;
    if (sum >= wanted) return (k + 1) * width;
  }
  return counts.length * width;
}

/** Symmetric: the percentile of |x|. Asymmetric: half of what may be lost at each end. */
function percentileRange(histogram: Histogram, seen: ValueRange, format: QuantizedFormat, percentile: number): ValueRange {
  const { range, zeros, positive, negative } = histogram;
  const width = range / positive.length;
  const sum = (counts: Float64Array): number => counts.reduce((all, count) => all + count, 0);
  const total = zeros + sum(positive) + sum(negative);
  if (format.symmetric) {
    const bound = quantile(magnitudes(histogram), zeros, total * percentile / 100, width);
    return { min: -bound, max: bound };
  }
  const kept = total * (1 - (1 - percentile / 100) / 2);
  return { min: Math.max(seen.min, -quantile(negative, total - sum(negative), kept, width)), max: Math.min(seen.max, quantile(positive, total - sum(positive), kept, width)) };
}

/** The levels of one side: half of all codes if both signs occur or the format is symmetric, else all of them. */
function entropyRange(histogram: Histogram, seen: ValueRange, format: QuantizedFormat): ValueRange {
  const [low, high] = codesOf(format);
  const counts = magnitudes(histogram);
  const used = counts.subarray(0, counts.findLastIndex((count) => count > 0) + 1);
  const oneSided = seen.min === 0 || seen.max === 0;
  const levels = format.symmetric || !oneSided ? (high - low + 1) / 2 : high - low + 1;
  const bound = used.length <= levels ? Infinity : entropyThreshold(used, levels) * histogram.range / counts.length;
  return { min: Math.max(seen.min, -bound), max: Math.min(seen.max, bound) };
}

/** Candidates for each end of a range on the way down from what was seen, eight for each halving, and the halvings. */
const perOctave = 8;
const octaves = 8;
/** Halvings of the interval around the best candidate. */
const refinements = 6;

/** The range with the least expected error of rounding and weighted clipping. With two ends, each in turn while the other one stands. */
function searchRange(density: Density, seen: ValueRange, format: QuantizedFormat, weight: number): ValueRange {
  const error = (range: ValueRange): number => {
    const { rounding, clipping } = noiseOf(density, gridOf(range, format));
    return rounding + weight * clipping;
  };
  if (format.symmetric) {
    const bound = leastBound(boundOf(seen, format), (max) => error({ min: -max, max }));
    return { min: -bound, max: bound };
  }
  let range = seen;
  for (let round = 0; round < 2; round++) {
    if (seen.max > 0) range = { ...range, max: leastBound(seen.max, (max) => error({ ...range, max })) };
    if (seen.min < 0) range = { ...range, min: -leastBound(-seen.min, (bound) => error({ ...range, min: -bound })) };
    if (seen.max === 0 || seen.min === 0) break;
  }
  return range;
}

/** The bound up to `top` with the least error: a geometric grid, then around the best of it ever finer. */
function leastBound(top: number, error: (bound: number) => number): number {
  let [best, least, exponent] = [top, error(top), 0];
  const consider = (at: number): void => {
    if (at < 0) return;
    const bound = top * 2 ** -at;
    const found = error(bound);
    if (found < least) [best, least, exponent] = [bound, found, at];
  };
  for (let step = 1; step <= perOctave * octaves; step++) consider(step / perOctave);
  for (let step = 1; step <= refinements; step++) {
    const width = 2 ** -step / perOctave;
    const centre = exponent;
    consider(centre - width);
    consider(centre + width);
  }
  return best;
}
