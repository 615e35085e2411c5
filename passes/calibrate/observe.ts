import type { Model } from '../../ir/model.ts';
import type { Remark } from '../pass.ts';
import type { Artefact, RunKey } from '../statistics/artefact.ts';
import { needsHistogram } from '../statistics/range.ts';
import type { StatisticsRequest } from '../statistics/request.ts';
import { elementsOf } from './distributions.ts';
import { batchFor, gather, measureSizes, type GatherContext } from './gather.ts';
import { observable, planObservers } from './observers.ts';
import { batchAxis, isPerSample, samplingOf } from './sampling.ts';

/** How a request is observed. */
export interface ObserveOptions extends Omit<GatherContext, 'sampling'>, Pick<RunKey, 'model' | 'method' | 'percentile'> {
  /** Samples at most; all of the data if absent. */
  readonly samples?: number | undefined;
  /** Samples in one run of the model; what suits the model and memory if absent. */
  readonly batch?: number | undefined;
  /** Part i of n of the samples only, written i/n. */
  readonly shard?: string | undefined;
  readonly remark: (remark: Remark) => void;
}

/**
 * Runs a model on samples and gathers what a request asks for, in batches where all observed values hold one entry for each sample. What cannot be observed is a remark.
 * `options.model` is the hash that the result bears. Throws `statistics/shard`, and what the data and the runtime throw.
 */
export async function observe(model: Model, request: StatisticsRequest, options: ObserveOptions): Promise<Artefact> {
  const { runtime, source, signal, method, percentile, samples, batch, shard, remark } = options;
  const axis = batchAxis(model);
  const values = observable(model, request, remark);
  // Remarks on channels are made where they are planned.
  const read = [...new Set([...values, ...observable(model, { ...request, ranges: request.channels }, () => undefined)])];
  const open = read.filter((value) => Number.isNaN(elementsOf(value, axis)));
  const sizes = open.length === 0 ? new Map<never, never>() : await measureSizes(model, open, { runtime, source, signal });
  const bytes = read.reduce((sum, value) => sum + 4 * (Number.isNaN(elementsOf(value, axis)) ? sizes.get(value as never) ?? 0 : elementsOf(value, axis)), 0);
  const batchable = typeof axis === 'string' && read.every((value) => isPerSample(value, axis));
  const sampling = samplingOf(source, axis, batch ?? (batchable ? batchFor(bytes) : 1), { samples, shard });
  const observers = planObservers(model, request, values, {
    histograms: needsHistogram(method), axis: sampling.axis, samples: sampling.limit === 0 ? undefined : sampling.limit, sizes, remark,
  });
  const key: RunKey = {
    model: options.model, data: source.key, random: source.random, method, percentile, limit: sampling.limit, batch: sampling.batch, chunk: sampling.chunk,
  };
  return gather(model, observers, key, { ...options, sampling });
}
