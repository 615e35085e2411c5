import type { Node, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, sameShape, shapeOf, type Dim } from '../../ir/type.ts';
import { isFloat } from '../../ir/dtype.ts';

/** Lists of axes, pads or sizes are short; a constant that is longer is something else. */
const longest = 4096;

/** The elements of a short constant list or scalar of numbers, else undefined. Beyond 2^53 they round, which is harmless for "to the end". */
export function numbersOf(value: Value | undefined): readonly number[] | undefined {
  const tensor = value?.constant;
  if (tensor === undefined || tensor.dtype === 'string' || tensor.dtype.startsWith('complex') || tensor.size > longest) return undefined;
  return Array.from(tensor.floats());
}

/**
 * A list that newer versions of an operator take as a constant input and older ones as an attribute. Undefined if it is not constant;
 * `absent` if the node has neither.
 */
export function listOf<T>(node: Node, input: number, attribute: string, absent: T): readonly number[] | T | undefined {
  if (node.inputs[input] !== undefined) return numbersOf(node.inputs[input]);
  const found = node.attributes.get(attribute);
  if (found?.kind === 'ints') return found.value.map(Number);
  if (found?.kind === 'floats') return found.value;
  return found === undefined ? absent : undefined;
}

/** The number of axes of a value, if it is known. */
export function rankOf(value: Value | undefined): number | undefined {
  return shapeOf(value?.type)?.length;
}

/** The shape of a value, with unknown and symbolic axes. */
export function dimsOf(value: Value | undefined): readonly Dim[] | undefined {
  return shapeOf(value?.type);
}

/** True if both values certainly have one shape and one element type: readers cannot tell them apart by type. */
export function sameKind(a: Value | undefined, b: Value | undefined): boolean {
  const dtype = dtypeOfType(a?.type);
  return dtype !== undefined && dtype === dtypeOfType(b?.type) && sameShape(dimsOf(a), dimsOf(b));
}

/** An axis counted from the front. Undefined for a negative axis of a value of unknown rank. */
export function axisOf(axis: number, rank: number | undefined): number | undefined {
  if (axis >= 0) return axis;
  return rank === undefined ? undefined : axis + rank;
}

/** True if every element of a tensor of numbers is `number`; −0 is not 0. False for a large tensor, which is not read for this. */
export function isFilledWith(tensor: Tensor, number: number): boolean {
  if (tensor.size === 0 || tensor.size > 65536 || tensor.dtype === 'string' || tensor.dtype.startsWith('complex')) return false;
  return tensor.floats().every((item) => Object.is(item, number));
}

/** True if `x ∘ c`, broadcast, has the shape of `x` for certain. */
export function broadcastsInto(c: Tensor, x: Value): boolean {
  const dims = dimsOf(x);
  if (dims === undefined) return c.shape.length === 0;
  const offset = dims.length - c.shape.length;
  return offset >= 0 && c.shape.every((dim, axis) => dim === 1 || dim === dims[axis + offset]);
}

/** True for a value whose elements are real floating-point numbers. */
export function isFloatValue(value: Value): boolean {
  const dtype = dtypeOfType(value.type);
  return dtype !== undefined && isFloat(dtype);
}
