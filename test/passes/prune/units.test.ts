import { expect } from 'chai';
import fc from 'fast-check';
import type { Box } from '../../../passes/prune/groups.ts';
import { boxOf } from '../../../passes/prune/survivors.ts';
import { unitsOf } from '../../../passes/prune/units.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const box = (lengths: readonly number[], roots: readonly number[]): Box => ({ lengths, roots: Int32Array.from(roots) });
const transposed = (rows: number, columns: number): number[] => range(rows * columns).map((at) => (at % rows) * columns + Math.floor(at / rows));

/** Fails where the places that are left form no box. */
const check = ({ lengths, roots }: Box, removed: ReadonlySet<number>): void => {
  boxOf({ name: 'value' } as never, [...lengths.keys()], lengths, Int32Array.from(roots.keys()).filter((at) => !removed.has(roots[at]!)));
};

describe('units of channels', () => {
  it('are channels where no box stands', () => {
    expect(unitsOf([[5, 3, 9]], [], (root) => root !== 3, (root) => root).units).to.deep.equal([[5], [9]]);
  });

  it('take the worst of each row together', () => {
    const scores = [3, 1, 2, 4, /**/ 7, 8, 5, 6];
    expect(unitsOf([range(8)], [box([2, 4], range(8))], () => true, (root) => scores[root]!).units).to.deep.equal([[1, 6], [2, 7], [0, 4], [3, 5]]);
  });

  it('leave a row its pinned channels, and are as many as the row with fewest free ones has', () => {
    const { units } = unitsOf([range(8)], [box([2, 4], range(8))], (root) => root > 1, (root) => -root);
    expect(units).to.deep.equal([[3, 7], [2, 6]]);
  });

  it('go by the common refinement of several boxes', () => {
    // Rows {0…3} and {4…7}; rows {0,1,4,5} and {2,3,6,7}: the cells are pairs.
    const boxes = [box([2, 4], range(8)), box([2, 4], [0, 1, 4, 5, 2, 3, 6, 7])];
    expect(unitsOf([range(8)], boxes, () => true, (root) => (root % 2 === 0 ? 1 : 0)).units).to.deep.equal([[1, 3, 5, 7], [0, 2, 4, 6]]);
  });

  it('are whole slices behind a shuffle, along the axis that leaves most', () => {
    const { units } = unitsOf([range(8)], [box([2, 4], range(8)), box([4, 2], transposed(2, 4))], () => true, () => 0);
    expect(units).to.deep.equal([[0, 4], [1, 5], [2, 6], [3, 7]]);
  });

  it('are channels that stand in all rows alike', () => {
    // Pairs in two rows of three: the middle pair stands in both rows, the others only together.
    expect(unitsOf([[0, 1, 2]], [box([2, 3], [0, 0, 1, 1, 2, 2])], () => true, () => 0).units).to.deep.equal([[1], [0, 2]]);
    expect(unitsOf([[0, 1, 2, 3]], [box([2, 4], [0, 1, 2, 3, 1, 0, 3, 2])], () => true, (root) => -root).units).to.deep.equal([[0], [1], [2], [3]]);
  });

  it('never take all of a group', () => {
    expect(unitsOf([[0, 1], [2, 3]], [box([2, 2], range(4))], (root) => root < 2, () => 0).reason).to.match(/^has channels in an arrangement of 2×2/);
    expect(unitsOf([[0, 1], [2, 3]], [box([2, 2], range(4))], () => true, (root) => -root).units).to.deep.equal([[1, 3], [0, 2]]);
  });

  it('do without slices of which a channel stays', () => {
    const { units } = unitsOf([range(8)], [box([2, 4], range(8)), box([4, 2], transposed(2, 4))], (root) => root !== 5, () => 0);
    expect(units).to.deep.equal([[0, 4], [2, 6], [3, 7]]);
  });

  it('say why there are none', () => {
    const held = unitsOf([range(4)], [box([2, 2], range(4))], (root) => root < 2, () => 0);
    expect(held.units).to.deep.equal([[0, 1]]);
    const none = unitsOf([range(4)], [box([2, 2], range(4)), box([2, 2], [0, 2, 1, 3])], (root) => root === 0, () => 0);
    expect(none).to.deep.equal({ units: [], reason: 'has channels in arrangements of 2×2, 2×2, of which no choice leaves rows of one length' });
  });

  it('leave boxes whichever of them go', () => {
    const boxes = fc.array(fc.constantFrom(
      box([2, 6], range(12)), box([6, 2], range(12)), box([6, 2], transposed(2, 6)), box([3, 4], range(12)), box([4, 3], transposed(3, 4)), box([2, 3, 2], range(12)), box([2, 2, 3], range(12)), box([2, 6], [...range(6), ...range(6)]),
    ), { minLength: 1, maxLength: 3 });
    fc.assert(fc.property(boxes, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), fc.array(fc.nat(9), { minLength: 12, maxLength: 12 }), fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (all, free, scores, which) => {
      const { units } = unitsOf([range(12)], all, (root) => free[root]! || root % 3 > 0, (root) => scores[root]!);
      const removed = new Set(units.filter((_, at) => which[at]!).flat());
      if (removed.size < 12) for (const each of all) if (each.roots.some((root) => !removed.has(root))) check(each, removed);
    }), { numRuns: 500 });
  });
});
