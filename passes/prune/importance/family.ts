import type { Model } from '../../../ir/model.ts';
import type { Statistics } from '../../statistics/statistics.ts';
import type { ChannelGroup } from '../groups.ts';
import type { Weights } from './weights.ts';

/** How the scores of one channel in several places become one. */
export type Aggregate = 'mean' | 'sum' | 'max' | 'first';

/** What the scores of a group are divided by. */
export type Normalize = 'none' | 'mean' | 'max' | 'sum' | 'lamp';

/** What scores are made from. */
export interface Scoring {
  readonly model: Model;
  /** The weights of what has not been removed yet. */
  readonly weights: Weights;
  readonly statistics: Statistics | undefined;
  readonly seed: number;
}

/** One way to tell how much a channel matters. */
export interface Family {
  readonly aggregate: Aggregate;
  readonly normalize: Normalize;
  /** True if scores are losses that add up, over places and channels: they can be weighed against what is gained. */
  readonly adds?: true;
  /**
   * The scores of a group's channels, in their order, for each place where they are scored; NaN for a channel that has none there. Low scores go first. Or why there are none: the end of a sentence that begins with the group.
   */
  readonly score: (group: ChannelGroup, scoring: Scoring) => readonly Float64Array[] | string;
}
