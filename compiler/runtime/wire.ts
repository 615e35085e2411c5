import type { DType } from '../../ir/dtype.ts';
import { Tensor } from '../../ir/tensor.ts';
import { crosses, ortTypeOf, type WireTensor } from './protocol.ts';

/**
 * The element type in which tensors of a type travel between JavaScript and ONNX Runtime: their own, or a wider one that holds all of its values, and from
 * or to which the probe casts. Undefined where there is none.
 */
export function carrierOf(dtype: DType): DType | undefined {
  if (crosses(dtype)) return dtype;
  if (dtype === 'int4' || dtype === 'int2') return 'int8';
  if (dtype === 'uint4' || dtype === 'uint2') return 'uint8';
  return dtype === 'bfloat16' || dtype.startsWith('float8') ? 'float' : undefined;
}

/** A tensor as it travels, with a buffer of its own. Its type must have a carrier. */
export function toWire(tensor: Tensor): WireTensor {
  const { dtype, shape } = tensor;
  const carrier = carrierOf(dtype)!;
  const type = ortTypeOf(carrier)!;
  if (dtype === 'string') return { type, shape, data: tensor.strings() };
  if (carrier === dtype) return { type, shape, data: tensor.bytes().slice().buffer };
  const data = carrier === 'float' ? Float32Array.from(tensor.floats()) : Uint8Array.from(tensor.ints());
  return { type, shape, data: data.buffer };
}

/** A tensor of this element type from what its carrier holds. */
export function fromWire({ shape, data }: WireTensor, dtype: DType): Tensor {
  if (!(data instanceof ArrayBuffer)) return Tensor.fromStrings(shape, data);
  const carrier = carrierOf(dtype);
  if (carrier === dtype) return Tensor.fromBytes(dtype, shape, new Uint8Array(data));
  if (carrier === 'int8') return Tensor.of(dtype, Array.from(new Int8Array(data)), shape);
  if (carrier === 'uint8') return Tensor.of(dtype, Array.from(new Uint8Array(data)), shape);
  if (dtype === 'bfloat16') return Tensor.of(dtype, new Float32Array(data), shape);
  const codes = codesOf(dtype);
  return Tensor.fromBytes(dtype, shape, Uint8Array.from(new Uint32Array(data), (bits) => codes.get(bits) ?? codes.get(nan)!));
}

const nan = new Uint32Array(Float32Array.of(NaN).buffer)[0]!;
const tables = new Map<DType, ReadonlyMap<number, number>>();

/** Bits of the float32 that equals it → code of a float of eight bits. All its values are float32 exactly, so a lookup inverts the cast. */
function codesOf(dtype: DType): ReadonlyMap<number, number> {
  let table = tables.get(dtype);
  if (table === undefined) {
    const values = Tensor.fromBytes(dtype, [256], Uint8Array.from({ length: 256 }, (_, code) => code)).floats() as Float32Array;
    const bits = new Uint32Array(values.buffer, values.byteOffset, 256);
    // The lowest code of several NaNs.
    tables.set(dtype, table = new Map(Array.from(bits, (word, code) => [word, code] as const).reverse()));
  }
  return table;
}
