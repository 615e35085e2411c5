import { readFileSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { DType } from '../../ir/dtype.ts';
import { byteLengthOf, isFloat } from '../../ir/dtype.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Label } from '../../passes/data.ts';
import { boxLabels } from './boxes.ts';
import { parseCsv } from './csv.ts';
import { unreadable } from './data-file.ts';
import { npyTensor } from './npy.ts';
import { readNpz, rowOf } from './npz.ts';
import { dtypeNamed } from './preprocess.ts';
import type { LabelSettings } from './settings.ts';

/** The labels of a source. */
export interface Labels {
  /** Of row `index`, whose file is called `name` where samples are files. Throws `data/labels` if there is none. */
  of(index: number, name: string | undefined): Label;
  /** Absolute paths of what they were read from. */
  readonly files: readonly string[];
}

/** What labels belong to. */
export interface Labelled {
  /** Rows of the source; undefined if only reading to the end tells. */
  readonly count: number | undefined;
  /** Names of the files, where samples are files. */
  readonly names?: readonly string[] | undefined;
}

/** Largest file of labels, in bytes. */
const limit = 2 ** 30;

/** Opens labels: `folder`, `name`, or a file. Throws `data/labels`, `data/label-count`, `data/unreadable`. */
export async function openLabels(settings: string | LabelSettings, folder: string, source: Labelled): Promise<Labels> {
  if (settings === 'folder') return folderLabels(source);
  if (settings === 'name') return { of: (_, name) => numberIn(needName(name, settings)), files: [] };
  const options: LabelSettings = typeof settings === 'string' ? { file: settings } : settings;
  const path = resolve(folder, options.file);
  const { byName, rows } = await readLabels(path, options, source);
  if (byName !== undefined) return { of: (_, name) => named(byName, needName(name, options.file), options.file), files: [path] };
  if (source.count !== undefined && source.count !== Infinity && rows.length !== source.count) {
    throw new Diagnostic('data/label-count', `${options.file} has ${rows.length} labels for ${source.count} samples`, {
      file: options.file, suggestion: 'Give one label for each row of the data, before any are chosen; `dtype` and `offset` say how a raw file is read.',
    });
  }
  return {
    files: [path],
    of: (index) => {
      if (index >= rows.length) throw bad(options.file, `it ends after ${rows.length} labels, and sample ${index} wants one`);
      return rows[index]!;
    },
  };
}

/** Labels from names of folders: the position of a name among all of them, sorted, as torchvision numbers them. */
function folderLabels({ names }: Labelled): Labels {
  const folderOf = (name: string): string => {
    const parts = name.split('/');
    if (parts.length < 2) throw bad(name, 'the file is in no folder that could name its class');
    return parts.at(-2)!;
  };
  if (names === undefined) throw bad('folder', 'samples are no files in folders');
  const classes = new Map([...new Set(names.map(folderOf))].sort().map((name, index) => [name, index]));
  return { of: (_, name) => classes.get(folderOf(name!))!, files: [] };
}

/** The first number in the name of a file. */
function numberIn(name: string): number {
  const base = name.split('/').at(-1)!;
  const digits = /\d+/.exec(base)?.[0];
  if (digits === undefined) throw bad(base, 'the name of the file holds no number');
  return Number(digits);
}

interface Content {
  readonly byName?: ReadonlyMap<string, Label>;
  readonly rows: readonly Label[];
}

async function readLabels(path: string, options: LabelSettings, { names }: Labelled): Promise<Content> {
  const { file, column } = options;
  const bytes = contentOf(path, file);
  switch (extname(file).toLowerCase()) {
    case '.csv':
      return csvLabels(parseCsv(new TextDecoder().decode(bytes)), options, names);
    case '.json':
      return jsonLabels(bytes, file, names);
    case '.npy':
      return { rows: rowsOf(npyTensor(bytes, file)) };
    case '.npz': {
      const arrays = await readNpz({ path, name: file });
      const array = column === undefined && arrays.size === 1 ? [...arrays.values()][0]! : arrays.get(column ?? 'labels');
      if (array === undefined) throw bad(file, `it has no array '${column ?? 'labels'}', only ${[...arrays.keys()].join(', ')}; name one with \`column\``);
      return { rows: rowsOf(array) };
    }
    default: {
      const { dtype = 'uint8', offset = 0 } = options;
      return { rows: rowsOf(rawTensor(bytes.subarray(offset), dtypeNamed(dtype), file)) };
    }
  }
}

function contentOf(path: string, file: string): Uint8Array {
  try {
    if (statSync(path).size > limit) throw bad(file, 'it is larger than 1 GiB');
    return readFileSync(path);
  } catch (error) {
    throw Diagnostic.is(error) ? error : unreadable(file, error);
  }
}

function rawTensor(bytes: Uint8Array, dtype: DType, file: string): Tensor {
  const size = byteLengthOf(dtype, 1);
  if (bytes.length % size !== 0) throw bad(file, `its ${bytes.length} bytes are no whole number of ${dtype} labels`);
  return Tensor.fromBytes(dtype, [bytes.length / size], bytes);
}

function rowsOf(tensor: Tensor): Label[] {
  const numbers = (array: Tensor): number[] => Array.from(isFloat(array.dtype) ? array.floats() : array.ints());
  return tensor.shape.length <= 1 || tensor.size === tensor.shape[0] ? numbers(tensor) : Array.from({ length: tensor.shape[0]! }, (_, index) => numbers(rowOf(tensor, index)));
}

const isNumeral = (text: string): boolean => text !== '' && Number.isFinite(Number(text));

/** What the column of the labels may be called. */
const labelTitles = new Set(['label', 'class', 'target', 'y']);

/** Labels of a CSV file: by name if samples are files and a column holds their names, else row by row. Texts are numbered in sorted order. */
function csvLabels(rows: readonly (readonly string[])[], { file, column }: LabelSettings, names: readonly string[] | undefined): Content {
  const [first = []] = rows;
  const titles = first.map((title) => title.toLowerCase());
  const header = column !== undefined || titles.some((title) => labelTitles.has(title)) || (!first.some(isNumeral) && rows.length > 1 && rows[1]!.some(isNumeral));
  const which = column === undefined ? (header ? titles.findIndex((title) => labelTitles.has(title)) : -1) : first.indexOf(column);
  if (column !== undefined && which < 0) throw bad(file, `it has no column '${column}', only ${first.join(', ')}`);
  const at = which < 0 ? first.length - 1 : which;
  const body = header ? rows.slice(1) : rows;
  const uneven = body.findIndex((row) => row[at] === undefined);
  if (uneven >= 0) throw bad(file, `its row ${uneven + 1} has no field ${at + 1}`);
  const texts = body.map((row) => row[at]!);
  const classes = texts.every(isNumeral) ? undefined : new Map([...new Set(texts)].sort().map((text, index) => [text, index]));
  const labels = texts.map((text): number => classes?.get(text) ?? Number(text));
  const keys = names && nameColumn(body, first.map((_, index) => index).filter((index) => index !== at), names);
  if (keys === undefined) return { rows: labels };
  return { byName: new Map(body.map((row, index) => [row[keys]!, labels[index]!])), rows: [] };
}

/** The column that names files: one with a text by which a file goes, or with numbers by which all of them go, such as `7` for 7.jpg. */
function nameColumn(rows: readonly (readonly string[])[], columns: readonly number[], names: readonly string[]): number | undefined {
  const known = new Set(names.flatMap(spellings));
  return columns.find((column) => rows.some((row) => known.has(row[column] ?? '') && !isNumeral(row[column]!)))
    ?? columns.find((column) => {
      const texts = new Set(rows.map((row) => row[column]));
      return names.every((name) => spellings(name).some((spelling) => texts.has(spelling)));
    });
}

/** Labels of a JSON file: a list in the order of the samples, a list of `{ file, label }`, a map by name, or the annotations of a detector. */
function jsonLabels(bytes: Uint8Array, file: string, names: readonly string[] | undefined): Content {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw bad(file, `it is no JSON: ${(error as Error).message}`);
  }
  const listed = listedLabels(Array.isArray(content) ? content : (content as { images?: unknown } | null)?.images);
  if (Array.isArray(content) && (listed === undefined || names === undefined)) return { rows: listed === undefined ? content as Label[] : [...listed.values()] };
  const boxes = boxLabels(content);
  if (boxes === undefined && listed === undefined && hasImages(content)) throw bad(file, 'its `images` are no sound annotations: COCO has `images` and `annotations` with a `bbox` of four numbers, YOLO a `size` and `boxes` of five');
  const byName = boxes ?? listed ?? (typeof content === 'object' && content !== null ? new Map(Object.entries(content as Record<string, Label>)) : undefined);
  if (byName === undefined) throw bad(file, 'it holds neither a list nor a map');
  return names === undefined ? { rows: [...byName.values()] } : { byName, rows: [] };
}

