import { expect } from 'chai';
import fc from 'fast-check';
import { bucketsOf, shareBeyond } from '../../../passes/statistics/buckets.ts';
import { HistogramBuilder, type Histogram } from '../../../passes/statistics/histogram.ts';

const elements = fc.array(fc.oneof(fc.integer({ min: -4096, max: 4096 }).map((k) => k / 512), fc.constantFrom(0, 8, -8, 2 ** -20)), { minLength: 1, maxLength: 60 });

function histogramOf(values: readonly number[]): Histogram {
  const builder = new HistogramBuilder();
  builder.add(Float32Array.from(values), values.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  return builder.finish();
}

describe('buckets of a report', () => {
  it('hold every element once, in the bucket that it lies in, and are no more than allowed', () => {
    fc.assert(fc.property(elements, fc.integer({ min: 2, max: 96 }), (values, most) => {
      const { from, width, zeros, counts } = bucketsOf(histogramOf(values), most);
      expect(counts.length).to.be.at.most(most);
      expect(zeros).to.equal(values.filter((value) => value === 0).length);
      // Bins include the edge away from zero; all edges are exact, being multiples of a power of two.
      const direct = counts.map((_, bucket) => {
        const [low, high] = [from + bucket * width, from + (bucket + 1) * width];
        return values.filter((value) => (value > 0 ? value > low && value <= high : value < 0 && value >= low && value < high)).length;
      });
      expect(counts).to.deep.equal(direct);
      expect(zeros + counts.reduce((sum, count) => sum + count, 0)).to.equal(values.length);
    }), { numRuns: 200 });
  });

  it('end at the smallest and the largest element', () => {
    const { from, width, counts } = bucketsOf(histogramOf([-1, -0.5, 0, 3]));
    expect([counts[0], counts.at(-1)]).to.deep.equal([1, 1]);
    expect(from).to.be.within(-1 - width, -1);
    expect(from + counts.length * width).to.be.within(3, 3 + width);
  });

  it('of zeros and of nothing are none', () => {
    expect(bucketsOf(histogramOf([0, 0]))).to.deep.equal({ from: 0, width: 0, zeros: 2, counts: [] });
  });
});

describe('the share beyond a range', () => {
  it('counts elements whose bin lies beyond', () => {
    const histogram = histogramOf([-4, -2, 0, 0, 1, 2, 3, 4]);
    expect(shareBeyond(histogram, { min: -8, max: 8 })).to.equal(0);
    expect(shareBeyond(histogram, { min: -3, max: 2.5 })).to.equal(3 / 8);
    expect(shareBeyond(histogram, { min: 0, max: 0 })).to.equal(6 / 8);
    expect(shareBeyond(histogramOf([0]), { min: 0, max: 0 })).to.equal(0);
  });
});
