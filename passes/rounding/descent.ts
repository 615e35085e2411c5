import { codeOf, errorOfRow, type Gram, type RoundingProblem } from './problem.ts';

/**
 * Coordinate descent on the codes, in place: each code in turn goes to the best value while the others stay (QuantEase, Behdin et al.
 * 2023, arXiv:2309.01885). The output error never grows; a row ends when a sweep changes nothing, or after `sweeps`.
 */
export function descend(problem: RoundingProblem, codes: Int8Array, gram: Gram, sweeps = 5): void {
  const { rows, columns } = problem;
  const error = new Float64Array(columns);
  const pull = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    errorOfRow(problem, codes, row, error);
    pullOf(error, gram, pull);
    for (let sweep = 0; sweep < sweeps; sweep++) if (!sweepRow(problem, codes, gram, row, error, pull)) break;
  }
}

/** H e. */
function pullOf(error: Float64Array, gram: Gram, pull: Float64Array): void {
  const size = error.length;
  pull.fill(0);
  for (let k = 0; k < size; k++) if (error[k] !== 0) add(pull, gram, k, error[k]!);
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
