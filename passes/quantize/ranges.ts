import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Value } from '../../ir/model.ts';
import type { ScaleClass } from '../placement/placement.ts';
import type { Grid, ValueRange } from '../statistics/grid.ts';
import { mergeHistograms } from '../statistics/histogram.ts';
import { predictNoise, rangeOf } from '../statistics/range.ts';
import type { RangeMethod, Statistics, TensorStatistics } from '../statistics/statistics.ts';
import type { QuantizedFormat } from '../target.ts';
import { writtenGrid } from './codes.ts';

/** The scale of a class of values, and where it comes from. */
export interface ClassScale {
  readonly grid: Grid;
  readonly range: ValueRange;
  /** `fixed`: known from the operator; `given`: stated in the recipe; `constant`: the elements themselves. */
  readonly method: RangeMethod | 'fixed' | 'given' | 'constant';
  /** Error power over signal power from quantization, as the distribution predicts; undefined without a histogram. */
  readonly noise: number | undefined;
  /** What was seen of the class as a whole; absent where nothing was observed. */
  readonly seen?: TensorStatistics;
}

/** What the recipe says about a class: through the layers that read it. */
export interface RangeWish {
  readonly method: RangeMethod | undefined;
  readonly range: ValueRange | undefined;
}

/** Values of a class whose distribution was not observed, though it is needed. */
export function unobserved({ observe, fixed }: ScaleClass, { range }: RangeWish, statistics: Statistics): Value[] {
  return fixed !== undefined || range !== undefined ? [] : observe.filter((value) => value.constant === undefined && !statistics.tensors.has(value.name));
}

/** The scale of a class: its range by the wished method, widened to hold zero. Throws `quantize/not-finite` where nothing finite was seen. */
export function classScale({ observe, fixed }: ScaleClass, { method: wished, range: given }: RangeWish, statistics: Statistics, format: QuantizedFormat): ClassScale {
  const seen = observe.flatMap((value) => statistics.tensors.get(value.name) ?? []);
  const constants = observe.filter((value) => value.constant !== undefined && !statistics.tensors.has(value.name)).map((value) => extent(value.constant!.floats()));
  const all = seen.length === 0 ? undefined : seen.reduce(merged);
  const scaled = (range: ValueRange, method: ClassScale['method']): ClassScale => ({ grid: writtenGrid(range, format), range, method, noise: all && noiseOf(all, range, format), ...(all && { seen: all }) });
  if (given !== undefined) return scaled(given, 'given');
  if (fixed !== undefined) return scaled(fixed, 'fixed');
  if (all === undefined) return scaled(union(constants), 'constant');
  if (all.count === 0 && all.nan + all.infinite > 0) {
    throw new Diagnostic('quantize/not-finite', `nothing finite was seen of ${observe.map(({ name }) => `'${name}'`).join(', ')}: only NaN and infinities`, {
      tensor: observe[0]!.name, suggestion: 'Check the calibration data, or leave the layers that read it in float: overrides with precision: float.',
    });
  }
  const method = wished ?? statistics.method;
  return scaled(union([rangeOf(all, method, format, statistics.percentile), ...constants]), method);
}

/** Two values that share a scale, as one. The mean extremes of the wider one stand for both: those of the union are not known. */
function merged(a: TensorStatistics, b: TensorStatistics): TensorStatistics {
  return {
    count: a.count + b.count, samples: Math.max(a.samples, b.samples), min: Math.min(a.min, b.min), max: Math.max(a.max, b.max),
    meanMin: Math.min(a.meanMin, b.meanMin), meanMax: Math.max(a.meanMax, b.meanMax), nan: a.nan + b.nan, infinite: a.infinite + b.infinite,
    ...(a.histogram && b.histogram && { histogram: mergeHistograms(a.histogram, b.histogram) }),
  };
}

function noiseOf(statistics: TensorStatistics, range: ValueRange, format: QuantizedFormat): number | undefined {
  if (statistics.histogram === undefined || statistics.count === 0) return undefined;
  const { rounding, clipping, power } = predictNoise(statistics, range, format);
  return power === 0 ? 0 : (rounding + clipping) / power;
}

function union(intervals: readonly ValueRange[]): ValueRange {
  return { min: Math.min(0, ...intervals.map(({ min }) => min)), max: Math.max(0, ...intervals.map(({ max }) => max)) };
}

function extent(elements: Float32Array | Float64Array): ValueRange {
  let [min, max] = [0, 0];
  for (const element of elements) {
    if (element < min) min = element;
    if (element > max) max = element;
  }
  return { min, max };
}
