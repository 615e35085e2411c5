import { expect } from 'chai';
import { entropyThreshold, klDivergences } from '../../../passes/statistics/entropy.ts';

/** The reference search, loop by loop: pytorch-quantization, `_compute_amax_entropy`, from its description. */
function referenceDivergences(given: readonly number[], levels: number): number[] {
  const counts = [...given];
  counts[0] = counts[1]!;
  const all = counts.reduce((sum, count) => sum + count, 0);
  const divergences: number[] = [];
  for (let used = levels; used <= counts.length; used++) {
    const sums = new Float64Array(levels);
    const filled = new Float64Array(levels);
    for (let k = 0; k < used; k++) {
      const level = Math.floor(k * levels / used);
      if (counts[k]! === 0) continue;
      sums[level]! += counts[k]!;
      filled[level]! += 1;
    }
    const model = counts.slice(0, used).map((count, k) => (count === 0 ? 0 : sums[Math.floor(k * levels / used)]! / filled[Math.floor(k * levels / used)]!));
    const reference = counts.slice(0, used);
    reference[used - 1]! += all - reference.reduce((sum, count) => sum + count, 0);
    const total = (list: readonly number[]): number => list.reduce((sum, item) => sum + item, 0);
    const [p, q] = [total(reference), total(model)];
    divergences.push(reference.reduce((sum, count, k) => (count === 0 ? sum : model[k] === 0 ? Infinity : sum + count / p * Math.log((count / p) / (model[k]! / q))), 0));
  }
  return divergences;
}

/** Numbers that look random and are always the same. */
function* noise(seed: number): Iterable<number> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

function shaped(size: number, seed: number, count: (position: number, chance: number) => number): number[] {
  const chances = noise(seed)[Symbol.iterator]();
  return Array.from({ length: size }, (_, k) => Math.max(0, Math.floor(count(k / size, chances.next().value as number))));
}

const cases: Readonly<Record<string, readonly number[]>> = {
  laplace: shaped(700, 1, (at, chance) => 4000 * Math.exp(-9 * at) * (0.8 + 0.4 * chance)),
  'half normal': shaped(640, 2, (at, chance) => 3000 * Math.exp(-8 * at * at) * (0.9 + 0.2 * chance)),
  'with holes and an outlier': [...shaped(500, 3, (at, chance) => (chance < 0.3 ? 0 : 900 * Math.exp(-12 * at))), ...new Array<number>(120).fill(0), 1],
  uniform: shaped(300, 4, (_, chance) => 50 + 10 * chance),
};

describe('entropy threshold', () => {
  for (const [name, counts] of Object.entries(cases)) {
    for (const levels of [128, 256]) {
      it(`has the divergences of the reference for ${name} counts in ${levels} levels`, () => {
        const found = klDivergences(Float64Array.from(counts), levels);
        const expected = referenceDivergences(counts, levels);
        expect(found.length).to.equal(expected.length);
        // Sums of a few hundred terms of order one in float64, added in another order.
        found.forEach((divergence, index) => {
          if (expected[index] === Infinity) expect(divergence).to.equal(Infinity);
          else expect(divergence).to.be.closeTo(expected[index]!, 1e-12);
        });
        const least = Math.min(...expected);
        expect(expected[entropyThreshold(Float64Array.from(counts), levels) - levels]).to.be.closeTo(least, 1e-12);
      });
    }
  }

  it('clips an outlier, and keeps an even distribution', () => {
    expect(entropyThreshold(Float64Array.from(cases['with holes and an outlier']!), 128)).to.be.below(500);
    expect(entropyThreshold(Float64Array.from(cases['uniform']!), 128)).to.be.above(250);
  });

  it('takes all bins where there are fewer than levels', () => {
    expect(entropyThreshold(new Float64Array(100).fill(1), 128)).to.equal(100);
  });
});
