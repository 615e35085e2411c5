import { Diagnostic } from '../../ir/diagnostic.ts';
import { didYouMean } from '../recipe/suggest.ts';
import { arrayReader, type Rows } from './array-files.ts';
import { combined } from './combined.ts';
import { findFiles, type Found } from './glob.ts';
import { imageReader } from './images.ts';
import { wanted, type ModelInput } from './inputs.ts';
import { randomReader, valueReader } from './made.ts';
import { moduleReader } from './module.ts';
import { npyRows } from './npy.ts';
import { npzReader } from './npz.ts';
import { protoReader } from './pb.ts';
import { geometryOf, numericOf, type Numeric } from './preprocess.ts';
import { rawRows } from './raw.ts';
import type { Reader } from './reader.ts';
import type { InputReaderSettings, ReaderSettings } from './settings.ts';

/** A reader, and what happens to the numbers of each input. */
export interface OpenedReader {
  readonly reader: Reader;
  /** By input name; absent where data are taken as they are. */
  readonly numeric: ReadonlyMap<string, Numeric>;
  readonly random: boolean;
}

/** Names of the inputs that the settings give one and the same value in every run. */
export function fixedInputs({ inputs = {} }: ReaderSettings): ReadonlySet<string> {
  return new Set(Object.entries(inputs).filter(([, { value }]) => value !== undefined).map(([name]) => name));
}

/** Opens what the settings name, for these inputs of the model. Throws `data/inputs` if it does not feed all of them and no other. */
export async function openReader(settings: ReaderSettings, inputs: readonly ModelInput[], folder: string): Promise<OpenedReader> {
  if (settings.inputs === undefined) return openOne(settings, inputs, folder);
  const names = inputs.map(({ name }) => name);
  const misplaced = (['preprocess', 'shape', 'dtype', 'offset'] as const).find((key) => settings[key] !== undefined);
  if (misplaced !== undefined) {
    throw new Diagnostic('data/inputs', `\`${misplaced}\` stands beside \`inputs\`, where it says nothing`, { suggestion: 'Write it inside the reader of the input that it is for.' });
  }
  const stranger = Object.keys(settings.inputs).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw new Diagnostic('data/inputs', `there is a reader for '${stranger}', which is no input of the model`, { expected: names, suggestion: didYouMean(stranger, names) ?? `The inputs are ${names.join(', ')}.` });
  }
  const missing = inputs.find(({ name }) => !Object.hasOwn(settings.inputs!, name));
  if (missing !== undefined) {
    throw new Diagnostic('data/inputs', `no reader feeds the input '${missing.name}' of the model, which is ${wanted(missing)}`, {
      tensor: missing.name, suggestion: 'Add it under `inputs`; `value` gives the same numbers in every run.',
    });
  }
  const parts = new Map<string, OpenedReader>();
  for (const input of inputs) parts.set(input.name, await openOne(settings.inputs[input.name]!, [input], folder));
  return {
    reader: combined(new Map([...parts].map(([name, { reader }]) => [name, reader]))),
    numeric: new Map([...parts.values()].flatMap(({ numeric }) => [...numeric])),
    random: [...parts.values()].some(({ random }) => random),
  };
}

async function openOne(settings: InputReaderSettings, inputs: readonly ModelInput[], folder: string): Promise<OpenedReader> {
  const { preprocess, images, npy, npz, raw, pb, module, random, value, shape } = settings;
  const opened = (reader: Reader, image = false): OpenedReader => ({
    reader, random: random !== undefined,
    numeric: new Map(preprocess === undefined && !image ? [] : inputs.map((input) => [input.name, numericOf(preprocess, input, image)])),
  });
  const only = (source: string): ModelInput => {
    if (inputs.length === 1) return inputs[0]!;
    throw new Diagnostic('data/inputs', `\`${source}\` feeds one input, and the model has ${inputs.length}: ${inputs.map((input) => `${input.name} ${wanted(input)}`).join(', ')}`, {
      suggestion: 'Name a reader for each under `inputs`.',
    });
  };
  const rows = async (files: readonly Found[], input: ModelInput, read: (found: Found) => Promise<Rows>): Promise<OpenedReader> => {
    const parts: Rows[] = [];
    for (const found of files) parts.push(await read(found));
    return opened(arrayReader(parts, input.name));
  };
  if (images !== undefined) {
    const input = only('images');
    return opened(await imageReader(findFiles(images, folder), geometryOf(preprocess, input), input.name), true);
  }
  if (npy !== undefined) return rows(findFiles(npy, folder), only('npy'), npyRows);
  if (raw !== undefined) {
    const input = only('raw');
    return rows(findFiles(raw, folder), input, (found) => rawRows(found, settings, input));
  }
  if (npz !== undefined) {
    const [archive, another] = findFiles(npz, folder);
    if (another !== undefined) throw new Diagnostic('data/npz', `\`npz\` is one archive, and ${npz} is both ${archive!.name} and ${another.name}`, { suggestion: 'Name one of them, or join them.' });
    return opened(await npzReader(archive!, inputs.map(({ name }) => name)));
  }
  if (pb !== undefined) return opened(protoReader(findFiles(pb, folder), only('pb').name));
  if (module !== undefined) return opened(await moduleReader(module, folder, inputs));
  if (random !== undefined) return opened(randomReader(random, inputs, shape));
  return opened(valueReader(value ?? 0, only('value'), shape));
}
