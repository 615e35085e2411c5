import { cholesky } from '../../rounding/cholesky.ts';
import type { Products } from './products.ts';

/** Rows of what a layer reads, of what is found where its outputs are judged, and of what was there before pruning. Row-major. */
export interface Observations {
  readonly rows: number;
  readonly columns: number;
  readonly outputs: number;
  readonly x: Float32Array;
  readonly found: Float32Array;
  readonly target: Float32Array;
  /** Rows that belong together (those of one sample): all of them are held out or none. */
  readonly together: number;
}

export interface FitOptions {
  /** Whether the outputs can be shifted. */
  readonly intercept: boolean;
  /** λ as shares of the mean of the diagonal: the best on rows that are held out is taken. */
  readonly shares?: readonly number[];
}

/** What to add to weights (outputs × columns) and bias. */
export interface Correction {
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** Corrections, fitted to all rows, and what those are worth that are fitted without the rows that are held out: Σ error² over these, as they are, with the bias alone, with weights and bias. */
export interface Fit {
  readonly bias: Correction;
  readonly weights: Correction;
  readonly before: number;
  readonly withBias: number;
  readonly after: number;
}

/** One of so many samples is held out. */
const heldOutOf = 5;
/** Rows that are worked on at once. */
const portionRows = 4096;
/** λ as shares of the mean of the diagonal. */
const dampings = [1e-3, 1e-2, 1e-1, 1];
/** Rows for each column without which weights are not fitted one by one. */
const rowsPerColumn = 4;

/** Whether a row is held out of fits. With few samples rows count by themselves. */
export const isHeldOut = (row: number, { rows, together }: Pick<Observations, 'rows' | 'together'>): boolean => (
  Math.floor(row / (rows >= 2 * heldOutOf * together ? together : 1)) % heldOutOf === heldOutOf - 1);

/**
 * Least squares, centred, with a bias: ΔW = C_rx (C_xx + λI)⁻¹, Δb = E r − ΔW E x over rows of what is missing, r = target − found. λ draws ΔW to zero, that is the weights to what they are; how
 * much is chosen on rows that are held out. Without `intercept` nothing is centred, and the bias stays 0. All sums in float64. `current` are the weights as they are (outputs × columns): where there are fewer than four rows for
 * each column, only one factor for each output is fitted.
 */
export async function regress(observations: Observations, current: Float64Array, { intercept, shares = dampings }: FitOptions, products: Products): Promise<Fit> {
  const { rows, columns, outputs } = observations;
  const all = Array.from({ length: rows }, (_, row) => row);
  const sampleOf = (own: readonly number[]): Sample => new Sample(observations, own, intercept, products);
  const [used, held] = [sampleOf(all.filter((row) => !isHeldOut(row, observations))), sampleOf(all.filter((row) => isHeldOut(row, observations)))];
  const whole = sampleOf(all);
  const none = { weights: new Float64Array(outputs * columns), bias: new Float64Array(outputs) };
  const shifted = async (sample: Sample): Promise<Correction> => (intercept ? { weights: none.weights, bias: await sample.mean() } : none);
  const [before, withBias, bias] = [await held.error(none), await held.error(await shifted(used)), await shifted(whole)];
  const unfitted = { bias, weights: bias, before, withBias, after: withBias };
  if (columns === 0 || before === 0) return unfitted;
  const [gram, moments] = [await used.gram(), await used.moments()];
  const solverOf = (of: Float64Array, share: number): Solver | undefined => (rows < rowsPerColumn * columns ? new Factors(of, current, columns) : Ridge.of(of, columns, share));
  let [best, after] = [0, Infinity];
  for (const share of rows < rowsPerColumn * columns ? [0] : shares) {
    const solver = solverOf(gram, share);
    const error = solver === undefined ? Infinity : await held.error(used.correction(moments, solver));
    if (error < after) [best, after] = [share, error];
  }
  const solver = after < Math.min(before, withBias) ? solverOf(pooled(gram, used, await held.gram(), held), best) : undefined;
  return solver === undefined ? { ...unfitted, after } : { ...unfitted, after, weights: whole.correction(await whole.moments(), solver) };
}

/** Of what is missing: its mean, and sums of its products with the centred inputs (outputs × columns). */
interface Moments {
  readonly cross: Float64Array;
  readonly mean: Float64Array;
}

/** Rows over which sums are taken, portion by portion; with `centred` around the mean of their inputs. */
class Sample {
  private readonly observations: Observations;
  readonly rows: readonly number[];
  private readonly products: Products;
  private readonly centred: boolean;
  readonly centre: Float64Array;

  constructor(observations: Observations, rows: readonly number[], centred: boolean, products: Products) {
    this.observations = observations;
    this.rows = rows;
    this.centred = centred;
    this.products = products;
    const { x, columns } = observations;
    this.centre = new Float64Array(columns);
    if (!centred) return;
    for (const row of rows) for (let k = 0; k < columns; k++) this.centre[k]! += x[row * columns + k]!;
    for (let k = 0; k < columns; k++) this.centre[k]! /= rows.length;
  }

  /** Σ (x − E x)(x − E x)ᵀ. */
  async gram(): Promise<Float64Array> {
    const { columns } = this.observations;
    const gram = new Float64Array(columns * columns);
    for (const rows of this.portions()) {
      const x = this.inputs(rows);
      add(gram, await this.products.overRows(x, x, rows.length, columns, columns));
    }
    return gram;
  }

  /** E (target − found) for each output. */
  async mean(): Promise<Float64Array> {
    return (await this.moments(false)).mean;
  }

