import type { Grid } from './grid.ts';
import type { Histogram } from './histogram.ts';

/** One sign of a distribution: sums over its elements up to each edge of its bins. Within a bin the elements count as evenly spread. */
export interface Half {
  /** Width of the bins. */
  readonly width: number;
  /** Bins up to the last one that is not empty. */
  readonly size: number;
  /** Largest magnitude: the upper edge of the last bin. */
  readonly top: number;
  /** Sums of 1, |x| and x² over the elements of bins 0 … i − 1, at i. */
  readonly sums: readonly [Float64Array, Float64Array, Float64Array];
}

/** A distribution that can be integrated over. */
export interface Density {
  /** Elements, zeros included. */
  readonly count: number;
  readonly positive: Half;
  readonly negative: Half;
}

/** Errors that quantization to a grid makes, for each element. */
export interface Noise {
  /** Mean square of what rounding changes. */
  readonly rounding: number;
  /** Mean square of what is lost of elements beyond the grid. */
  readonly clipping: number;
  /** E[Q(x)] − E[x]. */
  readonly shift: number;
}

/** The distribution behind a histogram whose elements lie between `min` and `max`. */
export function densityOf({ range, zeros, positive, negative }: Histogram, min: number, max: number): Density {
  const width = range / positive.length;
  const [above, below] = [half(positive, width, max), half(negative, width, -min)];
  return { count: zeros + above.sums[0][above.size]! + below.sums[0][below.size]!, positive: above, negative: below };
}

function half(counts: Float64Array, width: number, limit: number): Half {
  const size = counts.findLastIndex((count) => count > 0) + 1;
  // The largest element lies in the last bin, which ends there.
  const top = size === 0 ? 0 : Math.max(limit, (size - 1) * width);
  const sums = [new Float64Array(size + 1), new Float64Array(size + 1), new Float64Array(size + 1)] as const;
  for (let k = 0; k < size; k++) {
    const [count, from, to] = [counts[k]!, k * width, k === size - 1 ? top : (k + 1) * width];
    sums[0][k + 1] = sums[0][k]! + count;
    sums[1][k + 1] = sums[1][k]! + count * (from + to) / 2;
    sums[2][k + 1] = sums[2][k]! + count * (from * from + from * to + to * to) / 3;
  }
  return { width, size, top, sums };
}

/** Mean of x². */
export function powerOf({ count, positive, negative }: Density): number {
  return count === 0 ? 0 : (positive.sums[2][positive.size]! + negative.sums[2][negative.size]!) / count;
}

/** What quantization to a grid does to the elements of a distribution, in time that depends on the number of codes alone. */
export function noiseOf({ count, positive, negative }: Density, { scale, zeroPoint, low, high }: Grid): Noise {
  if (count === 0) return { rounding: 0, clipping: 0, shift: 0 };
  const above = halfNoise(positive, scale, high - zeroPoint);
  const below = halfNoise(negative, scale, zeroPoint - low);
  return { rounding: (above.rounding + below.rounding) / count, clipping: (above.clipping + below.clipping) / count, shift: (above.shift - below.shift) / count };
}

/** Sums over the elements of one sign, whose codes are 0 … last: of squares of errors, and of errors. */
function halfNoise({ width, size, top, sums: [s0, s1, s2] }: Half, scale: number, last: number): Noise {
  if (size === 0) return { rounding: 0, clipping: 0, shift: 0 };
  let [a0, a1, a2] = [0, 0, 0];
  let [rounding, shift] = [0, 0];
  for (let code = 0; code <= last; code++) {
    const edge = (code + 0.5) * scale;
    let [b0, b1, b2] = [s0[size]!, s1[size]!, s2[size]!];
    if (edge < top) {
      const k = Math.min(size - 1, Math.floor(edge / width));
      const from = k * width;
      const share = (s0[k + 1]! - s0[k]!) * (edge - from) / ((k === size - 1 ? top : from + width) - from);
      b0 = s0[k]! + share;
      b1 = s1[k]! + share * (from + edge) / 2;
      b2 = s2[k]! + share * (from * from + from * edge + edge * edge) / 3;
    }
    const value = code * scale;
    rounding += b2 - a2 - value * (2 * (b1 - a1) - value * (b0 - a0));
    shift += value * (b0 - a0) - (b1 - a1);
    [a0, a1, a2] = [b0, b1, b2];
    if (edge >= top) break;
  }
  const value = last * scale;
  const [n, sum, squares] = [s0[size]! - a0, s1[size]! - a1, s2[size]! - a2];
  return { rounding: Math.max(0, rounding), clipping: Math.max(0, squares - value * (2 * sum - value * n)), shift: shift + value * n - sum };
}
