import type { Editor } from '../../../ir/edit.ts';
import type { Int } from '../../../ir/attribute.ts';
import type { Node, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { axisOf, listOf, numbersOf } from '../../fold/operands.ts';
import type { Flow } from '../flow.ts';
import { partOn, type Layout } from '../layout.ts';

/** Where one entry of a list of lengths, positions or factors comes from: a number that can be written anew for one reader, the length of an axis, or (undefined) something else. */
export type Entry = { readonly number: number } | { readonly of: Value; readonly axis: number } | undefined;

/** Lengths of the axes of a value, as far as they are known; undefined if not even their number is. */
export type AxesOf = (value: Value) => readonly (number | undefined)[] | undefined;

/**
 * The entries of a list that an operator reads, followed back through what exporters make lists of: constants, Shape, Gather, Slice, Concat and casts. Undefined if not even their number is known.
 * The list must not be followed as a tensor of channels: it gets no layout.
 */
export function entriesOf(list: Value | undefined, axesOf: AxesOf): readonly Entry[] | undefined {
  if (list === undefined) return undefined;
  if (list.constant !== undefined) return numbersOf(list)?.map((number) => ({ number }));
  const node = list.producer;
  const x = node?.inputs[0];
  switch (node?.domain === '' ? node.op : undefined) {
    case 'Shape':
      return x && axesOf(x)?.map((_, axis) => ({ of: x, axis })).slice(node.int('start', 0), node.int('end'));
    case 'Concat': {
      const pieces = node!.inputs.map((piece) => entriesOf(piece, axesOf));
      return pieces.every((piece) => piece !== undefined) ? pieces.flat() : undefined;
    }
    case 'Identity':
    case 'Cast':
    case 'Squeeze':
    case 'Unsqueeze':
    case 'Reshape':
      return fixed(entriesOf(x, axesOf));
    case 'Gather': {
      const entries = fixed(entriesOf(x, axesOf));
      const indices = numbersOf(node!.inputs[1]);
      return entries === undefined ? undefined : indices?.map((index) => entries.at(index));
    }
    case 'Slice': {
      const [start, end, step] = [listOf(node!, 1, 'starts', undefined), listOf(node!, 2, 'ends', undefined), listOf(node!, 4, 'steps', [1])];
      return start?.length === 1 && end?.length === 1 && step?.[0] === 1 ? fixed(entriesOf(x, axesOf))?.slice(start[0], end[0]) : undefined;
    }
    default: {
      const axes = axesOf(list);
      const length = axes?.length === 0 ? 1 : axes?.length === 1 ? axes[0] : undefined;
      return length === undefined ? undefined : new Array<Entry>(length).fill(undefined);
    }
  }
}

/** Numbers behind another operator than Concat are not written anew. */
function fixed(entries: readonly Entry[] | undefined): readonly Entry[] | undefined {
  return entries?.map((entry) => (entry !== undefined && 'number' in entry ? undefined : entry));
}

/**
 * Sees to it that a list of lengths can follow the channels: entry `axis` is the length of that axis of `value`. A number is written anew, the length of an axis that shrinks in the same way follows by itself; what is
 * neither keeps both axes as they are.
 */
export function settle(flow: Flow, value: Value, axis: number, entry: Entry): void {
  const computed = 'has a length that is computed while the model runs';
  if (entry === undefined) flow.rigid(value, axis, computed);
  else if (!('number' in entry) && !isSameLength(flow, value, axis, entry)) {
    flow.rigid(value, axis, computed);
    flow.rigid(entry.of, entry.axis, 'is read as a length by something that does not shrink along with it');
  }
}

/** True if two axes have the same channels or none that can go, so that their lengths stay the same number. */
export function isSameLength(flow: Flow, value: Value, axis: number, other: { readonly of: Value; readonly axis: number }): boolean {
  const [a, b] = [shrinking(flow, value, axis), shrinking(flow, other.of, other.axis)];
  if (a === undefined || b === undefined) return a === b;
  if (a.ids.length !== b.ids.length || a.axes.length !== b.axes.length) return false;
  const roots = [a, b].map(({ ids }) => ids.map((id) => flow.atoms.root(id)));
  if (a.axes.length === 1) for (const list of roots) list.sort();
  else if (a.axes.indexOf(axis) !== b.axes.indexOf(other.axis) || a.axes.some((each, at) => flow.length(value, each) !== flow.length(other.of, b.axes[at]!))) return false;
  return roots[0]!.every((root, at) => root === roots[1]![at]);
}

/** The part of an axis, if something of it can go. */
function shrinking(flow: Flow, value: Value, axis: number): Layout[number] | undefined {
  const part = partOn(flow.layout(value), axis);
  return part?.ids.some((id) => flow.atoms.pinOf(id) === undefined) === true ? part : undefined;
}

/** Puts other numbers into a list that a node reads as an input, for this node alone; entries left undefined stay. */
export function rewrite(node: Node, input: number, wanted: readonly (number | undefined)[], edit: Editor, axesOf: AxesOf): void {
  if (wanted.some((number) => number !== undefined)) edit.setInput(node, input, rewritten(node.inputs[input]!, wanted, edit, axesOf));
}

function rewritten(list: Value, wanted: readonly (number | undefined)[], edit: Editor, axesOf: AxesOf): Value {
  if (wanted.every((number) => number === undefined)) return list;
  const { constant: tensor, producer } = list;
  if (tensor !== undefined) {
    // Not over `floats`, which rounds: "to the end" is often the largest int64.
    const items = Array.from(tensor.array() as ArrayLike<Int>, (item, at) => wanted[at] ?? item);
    return edit.constant(list.graph, Tensor.of(tensor.dtype, items, tensor.shape), list.name);
  }
  let from = 0;
  const pieces = producer!.inputs.map((piece) => {
    const count = entriesOf(piece, axesOf)!.length;
    return rewritten(piece!, wanted.slice(from, from += count), edit, axesOf);
  });
  if (list.uses.length > 1) return edit.insert({ op: producer!.op, inputs: pieces, attributes: producer!.attributes, outputs: [list.type], name: producer!.name, from: [producer!] }, { before: producer! }).output;
  pieces.forEach((piece, at) => { edit.setInput(producer!, at, piece); });
  return list;
}

/** A list that newer versions of an operator take as an input and older ones as an attribute: its entries, or undefined if it is given in neither way or cannot be told. */
export function listEntries(node: Node, input: number, attribute: string, axesOf: AxesOf): readonly Entry[] | undefined {
  if (node.inputs[input] !== undefined) return entriesOf(node.inputs[input], axesOf);
  return listOf(node, input, attribute, undefined)?.map((number) => ({ number }));
}

/** Puts other numbers into such a list; entries left undefined stay. */
export function rewriteList(node: Node, input: number, attribute: string, wanted: readonly (number | undefined)[], edit: Editor, axesOf: AxesOf): void {
  if (node.inputs[input] !== undefined) {
    rewrite(node, input, wanted, edit, axesOf);
    return;
  }
  const before = node.attributes.get(attribute);
  if (before?.kind === 'ints' && wanted.some((number) => number !== undefined)) edit.setAttribute(node, attribute, { kind: 'ints', value: before.value.map((number, at) => wanted[at] ?? number) });
}

/** The number of an entry, if it is one. */
export function numberOf(entry: Entry): number | undefined {
  return entry !== undefined && 'number' in entry ? entry.number : undefined;
}

/** The axis that an attribute names, counted from the front. */
export function axisAttribute(node: Node, rank: number, fallback: number): number {
  return axisOf(node.int('axis', fallback), rank)!;
}
