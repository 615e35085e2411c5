import { relative } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { unreadable } from './data-file.ts';
import type { Model } from '../../ir/model.ts';
import { hashOf } from '../instruments/provenance.ts';
import { FileHashes } from './file-hashes.ts';
import { interfaceOfModel } from './inputs.ts';
import { openLabels } from './labels.ts';
import { fixedInputs, openReader } from './readers.ts';
import type { StreamReader } from './reader.ts';
import { candidates, chosenRows } from './selection.ts';
import type { ReaderSettings } from './settings.ts';
import { incompleteBatch, Samples, type OpenedData } from './source.ts';

/** What opening data needs from outside. */
export interface OpenDataOptions {
  /** The model whose inputs the samples are for. */
  readonly model: Model;
  /** Absolute folder to which the paths of the settings are relative. */
  readonly folder: string;
  /** Lengths of symbolic dimensions (`sizesOf`). */
  readonly sizes?: ReadonlyMap<string, number>;
  /** Hashes of files that are known already; those of the files that are read are added. */
  readonly hashes?: FileHashes;
  /** Takes warnings: random data, fewer samples than asked for, an incomplete last batch. */
  readonly warn?: (warning: Diagnostic) => void;
}

/** Random samples where the recipe does not say how many. */
const madeSamples = 64;

/**
 * Opens named data of a recipe for the inputs of a model. Nothing but headers and labels is read until samples are asked for; the files of the
 * chosen samples are hashed. Throws Diagnostics of the area `data`.
 */
export async function openData(name: string, settings: ReaderSettings, { model, folder, sizes = new Map(), hashes = new FileHashes(), warn = () => undefined }: OpenDataOptions): Promise<OpenedData> {
  try {
    const { inputs, batch } = interfaceOfModel(model, fixedInputs(settings), sizes);
    const { reader, numeric, random } = await openReader(settings, inputs, folder);
    const length = reader.count ?? (settings.seed === undefined ? undefined : await lengthOf(reader as StreamReader));
    const labels = settings.labels === undefined ? undefined : await openLabels(settings.labels, folder, { count: length, names: reader.names });
    const selection: ReaderSettings = length === Infinity ? { samples: madeSamples, ...settings } : settings;
    checkNumber(name, length, selection);
    const rows = length === undefined ? undefined : chosenRows(length, selection);
    if (rows !== undefined) checkRows(name, rows.length, length!, selection, batch === 'free' ? 1 : batch, warn);
    if (random) {
      warn(new Diagnostic('data/random', `the data '${name}' are random numbers: statistics of them say little about real samples`, { severity: 'warning', suggestion: 'Use real samples before anything depends on the result.' }));
    }
    const files = [...new Set([...reader.files(rows), ...labels?.files ?? []])];
    const { metric, batch: wished, ...meaning } = settings;
    const key = hashOf({
      settings: meaning, inputs: inputs.map(({ name: input, dtype, sample, batched }) => [input, dtype, sample.map((dim) => dim ?? null), batched]),
      files: files.map((path) => hashed(path, relative(folder, path).replaceAll('\\', '/'), hashes)),
    });
    return new Samples({
      name, key, random, files, inputs, reader, numeric, labels, rows, selection, warn,
      metric: typeof metric === 'string' ? metric : metric?.name, batch: batch === 'free' ? { free: true, size: wished } : { free: false, size: batch },
    });
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    throw error.with({ notes: [{ message: `while opening the data '${name}'` }] });
  }
}

/** Most samples that are chosen, and most of which some are drawn: their numbers are held in memory. */
const mostSamples = 2 ** 25;

function checkNumber(name: string, length: number | undefined, selection: ReaderSettings): void {
  if (length === undefined) return;
  const chosen = selection.seed !== undefined && length !== Infinity ? length : Math.min(selection.samples ?? Infinity, candidates(length, selection));
  if (chosen <= mostSamples) return;
  throw new Diagnostic('data/samples', `the data '${name}' have ${length} samples, and at most ${mostSamples} can be chosen, or drawn from`, { suggestion: 'Limit them with `samples`, without `seed`, or check `shape`: it is that of one sample.' });
}

function hashed(path: string, shown: string, hashes: FileHashes): readonly [name: string, sha256: string] {
  try {
    return [shown, hashes.of(path).sha256];
  } catch (error) {
    throw unreadable(shown, error);
  }
}

/** The number of samples of a stream, by reading it. */
async function lengthOf(reader: StreamReader): Promise<number> {
  let count = 0;
  const samples = reader.stream()[Symbol.asyncIterator]();
  while ((await samples.next()).done !== true) count++;
  return count;
}

function checkRows(name: string, chosen: number, length: number, { samples, ...rest }: ReaderSettings, literal: number, warn: (warning: Diagnostic) => void): void {
  const details = { suggestion: 'Change `skip`, `every`, `except` or `samples`, or give more data.' };
  if (chosen === 0) {
    throw new Diagnostic('data/samples', `the data '${name}' have ${length} samples, of which none is chosen`, details);
  }
  if (chosen < literal) {
    throw new Diagnostic('data/samples', `the data '${name}' give ${chosen} samples, and one run of the model takes ${literal}`, details);
  }
  if (samples !== undefined && chosen < samples) {
    warn(new Diagnostic('data/samples', `the data '${name}' have ${candidates(length, rest)} samples to choose from, fewer than the ${samples} that are asked for`, { ...details, severity: 'warning' }));
  }
  if (chosen % literal !== 0) {
    warn(incompleteBatch(name, chosen % literal, literal));
  }
}
