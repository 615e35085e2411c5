import type { Family } from './family.ts';
import { slabRows } from './slabs.ts';

/**
 * Σ_j ‖w_i − w_j‖ for each slab w_i along an axis: the smaller it is, the nearer a filter lies to the geometric median of all, and the better the others stand for it (He et al. 2019). Weights are taken with
 * their signs. Differences and sums are float64; the distances are not taken from products, which would lose those of near-equal filters.
 */
export function medianDistances(data: ArrayLike<number>, shape: readonly number[], axis: number): Float64Array {
  const length = shape[axis]!;
  const size = length === 0 ? 0 : data.length / length;
  const rows = slabRows(data, shape, axis);
  const distances = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    for (let j = i + 1; j < length; j++) {
      let square = 0;
      for (let a = i * size, b = j * size, end = a + size; a < end; a++, b++) square += (rows[a]! - rows[b]!) ** 2;
      const distance = Math.sqrt(square);
      distances[i]! += distance;
      distances[j]! += distance;
    }
  }
  return distances;
}

/** Distance of what a producer holds for a channel from what it holds for the others. */
export const fpgm: Family = {
  aggregate: 'mean', normalize: 'mean',
  score: (group, { weights }) => weights.scores(group, group.producers, medianDistances),
};
