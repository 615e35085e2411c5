import { Diagnostic } from '../../ir/diagnostic.ts';
import { mergeHistograms, type Histogram } from './histogram.ts';
import type { RangeMethod } from './statistics.ts';

/** What is exact about one value whatever the order in which samples come: counts and extremes. */
export interface Distribution {
  readonly name: string;
  /** Finite elements. */
  readonly count: number;
  readonly nan: number;
  readonly infinite: number;
  /** Infinity and −Infinity if there was no finite element. */
  readonly min: number;
  readonly max: number;
  readonly histogram?: Histogram;
}

/** The channels of one value. */
export interface ChannelExtremes {
  readonly name: string;
  readonly axis: number;
  readonly absMax: Float64Array;
}

/** The size of the second moments of one layer. */
export interface MomentShape {
  readonly name: string;
  readonly groups: number;
  /** Rows of one group. */
  readonly size: number;
}

/** What was observed: names and sizes. The sums of each chunk follow from it. */
export interface Observed {
  readonly tensors: readonly { readonly name: string; readonly histogram: boolean }[];
  readonly channels: readonly { readonly name: string; readonly axis: number; readonly size: number }[];
  readonly moments: readonly MomentShape[];
}

/** Of which run statistics are; parts of one run agree in all of it. */
export interface RunKey {
  /** `hashModel` of the model. */
  readonly model: string;
  /** `DataSource.key`. */
  readonly data: string;
  readonly random: boolean;
  readonly method: RangeMethod;
  readonly percentile: number;
  /** Most samples that the run looks at. */
  readonly limit: number;
  /** Samples in one run of the model. */
  readonly batch: number;
  /** Samples in one chunk. */
  readonly chunk: number;
}

/**
 * Statistics as they are saved and merged. Floating-point addition depends on its order, so what is a sum of floats is kept for chunks of samples, in slabs laid out by `layoutOf`: chunks
 * are added in the order of the samples, whoever gathered them. The longest run of chunks from the first sample on is one sum already.
 */
export interface Artefact {
  readonly key: RunKey;
  readonly tensors: readonly Distribution[];
  readonly channels: readonly ChannelExtremes[];
  readonly moments: readonly MomentShape[];
  /** Chunks that are in `sum`: those from 0 on. */
  readonly summed: number;
  readonly sum: Float64Array;
  /** Later chunks by number, in ascending order. */
  readonly chunks: ReadonlyMap<number, Float64Array>;
}

/** Offsets into a slab of sums. */
export interface Layout {
  readonly length: number;
  /** Number of samples. */
  readonly samples: number;
  /** The sums of the samples' smallest and, next to it, largest elements. */
  readonly tensors: ReadonlyMap<string, number>;
  /** Elements of one channel, then the sums of x, then those of x². */
  readonly channels: ReadonlyMap<string, number>;
  /** For the columns that are used and, `half` further, those held out: their number, sums of x, and the triangles k ≤ l of the sums of x xᵀ, row by row, for each group. */
  readonly moments: ReadonlyMap<string, { readonly at: number; readonly half: number }>;
}

/** Sums of one group's triangle. */
export function triangle(size: number): number {
  return size * (size + 1) / 2;
}

/** How slabs are laid out. */
export function layoutOf({ tensors, channels, moments }: Observed): Layout {
  let length = 1;
  const take = (count: number): number => (length += count) - count;
  const offsets = {
    samples: 0,
    tensors: new Map(tensors.map(({ name }) => [name, take(2)])),
    channels: new Map(channels.map(({ name, size }) => [name, take(1 + 2 * size)])),
    moments: new Map(moments.map(({ name, groups, size }) => {
      const half = 1 + groups * (size + triangle(size));
      return [name, { at: take(2 * half), half }];
    })),
  };
  return { ...offsets, length };
}

/** What an artefact observed. */
export function observedOf({ tensors, channels, moments }: Pick<Artefact, 'tensors' | 'channels' | 'moments'>): Observed {
  return {
    tensors: tensors.map(({ name, histogram }) => ({ name, histogram: histogram !== undefined })),
    channels: channels.map(({ name, axis, absMax }) => ({ name, axis, size: absMax.length })),
    moments,
  };
}

