import { readFile, stat } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Tensor } from '../../ir/tensor.ts';
import { unreadable } from './data-file.ts';
import type { Found } from './glob.ts';
import { npyTensor } from './npy.ts';
import { cursor, type IndexedReader } from './reader.ts';

/** Largest archive, and largest sum of its unpacked arrays, in bytes: they are held in memory. */
const limit = 2 ** 31 - 1;

/** Bytes that one byte can unpack to, at most (deflate reaches 1032). */
const mostUnpacked = 1100;

/** The arrays of an archive by name, or those of them that are wanted. Throws `data/npz`, `data/unreadable` and what `npyTensor` throws. */
export async function readNpz({ path, name }: Found, wanted?: ReadonlySet<string>): Promise<Map<string, Tensor>> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > limit) throw bad(name, 'it is larger than 2 GiB; .npy files are read piece by piece');
    bytes = await readFile(path);
  } catch (error) {
    throw Diagnostic.is(error) ? error : unreadable(name, error);
  }
  let total = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: (entry) => {
        if (!entry.name.endsWith('.npy') || (wanted !== undefined && !wanted.has(arrayName(entry.name)))) return false;
        if (entry.originalSize > mostUnpacked * (entry.size + 1)) throw bad(name, `${entry.name} claims ${entry.originalSize} bytes, and ${entry.size} are there`);
        total += entry.originalSize;
        if (total > limit) throw bad(name, 'its arrays are larger than 2 GiB; .npy files are read piece by piece');
        return true;
      },
    });
  } catch (error) {
    throw Diagnostic.is(error) ? error : bad(name, error instanceof Error ? error.message : String(error));
  }
  return new Map(Object.entries(entries).map(([entry, content]) => [arrayName(entry), npyTensor(content, `${name}/${entry}`)]));
}

const arrayName = (entry: string): string => entry.replace(/\.npy$/, '');

/** An archive whose arrays are named as the inputs, samples along axis 0. */
export async function npzReader(found: Found, inputs: readonly string[]): Promise<IndexedReader> {
  const arrays = await readNpz(found, new Set(inputs));
  const missing = inputs.find((input) => !arrays.has(input));
  if (missing !== undefined) throw bad(found.name, `it has no array '${missing}', an input of the model`);
  const counts = new Map([...arrays].map(([name, { shape }]) => [name, shape[0] ?? 0]));
  const count = counts.get(inputs[0]!)!;
  const other = [...counts].find(([, length]) => length !== count);
  if (other !== undefined) throw bad(found.name, `'${inputs[0]!}' has ${count} samples, and '${other[0]}' has ${other[1]}`);
  return {
    kind: 'indexed',
    count,
    files: () => [found.path],
    open: () => Promise.resolve(cursor((index) => Promise.resolve({
      arrays: new Map([...arrays].map(([name, tensor]) => [name, rowOf(tensor, index)])), where: `row ${index} of ${found.name}`, file: found.name,
    }))),
  };
}

/** One row along axis 0. */
export function rowOf(tensor: Tensor, index: number): Tensor {
  const [count, ...shape] = tensor.shape;
  const length = tensor.byteLength / count!;
  return Tensor.fromBytes(tensor.dtype, shape, tensor.bytes().subarray(index * length, (index + 1) * length));
}

function bad(name: string, why: string): Diagnostic {
  return new Diagnostic('data/npz', `cannot read ${name}: ${why}`, { file: name, suggestion: 'Write it with numpy.savez, one array for each input of the model, under its name.' });
}
