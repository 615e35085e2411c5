import { expect } from 'chai';
import fc from 'fast-check';
import { filled } from '../../../../compiler/testing/feeds.ts';
import { parseModel } from '../../../../ir/text/index.ts';
import { cholesky } from '../../../../passes/rounding/cholesky.ts';
import { medianDistances } from '../../../../passes/prune/importance/fpgm.ts';
import { normalized, statisticsFor } from '../../../../passes/prune/importance/importance.ts';
import { lampScores } from '../../../../passes/prune/importance/lamp.ts';
import { dampedCovariance, Refit } from '../../../../passes/prune/importance/reconstruction.ts';
import { absoluteSums, slabRows, squareSums } from '../../../../passes/prune/importance/slabs.ts';
import { randomFrom } from '../../../../passes/random.ts';

const numbers = (seed: number, count: number): Float64Array => {
  const random = randomFrom(seed);
  return Float64Array.from({ length: count }, () => 2 * random() - 1);
};

describe('importance', () => {
  it('sums over slabs along any axis', () => {
    const data = [1, -2, 3, 4, -5, 6, 7, 8, -9, 10, 11, 12];
    expect([...absoluteSums(data, [2, 3, 2], 0)]).to.deep.equal([21, 57]);
    expect([...absoluteSums(data, [2, 3, 2], 1)]).to.deep.equal([1 + 2 + 7 + 8, 3 + 4 + 9 + 10, 5 + 6 + 11 + 12]);
    expect([...squareSums(data, [2, 3, 2], 2)]).to.deep.equal([1 + 9 + 25 + 49 + 81 + 121, 4 + 16 + 36 + 64 + 100 + 144]);
    expect([...slabRows(data, [2, 3, 2], 1)]).to.deep.equal([1, -2, 7, 8, 3, 4, -9, 10, -5, 6, 11, 12]);
    expect([...absoluteSums([], [0, 3], 0)]).to.deep.equal([]);
  });

  it('lamp divides by what is no smaller', () => {
    expect([...lampScores(Float64Array.of(3, 1, 2, NaN, 2))]).to.deep.equal([1, 1 / 18, 4 / 17, NaN, 4 / 13]);
    expect([...lampScores(Float64Array.of(0, 0))]).to.deep.equal([0, 0]);
  });

  it('lamp keeps the order of norms and gives the largest 1', () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1, maxLength: 20 }), (norms) => {
      const scores = lampScores(Float64Array.from(norms));
      expect(Math.max(...scores)).to.equal(1);
      for (const [i, a] of norms.entries()) for (const [j, b] of norms.entries()) if (a < b) expect(scores[i]).to.be.below(scores[j]!);
    }));
  });

  it('fpgm is the sum of distances, by definition', () => {
    const [shape, data] = [[3, 5, 4], numbers(1, 60)] as const;
    const slab = (channel: number): number[] => [...data].filter((_, at) => Math.floor(at / 4) % 5 === channel);
    const expected = [0, 1, 2, 3, 4].map((a) => [0, 1, 2, 3, 4].reduce((sum, b) => sum + Math.hypot(...slab(a).map((x, at) => x - slab(b)[at]!)), 0));
    medianDistances(data, shape, 1).forEach((distance, channel) => { expect(distance).to.be.closeTo(expected[channel]!, 1e-12); });
  });

  it('fpgm tells a filter from its negative', () => {
    // By absolute values the first two would be one and the same.
    expect([...medianDistances([1, 1, -1, -1, 1, 0.9], [3, 2], 0)].map((each) => each > 2)).to.deep.equal([true, true, true]);
    expect(medianDistances([3, 4, -3, -4], [2, 2], 0)[0]).to.equal(10);
  });

  it('scores are divided by their mean, sum or largest, and those of zeros by nothing', () => {
    const scores = Float64Array.of(1, 2, NaN, 6);
    expect([...normalized(scores, 'mean')]).to.deep.equal([1 / 3, 2 / 3, NaN, 2]);
    expect([...normalized(scores, 'sum')]).to.deep.equal([1 / 9, 2 / 9, NaN, 6 / 9]);
    expect([...normalized(scores, 'max')]).to.deep.equal([1 / 6, 2 / 6, NaN, 1]);
    expect([...normalized(scores, 'none')]).to.deep.equal([...scores]);
    expect([...normalized(Float64Array.of(0, 0), 'mean')]).to.deep.equal([0, 0]);
  });
});

