import { expect } from 'chai';
import fc from 'fast-check';
import { regress, type Observations } from '../../../../passes/prune/recover/regression.ts';
import { readWindow, windowOf } from '../../../../passes/prune/recover/windows.ts';
import { randomFrom } from '../../../../passes/random.ts';
import { Model, Graph, Node } from '../../../../ir/model.ts';

/** Rows x, and residuals W x + b + noise. */
function made(rows: number, columns: number, outputs: number, noise: number, seed: number): Observations & { readonly weights: Float64Array; readonly bias: Float64Array } {
  const random = randomFrom(seed);
  const number = (): number => 2 * random() - 1;
  const [weights, bias] = [Float64Array.from({ length: outputs * columns }, number), Float64Array.from({ length: outputs }, number)];
  const x = Float32Array.from({ length: rows * columns }, () => number() + 0.5);
  const residual = Float32Array.from({ length: rows * outputs }, (_, at) => {
    const [row, o] = [Math.floor(at / outputs), at % outputs];
    let sum = bias[o]! + noise * number();
    for (let k = 0; k < columns; k++) sum += weights[o * columns + k]! * x[row * columns + k]!;
    return sum;
  });
  return { rows, columns, outputs, x, residual, weights, bias };
}

describe('the regression that mends a layer', () => {
  it('finds weights and bias that made the residuals', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1e6 }), (columns, outputs, seed) => {
      const observations = made(40 * columns + 50, columns, outputs, 0, seed);
      const { weights, bias, before, after } = regress(observations, true, 1e-9);
      // Inputs are float32, and λ is a billionth of their variance.
      weights.forEach((weight, at) => { expect(weight).to.be.closeTo(observations.weights[at]!, 1e-5); });
      bias.forEach((shift, o) => { expect(shift).to.be.closeTo(observations.bias[o]!, 1e-5); });
      expect(after).to.be.below(1e-8 * before + 1e-12);
    }), { numRuns: 30 });
  });

  it('fits the sample better than anything near it', () => {
    const observations = made(400, 6, 2, 0.3, 3);
    const { weights, bias } = regress(observations, true, 0);
    const used = Array.from({ length: 400 }, (_, row) => row).filter((row) => row % 5 !== 4);
    const error = (w: Float64Array, b: Float64Array): number => used.reduce((total, row) => total + [0, 1].reduce((sum, o) => {
      let left = observations.residual[row * 2 + o]! - b[o]!;
      for (let k = 0; k < 6; k++) left -= w[o * 6 + k]! * observations.x[row * 6 + k]!;
      return sum + left ** 2;
    }, 0), 0);
    const best = error(weights, bias);
    for (let at = 0; at < weights.length; at++) for (const step of [-1e-3, 1e-3]) expect(error(weights.map((w, other) => (other === at ? w + step : w)), bias)).to.be.above(best);
    for (let at = 0; at < bias.length; at++) for (const step of [-1e-3, 1e-3]) expect(error(weights, bias.map((b, other) => (other === at ? b + step : b)))).to.be.above(best);
  });

  it('leaves weights alone that read a constant, and moves the bias', () => {
    const { weights, bias } = regress({ rows: 50, columns: 2, outputs: 1, x: new Float32Array(100).fill(3), residual: new Float32Array(50).fill(-2) }, true);
    expect([...weights]).to.deep.equal([0, 0]);
    expect(bias[0]).to.be.closeTo(-2, 1e-12);
  });

  it('has no bias without an intercept', () => {
    expect([...regress(made(200, 3, 2, 0.1, 4), false).bias]).to.deep.equal([0, 0]);
  });
});

describe('windows of convolutions', () => {
  it('read what the convolution multiplies, with zeros around the image', () => {
    const node = new Node(new Graph('g', new Model(new Graph('m'), { irVersion: 8, opsets: new Map() })), 'Conv', { name: 'c' });
    const window = { ...windowOf(node, [3, 3], [2, 2], [2, 2]), begin: [1, 1] as const };
    const into = new Float32Array(18);
    readWindow([1, 2, 3, 4, 5, 6, 7, 8], 0, [2, 2], 2, window, [0, 1], into, 0);
    expect([...into]).to.deep.equal([0, 0, 0, 1, 2, 0, 3, 4, 0, 0, 0, 0, 5, 6, 0, 7, 8, 0]);
  });
});
