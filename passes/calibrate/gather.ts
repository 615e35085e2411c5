import { cloneModel } from '../../ir/clone.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { shapeOf } from '../../ir/type.ts';
import type { Batch, DataSource } from '../data.ts';
import type { Runtime, Session } from '../runtime.ts';
import { Accumulator, joinGathered, type Gathered } from '../statistics/accumulator.ts';
import type { Artefact, Observed, RunKey } from '../statistics/artefact.ts';
import { observeChannels, type ChannelPlan } from './channels.ts';
import { elementsOf, observeDistributions, type DistributionPlan } from './distributions.ts';
import { Grams } from './grams.ts';
import { ObserverGraph } from './graph.ts';
import type { MomentPlan } from './moments.ts';
import type { Taker } from './portion.ts';
import { batchOptions, type Sampling } from './sampling.ts';

/** Everything to be observed. */
export interface Observers {
  readonly distributions: readonly DistributionPlan[];
  readonly channels: readonly ChannelPlan[];
  readonly moments: readonly MomentPlan[];
}

/** Where and on what. */
export interface GatherContext {
  readonly runtime: Runtime;
  readonly source: DataSource;
  readonly sampling: Sampling;
  readonly signal: AbortSignal;
  /** Samples looked at so far, over all runs, and how many there will be, as far as it is known. */
  readonly progress: (done: number, total: number) => void;
}

/** Bytes that one run of the model may hand over. */
export const budget: number = 2 ** 24;

/** Bytes of observed values in one run below which a larger batch is worth while, and the largest batch. */
const comfortable = 2 ** 23;
const largestBatch = 64;

/** The largest power of two for a batch with which values of so many bytes for each sample stay comfortable. */
export function batchFor(bytes: number): number {
  return Math.max(1, Math.min(largestBatch, 2 ** Math.floor(Math.log2(comfortable / Math.max(1, bytes)))));
}

/**
 * Opens a model with all optimisations: observed values are outputs, so that none removes them or changes what they are. ONNX Runtime refuses some models that way only, such as those with a branch
 * that does not fit the shapes of the inputs, which is never taken: they run as they are.
 */
async function openOptimized(model: Model, runtime: Runtime): Promise<Session> {
  try {
    return await runtime.open(model, { optimization: 'all' });
  } catch (error) {
    if (!Diagnostic.is(error) || error.code !== 'runtime/open') throw error;
    return runtime.open(model);
  }
}

/**
 * Runs the model over the samples, as often as memory requires, and gathers what is to be observed. Values with elements that are not finite are looked at again, element by element; so are those that the graph
 * cannot reduce, because they may be empty. The observed values are those of `model`, which is left as it is.
 */
export async function gather(model: Model, observers: Observers, key: RunKey, context: GatherContext): Promise<Artefact> {
  const { batch } = context.sampling;
  const waiting = groupsOf(observers, batch);
  const parts: Gathered[] = [];
  let done = 0;
  for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
    const suspects = new Set<string>();
    const [before, left] = [done, waiting.length];
    const progress = (samples: number, total: number): void => {
      done = before + samples;
      context.progress(done, before + total * (1 + left));
    };
    const { distributions } = group;
    const part = await gatherGroup(model, group, suspects, { ...context, progress });
    const again = distributions.filter((plan) => (part === undefined ? isOpen(plan) : suspects.has(plan.name))).map((plan): DistributionPlan => ({ ...plan, scan: true }));
    if (part !== undefined) parts.push(part);
    const rest = part === undefined ? { ...group, distributions: distributions.filter((plan) => !isOpen(plan)) } : nothing;
    waiting.unshift(...groupsOf({ ...rest, distributions: [...rest.distributions, ...again] }, batch));
  }
  return joinGathered(key, observedBy(observers), parts);
}

/** No observers. */
const nothing: Observers = { distributions: [], channels: [], moments: [] };

function observedBy({ distributions, channels, moments }: Observers): Observed {
  return {
    tensors: distributions.map(({ name, histogram }) => ({ name, histogram })),
    channels: channels.map(({ name, axis, size }) => ({ name, axis, size })),
    moments: moments.map(({ name, groups, size }) => ({ name, groups, size })),
  };
}

/** True if the graph could not reduce the value if it were empty, and might meet that. */
function isOpen({ value, scan }: DistributionPlan): boolean {
  return !scan && Number.isNaN(elementsOf(value, shapeOf(value.type)?.[0]));
}

