import { laneDots, lanes } from './lanes.ts';
import { codeOf, errorOfRows, type Gram, type RoundingProblem } from './problem.ts';

/**
 * Coordinate descent on the codes, in place: each code in turn goes to the best value while the others stay (QuantEase, Behdin et al.
 * 2023, arXiv:2309.01885). The output error never grows; a row ends when a sweep changes nothing, or after `sweeps`.
 */
export function descend(problem: RoundingProblem, codes: Int8Array, gram: Gram, sweeps = 5): void {
  const { rows, columns } = problem;
  const errors = new Float64Array(columns * lanes);
  const pulls = new Float64Array(columns * lanes);
  const error = new Float64Array(columns);
  const pull = new Float64Array(columns);
  for (let first = 0; first < rows; first += lanes) {
    errorOfRows(problem, codes, first, errors);
    // H e
    for (let k = 0; k < columns; k++) laneDots(gram, k * columns, errors, columns, pulls.subarray(k * lanes, (k + 1) * lanes));
    for (let row = first; row < Math.min(rows, first + lanes); row++) {
      for (let k = 0, at = row - first; k < columns; k++, at += lanes) {
        error[k] = errors[at]!;
        pull[k] = pulls[at]!;
      }
      for (let sweep = 0; sweep < sweeps; sweep++) if (!sweepRow(problem, codes, gram, row, error, pull)) break;
    }
  }
}

/** pull += factor · row k of H. */
function add(pull: Float64Array, gram: Gram, k: number, factor: number): void {
  const size = pull.length;
  for (let j = 0, at = k * size; j < size; j++, at++) pull[j]! += factor * gram[at]!;
}

function sweepRow({ columns, weights, scales, min, max }: RoundingProblem, codes: Int8Array, gram: Gram, row: number, error: Float64Array, pull: Float64Array): boolean {
  const scale = scales[row]!;
  let changed = false;
  for (let k = 0; k < columns; k++) {
    const own = gram[k * (columns + 1)]!;
    if (!(own > 0)) continue;
    const at = row * columns + k;
    // The best error of this weight, the others given, is e_k − (H e)_k / H_kk.
    const code = codeOf(weights[at]! - (error[k]! - pull[k]! / own), scale, min, max);
    const step = scale * (codes[at]! - code);
    // Strictly better only: a tie must not go back and forth.
    if (step === 0 || !(step * (2 * pull[k]! + step * own) < 0)) continue;
    codes[at] = code;
    error[k]! += step;
    add(pull, gram, k, step);
    changed = true;
  }
  return changed;
}