describe('statistics that importances want', () => {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 18]> g (float[N,4,8,8] x) => (float y) <float[6,4,1,1] u = "random 1", float[6,1,3,3] d = "random 2", float[6,3,2,2] t = "random 3", float[3,2] w = "random 4">
    { a = Conv (x, u)  b = Conv <group = 6> (a, d)  c = ConvTranspose (b, t)  p = GlobalAveragePool (c)  f = Flatten (p)  y = Gemm (f, w) }`, { name: 'case', fill: filled });
  const names = [...model.graph.nodes()].filter((node) => node.is('Conv', 'Gemm') && node.int('group', 1) === 1).map(({ name }) => name);

  it('are second moments for reconstruction, figures of channels for activation, nothing for norms', () => {
    expect(statisticsFor('reconstruction', model)).to.deep.equal({ ranges: [], channels: [], moments: names });
    expect(statisticsFor('activation', model)).to.deep.equal({ ranges: [], channels: ['x', 'a', 'b', 'f'].map((value) => ({ value, axis: 1 })), moments: [] });
    expect(statisticsFor('l2', model)).to.deep.equal({ ranges: [], channels: [], moments: [] });
  });
});

describe('error after weights were fitted anew', () => {
  const [size, outputs] = [7, 3];
  const weights = numbers(2, outputs * size);
  const covariance = (() => {
    const columns = numbers(3, size * 20);
    return Float64Array.from({ length: size * size }, (_, at) => {
      const [i, j] = [Math.floor(at / size), at % size];
      let sum = 0;
      for (let column = 0; column < 20; column++) sum += columns[i * 20 + column]! * (columns[j * 20 + column]! + (i > 0 ? 0.5 * columns[column]! : 0));
      return sum;
    });
  })();
  // A Gram matrix, made symmetric.
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) covariance[i * size + j] = covariance[j * size + i] = (covariance[i * size + j]! + covariance[j * size + i]!) / 2;
  for (let i = 0; i < size; i++) covariance[i * (size + 1)]! += 5;

  /** tr((W − W′) C (W − W′)ᵀ) with W′ the least-squares fit on the rows that stay, by normal equations and Gaussian elimination. */
  const direct = (rows: readonly number[]): number => {
    const left = Array.from({ length: size }, (_, at) => at).filter((at) => !rows.includes(at));
    let error = 0;
    for (let output = 0; output < outputs; output++) {
      const w = weights.subarray(output * size, (output + 1) * size);
      const system = left.map((i) => [...left.map((j) => covariance[i * size + j]!), Array.from({ length: size }, (_, j) => covariance[i * size + j]! * w[j]!).reduce((a, b) => a + b, 0)]);
      for (let k = 0; k < left.length; k++) {
        const pivot = system.slice(k).reduce((best, row, at) => (Math.abs(row[k]!) > Math.abs(system[best]![k]!) ? at + k : best), k);
        [system[k], system[pivot]] = [system[pivot]!, system[k]!];
        for (let i = 0; i < left.length; i++) if (i !== k) { const factor = system[i]![k]! / system[k]![k]!; system[i] = system[i]!.map((x, at) => x - factor * system[k]![at]!); }
      }
      const difference = Float64Array.from(w);
      left.forEach((row, at) => { difference[row]! -= system[at]!.at(-1)! / system[at]![at]!; });
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) error += difference[i]! * covariance[i * size + j]! * difference[j]!;
    }
    return error;
  };

  it('the matrix of the test is a covariance', () => {
    expect(cholesky(covariance.slice(), size)).to.equal(true);
  });

  it('is what removing and least squares leave, for every pair of rows', () => {
    const layer = new Refit(weights, covariance, size);
    for (let a = 0; a < size; a++) {
      for (let b = a; b < size; b++) {
        const rows = a === b ? [a] : [a, b];
        expect(layer.errorWithout(rows) / direct(rows)).to.be.closeTo(1, 1e-10);
      }
    }
  });

  it('adds up over removals one after the other', () => {
    const layer = new Refit(weights, covariance, size);
    // Rows 1 and 4 go, then 5 (the fourth of those that are left).
    const [first, then] = [layer.errorWithout([4, 1]), layer.without([4, 1]).errorWithout([3])];
    expect((first + then) / direct([1, 4, 5])).to.be.closeTo(1, 1e-10);
  });

  it('is below the power of the layer, and all of it when everything goes', () => {
    const layer = new Refit(weights, covariance, size);
    expect(layer.errorWithout([0, 1, 2, 3, 4, 5, 6]) / layer.power()).to.be.closeTo(1, 1e-10);
    expect(layer.errorWithout([0])).to.be.below(layer.power());
  });

  it('is damped by the mean variance, and knows moments that are not finite', () => {
    // Two rows that are always equal: the covariance has no inverse.
    const damped = dampedCovariance({ size: 2, mean: Float64Array.of(1, 1), gram: Float64Array.of(3, 3, 3, 3) });
    expect([...damped!.covariance]).to.deep.equal([2.02, 2, 2, 2.02]);
    expect([...dampedCovariance({ size: 1, mean: Float64Array.of(2), gram: Float64Array.of(4) })!.covariance]).to.deep.equal([1]);
    expect(dampedCovariance({ size: 1, mean: Float64Array.of(NaN), gram: Float64Array.of(4) })).to.equal(undefined);
  });
});
