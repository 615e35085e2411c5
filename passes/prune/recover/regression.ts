import { cholesky } from '../../rounding/cholesky.ts';

/** Rows of what a layer reads, and of what its outputs are short of. Row-major. */
export interface Observations {
  readonly rows: number;
  readonly columns: number;
  readonly outputs: number;
  readonly x: Float32Array;
  readonly residual: Float32Array;
}

/** What to add to weights (outputs × columns) and bias, and what it is worth on rows that the fit has not seen. */
export interface Correction {
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  /** Σ residual² over the held-out rows: as it is, with the bias alone, with weights and bias. */
  readonly before: number;
  readonly withBias: number;
  readonly after: number;
}

/** Every fifth row is held out. */
const heldOut = 5;

/**
 * Centred least squares with a bias: ΔW = C_rx (C_xx + λI)⁻¹, Δb = E r − ΔW E x, over the rows that are not held out. λ = `damping` · mean of the diagonal draws ΔW to zero, that is the weights to what they are; ten times as much where
 * the matrix is not positive definite. Sums in float64. Without `intercept` nothing is centred, and the bias stays 0. Weights are undefined where the input is constant.
 */
export function regress({ rows, columns, outputs, x, residual }: Observations, intercept: boolean, damping = 1e-2): Correction {
  const used = rows - Math.floor(rows / heldOut);
  const [meanX, meanR] = [new Float64Array(columns), new Float64Array(outputs)];
  if (intercept) {
    for (let row = 0; row < rows; row++) {
      if (isHeldOut(row)) continue;
      for (let k = 0; k < columns; k++) meanX[k]! += x[row * columns + k]!;
      for (let o = 0; o < outputs; o++) meanR[o]! += residual[row * outputs + o]!;
    }
    for (let k = 0; k < columns; k++) meanX[k]! /= used;
    for (let o = 0; o < outputs; o++) meanR[o]! /= used;
  }
  const gram = new Float64Array(columns * columns);
  const cross = new Float64Array(outputs * columns);
  const centred = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    if (isHeldOut(row)) continue;
    for (let k = 0; k < columns; k++) centred[k] = x[row * columns + k]! - meanX[k]!;
    for (let i = 0; i < columns; i++) {
      const own = centred[i]!;
      if (own === 0) continue;
      const at = i * columns;
      for (let j = 0; j <= i; j++) gram[at + j]! += own * centred[j]!;
    }
    for (let o = 0; o < outputs; o++) {
      const own = residual[row * outputs + o]! - meanR[o]!;
      if (own === 0) continue;
      const at = o * columns;
      for (let k = 0; k < columns; k++) cross[at + k]! += own * centred[k]!;
    }
  }
  const weights = solve(gram, cross, columns, outputs, damping, negligible * used * meanX.reduce((sum, mean) => sum + mean ** 2, 0));
  const bias = Float64Array.from(meanR, (mean, o) => {
    let shift = mean;
    for (let k = 0; k < columns; k++) shift -= weights[o * columns + k]! * meanX[k]!;
    return shift;
  });
  return { weights, bias, ...judge({ rows, columns, outputs, x, residual }, weights, bias, meanR) };
}

/** Variance, as a share of the squared mean, that rounding makes of a constant. */
const negligible = 1e-12;

const isHeldOut = (row: number): boolean => row % heldOut === heldOut - 1;

/** Rows of `cross` times (gram + λI)⁻¹; `gram` holds its lower triangle. Zeros where its trace is no more than `least`, or nothing can be solved. */
function solve(gram: Float64Array, cross: Float64Array, size: number, rows: number, damping: number, least: number): Float64Array {
  let trace = 0;
  for (let k = 0; k < size; k++) trace += gram[k * (size + 1)]!;
  const result = new Float64Array(rows * size);
  if (!(trace > least)) return result;
  for (let attempt = damping; attempt <= 1e4 * damping; attempt *= 10) {
    const l = Float64Array.from(gram);
    for (let k = 0; k < size; k++) l[k * (size + 1)]! += (attempt * trace) / size;
    if (!cholesky(l, size)) continue;
    for (let row = 0; row < rows; row++) substitute(l, cross.subarray(row * size, (row + 1) * size), result.subarray(row * size, (row + 1) * size), size);
    return result;
  }
  return result;
}

/** Solves L Lᵀ y = b. */
function substitute(l: Float64Array, b: Float64Array, y: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    let sum = b[i]!;
    const at = i * size;
    for (let k = 0; k < i; k++) sum -= l[at + k]! * y[k]!;
    y[i] = sum / l[at + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    const own = y[i]! / l[i * (size + 1)]!;
    y[i] = own;
    const at = i * size;
    for (let k = 0; k < i; k++) y[k]! -= l[at + k]! * own;
  }
}

function judge({ rows, columns, outputs, x, residual }: Observations, weights: Float64Array, bias: Float64Array, mean: Float64Array): Pick<Correction, 'before' | 'withBias' | 'after'> {
  let [before, withBias, after] = [0, 0, 0];
  for (let row = heldOut - 1; row < rows; row += heldOut) {
    for (let o = 0; o < outputs; o++) {
      const own = residual[row * outputs + o]!;
      let left = own - bias[o]!;
      for (let k = 0, at = o * columns, from = row * columns; k < columns; k++) left -= weights[at + k]! * x[from + k]!;
      before += own ** 2;
      withBias += (own - mean[o]!) ** 2;
      after += left ** 2;
    }
  }
  return { before, withBias, after };
}
