import { addTo, layoutOf, observedOf, type Artefact, type ChannelExtremes, type Distribution, type Layout, type MomentShape, type Observed, type RunKey } from './artefact.ts';
import { HistogramBuilder } from './histogram.ts';

/** The distribution of one value while samples come in. */
export class DistributionBuilder {
  readonly name: string;
  readonly histogram: HistogramBuilder | undefined;
  count = 0;
  nan = 0;
  infinite = 0;
  min: number = Infinity;
  max: number = -Infinity;

  constructor(name: string, histogram: boolean) {
    this.name = name;
    this.histogram = histogram ? new HistogramBuilder() : undefined;
  }

  /** Takes in so many finite elements between `min` and `max`. */
  extend(count: number, min: number, max: number): void {
    this.count += count;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
  }

  finish(): Distribution {
    const { name, count, nan, infinite, min, max, histogram } = this;
    return { name, count, nan, infinite, min, max, ...(histogram !== undefined && { histogram: histogram.finish() }) };
  }
}

/** What of an artefact one accumulator gathers. */
export type Gathered = Omit<Artefact, 'key'>;

/** Gathers statistics from samples that come in order, chunk after chunk. */
export class Accumulator {
  readonly layout: Layout;
  readonly tensors: ReadonlyMap<string, DistributionBuilder>;
  readonly channels: ReadonlyMap<string, ChannelExtremes>;
  private readonly moments: readonly MomentShape[];
  private readonly chunks = new Map<number, Float64Array>();
  private readonly sum: Float64Array;
  private summed = 0;
  private current: { readonly chunk: number; readonly slab: Float64Array } | undefined;

  constructor(observed: Observed) {
    this.layout = layoutOf(observed);
    this.sum = new Float64Array(this.layout.length);
    this.tensors = new Map(observed.tensors.map(({ name, histogram }) => [name, new DistributionBuilder(name, histogram)]));
    this.channels = new Map(observed.channels.map(({ name, axis, size }) => [name, { name, axis, absMax: new Float64Array(size) }]));
    this.moments = observed.moments;
  }

  /** The sums of a chunk, to be added to. Chunks come in ascending order. */
  slab(chunk: number): Float64Array {
    if (this.current?.chunk !== chunk) {
      const spare = this.close();
      this.current = { chunk, slab: spare ?? new Float64Array(this.layout.length) };
    }
    return this.current.slab;
  }

  finish(): Gathered {
    this.close();
    const { summed, sum, chunks, moments } = this;
    return { tensors: Array.from(this.tensors.values(), (tensor) => tensor.finish()), channels: [...this.channels.values()], moments, summed, sum, chunks };
  }

  /** Files the current chunk; returns its memory, emptied, if it is free. */
  private close(): Float64Array | undefined {
    const { current } = this;
    this.current = undefined;
    if (current === undefined) return undefined;
    if (current.chunk !== this.summed) {
      this.chunks.set(current.chunk, current.slab);
      return undefined;
    }
    addTo(this.sum, current.slab);
    this.summed++;
    return current.slab.fill(0);
  }
}

/** What several accumulators gathered over the same samples, as one artefact. Of what several of them gathered, the last one's is taken. */
export function joinGathered(key: RunKey, observed: Observed, parts: readonly Gathered[]): Artefact {
  const sources = parts.map((part) => ({ part, layout: layoutOf(observedOf(part)) }));
  const latest = <T extends { readonly name: string }>(listOf: (part: Gathered) => readonly T[]): ReadonlyMap<string, { readonly item: T; readonly part: Gathered; readonly layout: Layout }> =>
    new Map(sources.flatMap(({ part, layout }) => listOf(part).map((item) => [item.name, { item, part, layout }] as const)));
  const tensors = latest(({ tensors: list }) => list);
  const channels = latest(({ channels: list }) => list);
  const moments = latest(({ moments: list }) => list);
  const whole = layoutOf(observed);
  const joined = (slabOf: (part: Gathered) => Float64Array): Float64Array => {
    const slab = new Float64Array(whole.length);
    const copy = (part: Gathered, from: number, to: number, length: number): void => { slab.set(slabOf(part).subarray(from, from + length), to); };
    for (const { part, layout } of sources.slice(0, 1)) copy(part, layout.samples, whole.samples, 1);
    for (const [name, { part, layout }] of tensors) copy(part, layout.tensors.get(name)!, whole.tensors.get(name)!, 2);
    for (const [name, { part, layout, item }] of channels) copy(part, layout.channels.get(name)!, whole.channels.get(name)!, 1 + 2 * item.absMax.length);
    for (const [name, { part, layout }] of moments) copy(part, layout.moments.get(name)!.at, whole.moments.get(name)!.at, 2 * layout.moments.get(name)!.half);
    return slab;
  };
  const [first] = parts;
  return {
    key,
    tensors: observed.tensors.map(({ name }) => tensors.get(name)!.item),
    channels: observed.channels.map(({ name }) => channels.get(name)!.item),
    moments: observed.moments,
    summed: first?.summed ?? 0,
    sum: joined(({ sum }) => sum),
    chunks: new Map(Array.from(first?.chunks.keys() ?? [], (chunk) => [chunk, joined(({ chunks }) => chunks.get(chunk)!)])),
  };
}
