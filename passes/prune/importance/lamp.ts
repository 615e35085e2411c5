import type { Family } from './family.ts';
import { l2 } from './norms.ts';

/**
 * Layer-adaptive magnitudes (Lee et al. 2021): the square of each number over the squares of those that are no smaller; of equal ones the earlier comes first and gets the lower result. The largest gets 1, so that groups can be
 * compared without one losing everything. Takes norms of channels, or single weights. NaN stays NaN and counts nowhere. Accumulates in float64.
 */
export function lampScores(norms: Float64Array): Float64Array {
  const order = [...norms.keys()].filter((at) => !Number.isNaN(norms[at])).sort((a, b) => Math.abs(norms[b]!) - Math.abs(norms[a]!) || b - a);
  const scores = new Float64Array(norms.length).fill(NaN);
  let rest = 0;
  for (const at of order) {
    const square = norms[at]! ** 2;
    rest += square;
    scores[at] = rest === 0 ? 0 : square / rest;
  }
  return scores;
}

/** Norms, made comparable layer by layer. */
export const lamp: Family = { ...l2, normalize: 'lamp' };
