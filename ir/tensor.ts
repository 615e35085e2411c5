import { createHash } from 'node:crypto';
import type { Int } from './attribute.ts';
import type { ByteRange, Chunk } from './bytes.ts';
import { Diagnostic } from './diagnostic.ts';
import { byteLengthOf, dtypeBits, isFloat, type DType } from './dtype.ts';
import {
  fromBfloat16Bits, fromFloat16Bits, fromFloat8e8m0, fromSmallFloat, toBfloat16Bits, toFloat16Bits, type SmallFloatType,
} from './float16.ts';

/** Where an external tensor was read from; kept so that a writer can leave it there. */
export interface ExternalLocation {
  readonly location: string;
  /** All entries of `external_data` as they were read, in order. */
  readonly entries: readonly (readonly [key: string, value: string])[];
}

/** How a tensor was stored, for a writer that keeps it so. Absent fields mean raw bytes inside the model. */
export interface TensorStorage {
  /** The typed field of TensorProto (`float_data`, `int64_data`, …) held the elements. */
  readonly typed?: true;
  readonly external?: ExternalLocation;
  /** Name inside an attribute or sparse tensor, where no Value names it. */
  readonly name?: string;
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly unknown?: readonly Chunk[];
}

type Payload =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'range'; readonly range: ByteRange }
  | { readonly kind: 'strings'; readonly strings: readonly Uint8Array[] }
  | { readonly kind: 'computed'; readonly produce: () => Uint8Array };

/** The typed arrays that numeric elements are given in. */
export type Numbers =
  | Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

const arrays = {
  float: Float32Array, double: Float64Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
} as const;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * An immutable n-dimensional array: element type, shape and, where it is needed, the elements in the layout of raw_data
 * (row-major, little-endian, sub-byte elements packed from the lowest bits). The bytes may still lie in a file; they are read
 * when somebody asks and not kept. Clones of a model share tensors. Never write to an array that a Tensor has given you.
 */
