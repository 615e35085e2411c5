import { expect } from 'chai';
import { randomFrom } from '../../../passes/random.ts';
import { cholesky } from '../../../passes/rounding/cholesky.ts';
import { descend } from '../../../passes/rounding/descent.ts';
import { enumerate } from '../../../passes/rounding/enumeration.ts';
import { gptq } from '../../../passes/rounding/gptq.ts';
import { codeOf, groupGrams, outputError, roundNearest, type Gram, type RoundingProblem } from '../../../passes/rounding/problem.ts';
import { roundLayer } from '../../../passes/rounding/rounding.ts';
import type { LayerMoments } from '../../../passes/statistics/statistics.ts';

/** Moments of correlated inputs: every input is a mixture of its neighbours, some are much stronger than others. */
function moments(size: number, columns: number, seed: number): { readonly gram: Gram; readonly mean: Float64Array } {
  const random = randomFrom(seed);
  const gram = new Float64Array(size * size);
  const mean = new Float64Array(size);
  for (let column = 0; column < columns; column++) {
    const noise = Float64Array.from({ length: size + 2 }, () => random() - 0.3);
    const x = Float64Array.from({ length: size }, (_, k) => (noise[k]! + noise[k + 1]! + 0.5 * noise[k + 2]!) * (1 + 4 / (1 + k)));
    for (let i = 0; i < size; i++) {
      mean[i]! += x[i]! / columns;
      for (let j = 0; j < size; j++) gram[i * size + j]! += (x[i]! * x[j]!) / columns;
    }
  }
  return { gram, mean };
}

function problem(rows: number, columns: number, seed: number, max = 127): RoundingProblem {
  const random = randomFrom(seed);
  const weights = Float64Array.from({ length: rows * columns }, () => random() + random() + random() - 1.5);
  const scales = Float64Array.from({ length: rows }, (_, row) => Math.max(...weights.subarray(row * columns, (row + 1) * columns).map(Math.abs)) / max);
  return { rows, columns, weights, scales, min: -max, max };
}

describe('rounding of weights', () => {
  it('factors a matrix whose size is no multiple of the tiles: L Lᵀ gives it back to 1e-12 of its largest element', () => {
    for (const size of [1, 2, 47, 48, 49, 131]) {
      const { gram } = moments(size, 2 * size + 5, size);
      for (let k = 0; k < size; k++) gram[k * (size + 1)]! += 0.01;
      const l = gram.slice();
      expect(cholesky(l, size)).to.equal(true);
      let worst = 0;
      for (let i = 0; i < size; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0;
          for (let k = 0; k <= j; k++) sum += l[i * size + k]! * l[j * size + k]!;
          worst = Math.max(worst, Math.abs(sum - gram[i * size + j]!));
        }
      }
      expect(worst).to.be.below(1e-12 * Math.max(...gram));
    }
  });

  it('refuses a matrix that is not positive definite', () => {
    expect(cholesky(Float64Array.of(1, 0, 2, 1), 2)).to.equal(false);
    expect(cholesky(Float64Array.of(NaN), 1)).to.equal(false);
  });

  it('gives the codes of the original formulation of GPTQ, through the inverse of H', () => {
    for (const [columns, max] of [[20, 127], [33, 7]] as const) {
      const { gram } = moments(columns, 400, 3);
      const given = problem(6, columns, 9, max);
      expect([...gptq(given, gram)!]).to.deep.equal([...textbook(given, gram)]);
    }
  });

  it('never makes the output error larger by descent, and ends where no single code can be improved', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { gram } = moments(24, 200, seed);
      const given = problem(5, 24, seed + 100, 7);
      const codes = roundNearest(given);
      let error = outputError(given, codes, gram);
      for (let sweep = 0; sweep < 40; sweep++) {
        descend(given, codes, gram, 1);
        const next = outputError(given, codes, gram);
        expect(next).to.be.at.most(error * (1 + 1e-12));
        error = next;
      }
      for (let at = 0; at < codes.length; at++) {
        for (const step of [-1, 1]) {
          const other = codes.slice();
          other[at] = Math.min(Math.max(codes[at]! + step, given.min), given.max);
          expect(outputError(given, other, gram)).to.be.at.least(error * (1 - 1e-9));
        }
      }
    }
  });

  it('finds by enumeration what trying everything finds, also at the ends of the range of codes', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { gram } = moments(6, 60, seed);
      const given = problem(4, 6, seed + 50, 3);
      const best = outputError(given, enumerate(given, gram), gram);
      expect(best).to.be.closeTo(bruteForce(given, gram), 1e-12);
      expect(best).to.be.at.most(outputError(given, roundNearest(given), gram));
    }
  });

  it('rounds half to even and clamps', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 200, -200].map((x) => codeOf(x, 1, -127, 127) + 0)).to.deep.equal([0, 2, 2, 0, -2, 127, -127]);
  });

  it('takes what was fitted only if it is better on what was held out', () => {
    const fit = moments(16, 300, 1);
    const given = problem(8, 16, 2, 7);
    const layer = (holdOut: { readonly gram: Gram; readonly mean: Float64Array }): LayerMoments => ({ groups: 1, size: 16, columns: 300, ...fit, holdOut: { columns: 300, ...holdOut } });
    const good = roundLayer([given], layer(fit), true);
    expect(good.method).to.equal('gptq');
    expect(good.after).to.be.below(0.7 * good.before);
    // Held-out inputs in which every channel is independent: nearest is the best there.
    const unit = { mean: new Float64Array(16), gram: Float64Array.from({ length: 256 }, (_, at) => (at % 17 === 0 ? 1 : 0)) };
    const bad = roundLayer([given], layer(unit), true);
    expect(bad.method).to.equal('nearest');
    expect([...bad.codes]).to.deep.equal([...roundNearest(given)]);
  });

  it('trusts a fit that nothing was held out from only where there were columns enough', () => {
    const given = problem(8, 16, 2, 7);
    const of = (columns: number): LayerMoments => ({ groups: 1, size: 16, columns, ...moments(16, 300, 1) });
    expect([63, 64].map((columns) => roundLayer([given], of(columns), true).method)).to.deep.equal(['nearest', 'gptq']);
  });

  it('measures the error of any number of rows as the sum over pairs of columns', () => {
    for (const rows of [1, 3, 4, 6]) {
      const { gram } = moments(7, 40, rows);
      const given = problem(rows, 7, rows + 10, 7);
      const codes = roundNearest(given);
      let expected = 0;
      for (let row = 0; row < rows; row++) {
        const e = Array.from({ length: 7 }, (_, k) => given.weights[row * 7 + k]! - given.scales[row]! * codes[row * 7 + k]!);
        for (let i = 0; i < 7; i++) for (let j = 0; j < 7; j++) expected += e[i]! * gram[i * 7 + j]! * e[j]!;
      }
      expect(outputError(given, codes, gram)).to.be.closeTo(expected, 1e-12 * expected);
    }
  });

  it('centres the moments: a constant input counts for nothing', () => {
    const mean = Float64Array.of(2, 3);
    const { fit } = groupGrams({ groups: 1, size: 2, columns: 10, mean, gram: Float64Array.of(4, 6, 6, 9) }, 0, true);
    expect([...fit]).to.deep.equal([0, 0, 0, 0]);
  });
});

