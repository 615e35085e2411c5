import type { ByteSource, Chunk } from '../bytes.ts';
import { Diagnostic } from '../diagnostic.ts';
import { byteLengthOf, dtypeBits, dtypeNumber, dtypeOf, type DType } from '../dtype.ts';
import { packCodes, sizeOf, Tensor, type SparseTensor, type TensorStorage } from '../tensor.ts';
import type { SparseTensorProto, StringStringEntryProto, TensorProto, TypedArray } from './fields.ts';

/** Opens the file that external data name; its containment in the model's folder is the opener's job. */
export type ExternalOpener = (location: string) => ByteSource;

/** Where the elements of tensors of each type lie when they are not raw (onnx.proto, TensorProto). */
function typedField(dtype: DType): 'float_data' | 'double_data' | 'int32_data' | 'int64_data' | 'uint64_data' {
  if (dtype === 'float' || dtype === 'complex64') return 'float_data';
  if (dtype === 'double' || dtype === 'complex128') return 'double_data';
  if (dtype === 'int64') return 'int64_data';
  return dtype === 'uint32' || dtype === 'uint64' ? 'uint64_data' : 'int32_data';
}

/** TensorProto → Tensor. `where` names the tensor in errors; `open` finds external files. */
export function readTensor(proto: TensorProto, where: string, open: ExternalOpener | undefined): Tensor {
  try {
    return readElements(proto, where, open);
  } catch (error) {
    throw Diagnostic.is(error) ? error.with({ tensor: where }) : error;
  }
}

function readElements(proto: TensorProto, where: string, open: ExternalOpener | undefined): Tensor {
  const dtype = dtypeOf(proto.data_type ?? 0);
  if (dtype === undefined) {
    throw new Diagnostic('model/unknown-type', `${where} has element type ${proto.data_type ?? 0}, which this version does not know`, {
      tensor: where, suggestion: 'Export the model with an ONNX version up to 1.23 (IR 14).',
    });
  }
  const shape = readDims(proto.dims ?? [], where);
  if (proto.segment !== undefined) {
    throw new Diagnostic('model/segment', `${where} is one segment of a larger tensor, a form that no runtime reads`, {
      tensor: where, suggestion: 'Write the model again with whole tensors.',
    });
  }
  const storage: TensorStorage = {
    ...(proto.name !== undefined && { name: proto.name }),
    ...(proto.doc_string !== undefined && { docString: proto.doc_string }),
    ...(proto.metadata_props !== undefined && { metadata: readEntries(proto.metadata_props) }),
    ...(proto.unknown !== undefined && { unknown: proto.unknown }),
  };
  if (proto.data_location === 1) return readExternal(proto, dtype, shape, storage, where, open);
  if (dtype === 'string') return Tensor.fromStrings(shape, (proto.string_data ?? []).map(bytesOf), storage);
  if (proto.raw_data !== undefined) {
    const raw = proto.raw_data;
    return raw instanceof Uint8Array ? Tensor.fromBytes(dtype, shape, raw, storage) : Tensor.fromRange(dtype, shape, raw, storage);
  }
  // A packed field without elements is absent, too.
  const typed = proto[typedField(dtype)];
  return Tensor.fromBytes(dtype, shape, typed === undefined ? new Uint8Array(0) : narrow(typed, dtype), { ...storage, typed: true });
}

/** Tensor → TensorProto with this name. With `external`, the elements lie in a side file and the entries say where. */
export function writeTensor(tensor: Tensor, name: string | undefined, external?: readonly (readonly [string, string])[]): TensorProto {
  const { storage, dtype, shape } = tensor;
  const proto: TensorProto = { data_type: dtypeNumber(dtype) };
  if (shape.length > 0) proto.dims = [...shape];
  if (name !== undefined) proto.name = name;
  if (storage.docString !== undefined) proto.doc_string = storage.docString;
  if (storage.metadata !== undefined) proto.metadata_props = writeEntries(storage.metadata);
  if (storage.unknown !== undefined) proto.unknown = [...storage.unknown];
  if (external !== undefined) {
    proto.data_location = 1;
    proto.external_data = writeEntries(external);
  } else if (dtype === 'string') {
    proto.string_data = [...tensor.byteStrings()];
  } else if (storage.typed) {
    Object.assign(proto, { [typedField(dtype)]: widen(tensor) });
  } else {
    proto.raw_data = tensor.chunk();
  }
  return proto;
}

/** SparseTensorProto → SparseTensor. */
export function readSparse(proto: SparseTensorProto, where: string, open: ExternalOpener | undefined): SparseTensor {
  if (proto.values === undefined || proto.indices === undefined) {
    throw new Diagnostic('model/sparse', `sparse tensor ${where} lacks its values or indices`, {
      tensor: where, suggestion: 'The file is damaged or was written wrongly; export the model again.',
    });
  }
  return {
    values: readTensor(proto.values, where, open), indices: readTensor(proto.indices, `${where} (indices)`, open), shape: readDims(proto.dims ?? [], where),
    ...(proto.unknown !== undefined && { unknown: proto.unknown }),
  };
}