export class Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly storage: TensorStorage;
  private readonly payload: Payload;
  private digest: string | undefined;

  private constructor(dtype: DType, shape: readonly number[], payload: Payload, storage: TensorStorage) {
    this.dtype = dtype;
    this.shape = shape;
    this.payload = payload;
    this.storage = storage;
    if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
      throw new Diagnostic('model/shape', `${describe(storage)} has the impossible shape [${shape.join(',')}]`, {
        ...(storage.name !== undefined && { tensor: storage.name }), suggestion: 'Lengths of axes are whole numbers from 0 on; export the model again.',
      });
    }
  }

  /** From raw_data bytes. Throws `model/tensor-size` if their number does not fit the shape. */
  static fromBytes(dtype: DType, shape: readonly number[], bytes: Uint8Array, storage: TensorStorage = {}): Tensor {
    checkLength(dtype, shape, bytes.length, storage);
    return new Tensor(dtype, shape, { kind: 'bytes', bytes }, storage);
  }

  /** From a piece of a file, read on demand. */
  static fromRange(dtype: DType, shape: readonly number[], range: ByteRange, storage: TensorStorage = {}): Tensor {
    checkLength(dtype, shape, range.length, storage);
    return new Tensor(dtype, shape, { kind: 'range', range }, storage);
  }

  /** A tensor of strings; byte strings are kept as they are. */
  static fromStrings(shape: readonly number[], strings: readonly (string | Uint8Array)[], storage: TensorStorage = {}): Tensor {
    if (strings.length !== sizeOf(shape)) throw sizeMismatch('string', shape, `${strings.length} strings`, storage);
    const bytes = strings.map((item) => (typeof item === 'string' ? encoder.encode(item) : item));
    return new Tensor('string', shape, { kind: 'strings', strings: bytes }, storage);
  }

  /** A tensor whose bytes are made on demand, and again at each demand: `produce` must be pure. For results larger than what they are made of. */
  static computed(dtype: DType, shape: readonly number[], produce: () => Uint8Array, storage: TensorStorage = {}): Tensor {
    return new Tensor(dtype, shape, { kind: 'computed', produce }, storage);
  }

  /**
   * From numbers. A typed array of the element's own kind is used as it is; anything else is converted: floats round to nearest even,
   * integers must be in range. The default shape is one axis. Complex tensors are made from bytes, floats of eight bits and less from bytes or codes.
   */
  static of(dtype: DType, data: Numbers | readonly Int[], shape: readonly number[] = [data.length]): Tensor {
    return Tensor.fromBytes(dtype, shape, encodeNumbers(dtype, data));
  }

  /** From the bit patterns of elements of at most 16 bits, as unsigned integers. */
  static fromCodes(dtype: DType, items: readonly number[], shape: readonly number[] = [items.length]): Tensor {
    const bits = dtypeBits(dtype);
    return Tensor.fromBytes(dtype, shape, bits === 16 ? bytesOf(Uint16Array.from(items)) : packCodes(items, bits));
  }

  /** A tensor without axes. */
  static scalar(dtype: DType, value: Int): Tensor {
    return Tensor.of(dtype, [value], []);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of the elements in raw_data; for strings, the sum of their lengths. */
  get byteLength(): number {
    return this.payload.kind === 'strings'
      ? this.payload.strings.reduce((sum, item) => sum + item.length, 0)
      : byteLengthOf(this.dtype, this.size);
  }

  /** The elements as raw_data. Throws for strings. */
  bytes(): Uint8Array {
    switch (this.payload.kind) {
      case 'bytes':
        return this.payload.bytes;
      case 'range':
        return this.payload.range.source.read(this.payload.range.offset, this.payload.range.length);
      case 'computed':
        return this.payload.produce();
      case 'strings':
        throw new TypeError('a tensor of strings has no raw bytes; use strings()');
    }
  }

  /** The bytes, or the range of the file where they lie: what a writer emits without reading them. */
  chunk(): Uint8Array | ByteRange {
    return this.payload.kind === 'range' ? this.payload.range : this.bytes();
  }

  /** The elements in a typed array of their own kind, without a copy where alignment allows. Only for types that JavaScript has (not strings, float16, sub-byte…). */
  array(): Numbers {
    const kind = arrays[this.dtype as keyof typeof arrays] as (typeof arrays)[keyof typeof arrays] | undefined;
    if (kind === undefined) throw new TypeError(`${this.dtype} has no typed array; use floats() or ints()`);
    const bytes = aligned(this.bytes(), kind.BYTES_PER_ELEMENT);
    return new kind(bytes.buffer as ArrayBuffer, bytes.byteOffset, this.size);
  }

  /** The elements of a real tensor as numbers: Float32Array for float and all narrower floats (exact), Float64Array for double, integers and bool (int64 beyond 2^53 rounds). */
  floats(): Float32Array | Float64Array {
    if (this.dtype === 'float' || this.dtype === 'double') return this.array() as Float32Array | Float64Array;
    if (!isFloat(this.dtype)) return Float64Array.from(this.integers(), Number);
    const decode = floatDecoder(this.dtype);
    return Float32Array.from(codes(this.dtype, this.bytes(), this.size), decode);
  }

  /** The elements of an integer or bool tensor; each must be a safe integer, else `model/integer-too-large`. */
  ints(): number[] {
    return Array.from(this.integers(), (item) => {
      const value = Number(item);
      if (!Number.isSafeInteger(value)) {
        throw new Diagnostic('model/integer-too-large', `tensor element ${item} is beyond ±2^53`, { ...(this.storage.name !== undefined && { tensor: this.storage.name }) });
      }
      return value;
    });
  }

  /** The bit patterns of elements of at most 16 bits, as unsigned integers: the inverse of `fromCodes`. */
  codes(): number[] {
    return Array.from(codes(this.dtype, this.bytes(), this.size));
  }

  /** The strings of a string tensor, decoded as UTF-8 with replacement characters. */
  strings(): string[] {
    return this.byteStrings().map((item) => decoder.decode(item));
  }

  /** The strings of a string tensor as bytes. */
  byteStrings(): readonly Uint8Array[] {
    if (this.payload.kind !== 'strings') throw new TypeError(`${this.dtype} tensor holds no strings`);
    return this.payload.strings;
  }

  /** The same elements, stored otherwise. */
  withStorage(storage: TensorStorage): Tensor {
    const copy = new Tensor(this.dtype, this.shape, this.payload, storage);
    copy.digest = this.digest;
    return copy;
  }

  /** The same elements, in memory: what was computed on demand or lay in a file is made or read now, once. */
  evaluated(): Tensor {
    if (this.payload.kind !== 'range' && this.payload.kind !== 'computed') return this;
    const storage = { ...this.storage };
    delete storage.external;
    return Tensor.fromBytes(this.dtype, this.shape, this.bytes(), storage);
  }

  /** The same elements in the same order under another shape of the same size. */
  reshaped(shape: readonly number[]): Tensor {
    if (sizeOf(shape) !== this.size) throw sizeMismatch(this.dtype, shape, `${this.size} elements`, this.storage);
    const { typed } = this.storage;
    return new Tensor(this.dtype, shape, this.payload, typed ? { typed } : {});
  }

  /** SHA-256 over element type, shape and elements, in hexadecimal; computed once. Equal hashes mean equal tensors, however they are stored. */
  hash(): string {
    if (this.digest === undefined) {
      const hash = createHash('sha256').update(`${this.dtype}[${this.shape.join(',')}]`);
      if (this.payload.kind === 'strings') for (const item of this.payload.strings) hash.update(`${item.length}:`).update(item);
      else for (const part of parts(this.chunk())) hash.update(part);
      this.digest = hash.digest('hex');
    }
    return this.digest;
  }

  private integers(): Iterable<Int> & ArrayLike<Int> {
    if (this.dtype in arrays && !isFloat(this.dtype)) return this.array();
    const bits = dtypeBits(this.dtype);
    if (bits >= 8 || isFloat(this.dtype)) throw new TypeError(`${this.dtype} elements are no integers`);
    const signed = this.dtype.startsWith('int');
    const top = 1 << (bits - 1);
    return codes(this.dtype, this.bytes(), this.size).map((code) => (signed && code >= top ? code - 2 * top : code));
  }
}

