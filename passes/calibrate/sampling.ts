import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model, Value } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import type { BatchOptions, DataSource } from '../data.ts';

/** Samples whose sums are kept apart, so that parts of the data can be gathered apart; a multiple of the batch. */
const chunkSamples = 64;

/** Which samples are looked at, and in which portions. */
export interface Sampling {
  /** Samples in one run of the model at most. */
  readonly batch: number;
  /** The first axis of values that hold one entry for each sample; undefined if each run takes one sample. */
  readonly axis: Dim;
  readonly chunk: number;
  /** Most samples that the whole run looks at, its other parts included; 0 for all, however many there are. */
  readonly limit: number;
  readonly first: number;
  readonly last: number | undefined;
}

/** The first axis that all inputs of the model have in common: a symbol or a literal batch. */
export function batchAxis(model: Model): Dim {
  const axes = model.graph.inputs.filter((value) => value.tensor === undefined).map((value) => shapeOf(value.type)?.[0]);
  return axes.every((axis) => axis === axes[0]) ? axes[0] : undefined;
}

/** The portions for a batch that the model allows and memory suits, of all samples or of one shard. */
export function samplingOf(source: DataSource, axis: Dim, batch: number, { samples, shard }: { readonly samples?: number | undefined; readonly shard?: string | undefined }): Sampling {
  const size = typeof axis === 'number' ? axis : batch;
  const chunk = size * Math.ceil(chunkSamples / size);
  const limit = Math.min(samples ?? Infinity, source.count ?? Infinity);
  const whole: Sampling = { batch: size, axis: size > 1 ? axis : undefined, chunk, limit: limit === Infinity ? 0 : limit, first: 0, last: limit === Infinity ? undefined : limit };
  if (shard === undefined) return whole;
  const [index, count] = parseShard(shard);
  if (limit === Infinity) {
    throw new Diagnostic('statistics/shard', `data '${source.name}' does not say how many samples it has, so it cannot be divided into shards`, { suggestion: 'Give `calibrate` a number of `samples`.' });
  }
  const chunks = Math.ceil(limit / chunk);
  const edge = (part: number): number => Math.min(limit, Math.floor(part * chunks / count) * chunk);
  return { ...whole, first: edge(index - 1), last: edge(index) };
}

/** Part i of n, counted from 1. Throws `statistics/shard`. */
export function parseShard(shard: string): readonly [index: number, count: number] {
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(shard) ?? []).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count) {
    throw new Diagnostic('statistics/shard', `'${shard}' is no shard`, { expected: ['i/n with 1 ≤ i ≤ n'], actual: shard, suggestion: 'Write 1/4 for the first of four parts.' });
  }
  return [index, count];
}

/** What `DataSource.batches` is asked for. */
export function batchOptions({ batch, first, last }: Sampling, signal: AbortSignal): BatchOptions {
  return { size: batch, first, ...(last !== undefined && { last }), signal };
}

/** True if the first axis of the value counts samples. */
export function isPerSample(value: Value, axis: Dim): boolean {
  return axis !== undefined && shapeOf(value.type)?.[0] === axis;
}
