import { dtypeBits } from '../../ir/dtype.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Model, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { shapeOf } from '../../ir/type.ts';
import type { Flow } from './flow.ts';
import { stridesOf } from './layout.ts';
import { relationOf } from './relations/table.ts';
import type { Kept, Survivors } from './survivors.ts';

/**
 * Rewires and cuts: first every node is told its new lengths and positions, then all constants are cut to what stays, and types follow. Names and order of the nodes stay, but for nodes that rules insert.
 */
export function cut(model: Model, flow: Flow, survivors: Survivors, edit: Editor): void {
  // Readers come first: a node that another one takes the place of takes its outputs along, and what is known of them.
  for (const node of [...model.graph.walk()].reverse()) relationOf(node)?.rewire?.(node, survivors, edit);
  const changed = Array.from(flow.entries(), ([value]) => ({ value, kept: survivors.kept(value) })).filter(({ kept }) => kept.length > 0);
  // Lengths of constants are read from their tensors: all new ones are made before the first is changed.
  const tensors = changed.flatMap(({ value, kept }) => (value.constant === undefined ? [] : [{ value, tensor: cutTensor(value.constant, kept) }]));
  const types = changed.flatMap(({ value, kept }) => (value.constant === undefined ? [{ value, type: typeOf(value, kept) }] : []));
  for (const { value, tensor } of tensors) edit.setTensor(value, tensor);
  for (const { value, type } of types) edit.setType(value, type);
}

function typeOf(value: Value, kept: readonly Kept[]): Value['type'] {
  const shape = shapeOf(value.type);
  if (value.type?.kind !== 'tensor' || shape === undefined) return value.type;
  const dims = [...shape];
  for (const { axes, lengths } of kept) axes.forEach((axis, at) => { if (typeof dims[axis] === 'number') dims[axis] = lengths[at]!; });
  return { ...value.type, shape: dims };
}

/** What stays of a tensor: each part is cut by its positions. Any element type but strings; the bytes are copied, never decoded, where elements have whole bytes. */
export function cutTensor(tensor: Tensor, kept: readonly Kept[]): Tensor {
  const bits = dtypeBits(tensor.dtype);
  let { shape } = tensor;
  // Elements of less than a byte are widened to one byte each while they are moved.
  let bytes: Uint8Array = bits < 8 ? Uint8Array.from(tensor.codes()) : tensor.bytes();
  const width = bits < 8 ? 1 : bits / 8;
  for (const part of kept) {
    const { places, lengths } = placesOf(shape, part);
    bytes = moved(bytes, places, width * places.block);
    shape = lengths;
  }
  return bits < 8 ? Tensor.fromCodes(tensor.dtype, Array.from(bytes), shape) : Tensor.fromBytes(tensor.dtype, shape, bytes);
}

interface Places {
  /** Elements that are moved together. */
  readonly block: number;
  /** Where each block of the result begins, in elements. */
  readonly starts: Int32Array;
}

/** Which blocks of a row-major array a part leaves: what lies behind its last axis is moved together. */
function placesOf(shape: readonly number[], { axes, lengths: after, positions }: Kept): { readonly places: Places; readonly lengths: number[] } {
  const strides = stridesOf(shape);
  const last = axes.at(-1)!;
  const block = strides[last]!;
  const lengths = [...shape];
  axes.forEach((axis, at) => { lengths[axis] = after[at]!; });
  const own = axes.map((axis) => shape[axis]!);
  const ownStrides = stridesOf(own);
  const newStrides = stridesOf(after);
  const starts = new Int32Array(sizeOf(lengths.slice(0, last + 1)));
  const place = lengths.slice(0, last + 1).map(() => 0);
  for (let at = 0; at < starts.length; at++) {
    let position = 0;
    axes.forEach((axis, index) => { position += place[axis]! * newStrides[index]!; });
    const old = positions[position]!;
    let start = 0;
    for (let axis = 0; axis <= last; axis++) {
      const index = axes.indexOf(axis);
      start += strides[axis]! * (index < 0 ? place[axis]! : Math.floor(old / ownStrides[index]!) % own[index]!);
    }
    starts[at] = start;
    for (let axis = last; axis >= 0; axis--) {
      if (++place[axis]! < lengths[axis]!) break;
      place[axis] = 0;
    }
  }
  return { places: { block, starts }, lengths };
}

function moved(bytes: Uint8Array, { block, starts }: Places, size: number): Uint8Array {
  const width = block === 0 ? 0 : size / block;
  const result = new Uint8Array(starts.length * size);
  for (let at = 0; at < starts.length; at++) {
    const from = starts[at]! * width;
    result.set(bytes.subarray(from, from + size), at * size);
  }
  return result;
}
