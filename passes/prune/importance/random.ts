import { randomFrom } from '../../random.ts';
import type { Family } from './family.ts';

/** Numbers in [0, 1) that follow from the seed and the channel alone, so that what other channels there are has no say. */
export const random: Family = {
  aggregate: 'mean', normalize: 'none',
  score: (group, { seed }) => [Float64Array.from(group.channels, ({ root }) => randomFrom((seed ^ Math.imul(root + 1, 0x9e3779b1)) >>> 0)())],
};
