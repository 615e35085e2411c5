import { byteLengthOf, dtypeBits } from '../../ir/dtype.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';

/** Tensors of the same type and, but for one axis, the same shape, one behind the other along that axis. Elements of whole bytes only. */
export function joined(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors as readonly [Tensor];
  if (tensors.length === 1) return first;
  const shape = first.shape.with(axis, tensors.reduce((sum, tensor) => sum + tensor.shape[axis]!, 0));
  const bytes = new Uint8Array(byteLengthOf(first.dtype, sizeOf(shape)));
  const outer = sizeOf(shape.slice(0, axis));
  const stride = bytes.length / outer;
  let start = 0;
  for (const tensor of tensors) {
    const from = tensor.bytes();
    const step = from.length / outer;
    for (let row = 0; row < outer; row++) bytes.set(from.subarray(row * step, (row + 1) * step), row * stride + start);
    start += step;
  }
  return Tensor.fromBytes(first.dtype, shape, bytes);
}

/** The first of `count` equal parts along an axis; undefined if the axis does not exist or is not a multiple of `count`. */
export function part(tensor: Tensor, axis: number, count: number): Tensor | undefined {
  const length = tensor.shape[axis];
  if (length === undefined || length % count !== 0 || dtypeBits(tensor.dtype) < 8) return undefined;
  if (count === 1) return tensor;
  const shape = tensor.shape.with(axis, length / count);
  const outer = sizeOf(shape.slice(0, axis));
  const from = tensor.bytes();
  const step = from.length / outer;
  const kept = step / count;
  const bytes = new Uint8Array(outer * kept);
  for (let row = 0; row < outer; row++) bytes.set(from.subarray(row * step, row * step + kept), row * kept);
  return Tensor.fromBytes(tensor.dtype, shape, bytes);
}