/** True for a map that would be annotations of a detector. */
function hasImages(content: unknown): boolean {
  const { images } = (content ?? {}) as { images?: unknown };
  return typeof images === 'object' && images !== null;
}

/** Labels by name from a list of `{ file, label }`. */
function listedLabels(list: unknown): Map<string, Label> | undefined {
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const entries = (list as (Readonly<Record<string, unknown>> | null)[]).map((item) => [item?.['file'] ?? item?.['file_name'] ?? item?.['name'], item?.['label']] as const);
  return entries.every(([file, label]) => typeof file === 'string' && label !== undefined) ? new Map(entries as [string, Label][]) : undefined;
}

/** The ways in which a file of labels may name a sample: its path, any end of it, and these without the extension. */
function spellings(name: string): string[] {
  const parts = name.split('/');
  const ends = parts.map((_, index) => parts.slice(index).join('/'));
  return [...ends, ...ends.map((end) => end.replace(/\.[^./]+$/, ''))];
}

function named(byName: ReadonlyMap<string, Label>, name: string, file: string): Label {
  const key = spellings(name).find((spelling) => byName.has(spelling));
  if (key === undefined) throw bad(file, `it has no label for ${name}`);
  return byName.get(key)!;
}

function needName(name: string | undefined, what: string): string {
  if (name === undefined) throw bad(what, 'it goes by the names of files, and the samples are no files');
  return name;
}

function bad(file: string, why: string): Diagnostic {
  return new Diagnostic('data/labels', `cannot take labels from ${file}: ${why}`, {
    file, suggestion: 'Labels are `folder`, `name`, or a CSV, JSON, npy, npz or raw file; see `labels` in specs/data.md.',
  });
}