/** Sparse tensor: non-zero values and their linear (one axis) or coordinate (two axes) indices, as ONNX stores it. */
export interface SparseTensor {
  readonly values: Tensor;
  readonly indices: Tensor;
  readonly shape: readonly number[];
  readonly unknown?: readonly Chunk[];
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Raw bytes of numbers in an element type; see `Tensor.of`. */
function encodeNumbers(dtype: DType, data: Numbers | readonly Int[]): Uint8Array {
  const kind = arrays[dtype as keyof typeof arrays] as (typeof arrays)[keyof typeof arrays] | undefined;
  if (kind !== undefined && data instanceof kind) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const encode = dtype === 'float16' ? toFloat16Bits : toBfloat16Bits;
    return bytesOf(Uint16Array.from(data as ArrayLike<Int>, (item) => encode(Number(item))));
  }
  if (dtype === 'int64' || dtype === 'uint64') {
    const items = Array.from(data as ArrayLike<Int>, BigInt);
    const result = (dtype === 'int64' ? BigInt64Array : BigUint64Array).from(items);
    const wrong = items.find((item, index) => result[index] !== item);
    if (wrong !== undefined) throw new RangeError(`${wrong} does not fit ${dtype}`);
    return bytesOf(result);
  }
  if (kind !== undefined) {
    const numbers = Array.from(data as ArrayLike<Int>, Number);
    const result = (kind as unknown as { from(items: number[]): Numbers }).from(numbers);
    if (!isFloat(dtype)) {
      const wrong = numbers.find((item, index) => Number(result[index]) !== item || (dtype === 'bool' && item > 1));
      if (wrong !== undefined) throw new RangeError(`${wrong} does not fit ${dtype}`);
    }
    return bytesOf(result);
  }
  const bits = dtypeBits(dtype);
  if (bits === 0 || bits >= 8 || isFloat(dtype)) throw new TypeError(`${dtype} tensors cannot be made from numbers`);
  const [low, high] = dtype.startsWith('u') ? [0, (1 << bits) - 1] : [-(1 << (bits - 1)), (1 << (bits - 1)) - 1];
  const items = Array.from(data as ArrayLike<Int>, Number);
  const wrong = items.find((item) => !Number.isInteger(item) || item < low || item > high);
  if (wrong !== undefined) throw new RangeError(`${wrong} does not fit ${dtype}`);
  return packCodes(items, bits);
}

