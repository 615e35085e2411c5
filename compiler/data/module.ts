import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { isDType, type DType } from '../../ir/dtype.ts';
import { Tensor, type Numbers } from '../../ir/tensor.ts';
import type { Label } from '../../passes/data.ts';
import { wanted, type ModelInput } from './inputs.ts';
import type { Sample, StreamReader } from './reader.ts';

/** What the function that a module exports is called with. */
export interface ModuleContext {
  /** The inputs to feed; `shape` is that of one sample, null where any length will do. */
  readonly inputs: readonly { readonly name: string; readonly dtype: DType; readonly shape: readonly (number | null)[] }[];
  /** Absolute folder of the recipe. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/** An array as modules give it: numbers, or numbers with their shape (that of the input if absent) and, for float16, their element type. */
export type ModuleArray = Numbers | readonly number[] | { readonly data: Numbers | readonly number[]; readonly shape?: readonly number[]; readonly dtype?: string };

/** A sample as modules give it: `data` for a model with one input, or `feeds` by input name. */
export interface ModuleSample {
  readonly data?: Numbers | readonly number[];
  readonly shape?: readonly number[];
  readonly dtype?: string;
  readonly feeds?: Readonly<Record<string, ModuleArray>>;
  readonly label?: Label;
  /** How messages call it. */
  readonly name?: string;
}

type Samples = AsyncIterable<unknown> | Iterable<unknown>;

interface Loaded {
  readonly default: unknown;
  /** Number of samples, where the module knows it. */
  readonly count?: unknown;
  /** Files that the samples are made from, relative to the module: inputs of the compile. */
  readonly files?: unknown;
}

/** Samples from a JavaScript module: its default export is an (async) iterable, or a function that gives one. Throws `data/module`. */
export async function moduleReader(name: string, folder: string, inputs: readonly ModelInput[]): Promise<StreamReader> {
  const path = resolve(folder, name);
  if (!existsSync(path)) throw bad(name, `there is no such file in ${folder}`);
  const module = await load(path, name, 0);
  const { count, files = [] } = module;
  if (count !== undefined && !(Number.isSafeInteger(count) && (count as number) >= 0)) throw bad(name, 'its export `count` is no whole number');
  if (!Array.isArray(files) || !files.every((file) => typeof file === 'string')) throw bad(name, 'its export `files` is no list of paths');
  const paths = [path, ...(files).map((file) => resolve(dirname(path), file))];
  const missing = paths.find((file) => !existsSync(file));
  if (missing !== undefined) throw bad(name, `its export \`files\` lists ${missing}, which does not exist`);
  let reads = 0;
  return {
    kind: 'stream',
    count: count as number | undefined,
    files: () => paths,
    stream: (signal) => read(async () => samplesOf(reads++ === 0 ? module : await load(path, name, reads), name, { inputs: inputs.map(described), folder, ...(signal && { signal }) }), name, inputs),
  };
}

const described = ({ name, dtype, sample }: ModelInput): ModuleContext['inputs'][number] => ({ name, dtype, shape: sample.map((dim) => (typeof dim === 'number' ? dim : null)) });

/** Loads the module; for another `read` anew, since an iterator that it exports can be read only once. */
async function load(path: string, name: string, read: number): Promise<Loaded> {
  try {
    return await import(`${pathToFileURL(path).href}${read === 0 ? '' : `?read=${read}`}`) as Loaded;
  } catch (error) {
    throw bad(name, `loading it fails: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

async function samplesOf(module: Loaded, name: string, context: ModuleContext): Promise<Samples> {
  const exported = module.default;
  const samples: unknown = typeof exported === 'function' ? await (exported as (context: ModuleContext) => unknown)(context) : exported;
  const iterable = typeof samples === 'object' && samples !== null && (Symbol.asyncIterator in samples || Symbol.iterator in samples);
  if (!iterable) throw bad(name, 'its default export is neither an iterator nor a function that gives one');
  return samples as Samples;
}

async function* read(open: () => Promise<Samples>, name: string, inputs: readonly ModelInput[]): AsyncGenerator<Sample> {
  let index = 0;
  try {
    for await (const sample of await open()) {
      yield sampleOf(sample, index, name, inputs);
      index++;
    }
  } catch (error) {
    if (Diagnostic.is(error) || (error instanceof Error && error.name === 'AbortError')) throw error;
    throw bad(name, `sample ${index} fails: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function sampleOf(given: unknown, index: number, name: string, inputs: readonly ModelInput[]): Sample {
  const sample = (typeof given === 'object' && given !== null ? given : {}) as ModuleSample;
  const where = typeof sample.name === 'string' ? `${sample.name} of ${name}` : `sample ${index} of ${name}`;
  const [only] = inputs;
  const feeds: Readonly<Record<string, ModuleArray | undefined>> = sample.feeds ?? (inputs.length === 1 && sample.data !== undefined ? { [only!.name]: sample as ModuleArray } : {});
  const stranger = Object.keys(feeds).find((key) => !inputs.some((input) => input.name === key));
  if (stranger !== undefined) throw bad(name, `${where} feeds '${stranger}', which is no input of the model (${inputs.map((input) => input.name).join(', ')})`);
  const arrays = new Map(inputs.map((input) => {
    const array = Object.hasOwn(feeds, input.name) ? feeds[input.name] : undefined;
    if (array === undefined) throw bad(name, `${where} has nothing for the input '${input.name}'; it should be { data, shape, label }, or { feeds: { NAME: … }, label }`);
    return [input.name, tensorOf(array, input, where, name)];
  }));
  return { arrays, where, file: name, ...(sample.label !== undefined && { label: sample.label }) };
}

/** Element types by typed array. */
const kinds: ReadonlyMap<unknown, DType> = new Map<unknown, DType>([
  [Float32Array, 'float'], [Float64Array, 'double'], [Int8Array, 'int8'], [Uint8Array, 'uint8'], [Int16Array, 'int16'], [Uint16Array, 'uint16'],
  [Int32Array, 'int32'], [Uint32Array, 'uint32'], [BigInt64Array, 'int64'], [BigUint64Array, 'uint64'],
]);

function tensorOf(given: ModuleArray, input: ModelInput, where: string, name: string): Tensor {
  const { data, shape, dtype }: Exclude<ModuleArray, Numbers | readonly number[]> = 'data' in given ? given : { data: given };
  const kind = ArrayBuffer.isView(data) ? [...kinds].find(([constructor]) => data instanceof (constructor as typeof Float32Array))?.[1] : undefined;
  const dims = shape ?? (input.sample.every((dim) => typeof dim === 'number') ? input.sample : [data.length]);
  try {
    if (kind === undefined) return Tensor.of(input.dtype, data, dims);
    const type = dtype !== undefined && isDType(dtype) ? dtype : kind;
    const view = data as Numbers;
    // The module may fill the same array again for its next sample.
    return Tensor.fromBytes(type, dims, new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice());
  } catch (error) {
    throw bad(name, `${where} is not usable for the input '${input.name}' (${wanted(input)}): ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function bad(name: string, why: string, cause?: unknown): Diagnostic {
  return new Diagnostic('data/module', `the reader ${name} cannot be used: ${why}`, {
    file: name, ...(cause !== undefined && { cause }), suggestion: 'Export a generator: `export default async function* () { yield { data, shape, label }; }`.',
  });
}
