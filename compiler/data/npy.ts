import { Diagnostic } from '../../ir/diagnostic.ts';
import { byteLengthOf, type DType } from '../../ir/dtype.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { swap, type Rows } from './array-files.ts';
import { truncated, withFile } from './data-file.ts';
import type { Found } from './glob.ts';

/** What the header of a .npy file says. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly bigEndian: boolean;
  readonly shape: readonly number[];
  /** Bytes before the elements. */
  readonly offset: number;
}

/** Element types of NumPy, without their byte order. */
const types: Readonly<Record<string, DType>> = {
  f2: 'float16', f4: 'float', f8: 'double', i1: 'int8', i2: 'int16', i4: 'int32', i8: 'int64', u1: 'uint8', u2: 'uint16', u4: 'uint32', u8: 'uint64', b1: 'bool',
};

/** Longest header that is read. */
const headerLimit = 1 << 20;

/** Bytes that are enough to tell the length of the header. */
export const npyPrefix = 12;

/** Where the elements begin: the first bytes of a file (at least `npyPrefix`, or all it has) tell. Throws `data/npy`. */
export function npyOffset(bytes: Uint8Array, name: string): number {
  const magic = bytes.length >= npyPrefix && bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === 'NUMPY';
  const version = bytes[6];
  if (!magic || version === undefined || version < 1 || version > 3) throw bad(name, 'it does not begin as a .npy file of version 1, 2 or 3 does');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const offset = version === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (offset > headerLimit) throw bad(name, `its header has ${offset} bytes`);
  return offset;
}

/**
 * The header of a .npy file (NumPy enhancement proposal 1, format versions 1 to 3) from at least the bytes before its elements.
 * Throws `data/npy` for what is no such file, and for arrays of objects, records or texts, and those in column order.
 */
export function npyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const offset = npyOffset(bytes, name);
  const text = new TextDecoder('latin1').decode(bytes.subarray(bytes[6] === 1 ? 10 : 12, offset));
  const descr = /['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z]\d+)['"]/.exec(text);
  const dtype = descr && Object.hasOwn(types, descr[2]!) ? types[descr[2]!] : undefined;
  if (dtype === undefined) throw bad(name, `its elements are ${/['"]descr['"]\s*:\s*(\[[^\]]*\]|[^,]*)/.exec(text)?.[1] ?? 'of no known type'}`);
  const dims = /['"]shape['"]\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (dims === undefined) throw bad(name, 'its header has no shape');
  const shape = dims.split(',').map((dim) => dim.replace(/[\sL]/g, '')).filter((dim) => dim !== '').map(Number);
  if (!Number.isSafeInteger(sizeOf(shape) * 16)) throw bad(name, `its shape is [${shape.join(', ')}]`);
  const column = /['"]fortran_order['"]\s*:\s*True/.test(text);
  if (column && shape.filter((dim) => dim !== 1).length > 1) throw bad(name, 'its elements are in column order, so that samples do not lie in one piece; numpy.ascontiguousarray mends that');
  return { dtype, bigEndian: descr![1] === '>', shape, offset };
}

/** The rows of a .npy file along axis 0. Throws `data/npy`, `data/truncated`, `data/unreadable`. */
export function npyRows(found: Found): Promise<Rows> {
  return withFile(found, async (file) => {
    const start = await file.read(0, Math.min(npyPrefix, file.size));
    const { dtype, bigEndian, shape, offset } = npyHeader(await file.read(0, npyOffset(start, found.name)), found.name);
    const [count, ...row] = shape;
    if (count === undefined) throw bad(found.name, 'it holds a single number, and samples lie along axis 0');
    const needed = offset + byteLengthOf(dtype, sizeOf(shape));
    if (file.size < needed) throw truncated(found.name, `it has ${file.size} bytes, and its header announces ${needed}`);
    return { found, offset, count, dtype, shape: row, bigEndian };
  });
}

/** A whole .npy file from memory. Throws `data/npy` and `data/truncated`. */
export function npyTensor(bytes: Uint8Array, name: string): Tensor {
  const { dtype, bigEndian, shape, offset } = npyHeader(bytes, name);
  const length = byteLengthOf(dtype, sizeOf(shape));
  if (bytes.length < offset + length) throw truncated(name, `it has ${bytes.length} bytes, and its header announces ${offset + length}`);
  const elements = bytes.slice(offset, offset + length);
  if (bigEndian) swap(elements, length / Math.max(1, sizeOf(shape)));
  return Tensor.fromBytes(dtype, shape, elements);
}

function bad(name: string, why: string): Diagnostic {
  return new Diagnostic('data/npy', `cannot read ${name}: ${why}`, { file: name, suggestion: 'Write it with numpy.save, as a plain array of numbers with samples along axis 0.' });
}