  /** E r and, unless only the mean is asked for, Σ r (x − E x)ᵀ. */
  async moments(products = true): Promise<Moments> {
    const { columns, outputs } = this.observations;
    const cross = new Float64Array(products ? outputs * columns : 0);
    const mean = new Float64Array(outputs);
    for (const rows of this.portions()) {
      const residuals = this.residuals(rows);
      for (let at = 0; at < residuals.length; at++) mean[at % outputs]! += residuals[at]! / this.rows.length;
      if (products) add(cross, await this.products.overRows(residuals, this.inputs(rows), rows.length, outputs, columns));
    }
    return { cross, mean };
  }

  /** What fits the moments of this sample. */
  correction({ cross, mean }: Moments, solver: Solver): Correction {
    const { columns } = this.observations;
    const weights = solver.solve(cross);
    return { weights, bias: mean.map((shift, o) => (this.centred ? shift - dot(weights, o * columns, this.centre) : 0)) };
  }

  /** Σ error² with a correction. */
  async error({ weights, bias }: Correction): Promise<number> {
    const { columns, outputs } = this.observations;
    const isFitted = weights.some((weight) => weight !== 0);
    const shift = bias.map((each, o) => each + dot(weights, o * columns, this.centre));
    let error = 0;
    for (const rows of this.portions()) {
      const changes = isFitted ? await this.products.overColumns(this.inputs(rows), weights, columns, rows.length, outputs) : undefined;
      this.residuals(rows).forEach((residual, at) => { error += (residual - shift[at % outputs]! - (changes?.[at] ?? 0)) ** 2; });
    }
    return error;
  }

  private *portions(): Iterable<readonly number[]> {
    for (let from = 0; from < this.rows.length; from += portionRows) yield this.rows.slice(from, from + portionRows);
  }

  private inputs(rows: readonly number[]): Float64Array {
    const { x, columns } = this.observations;
    const own = new Float64Array(rows.length * columns);
    rows.forEach((row, at) => { for (let k = 0; k < columns; k++) own[at * columns + k] = x[row * columns + k]! - this.centre[k]!; });
    return own;
  }

  private residuals(rows: readonly number[]): Float64Array {
    const { target, found, outputs } = this.observations;
    const residuals = new Float64Array(rows.length * outputs);
    rows.forEach((row, at) => { for (let o = 0; o < outputs; o++) residuals[at * outputs + o] = target[row * outputs + o]! - found[row * outputs + o]!; });
    return residuals;
  }
}

/** Σ (x − E x)(x − E x)ᵀ over the rows of two samples, of those of each: their means lie apart. */
function pooled(gram: Float64Array, { rows, centre }: Sample, other: Float64Array, { rows: more, centre: away }: Sample): Float64Array {
  const size = centre.length;
  const share = (rows.length * more.length) / (rows.length + more.length);
  return gram.map((sum, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    return sum + other[at]! + share * (centre[i]! - away[i]!) * (centre[j]! - away[j]!);
  });
}

/** What makes a change of weights (outputs × columns) of Σ r xᵀ. */
interface Solver {
  solve(cross: Float64Array): Float64Array;
}

class Ridge implements Solver {
  private readonly factor: Float64Array;
  private readonly columns: number;

  private constructor(factor: Float64Array, columns: number) {
    this.factor = factor;
    this.columns = columns;
  }

  /** Undefined where nothing varies, or the matrix is not positive definite. */
  static of(gram: Float64Array, columns: number, share: number): Ridge | undefined {
    const mean = traceOf(gram, columns) / columns;
    if (!(mean > 0)) return undefined;
    const factor = gram.slice();
    for (let k = 0; k < columns; k++) factor[k * (columns + 1)]! += share * mean;
    return cholesky(factor, columns) ? new Ridge(factor, columns) : undefined;
  }

  solve(cross: Float64Array): Float64Array {
    const change = cross.slice();
    for (let from = 0; from < change.length; from += this.columns) substitute(this.factor, change.subarray(from, from + this.columns), this.columns);
    return change;
  }
}

/** One factor for the weights of each output. */
class Factors implements Solver {
  private readonly current: Float64Array;
  private readonly columns: number;
  /** W C Wᵀ of each output. */
  private readonly powers: Float64Array;

  constructor(gram: Float64Array, current: Float64Array, columns: number) {
    this.current = current;
    this.columns = columns;
    this.powers = new Float64Array(current.length / columns);
    for (let o = 0; o < this.powers.length; o++) {
      for (let k = 0; k < columns; k++) this.powers[o]! += current[o * columns + k]! * dot(current, o * columns, gram.subarray(k * columns, (k + 1) * columns));
    }
  }

  solve(cross: Float64Array): Float64Array {
    const { current, columns, powers } = this;
    const factors = powers.map((power, o) => (power > 0 ? dot(current, o * columns, cross.subarray(o * columns, (o + 1) * columns)) / power : 0));
    return current.map((weight, at) => weight * factors[Math.floor(at / columns)]!);
  }
}

function traceOf(matrix: Float64Array, size: number): number {
  let trace = 0;
  for (let k = 0; k < size; k++) trace += matrix[k * (size + 1)]!;
  return trace;
}

/** Solves L Lᵀ y = b in place. */
function substitute(l: Float64Array, b: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    let sum = b[i]!;
    const at = i * size;
    for (let k = 0; k < i; k++) sum -= l[at + k]! * b[k]!;
    b[i] = sum / l[at + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    const own = b[i]! / l[i * (size + 1)]!;
    b[i] = own;
    const at = i * size;
    for (let k = 0; k < i; k++) b[k]! -= l[at + k]! * own;
  }
}

/** The product of a row, beginning at `from`, with another one. */
function dot(matrix: Float64Array, from: number, row: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += matrix[from + k]! * row[k]!;
  return sum;
}

function add(sum: Float64Array, part: Float64Array): void {
  for (let at = 0; at < sum.length; at++) sum[at]! += part[at]!;
}
