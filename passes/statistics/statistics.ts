import type { Histogram } from './histogram.ts';

/** Distribution of one value over all samples. */
export interface TensorStatistics {
  /** Finite elements seen, over all samples. */
  readonly count: number;
  readonly samples: number;
  readonly min: number;
  readonly max: number;
  /** Means over the samples of each sample's smallest and largest element. */
  readonly meanMin: number;
  readonly meanMax: number;
  /** Elements that were not finite. */
  readonly nan: number;
  readonly infinite: number;
  readonly histogram?: Histogram;
}

/** Figures of each channel of one value, over samples and positions. */
export interface ChannelStatistics {
  readonly axis: number;
  readonly samples: number;
  readonly mean: Float64Array;
  /** E[x²]. */
  readonly meanSquare: Float64Array;
  readonly absMax: Float64Array;
}

/**
 * Second moments of the input X of one weighted layer Y = W X: K rows for each group, in the order of the weights' columns
 * (input channel, then kernel positions). Damping is left to the user of the moments.
 */
export interface LayerMoments {
  readonly groups: number;
  /** Rows (K) of one group. */
  readonly size: number;
  /** Columns of X that were used. */
  readonly columns: number;
  /** E[x], `groups · size`. */
  readonly mean: Float64Array;
  /** E[x xᵀ], not centred, `groups · size · size`, row by row. */
  readonly gram: Float64Array;
  /** The same over columns that were held out, for judging what was fitted on the others; absent if there were too few. */
  readonly holdOut?: { readonly columns: number; readonly mean: Float64Array; readonly gram: Float64Array };
}

/** How a distribution becomes a range. */
export type RangeMethod = 'min-max' | 'mean-min-max' | 'percentile' | 'entropy' | 'mse' | 'auto';

/** All that was gathered about a model on some data: the artefact behind the tokens `ranges` and `moments`. */
export interface Statistics {
  /** `hashModel` of the model that was observed, and `DataSource.key` of what it was given. */
  readonly model: string;
  readonly data: string;
  /** The name under which the recipe of the step that gathered or loaded them knows the data. */
  readonly source?: string;
  readonly random: boolean;
  readonly samples: number;
  /** How ranges are chosen unless a step says otherwise. */
  readonly method: RangeMethod;
  /** Percentile of `|x|` kept by the method `percentile`, in percent. */
  readonly percentile: number;
  readonly tensors: ReadonlyMap<string, TensorStatistics>;
  readonly channels: ReadonlyMap<string, ChannelStatistics>;
  readonly moments: ReadonlyMap<string, LayerMoments>;
}
