import { expect } from 'chai';
import fc from 'fast-check';
import { atMost, roundedCount, roundHalfEven } from '../../../../passes/prune/selection/counts.ts';

describe('numbers of channels', () => {
  it('are rounded with halves to even', () => {
    const rounded = [0.4 * 64, 0.5, 1.5, 2.5, 3.5, 0.3 * 10, 2.4999, 2.5001].map(roundHalfEven);
    expect(rounded).to.deep.equal([26, 0, 2, 2, 4, 3, 2, 3]);
  });

  it('keep to a share, which is not lost to rounding', () => {
    expect([atMost(0.7, 10), atMost(0.3, 10), atMost(0.29, 100), atMost(1, 7), atMost(0.99, 7), atMost(0, 9)]).to.deep.equal([7, 3, 29, 7, 6, 0]);
  });

  it('leave multiples', () => {
    const ones = (count: number): number[][] => [Array<number>(count).fill(1)];
    expect(roundedCount(26, [64], ones(26), 8), '38 becomes 40').to.equal(24);
    expect(roundedCount(3, [8], ones(3), 8), '5 becomes 8').to.equal(0);
    expect(roundedCount(30, [100], ones(30), 32), '70 becomes 96').to.equal(4);
    expect(roundedCount(3, [100], ones(3), 32), '97 becomes all, which is no multiple').to.equal(0);
    expect(roundedCount(3, [256], [[64, 64, 64]], 32), 'heads of 64').to.equal(3);
    expect(roundedCount(5, [16, 24], [[2, 2, 2, 2, 2], [3, 3, 3, 3, 3]], 4), 'both widths: 8 and 12').to.equal(4);
  });

  it('leave a multiple that is no smaller than what was asked, by less than one multiple', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.integer({ min: 1, max: 64 }), (width, asked, roundTo) => {
      const count = Math.min(asked, width);
      const removed = roundedCount(count, [width], [Array<number>(count).fill(1)], roundTo);
      const kept = width - removed;
      expect(kept).to.be.at.least(width - count);
      if (removed > 0) expect(kept % roundTo).to.equal(0);
      const next = Math.ceil((width - count) / roundTo) * roundTo;
      expect(kept).to.equal(next < width ? next : width);
    }));
  });
});