/** Elements of at most eight bits one behind the other, from the lowest bits on; of each, only so many of its lowest bits count. */
export function packCodes(items: ArrayLike<number>, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((items.length * bits) / 8));
  for (let index = 0; index < items.length; index++) putCode(bytes, index, items[index]!, bits);
  return bytes;
}

/** Puts element `index` into zeroed bytes. One of six bits may lie across two. Multiplied, not shifted: an index in bits is beyond 32 of them. */
export function putCode(bytes: Uint8Array, index: number, code: number, bits: number): void {
  const shift = (index * bits) % 8;
  const at = (index * bits - shift) / 8;
  const shifted = (code & ((1 << bits) - 1)) << shift;
  bytes[at]! |= shifted;
  if (shift + bits > 8) bytes[at + 1]! |= shifted >> 8;
}

/** Element `index` of packed ones, as an unsigned integer. */
export function codeAt(bytes: Uint8Array, index: number, bits: number): number {
  const shift = (index * bits) % 8;
  const at = (index * bits - shift) / 8;
  return ((bytes[at]! | ((bytes[at + 1] ?? 0) << 8)) >> shift) & ((1 << bits) - 1);
}

/** The codes of elements of at most 16 bits, as unsigned integers. */
function codes(dtype: DType, bytes: Uint8Array, size: number): number[] | Uint16Array | Uint8Array {
  const bits = dtypeBits(dtype);
  if (bits === 16) {
    const even = aligned(bytes, 2);
    return new Uint16Array(even.buffer as ArrayBuffer, even.byteOffset, size);
  }
  if (bits === 8) return bytes;
  return Array.from({ length: size }, (_, index) => codeAt(bytes, index, bits));
}

function floatDecoder(dtype: DType): (code: number) => number {
  if (dtype === 'float16') return fromFloat16Bits;
  if (dtype === 'bfloat16') return fromBfloat16Bits;
  if (dtype === 'float8e8m0') return fromFloat8e8m0;
  return (code) => fromSmallFloat(dtype as SmallFloatType, code);
}

function bytesOf(array: Numbers): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The same bytes at an address that typed arrays of this element size accept. */
function aligned(bytes: Uint8Array, elementSize: number): Uint8Array {
  return bytes.byteOffset % elementSize === 0 ? bytes : new Uint8Array(bytes);
}

/** The bytes of a chunk in pieces of bounded size, so that hashing a large external tensor needs little memory. */
function* parts(chunk: Uint8Array | ByteRange): Iterable<Uint8Array> {
  const step = 1 << 24;
  for (let at = 0; at < chunk.length; at += step) {
    const length = Math.min(step, chunk.length - at);
    yield chunk instanceof Uint8Array ? chunk.subarray(at, at + length) : chunk.source.read(chunk.offset + at, length);
  }
}

function checkLength(dtype: DType, shape: readonly number[], length: number, storage: TensorStorage): void {
  if (dtype === 'string' || byteLengthOf(dtype, sizeOf(shape)) !== length) throw sizeMismatch(dtype, shape, `${length} bytes`, storage);
}

function sizeMismatch(dtype: DType, shape: readonly number[], found: string, storage: TensorStorage): Diagnostic {
  const expected = dtype === 'string' ? `${sizeOf(shape)} strings` : `${byteLengthOf(dtype, sizeOf(shape))} bytes`;
  return new Diagnostic('model/tensor-size', `${describe(storage)} ${dtype}[${shape.join(',')}] needs ${expected}, but has ${found}`, {
    ...(storage.name !== undefined && { tensor: storage.name }), suggestion: 'The file is damaged or was written wrongly; export the model again.',
  });
}

function describe(storage: TensorStorage): string {
  return storage.name === undefined ? 'tensor' : `tensor '${storage.name}'`;
}
