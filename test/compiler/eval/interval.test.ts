import { expect } from 'chai';
import { pairedInterval } from '../../../compiler/eval/interval.ts';
import { randomFrom } from '../../../passes/random.ts';

describe('paired intervals', () => {
  it('of right and wrong answers follow Bonett and Price: 10 pairs gained, 2 lost, of 100', () => {
    const before = [...Array<number>(10).fill(0), ...Array<number>(2).fill(100), ...Array<number>(88).fill(100)];
    const after = [...Array<number>(10).fill(100), ...Array<number>(2).fill(0), ...Array<number>(88).fill(100)];
    const { difference, low, high } = pairedInterval(before, after);
    // (11 − 3)/102 ± 1.96 √((11/102 + 3/102 − (8/102)²)/102), by hand.
    const [middle, half] = [8 / 102, 1.959963984540054 * Math.sqrt((14 / 102 - (8 / 102) ** 2) / 102)];
    expect(difference).to.be.closeTo(8, 1e-12);
    expect([low, high]).to.deep.equal([100 * (middle - half), 100 * (middle + half)]);
  });

  it('of equal answers are narrow, and not of no width', () => {
    const same = Array<number>(400).fill(100);
    const { difference, low, high } = pairedInterval(same, same);
    expect(difference).to.equal(0);
    expect(low).to.be.within(-1, -0.4);
    expect(high).to.be.within(0.4, 1);
  });

  it('of other figures are those of the mean of the differences', () => {
    const { difference, low, high } = pairedInterval([1, 2, 3, 4], [1.5, 2, 3.5, 5]);
    const half = (1.959963984540054 * Math.sqrt(1 / 6)) / 2;
    expect(difference).to.equal(0.5);
    expect(low).to.be.closeTo(0.5 - half, 1e-12);
    expect(high).to.be.closeTo(0.5 + half, 1e-12);
  });

  it('hold the true difference about as often as they say', () => {
    const random = randomFrom(5);
    let held = 0;
    for (let round = 0; round < 1000; round++) {
      // The first answer is right with 0.9; the second differs from it with 0.05, so that the true difference is 0.05 · (0.1 − 0.9).
      const a = Array.from({ length: 300 }, () => (random() < 0.9 ? 100 : 0));
      const b = a.map((value) => (random() < 0.05 ? 100 - value : value));
      const { low, high } = pairedInterval(a, b);
      if (low <= -4 && high >= -4) held++;
    }
    // 95 % of 1000, six standard deviations (7 each) to either side.
    expect(held).to.be.within(908, 992);
  });
});