/**
 * The statistics of all parts together: the same, to the byte, whatever the order of the parts, and the same as those of one run over all samples. Throws `statistics/merge`
 * for parts of different runs and for samples that are in two parts.
 */
export function mergeArtefacts(parts: readonly Artefact[]): Artefact {
  const [first, ...others] = parts;
  if (first === undefined) throw new Diagnostic('statistics/merge', 'there is nothing to merge', { suggestion: 'Name at least one file of statistics.' });
  return others.reduce(mergePair, first);
}

function mergePair(a: Artefact, b: Artefact): Artefact {
  assertSame(a, b);
  const [early, late] = a.summed >= b.summed ? [a, b] : [b, a];
  if (late.summed > 0) throw overlap(0);
  const chunks = new Map(early.chunks);
  for (const [chunk, slab] of late.chunks) {
    if (chunk < early.summed || chunks.has(chunk)) throw overlap(chunk);
    chunks.set(chunk, slab);
  }
  return {
    key: a.key,
    tensors: a.tensors.map((tensor, index) => mergeDistributions(tensor, b.tensors[index]!)),
    channels: a.channels.map((channel, index) => ({ ...channel, absMax: channel.absMax.map((bound, at) => Math.max(bound, b.channels[index]!.absMax[at]!)) })),
    moments: a.moments,
    ...collapsed(early.summed, early.sum, chunks),
  };
}

/** Adds the chunks that follow on the sum to it. */
export function collapsed(summed: number, sum: Float64Array, chunks: ReadonlyMap<number, Float64Array>): Pick<Artefact, 'summed' | 'sum' | 'chunks'> {
  const rest = new Map([...chunks].sort(([a], [b]) => a - b));
  if (!rest.has(summed)) return { summed, sum, chunks: rest };
  const total = sum.slice();
  let next = summed;
  for (let slab = rest.get(next); slab !== undefined; slab = rest.get(++next)) {
    addTo(total, slab);
    rest.delete(next);
  }
  return { summed: next, sum: total, chunks: rest };
}

/** Adds numbers to others. */
export function addTo(sums: Float64Array, numbers: Float64Array): void {
  for (let at = 0; at < sums.length; at++) sums[at]! += numbers[at]!;
}

function mergeDistributions(a: Distribution, b: Distribution): Distribution {
  const { name, histogram } = a;
  return {
    name, count: a.count + b.count, nan: a.nan + b.nan, infinite: a.infinite + b.infinite, min: Math.min(a.min, b.min), max: Math.max(a.max, b.max),
    ...(histogram !== undefined && { histogram: mergeHistograms(histogram, b.histogram!) }),
  };
}

const what: Readonly<Record<keyof RunKey, string>> = {
  model: 'another model', data: 'other data', random: 'other data', method: 'another method', percentile: 'another percentile', limit: 'another number of samples',
  batch: 'another batch size', chunk: 'another chunk size',
};

function assertSame(a: Artefact, b: Artefact): void {
  const different = (Object.keys(what) as (keyof RunKey)[]).find((field) => a.key[field] !== b.key[field]);
  const reason = different !== undefined ? `of ${what[different]}`
    : JSON.stringify(observedOf(a)) !== JSON.stringify(observedOf(b)) ? 'of other values of the model' : undefined;
  if (reason === undefined) return;
  throw new Diagnostic('statistics/merge', `statistics ${reason} cannot be merged`, {
    ...(different !== undefined && { expected: [String(a.key[different])], actual: String(b.key[different]) }),
    suggestion: 'Gather all parts with one recipe, one model and one set of data: `onnxpress calibrate RECIPE --shard i/n`.',
  });
}

function overlap(chunk: number): Diagnostic {
  return new Diagnostic('statistics/merge', `the samples of chunk ${chunk} are in two of the statistics`, { suggestion: 'Name each part once, and gather parts with different shards i/n of one n.' });
}