/** The algorithm as published: U = upper Cholesky factor of (H + λI)⁻¹, every error spread over the columns to its right. */
function textbook({ rows, columns, weights, scales, min, max }: RoundingProblem, gram: Gram): Int8Array {
  const order = Array.from({ length: columns }, (_, k) => k).sort((a, b) => gram[b * (columns + 1)]! - gram[a * (columns + 1)]! || a - b);
  const trace = order.reduce((sum, k) => sum + gram[k * (columns + 1)]!, 0);
  const h = order.map((i, row) => order.map((j, column) => gram[i * columns + j]! + (row === column ? (0.01 * trace) / columns : 0)));
  const u = upperFactor(inverse(h));
  const codes = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const w = order.map((k) => weights[row * columns + k]!);
    for (let i = 0; i < columns; i++) {
      const code = codeOf(w[i]!, scales[row]!, min, max);
      codes[row * columns + order[i]!] = code;
      const error = (w[i]! - scales[row]! * code) / u[i]![i]!;
      for (let j = i; j < columns; j++) w[j]! -= error * u[i]![j]!;
    }
  }
  return codes;
}

function inverse(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const work = matrix.map((row, i) => [...row, ...Array.from({ length: size }, (_, j) => (i === j ? 1 : 0))]);
  for (let i = 0; i < size; i++) {
    const pivot = work[i]![i]!;
    for (let j = 0; j < 2 * size; j++) work[i]![j]! /= pivot;
    for (let k = 0; k < size; k++) {
      const factor = work[k]![i]!;
      if (k !== i) for (let j = 0; j < 2 * size; j++) work[k]![j]! -= factor * work[i]![j]!;
    }
  }
  return work.map((row) => row.slice(size));
}

function upperFactor(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const u = matrix.map(() => new Array<number>(size).fill(0));
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < i; k++) sum -= u[k]![i]! * u[k]![j]!;
      u[i]![j] = i === j ? Math.sqrt(sum) : sum / u[i]![i]!;
    }
  }
  return u;
}

/** Sum over the rows of the least error among all combinations of rounding down and up. */
function bruteForce({ rows, columns, weights, scales, min, max }: RoundingProblem, gram: Gram): number {
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const one: RoundingProblem = { rows: 1, columns, weights: weights.slice(row * columns, (row + 1) * columns), scales: scales.slice(row, row + 1), min, max };
    let best = Infinity;
    for (let mask = 0; mask < 2 ** columns; mask++) {
      const codes = Int8Array.from(one.weights, (w, k) => Math.min(Math.max(Math.floor(w / one.scales[0]!) + ((mask >> k) & 1), min), max));
      best = Math.min(best, outputError(one, codes, gram));
    }
    total += best;
  }
  return total;
}
