import type { Feeds } from './runtime.ts';

/** What is right for one sample: a class index, or whatever the metric of the data understands (boxes of a detector, a number). */
export type Label = number | Readonly<Record<string, unknown>> | readonly unknown[];

/** Consecutive samples, stacked for one run of the model. */
export interface Batch {
  readonly feeds: Feeds;
  /** Samples in it; smaller for the last one. */
  readonly size: number;
  /** Position of its first sample among those that the source gives. */
  readonly first: number;
  /** One for each sample, where the data have labels. */
  readonly labels?: readonly Label[];
}

export interface BatchOptions {
  /** Samples in one batch at most; where the model has a literal batch, that one is used. Default: what the recipe says, else a number that suits the model. */
  readonly size?: number;
  /** Only samples from `first` up to `last` (not included). */
  readonly first?: number;
  readonly last?: number;
  readonly signal?: AbortSignal;
}

/** Named data of the recipe, opened for the inputs of the model. Reading it twice gives the same samples in the same order. */
export interface DataSource {
  /** Its key under `data`. */
  readonly name: string;
  /** Number of samples; undefined if only reading to the end tells. */
  readonly count: number | undefined;
  /** SHA-256, hexadecimal, of what the samples are: settings and contents. Equal keys mean equal samples. */
  readonly key: string;
  /** Recorded in the report and in the model: true if the samples are random numbers. */
  readonly random: boolean;
  /** Metric of the recipe, if it names one. */
  readonly metric: string | undefined;
  batches(options?: BatchOptions): AsyncIterable<Batch>;
}
