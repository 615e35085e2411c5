import { Diagnostic } from '../../ir/diagnostic.ts';
import { sizeOf } from '../../ir/tensor.ts';
import type { Batch, BatchOptions, DataSource, Label } from '../../passes/data.ts';
import type { ModelInput } from './inputs.ts';
import type { Labels } from './labels.ts';
import type { Numeric } from './preprocess.ts';
import type { IndexedReader, Reader, Sample, StreamReader } from './reader.ts';
import { isCandidate } from './selection.ts';
import type { ReaderSettings } from './settings.ts';
import { stacked, type ReadySample } from './stack.ts';
import { transformed } from './transform.ts';

/** Data that are open, and the files that they are in. */
export interface OpenedData extends DataSource {
  /** Absolute paths of all files that its samples and labels are read from. */
  readonly files: readonly string[];
}

/** What `openData` has found out. */
export interface SamplesParts {
  readonly name: string;
  readonly key: string;
  readonly random: boolean;
  readonly metric: string | undefined;
  readonly files: readonly string[];
  readonly inputs: readonly ModelInput[];
  readonly reader: Reader;
  readonly numeric: ReadonlyMap<string, Numeric>;
  readonly labels: Labels | undefined;
  /** The chosen rows; undefined for a stream of unknown length. */
  readonly rows: readonly number[] | undefined;
  readonly selection: ReaderSettings;
  /** `free`: any number of samples in a run, `size` if the recipe says so; otherwise exactly `size`. */
  readonly batch: { readonly free: boolean; readonly size: number | undefined };
  readonly warn: (warning: Diagnostic) => void;
}

/** Numbers in the inputs of one batch, where nobody says how large it is: enough to keep kernels busy, little enough for small machines. */
const batchElements = 2 ** 15;
const batchLimit = 32;

/** The samples of a recipe's data, in batches. */
export class Samples implements OpenedData {
  readonly name: string;
  readonly key: string;
  readonly random: boolean;
  readonly metric: string | undefined;
  readonly files: readonly string[];
  readonly count: number | undefined;
  private readonly parts: SamplesParts;

  constructor(parts: SamplesParts) {
    const { name, key, random, metric, files, rows, batch } = parts;
    this.name = name;
    this.key = key;
    this.random = random;
    this.metric = metric;
    this.files = files;
    this.count = rows && (batch.free ? rows.length : rows.length - rows.length % batch.size!);
    this.parts = parts;
  }

  async *batches({ size, first = 0, last = Infinity, signal }: BatchOptions = {}): AsyncGenerator<Batch> {
    const { batch, reader, rows } = this.parts;
    const each = batch.free ? size ?? batch.size ?? this.comfortable() : batch.size!;
    const end = Math.min(last, this.count ?? Infinity);
    if (reader.kind === 'indexed') yield* this.indexed(reader, rows!.slice(first, end), first, each, signal);
    else yield* this.streamed(reader, first, end, each, signal);
  }

  /** Reads the next batch while the present one is used. */
  private async *indexed(reader: IndexedReader, rows: readonly number[], first: number, size: number, signal: AbortSignal | undefined): AsyncGenerator<Batch> {
    const { batch: { free } } = this.parts;
    const cursor = await reader.open();
    const read = (at: number): Promise<ReadySample[]> | undefined => {
      const chunk = rows.slice(at, at + size);
      if (chunk.length === 0 || (!free && chunk.length < size)) return undefined;
      const samples = inOrder(chunk, async (row) => this.ready(await cursor.at(row), row));
      // It may fail before anybody waits for it.
      samples.catch(() => undefined);
      return samples;
    };
    let next = read(0);
    try {
      for (let at = 0; next !== undefined; at += size) {
        signal?.throwIfAborted();
        const samples = await next;
        next = read(at + size);
        yield this.batch(samples, first + at);
      }
    } finally {
      await Promise.allSettled([next]);
      await cursor.close();
    }
  }

  private async *streamed(reader: StreamReader, first: number, last: number, size: number, signal: AbortSignal | undefined): AsyncGenerator<Batch> {
    const { rows, selection, batch: { free }, name, warn } = this.parts;
    const chosen = rows && new Set(rows);
    const limit = Math.min(last, rows === undefined ? selection.samples ?? Infinity : rows.length);
    let [row, position] = [0, 0];
    let samples: ReadySample[] = [];
    if (first >= limit) return;
    for await (const sample of reader.stream(signal)) {
      signal?.throwIfAborted();
      const index = row++;
      if (chosen === undefined ? !isCandidate(index, selection) : !chosen.has(index)) continue;
      if (position++ < first) continue;
      samples.push(this.ready(sample, index));
      if (samples.length === size) {
        yield this.batch(samples, position - samples.length);
        samples = [];
      }
      if (position >= limit) break;
    }
    if (rows !== undefined && position < limit) {
      throw new Diagnostic('data/count', `the data '${name}' announce ${reader.count!} samples, and end after ${row}`, { suggestion: 'Correct the export `count` of the module, or leave it out.' });
    }
    if (samples.length > 0 && free) yield this.batch(samples, position - samples.length);
    else if (samples.length > 0) warn(incompleteBatch(name, samples.length, size));
  }

  /** A sample with its numbers as the model wants them, and its label. */
  private ready(sample: Sample, row: number): ReadySample {
    const { inputs, numeric, labels, reader } = this.parts;
    const tensors = new Map(inputs.map((input) => [input.name, transformed(sample.arrays.get(input.name)!, numeric.get(input.name), input, sample)]));
    const label = labels === undefined ? sample.label : labels.of(row, reader.names?.[row]);
    return { tensors, where: sample.where, label: placed(label, sample) };
  }

  private batch(samples: readonly ReadySample[], first: number): Batch {
    const labels = samples.map(({ label }) => label);
    return {
      feeds: stacked(samples, this.parts.inputs), size: samples.length, first,
      ...(labels.every((label) => label !== undefined) && { labels: labels }),
    };
  }

  /** A batch that suits the model. */
  private comfortable(): number {
    const elements = this.parts.inputs.reduce((sum, { sample }) => sum + sizeOf(sample.map((dim) => (typeof dim === 'number' ? dim : 1))), 0);
    return Math.max(1, Math.min(batchLimit, Math.floor(batchElements / Math.max(1, elements))));
  }
}

/** A label that is a map also says where the image lies in the input, so that boxes can be compared. */
function placed(label: Label | undefined, { placement }: Sample): Label | undefined {
  return placement === undefined || !isMap(label) ? label : { ...label, placement };
}

function isMap(label: Label | undefined): label is Readonly<Record<string, unknown>> {
  return typeof label === 'object' && !Array.isArray(label);
}

/** Samples that are read at the same time: each may hold a file open. */
const atOnce = 32;

/** All results, a few at a time, or the error of the first that failed, whichever failed first in time. */
async function inOrder<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    for (const result of await Promise.allSettled(items.slice(from, from + atOnce).map(action))) {
      if (result.status === 'rejected') throw result.reason;
      results.push(result.value);
    }
  }
  return results;
}

/** The warning that the last samples do not fill a run of a model with a literal batch. */
export function incompleteBatch(name: string, left: number, literal: number): Diagnostic {
  return new Diagnostic('data/incomplete-batch', `one run of the model takes ${literal} samples, and the last ${left} of '${name}' do not fill one: they are left out`, {
    severity: 'warning', suggestion: `Choose a multiple of ${literal} samples, or export the model with a symbolic batch.`,
  });
}
