import { expect } from 'chai';
import fc from 'fast-check';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { Products } from '../../../../passes/prune/recover/products.ts';
import { isHeldOut, regress, type Correction, type FitOptions, type Observations } from '../../../../passes/prune/recover/regression.ts';
import { randomFrom } from '../../../../passes/random.ts';
import { cholesky } from '../../../../passes/rounding/cholesky.ts';

const plain: FitOptions = { intercept: true, shares: [1e-9] };

interface Layer {
  readonly rows: number;
  readonly columns: number;
  readonly outputs: number;
  readonly x: Float32Array;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** Inputs that depend on each other and weights, as multiples of 1/8: sums of their products are exact in float32. */
function layer(rows: number, columns: number, outputs: number, seed: number): Layer {
  const random = randomFrom(seed);
  const number = (): number => Math.floor(17 * random() - 8) / 8;
  const x = Float32Array.from({ length: rows * columns }, () => number() + 0.5);
  for (let row = 0; row < rows; row++) for (let k = 1; k < columns; k++) x[row * columns + k]! += x[row * columns + k - 1]! > 0.5 ? 1 : 0;
  return { rows, columns, outputs, x, weights: Float64Array.from({ length: outputs * columns }, number), bias: Float64Array.from({ length: outputs }, number) };
}

/** Outputs that read some columns only. */
function outputsOf({ rows, columns, outputs, x, weights, bias }: Layer, kept: readonly number[] = Array.from({ length: columns }, (_, k) => k)): Float32Array {
  return Float32Array.from({ length: rows * outputs }, (_, at) => {
    const [row, o] = [Math.floor(at / outputs), at % outputs];
    return kept.reduce((sum, k) => sum + weights[o * columns + k]! * x[row * columns + k]!, bias[o]!);
  });
}

function columnsOf({ rows, columns, x }: Layer, kept: readonly number[]): Float32Array {
  return Float32Array.from({ length: rows * kept.length }, (_, at) => x[Math.floor(at / kept.length) * columns + kept[at % kept.length]!]!);
}

/** A layer of which some columns were removed, and that gives what is left of it. */
function cutLayer(whole: Layer, kept: readonly number[]): Observations {
  return { rows: whole.rows, columns: kept.length, outputs: whole.outputs, x: columnsOf(whole, kept), found: outputsOf(whole, kept), target: outputsOf(whole), together: 1 };
}

/** Σ error² over rows, in float64. */
function errorOf({ columns, outputs, x, found, target }: Observations, { weights, bias }: Correction, rows: readonly number[]): number {
  let error = 0;
  for (const row of rows) {
    for (let o = 0; o < outputs; o++) {
      let y = found[row * outputs + o]! + bias[o]!;
      for (let k = 0; k < columns; k++) y += weights[o * columns + k]! * x[row * columns + k]!;
      error += (target[row * outputs + o]! - y) ** 2;
    }
  }
  return error;
}

describe('the regression that mends a layer', () => {
  let runtime: OrtRuntime;
  let products: Products;
  before(async () => {
    runtime = createRuntime();
    products = await Products.open(runtime);
  });
  after(() => runtime.close());

  const fit = (observations: Observations, options: Partial<FitOptions> = {}, current: Float64Array = new Float64Array(observations.outputs * observations.columns)) => regress(observations, current, { ...plain, ...options }, products);

  it('finds the weights and the bias that are missing', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1e6 }), async (columns, outputs, seed) => {
      const whole = layer(40 * columns + 50, columns, outputs, seed);
      const { weights, after, before } = await fit({ ...cutLayer(whole, Array.from({ length: columns }, (_, k) => k)), found: new Float32Array(whole.rows * outputs) });
      // λ is a billionth of the variance.
      weights.weights.forEach((weight, at) => { expect(weight).to.be.closeTo(whole.weights[at]!, 1e-6); });
      weights.bias.forEach((shift, o) => { expect(shift).to.be.closeTo(whole.bias[o]!, 1e-6); });
      expect(after).to.be.below(1e-10 * before + 1e-12);
    }), { numRuns: 20 });
  });

  it('leaves the error that the inverse of the covariance predicts: tr W_P ([C⁻¹]_PP)⁻¹ W_Pᵀ', async () => {
    const whole = layer(600, 7, 3, 5);
    const [gone, kept] = [[1, 4], [0, 2, 3, 5, 6]];
    const observations = cutLayer(whole, kept);
    const { weights } = await fit(observations, { shares: [0] });
    const rows = Array.from({ length: 600 }, (_, row) => row);
    const mean = Array.from({ length: 7 }, (_, k) => rows.reduce((sum, row) => sum + whole.x[row * 7 + k]! / rows.length, 0));
    const covariance = Float64Array.from({ length: 49 }, (_, at) => rows.reduce((sum, row) => sum + (whole.x[row * 7 + Math.floor(at / 7)]! - mean[Math.floor(at / 7)]!) * (whole.x[row * 7 + at % 7]! - mean[at % 7]!), 0));
    const inverse = inverted(covariance, 7);
    const block = inverted(Float64Array.from(gone.flatMap((a) => gone.map((b) => inverse[a * 7 + b]!))), 2);
    let predicted = 0;
    for (let o = 0; o < 3; o++) gone.forEach((a, i) => { gone.forEach((b, j) => { predicted += whole.weights[o * 7 + a]! * block[i * 2 + j]! * whole.weights[o * 7 + b]!; }); });
    expect(errorOf(observations, weights, rows) / predicted).to.be.closeTo(1, 1e-10);
  });

  it('is worth about what it says, which is what a fit without those rows is worth on every fifth row', async () => {
    const observations = cutLayer(layer(5000, 8, 3, 9), [0, 1, 2, 4, 6, 7]);
    const { weights, bias, before, withBias, after } = await fit(observations);
    const held = Array.from({ length: 1000 }, (_, at) => 5 * at + 4);
    expect(before / errorOf(observations, { weights: new Float64Array(18), bias: new Float64Array(3) }, held)).to.be.closeTo(1, 1e-10);
    for (const [error, correction] of [[withBias, bias], [after, weights]] as const) {
      // Seven parameters for an output, of 5000 rows: what was seen is better, but hardly.
      expect(error / errorOf(observations, correction, held)).to.be.within(1, 1.01);
    }
  });

  it('takes as much damping as is best for rows that it has not seen', async () => {
    const random = randomFrom(123456);
    const whole = layer(150, 30, 1, 7);
    const observations = { ...cutLayer(whole, Array.from({ length: 30 }, (_, k) => k)), target: outputsOf(whole).map((y) => y + 20 * (random() - 0.5)) as Float32Array };
    observations.found.set(outputsOf(whole));
    const errors = await Promise.all([1e-3, 1, 10].map(async (share) => (await fit(observations, { shares: [share] })).after));
    expect((await fit(observations, { shares: [1e-3, 1, 10] })).after).to.equal(Math.min(...errors));
    expect(errors[0]).to.be.above(Math.min(...errors));
  });

  it('fits one factor for each output where rows are few', async () => {
    const whole = layer(40, 30, 2, 11);
    const target = outputsOf(whole).map((y, at) => 0.5 * (y - whole.bias[at % 2]!) + 1) as Float32Array;
    const observations = { ...cutLayer(whole, Array.from({ length: 30 }, (_, k) => k)), target };
    const { weights, after, before } = await fit(observations, { shares: [0] }, whole.weights);
    weights.weights.forEach((weight, at) => { expect(weight).to.be.closeTo(-0.5 * whole.weights[at]!, 1e-6); });
    expect(after).to.be.below(1e-10 * before);
  });

  it('is worth less than the bias alone where there is nothing to learn', async () => {
    const random = randomFrom(8);
    const [rows, columns] = [250, 40];
    const x = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
    const { withBias, after, before } = await fit({ rows, columns, outputs: 1, together: 1, x, found: new Float32Array(rows), target: Float32Array.from({ length: rows }, () => random() + 1) });
    expect(withBias).to.be.below(before);
    expect(after).to.be.above(withBias);
  });

  it('leaves weights alone that read a constant, and moves the bias', async () => {
    const { weights, bias } = await fit({ rows: 50, columns: 2, outputs: 1, together: 1, x: new Float32Array(100).fill(3), found: new Float32Array(50), target: new Float32Array(50).fill(-2) });
    expect([...weights.weights]).to.deep.equal([0, 0]);
    expect(weights.bias[0]).to.be.closeTo(-2, 1e-12);
    expect(bias.bias[0]).to.be.closeTo(-2, 1e-12);
  });

  it('has no bias without an intercept', async () => {
    const { weights, bias, before, withBias } = await fit(cutLayer(layer(200, 4, 2, 4), [0, 1, 2]), { intercept: false });
    expect([...weights.bias, ...bias.bias]).to.deep.equal([0, 0, 0, 0]);
    expect(withBias).to.equal(before);
  });

  it('holds out whole samples, if there are enough of them', () => {
    const held = (rows: number, together: number): number[] => Array.from({ length: rows }, (_, row) => row).filter((row) => isHeldOut(row, { rows, together }));
    expect(held(30, 3)).to.deep.equal([12, 13, 14, 27, 28, 29]);
    expect(held(10, 5)).to.deep.equal([4, 9]);
  });

  it('multiplies alike in loops and in the runtime', async () => {
    const random = randomFrom(3);
    const [rows, n, m] = [4000, 20, 30];
    const [a, b] = [Float64Array.from({ length: rows * n }, random), Float64Array.from({ length: rows * m }, random)];
    const whole = await products.overRows(a, b, rows, n, m);
    const halves = await Promise.all([0, 1].map((half) => products.overRows(a.subarray(half * 2000 * n, (half + 1) * 2000 * n).slice(0, 400 * n), b.subarray(half * 2000 * m, (half + 1) * 2000 * m).slice(0, 400 * m), 400, n, m)));
    const direct = (from: number, to: number, i: number, j: number): number => Array.from({ length: to - from }, (_, row) => a[(from + row) * n + i]! * b[(from + row) * m + j]!).reduce((sum, each) => sum + each, 0);
    expect(whole[3 * m + 7]! / direct(0, rows, 3, 7)).to.be.closeTo(1, 1e-12);
    expect(halves[1]![3 * m + 7]! / direct(2000, 2400, 3, 7)).to.be.closeTo(1, 1e-12);
    const columns = await products.overColumns(a, b.subarray(0, n * 300), n, rows, 300);
    expect(columns.length).to.equal(rows * 300);
    const few = await products.overColumns(a.subarray(0, 5 * n), b.subarray(0, n * 300), n, 5, 300);
    few.forEach((sum, at) => { expect(sum / columns[at]!).to.be.closeTo(1, 1e-12); });
  });
});

/** The inverse of a positive definite matrix, column by column. */
function inverted(matrix: Float64Array, size: number): Float64Array {
  const l = matrix.slice();
  expect(cholesky(l, size)).to.equal(true);
  const inverse = new Float64Array(size * size);
  for (let column = 0; column < size; column++) {
    const y = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      let sum = i === column ? 1 : 0;
      for (let k = 0; k < i; k++) sum -= l[i * size + k]! * y[k]!;
      y[i] = sum / l[i * (size + 1)]!;
    }
    for (let i = size - 1; i >= 0; i--) {
      let sum = y[i]!;
      for (let k = i + 1; k < size; k++) sum -= l[k * size + i]! * inverse[k * size + column]!;
      inverse[i * size + column] = sum / l[i * (size + 1)]!;
    }
  }
  return inverse;
}