/** SparseTensor → SparseTensorProto; the name of the values is the tensor's name. */
export function writeSparse({ values, indices, shape, unknown }: SparseTensor, name: string | undefined): SparseTensorProto {
  return {
    values: writeTensor(values, name), indices: writeTensor(indices, indices.storage.name), dims: [...shape],
    ...(unknown !== undefined && { unknown: [...unknown] }),
  };
}

/** key/value pairs → Map. */
export function readEntries(entries: readonly StringStringEntryProto[]): Map<string, string> {
  return new Map(entries.map(({ key, value }) => [key ?? '', value ?? '']));
}

/** Pairs → key/value messages. */
export function writeEntries(entries: Iterable<readonly [string, string]>): StringStringEntryProto[] {
  return Array.from(entries, ([key, value]) => ({ key, value }));
}

/** The bytes of a chunk, read where it is a range. */
export function bytesOf(chunk: Chunk): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : chunk.source.read(chunk.offset, chunk.length);
}

function readDims(dims: readonly (number | bigint)[], where: string): number[] {
  const shape = dims.map(Number);
  const wrong = shape.find((dim) => !Number.isSafeInteger(dim) || dim < 0);
  if (wrong !== undefined || !Number.isSafeInteger(sizeOf(shape) * 16)) {
    throw new Diagnostic('model/shape', `${where} has the impossible shape [${dims.join(',')}]`, {
      tensor: where, suggestion: 'The file is damaged or was written wrongly; export the model again.',
    });
  }
  return shape;
}

function readExternal(
  proto: TensorProto, dtype: DType, shape: readonly number[], storage: TensorStorage, where: string, open: ExternalOpener | undefined,
): Tensor {
  const pairs = (proto.external_data ?? []).map(({ key, value }) => [key ?? '', value ?? ''] as const);
  const entries = new Map(pairs);
  const location = entries.get('location') ?? '';
  checkLocation(location, where);
  const wrong = (what: string): Diagnostic => new Diagnostic('model/external-data', `${where}: ${what}`, {
    tensor: where, suggestion: `Put '${location}' as the exporter wrote it beside the model.`,
  });
  if (dtype === 'string') throw wrong('a tensor of strings cannot be external');
  if (open === undefined) throw wrong(`the elements lie in '${location}', but no folder was given to read it from`);
  const source = open(location);
  const offset = integer(entries.get('offset') ?? '0');
  const length = integer(entries.get('length') ?? String(byteLengthOf(dtype, sizeOf(shape))));
  if (offset === undefined || length === undefined) throw wrong('offset and length of external data must be integers');
  if (offset + length > source.size) {
    throw wrong(`bytes ${offset} to ${offset + length} were expected in '${location}', which has ${source.size}`);
  }
  return Tensor.fromRange(dtype, shape, { source, offset, length }, { ...storage, external: { location, entries: pairs } });
}

/** External locations are relative paths that stay below the model's folder: else throws `model/external-path`. */
export function checkLocation(location: string, where: string): void {
  const unsafe = location === '' || location.includes('\0') || location.includes('\\') || location.startsWith('/') || /^[A-Za-z]:/.test(location)
    || location.split('/').includes('..');
  if (!unsafe) return;
  throw new Diagnostic('model/external-path', `${where} names the external file '${location}', which is not a plain path below the model's folder`, {
    tensor: where, suggestion: 'Write the model again with its data in the same folder.',
  });
}

function integer(text: string): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Elements of a typed field → raw bytes. */
function narrow(typed: TypedArray, dtype: DType): Uint8Array {
  const bits = dtypeBits(dtype);
  if (bits === 6) return packCodes(typed as Int32Array, bits); // these alone are not packed there
  if (typed instanceof Int32Array && bits < 32) return view(bits === 16 ? Uint16Array.from(typed) : Uint8Array.from(typed));
  if (typed instanceof BigUint64Array && bits === 32) return view(Uint32Array.from(typed, Number));
  return view(typed);
}

/** Raw bytes → elements of the typed field: the inverse of `narrow`. */
function widen(tensor: Tensor): TypedArray {
  const bits = dtypeBits(tensor.dtype);
  const copy = new Uint8Array(tensor.bytes());
  switch (typedField(tensor.dtype)) {
    case 'float_data':
      return new Float32Array(copy.buffer);
    case 'double_data':
      return new Float64Array(copy.buffer);
    case 'int64_data':
      return new BigInt64Array(copy.buffer);
    case 'uint64_data':
      return bits === 64 ? new BigUint64Array(copy.buffer) : BigUint64Array.from(new Uint32Array(copy.buffer), BigInt);
    case 'int32_data': {
      if (bits === 32) return new Int32Array(copy.buffer);
      if (bits === 6) return Int32Array.from(tensor.codes());
      if (tensor.dtype === 'int8') return Int32Array.from(new Int8Array(copy.buffer));
      if (tensor.dtype === 'int16') return Int32Array.from(new Int16Array(copy.buffer));
      return Int32Array.from(bits === 16 ? new Uint16Array(copy.buffer) : copy);
    }
  }
}

function view(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
