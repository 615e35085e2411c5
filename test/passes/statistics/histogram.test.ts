import { expect } from 'chai';
import fc from 'fast-check';
import { bins, HistogramBuilder, mergeHistograms, rangeFor, type Histogram } from '../../../passes/statistics/histogram.ts';

/** The definition, element by element. */
function direct(elements: readonly number[]): Histogram {
  const magnitude = elements.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
  const range = rangeFor(magnitude);
  const [positive, negative] = [new Float64Array(bins), new Float64Array(bins)];
  let zeros = 0;
  for (const element of elements) {
    if (element === 0) zeros++;
    // k < |x| · bins / range ≤ k + 1, where all but the last step is exact.
    else (element > 0 ? positive : negative)[Math.max(0, Math.ceil(Math.abs(element) / range * bins) - 1)]!++;
  }
  return { range, zeros, positive, negative };
}

function built(parts: readonly (readonly number[])[]): Histogram {
  const builder = new HistogramBuilder();
  for (const part of parts) builder.add(Float32Array.from(part), part.reduce((most, element) => Math.max(most, Math.abs(element)), 0));
  return builder.finish();
}

const element = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 1, -1, 0.5, 2, 3.75, -4, 2 ** -149, -(2 ** -126), 3.4028234663852886e38),
  fc.integer({ min: -4096, max: 4096 }).map((k) => k / 1024),
);
const part = fc.array(element, { maxLength: 40 });

describe('histogram', () => {
  it('counts as its definition says, whatever parts the elements come in', () => {
    fc.assert(fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      expect(built(parts)).to.deep.equal(direct(parts.flat()));
    }), { numRuns: 300 });
  });

  it('merges in any order to the histogram of the whole', () => {
    fc.assert(fc.property(part, part, part, (a, b, c) => {
      const [x, y, z] = [built([a]), built([b]), built([c])];
      const whole = direct([...a, ...b, ...c]);
      expect(mergeHistograms(mergeHistograms(x, y), z)).to.deep.equal(whole);
      expect(mergeHistograms(z, mergeHistograms(y, x))).to.deep.equal(whole);
    }), { numRuns: 200 });
  });

  const ranges: readonly (readonly [number, number])[] = [[0, 0], [1, 1], [1.0000001, 2], [0.75, 1], [4, 4], [3.4028234663852886e38, 2 ** 128], [2 ** -149, 2 ** -100], [5e-324, 2 ** -100]];
  for (const [magnitude, range] of ranges) {
    it(`has the range ${range} for ${magnitude}`, () => { expect(rangeFor(magnitude)).to.equal(range); });
  }
});
