import type { Family } from './family.ts';
import { absoluteSums, squareSums } from './slabs.ts';

/** Σ |w| of what a producer holds for a channel (Li et al. 2017). */
export const l1: Family = {
  aggregate: 'mean', normalize: 'mean',
  score: (group, { weights }) => weights.scores(group, group.producers, absoluteSums),
};

/** √Σ w² of what a producer holds for a channel. */
export const l2: Family = {
  aggregate: 'mean', normalize: 'mean',
  score: (group, { weights }) => weights.scores(group, group.producers, squareSums, Math.sqrt),
};
