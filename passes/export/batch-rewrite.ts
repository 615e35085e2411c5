import type { Editor } from '../../ir/edit.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType, type Dim } from '../../ir/type.ts';

type Shapes = ReadonlyMap<Value, readonly Dim[] | undefined>;

/** Shapes of all values at the batch of the model, and at a multiple of it: the axis that differs carries the batch. */
export interface BatchShapes {
  readonly single: Shapes;
  readonly several: Shapes;
  readonly size: number;
}

/** Rewrites the literal batch in one node's inputs; returns what was done, or undefined if nothing had to be (or could be: the proof will tell). */
export function rewriteBatch(node: Node, shapes: BatchShapes, dependent: ReadonlySet<Value>, edit: Editor): string | undefined {
  if (node.is('Reshape')) return rewriteReshape(node, shapes, edit);
  if (node.is('Expand')) return rewriteExpand(node, shapes, edit);
  if (node.is('Resize')) return rewriteResize(node, shapes, edit);
  return alignInputs(node, shapes, dependent, edit);
}

/** The axis along which the batch runs in a value: the only one whose length differs between the two batch sizes. */
function batchAxis(value: Value, { single, several }: BatchShapes): number | undefined {
  const [a, b] = [single.get(value), several.get(value)];
  if (a === undefined || b?.length !== a.length) return undefined;
  const axes = a.flatMap((dim, axis) => (dim === b[axis] ? [] : [axis]));
  return axes.length === 1 ? axes[0] : undefined;
}

/**
 * The axis of the result that carries the batch is the one with as many elements before it as the batch axis has in the input (row-major order
 * is kept). It becomes 0 where it is copied from the same axis of the input, else −1, for which another −1 must become a number.
 */
function rewriteReshape(node: Node, shapes: BatchShapes, edit: Editor): string | undefined {
  const [data, shape] = node.inputs as [Value, Value];
  const axis = batchAxis(data, shapes);
  const before = shapes.single.get(data);
  const after = shapes.single.get(node.output);
  if (axis === undefined || before === undefined || after === undefined) return undefined;
  const literal = shape.constant!.ints();
  const at = carrier(before, axis, after, shapes.size);
  // An axis that is left to be computed, or copied from the batch, grows by itself.
  if (at === undefined || literal[at] === -1 || (literal[at] === 0 && at === axis)) return undefined;
  const copied = node.int('allowzero', 0) === 0 && at === axis && before[axis] === after[at];
  const written = literal.map((dim, index) => {
    if (index === at) return copied ? 0 : -1;
    return dim === -1 && !copied ? after[index] : dim;
  });
  if (!written.every((dim) => typeof dim === 'number')) return undefined;
  return replaceShape(node, 1, literal, written, edit);
}

function carrier(before: readonly Dim[], axis: number, after: readonly Dim[], size: number): number | undefined {
  const elementsBefore = (shape: readonly Dim[], end: number): number => shape.slice(0, end).reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : NaN), 1);
  const wanted = elementsBefore(before, axis);
  const fits = (at: number): boolean => {
    const dim = after[at];
    return elementsBefore(after, at) === wanted && typeof dim === 'number' && dim % size === 0;
  };
  if (axis < after.length && fits(axis)) return axis;
  const at = after.findIndex((_, index) => fits(index));
  return at < 0 ? undefined : at;
}

/** Expand leaves an axis as it is where its shape says 1; shapes are aligned at their ends. */
function rewriteExpand(node: Node, shapes: BatchShapes, edit: Editor): string | undefined {
  const [data, shape] = node.inputs as [Value, Value];
  const axis = batchAxis(data, shapes);
  const before = shapes.single.get(data);
  if (axis === undefined || before === undefined) return undefined;
  const literal = shape.constant!.ints();
  const at = axis + literal.length - before.length;
  return literal[at] === before[axis] ? replaceShape(node, 1, literal, literal.map((dim, index) => (index === at ? 1 : dim)), edit) : undefined;
}

function replaceShape(node: Node, index: number, before: readonly number[], after: readonly number[], edit: Editor): string | undefined {
  if (after.every((dim, at) => dim === before[at])) return undefined;
  const old = node.inputs[index]!;
  edit.setInput(node, index, edit.constant(node.graph, Tensor.of('int64', after), `${node.name}_shape`));
  if (old.uses.length === 0) edit.remove(old);
  return `the shape [${before.join(', ')}] became [${after.join(', ')}]`;
}

/** Resize takes no placeholder: the batch of the data goes into its sizes. */
function rewriteResize(node: Node, shapes: BatchShapes, edit: Editor): string | undefined {
  const data = node.inputs[0]!;
  const sizes = node.inputs[3]!;
  const axis = batchAxis(data, shapes);
  if (axis === undefined || node.attributes.has('axes')) return undefined;
  edit.setInput(node, 3, shapeWithBatch(node, sizes.constant!.ints(), axis, data, axis, edit));
  if (sizes.uses.length === 0) edit.remove(sizes);
  return 'its sizes now take the batch from its input';
}

/** Data that do not depend on the batch (class tokens, initial states) and must have it: they are expanded from 1 to the batch of input 0 or of the batched part. */
function alignInputs(node: Node, shapes: BatchShapes, dependent: ReadonlySet<Value>, edit: Editor): string | undefined {
  const source = node.is('Concat') ? node.inputs.find((value) => value !== undefined && dependent.has(value)) : node.inputs[0];
  const from = source && batchAxis(source, shapes);
  if (source === undefined || from === undefined) return undefined;
  const rank = shapes.single.get(source)!.length;
  const axis = node.is('Concat') ? from : node.int('layout', 0) === 0 ? 1 : 0;
  const concatAxis = node.int('axis');
  if (node.is('Concat') && concatAxis !== undefined && (concatAxis + rank) % rank === axis) return undefined;
  const indices = node.is('Concat') ? node.inputs.keys() : [5, 6];
  let expanded = 0;
  for (const index of indices) {
    const value = node.inputs[index];
    if (value === undefined || dependent.has(value)) continue;
    const shape = shapes.single.get(value);
    if (shape?.[axis] !== 1 || !shape.every((dim) => typeof dim === 'number')) continue;
    const target = shapeWithBatch(node, shape, axis, source, from, edit);
    const wide = edit.insert({ op: 'Expand', inputs: [value, target], name: `${node.name}_batch`, from: [node] }, { before: node });
    edit.setInput(node, index, wide.output);
    expanded++;
  }
  return expanded > 0 ? 'what does not depend on the batch is expanded to it' : undefined;
}

/** A shape of which one axis is that of another value: Shape, Gather, Concat. */
function shapeWithBatch(node: Node, shape: readonly number[], axis: number, source: Value, sourceAxis: number, edit: Editor): Value {
  const { graph } = node;
  const place = { before: node };
  const insert = (op: string, inputs: readonly Value[], attributes: Readonly<Record<string, number>> = {}): Value =>
    edit.insert({ op, inputs, attributes, outputs: [tensorType('int64')], name: `${node.name}_${op.toLowerCase()}`, from: [node] }, place).output;
  const constant = (items: readonly number[]): Value => edit.constant(graph, Tensor.of('int64', items), `${node.name}_axes`);
  const length = insert('Gather', [insert('Shape', [source]), constant([sourceAxis])], { axis: 0 });
  const parts = [shape.slice(0, axis), undefined, shape.slice(axis + 1)].flatMap((part) => (part === undefined ? [length] : part.length > 0 ? [constant(part)] : []));
  return parts.length === 1 ? length : insert('Concat', parts, { axis: 0 });
}
