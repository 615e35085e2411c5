import type { Gram, RoundingProblem } from './problem.ts';

/** Most columns for which all combinations of rounding down and up are tried: 2¹² of them for each row. */
export const enumerable = 12;

/**
 * The best rounding of all: for each row, every combination of rounding each weight down or up is tried, in an order in which neighbours
 * differ by one weight (Gray code), so that a step costs one row of H. For small kernels: a depthwise 3×3 has 512 combinations.
 */
export function enumerate(problem: RoundingProblem, gram: Gram): Int8Array {
  const { rows, columns } = problem;
  const codes = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) enumerateRow(problem, gram, row, codes);
  return codes;
}

function enumerateRow({ columns, weights, scales, min, max }: RoundingProblem, gram: Gram, row: number, codes: Int8Array): void {
  const scale = scales[row]!;
  const at = row * columns;
  const error = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    const code = Math.min(Math.max(Math.floor(weights[at + k]! / scale), min), max);
    codes[at + k] = code;
    error[k] = weights[at + k]! - scale * code;
  }
  const pull = new Float64Array(columns);
  for (let k = 0; k < columns; k++) for (let j = 0; j < columns; j++) pull[j]! += error[k]! * gram[k * columns + j]!;
  let loss = 0, best = 0, mask = 0, bestMask = 0;
  for (let step = 1; step < 2 ** columns; step++) {
    const k = 31 - Math.clz32(step & -step);
    mask ^= 1 << k;
    const delta = mask & (1 << k) ? -scale : scale;
    loss += delta * (2 * pull[k]! + delta * gram[k * (columns + 1)]!);
    for (let j = 0; j < columns; j++) pull[j]! += delta * gram[k * columns + j]!;
    if (loss < best && fits(mask, codes, at, columns, max)) [best, bestMask] = [loss, mask];
  }
  for (let k = 0; k < columns; k++) if (bestMask & (1 << k)) codes[at + k]!++;
}

/** False where rounding up leaves the range of codes. */
function fits(mask: number, codes: Int8Array, at: number, columns: number, max: number): boolean {
  for (let k = 0; k < columns; k++) if (mask & (1 << k) && codes[at + k]! >= max) return false;
  return true;
}
