import { cholesky } from './cholesky.ts';
import { laneDots, lanes } from './lanes.ts';
import { codeOf, type Gram, type RoundingProblem } from './problem.ts';

/**
 * GPTQ (Frantar et al. 2022, arXiv:2210.17323): weights become codes one column after the other, the columns of the strongest inputs
 * first, and every column makes up for the errors of those before it.
 *
 * With the columns in that order and H + λI = Lᵀ L (L lower triangular), the error of a row is ‖L e‖², whose term i holds the errors
 * e₀ … eᵢ only: choosing eᵢ nearest to −Σ_{j<i} L_ij e_j / L_ii is the same as the original's update through the inverse of H (Chen et
 * al. 2025, arXiv:2507.18553, for the equivalence), and needs no inverse. λ = `damping` · mean of the diagonal, ten times as much where the matrix is still not positive
 * definite. Returns undefined where the moments are all zero.
 */
export function gptq(problem: RoundingProblem, gram: Gram, damping = 0.01): Int8Array | undefined {
  const { rows, columns, weights, scales, min, max } = problem;
  const order = byStrength(gram, columns);
  const l = factor(gram, order, damping);
  if (l === undefined) return undefined;
  const codes = new Int8Array(rows * columns);
  const errors = new Float64Array(columns * lanes);
  const sums = new Float64Array(lanes);
  for (let first = 0; first < rows; first += lanes) {
    const used = Math.min(lanes, rows - first);
    for (let i = 0; i < columns; i++) {
      laneDots(l, i * columns, errors, i, sums);
      const own = l[i * (columns + 1)]!;
      for (let lane = 0; lane < used; lane++) {
        const scale = scales[first + lane]!;
        const at = (first + lane) * columns + order[i]!;
        const code = codeOf(weights[at]! + sums[lane]! / own, scale, min, max);
        codes[at] = code;
        errors[i * lanes + lane] = weights[at]! - scale * code;
      }
    }
  }
  return codes;
}

/** Columns by decreasing second moment; equal ones in their own order. */
function byStrength(gram: Gram, size: number): Int32Array {
  const strength = (k: number): number => gram[k * (size + 1)]!;
  return Int32Array.from({ length: size }, (_, k) => k).sort((a, b) => strength(b) - strength(a) || a - b);
}

/** L with Lᵀ L = H + λI in the given order of columns. The ordinary factor of the matrix in reversed order, read backwards. */
function factor(gram: Gram, order: Int32Array, damping: number): Float64Array | undefined {
  const size = order.length;
  let trace = 0;
  for (let k = 0; k < size; k++) trace += gram[k * (size + 1)]!;
  if (!(trace > 0)) return undefined;
  for (let attempt = damping; attempt <= 100 * damping; attempt *= 10) {
    const a = new Float64Array(size * size);
    for (let i = 0; i < size; i++) {
      const from = order[size - 1 - i]! * size;
      for (let j = 0; j <= i; j++) a[i * size + j] = gram[from + order[size - 1 - j]!]!;
      a[i * (size + 1)]! += (attempt * trace) / size;
    }
    if (cholesky(a, size)) return turned(a, size);
  }
  return undefined;
}

/** L_ij = C_(n−1−j)(n−1−i): the transpose about the other diagonal. */
function turned(c: Float64Array, size: number): Float64Array {
  const l = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j <= i; j++) l[i * size + j] = c[(size - 1 - j) * size + (size - 1 - i)]!;
  return l;
}
