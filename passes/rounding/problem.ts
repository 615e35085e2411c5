import type { LayerMoments } from '../statistics/statistics.ts';
import { laneDots, lanes } from './lanes.ts';

/**
 * One group of a weighted layer Y = W X whose weights are to become codes: W ≈ scale · code, row by row. Rows are output channels;
 * columns are inputs, in the order of the moments.
 */
export interface RoundingProblem {
  readonly rows: number;
  readonly columns: number;
  /** rows × columns, row by row. */
  readonly weights: Float64Array;
  /** One for each row. */
  readonly scales: Float64Array;
  readonly min: number;
  readonly max: number;
}

/** Second moments H of one group: columns × columns, row by row. */
export type Gram = Float64Array;

/** The moments of one group, and those held out. */
export interface GroupGrams {
  readonly fit: Gram;
  readonly holdOut: Gram | undefined;
}

/**
 * The second moments of group `group`, centred (E[x xᵀ] − E[x] E[x]ᵀ) where the layer's bias takes up the change of the mean, so that
 * only the spread of the error counts.
 */
export function groupGrams({ size, mean, gram, holdOut }: LayerMoments, group: number, centred: boolean): GroupGrams {
  const of = (part: { readonly mean: Float64Array; readonly gram: Float64Array }): Gram => {
    const h = part.gram.slice(group * size * size, (group + 1) * size * size);
    return centred ? centre(h, part.mean.subarray(group * size, (group + 1) * size)) : h;
  };
  return { fit: of({ mean, gram }), holdOut: holdOut && of(holdOut) };
}

function centre(h: Float64Array, mean: Float64Array): Float64Array {
  const size = mean.length;
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) h[i * size + j]! -= mean[i]! * mean[j]!;
  return h;
}

/** The code of `x / scale`: rounded half to even, and clamped. */
export function codeOf(x: number, scale: number, min: number, max: number): number {
  const value = x / scale;
  const floor = Math.floor(value);
  const rest = value - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return Math.min(Math.max(rounded, min), max);
}

/** Every weight rounded by itself. */
export function roundNearest({ rows, columns, weights, scales, min, max }: RoundingProblem): Int8Array {
  const codes = new Int8Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) for (let k = 0; k < columns; k++, at++) codes[at] = codeOf(weights[at]!, scales[row]!, min, max);
  return codes;
}

/** Mean squared error of the layer's outputs, summed over its rows: tr(E H Eᵀ) with E = W − scale · code. In float64; H is symmetric. */
export function outputError(problem: RoundingProblem, codes: Int8Array, gram: Gram): number {
  const { rows, columns } = problem;
  let total = 0;
  const error = new Float64Array(columns * lanes);
  const sums = new Float64Array(lanes);
  for (let row = 0; row < rows; row += lanes) {
    errorOfRows(problem, codes, row, error);
    for (let k = 0; k < columns; k++) {
      laneDots(gram, k * columns, error, k, sums);
      const own = gram[k * (columns + 1)]!;
      for (let lane = 0; lane < lanes; lane++) {
        const e = error[k * lanes + lane]!;
        total += e * (2 * sums[lane]! + own * e);
      }
    }
  }
  return total;
}

/** Fills the lanes of `error` with W − scale · code of the rows from `row` on, and with zeros beyond the last one. */
export function errorOfRows({ rows, columns, weights, scales }: RoundingProblem, codes: Int8Array, row: number, error: Float64Array): void {
  for (let lane = 0; lane < lanes; lane++) {
    const at = (row + lane) * columns;
    const scale = scales[row + lane] ?? 0;
    for (let k = 0; k < columns; k++) error[k * lanes + lane] = row + lane < rows ? weights[at + k]! - scale * codes[at + k]! : 0;
  }
}