/** Observers that run together: what they hand over at once fits the budget, unless a single one is larger. */
function groupsOf(observers: Observers, batch: number): Observers[] {
  const groups: Observers[] = [];
  let open: { distributions: DistributionPlan[]; channels: ChannelPlan[]; moments: MomentPlan[] } | undefined;
  let used = 0;
  const place = (bytes: number): NonNullable<typeof open> => {
    if (open === undefined || (used > 0 && used + bytes > budget)) {
      open = { distributions: [], channels: [], moments: [] };
      used = 0;
      groups.push(open);
    }
    used += bytes;
    return open;
  };
  // The figures of the channels of a value stand beside its distribution, which takes its extremes from them.
  const channels = new Map(observers.channels.map((plan) => [plan.name, plan]));
  const placeChannels = (plan: ChannelPlan): void => {
    place(batch * 16 * plan.size).channels.push(plan);
    channels.delete(plan.name);
  };
  for (const plan of observers.distributions) {
    place(plan.histogram || plan.scan ? batch * plan.bytes : 0).distributions.push(plan);
    const own = channels.get(plan.name);
    if (own !== undefined) placeChannels(own);
  }
  for (const plan of channels.values()) placeChannels(plan);
  for (const plan of observers.moments) place(batch * 4 * plan.groups * plan.size * plan.positions).moments.push(plan);
  return groups;
}

/** Observes one group over all samples. Undefined if ONNX Runtime fails at a value that might be empty. */
async function gatherGroup(model: Model, group: Observers, suspects: Set<string>, context: GatherContext): Promise<Gathered | undefined> {
  const { runtime, source, sampling, signal, progress } = context;
  const values = new Map<Value, Value | undefined>();
  const graph = new ObserverGraph(cloneModel(model, { values }));
  const own = <T extends { readonly value: Value }>(plan: T): T => ({ ...plan, value: values.get(plan.value)! });
  const takers: Taker[] = [
    ...(group.channels.length > 0 ? [observeChannels(graph, group.channels.map(own), sampling.axis)] : []),
    ...(group.distributions.length > 0 ? [observeDistributions(graph, group.distributions.map(own), sampling.axis, suspects)] : []),
  ];
  const grams = await Grams.open(graph, group.moments.map(own), runtime);
  graph.settle();
  graph.prune();
  const accumulator = new Accumulator(observedBy(group));
  const { layout } = accumulator;
  const session = await openOptimized(graph.model, runtime);
  try {
    let chunk: number | undefined;
    const take = async (batch: Batch, outputs: ReadonlyMap<string, Tensor>): Promise<void> => {
      const next = Math.floor(batch.first / sampling.chunk);
      if (chunk !== undefined && next !== chunk) await grams?.flush(accumulator.slab(chunk), layout);
      chunk = next;
      const slab = accumulator.slab(chunk);
      slab[layout.samples]! += batch.size;
      const portion = { outputs, size: batch.size, first: batch.first };
      for (const each of takers) each(portion, slab, accumulator);
      if (grams?.take(portion) === true) await grams.flush(slab, layout);
    };
    await runAll(session, source, context, take, progress);
    if (chunk !== undefined) await grams?.flush(accumulator.slab(chunk), layout);
    return accumulator.finish();
  } catch (error) {
    if (Diagnostic.is(error) && error.code === 'runtime/run' && group.distributions.some(isOpen)) return undefined;
    throw error;
  } finally {
    await session.release();
    await grams?.release();
    signal.throwIfAborted();
  }
}

/** Runs batch after batch; while the runtime, in its own thread, works on one, what the one before gave is taken in. */
async function runAll(
  session: Session, source: DataSource, { sampling, signal }: GatherContext, take: (batch: Batch, outputs: ReadonlyMap<string, Tensor>) => Promise<void>, progress: (done: number, total: number) => void,
): Promise<void> {
  const { first, last = source.count ?? 0 } = sampling;
  let running: { readonly batch: Batch; readonly outputs: Promise<ReadonlyMap<string, Tensor>> } | undefined;
  const takeIn = async (batch: Batch, outputs: ReadonlyMap<string, Tensor>): Promise<void> => {
    await take(batch, outputs);
    const done = batch.first + batch.size - first;
    progress(done, Math.max(last - first, done));
  };
  for await (const batch of source.batches(batchOptions(sampling, signal))) {
    const before = running;
    const outputs = await before?.outputs;
    running = { batch, outputs: session.run(batch.feeds, signal) };
    // Taken care of when it is awaited; until then a failure is no unhandled one.
    running.outputs.catch(() => undefined);
    if (before !== undefined) await takeIn(before.batch, outputs!);
  }
  if (running !== undefined) await takeIn(running.batch, await running.outputs);
}

/** Elements that values have for one sample, by running the first one: for types that do not tell. */
export async function measureSizes(model: Model, values: readonly Value[], { runtime, source, signal }: Pick<GatherContext, 'runtime' | 'source' | 'signal'>): Promise<Map<Value, number>> {
  const copies = new Map<Value, Value | undefined>();
  const graph = new ObserverGraph(cloneModel(model, { values: copies }));
  const names = values.map((value) => graph.output(graph.size(copies.get(value)!)));
  graph.prune();
  const session = await runtime.open(graph.model);
  try {
    for await (const { feeds, size } of source.batches({ size: 1, last: 1, signal })) {
      const outputs = await session.run(feeds, signal);
      return new Map(values.map((value, index) => [value, Math.ceil(outputs.get(names[index]!)!.ints()[0]! / size)]));
    }
    return new Map();
  } finally {
    await session.release();
  }
}
