import type { Node, Value } from '../../ir/model.ts';
import type { Dim } from '../../ir/type.ts';
import { listOf } from '../../passes/fold/operands.ts';

/** What a rule may ask. */
export interface Known {
  /** The shape of a value. */
  dims(value: Value | undefined): readonly Dim[] | undefined;
  /** The elements of an integer scalar or vector. */
  elements(value: Value | undefined): readonly Dim[] | undefined;
}

type Rule = (node: Node, known: Known) => readonly (readonly Dim[] | undefined)[];

/** Operators that bring the shapes of operands together. */
const joining = new Set(['MatMul', 'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Where', 'Min', 'Max', 'And', 'Or', 'Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual']);

/**
 * Operators whose results have the shape that an operand tells. ONNX Runtime knows the elements of constants only; these rules know those that are computed from
 * shapes. They say what certainly holds of every run that does not fail (a computed length of
 * a Reshape that is 0 at run time copies an axis: the same, unless two different symbols are 0 at once), and nothing (undefined) where they are not sure. The last ones bring two shapes together,
 * where ONNX Runtime gives up on lengths that it does not know to be equal yet: with them, what a sweep finds for one block of a network reaches the next.
 */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Reshape', (node, known) => [reshape(node, known)]],
  ['Expand', (node, known) => [broadcast(known.dims(node.inputs[0]), known.elements(node.inputs[1]))]],
  ['ConstantOfShape', (node, known) => [known.elements(node.inputs[0])?.map(length)]],
  ['Tile', (node, known) => [zip(known.dims(node.inputs[0]), known.elements(node.inputs[1]), (dim, repeats) => product([dim, repeats]))]],
  ['Range', (node, known) => [range(node, known)]],
  ['Slice', (node, known) => [slice(node, known)]],
  ['Pad', (node, known) => [pad(node, known)]],
  ['Resize', (node, known) => [resize(node, known)]],
  ['Upsample', (node, known) => [scaled(known.dims(node.inputs[0]), listOf(node, 1, 'scales', undefined))]],
  ['TopK', (node, known) => topK(node, known)],
  ['Split', (node, known) => split(node, known)],
  ...Array.from(joining, (op) => [op, op === 'MatMul' ? matMul : elementwise] as const),
]);

/** True for a node whose outputs may have shapes that `shapesOf` knows better than ONNX Runtime. */
export function isShaped(node: Node): boolean {
  return node.domain === '' && rules.has(node.op);
}

/** True for a node whose outputs have a shape that is computed. */
export function isComputed(node: Node): boolean {
  if (!isShaped(node) || joining.has(node.op)) return false;
  return node.inputs.some((value, index) => value !== undefined && value.constant === undefined && (index > 0 || node.op === 'ConstantOfShape' || node.op === 'Range'));
}

/** The shapes of the outputs of such a node, as far as they follow from what is known of its operands. */
export function shapesOf(node: Node, known: Known): readonly (readonly Dim[] | undefined)[] {
  return rules.get(node.op)!(node, known);
}

/** A negative length cannot be. */
function length(item: Dim): Dim {
  return typeof item === 'number' && item < 0 ? undefined : item;
}

/** The product of lengths, if it is a number or one of them. */
function product(items: readonly Dim[]): Dim {
  let [number, symbol]: [number, string | undefined] = [1, undefined];
  for (const item of items) {
    if (item === undefined || (typeof item === 'string' && symbol !== undefined)) return undefined;
    if (typeof item === 'string') symbol = item;
    else number *= item;
  }
  return symbol === undefined ? length(number) : number === 1 ? symbol : undefined;
}

function zip(a: readonly Dim[] | undefined, b: readonly Dim[] | undefined, combine: (a: Dim, b: Dim, axis: number) => Dim): readonly Dim[] | undefined {
  return a === undefined || a.length !== b?.length ? undefined : a.map((dim, axis) => combine(dim, b[axis], axis));
}

/** Where all but one length of a Reshape are known, the number of elements gives that one. */
function reshape(node: Node, known: Known): readonly Dim[] | undefined {
  const [from, target] = [known.dims(node.inputs[0]), known.elements(node.inputs[1])];
  if (target === undefined) return undefined;
  const copies = node.int('allowzero', 0) === 0;
  const shape = target.map((item, axis) => (item === 0 && copies ? from?.[axis] : length(item)));
  // An element that is a symbol may be 0 and then copies an axis; of an input of known size the result is the same.
  const fixed = from?.every((dim) => typeof dim === 'number');
  const open = shape.flatMap((dim, axis) => (dim === undefined || (fixed && typeof dim === 'string') ? [axis] : []));
  const [axis] = open;
  if (from !== undefined && axis !== undefined && open.length === 1) {
    const others = shape.filter((_, each) => each !== axis);
    shape[axis] = quotient(from, others, target[axis] === -1) ?? shape[axis];
  }
  return shape;
}

/**
 * The length that makes `others` have as many elements as `from`. Symbols may cancel out where the length is asked for as −1: ONNX Runtime does not divide
 * by axes that are 0.
 */
function quotient(from: readonly Dim[], others: readonly Dim[], cancel: boolean): Dim {
  const left: Dim[] = [...from];
  let divisor = 1;
  for (const dim of others) {
    if (typeof dim === 'number') {
      divisor *= dim;
    } else {
      const at = dim === undefined || !cancel ? -1 : left.indexOf(dim);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
  }
  const symbol = left.findIndex((dim) => typeof dim === 'string');
  const [rest] = symbol < 0 ? [1] : left.splice(symbol, 1);
  const number = product(left);
  if (typeof number !== 'number' || number === 0 || divisor === 0 || number % divisor !== 0) return undefined;
  return typeof rest === 'string' ? (number === divisor ? rest : undefined) : number / divisor;
}

/** The shape of two operands together. A symbol against a length of 2 or more has that length, or the run fails. */
function broadcast(a: readonly Dim[] | undefined, b: readonly Dim[] | undefined): readonly Dim[] | undefined {
  if (a === undefined || b === undefined) return undefined;
  const rank = Math.max(a.length, b.length);
  const full = (shape: readonly Dim[]): Dim[] => [...new Array<Dim>(rank - shape.length).fill(1), ...shape];
  return zip(full(a), full(b), (x, y) => {
    if (x === y || y === 1) return x;
    if (x === 1) return length(y);
    const numbers = [x, y].filter((item) => typeof item === 'number' && item > 1);
    return numbers.length === 1 ? numbers[0] : undefined;
  });
}

function elementwise(node: Node, known: Known): readonly (readonly Dim[] | undefined)[] {
  // Before version 7 the second operand stood where an attribute said.
  if (node.attributes.has('axis') || node.attributes.has('broadcast')) return [];
  return [node.inputs.map((input) => known.dims(input)).reduce(broadcast)];
}

function matMul(node: Node, known: Known): readonly (readonly Dim[] | undefined)[] {
  const [a, b] = node.inputs.map((input) => known.dims(input));
  if (a === undefined || b === undefined || a.length < 2 || b.length < 2) return [];
  return [[...broadcast(a.slice(0, -2), b.slice(0, -2))!, a.at(-2), b.at(-1)]];
}

function range(node: Node, known: Known): readonly Dim[] {
  const [start, limit, delta] = node.inputs.map((input) => known.elements(input)?.[0]);
  if (start === 0 && delta === 1) return [typeof limit === 'number' ? Math.max(0, limit) : limit];
  if (typeof start !== 'number' || typeof limit !== 'number' || typeof delta !== 'number' || delta === 0) return [undefined];
  return [Math.max(0, Math.ceil((limit - start) / delta))];
}

/** Places of an operand's items among the axes; undefined if they are not known for certain. */
function placesOf(node: Node, input: number, count: number, rank: number, known: Known): readonly number[] | undefined {
  const attribute = node.ints('axes');
  const axes = node.inputs[input] === undefined ? attribute ?? Array.from({ length: count }, (_, index) => index) : known.elements(node.inputs[input]);
  if (axes?.length !== count) return undefined;
  const places = axes.map((axis) => (typeof axis === 'number' ? (axis < 0 ? axis + rank : axis) : -1));
  return places.every((place) => place >= 0 && place < rank) && new Set(places).size === count ? places : undefined;
}

/** Elements of an input of newer versions, or of the attribute that older ones have. Constants may be as large as "to the end" is. */
function operand(node: Node, input: number, attribute: string, known: Known): readonly Dim[] | undefined {
  return listOf(node, input, attribute, undefined) ?? known.elements(node.inputs[input]);
}

function slice(node: Node, known: Known): readonly Dim[] | undefined {
  const dims = known.dims(node.inputs[0]);
  const [starts, ends] = [operand(node, 1, 'starts', known), operand(node, 2, 'ends', known)];
  if (dims === undefined || starts === undefined || ends?.length !== starts.length) return undefined;
  const steps = node.inputs[4] === undefined ? undefined : known.elements(node.inputs[4]);
  const places = placesOf(node, 3, starts.length, dims.length, known);
  if (places === undefined || (node.inputs[4] !== undefined && steps === undefined)) return undefined;
  const shape = [...dims];
  places.forEach((axis, index) => { shape[axis] = sliced(dims[axis], starts[index], ends[index], steps === undefined ? 1 : steps[index]); });
  return shape;
}

/** The length of a slice of an axis, as the operator's text defines it. */
function sliced(dim: Dim, start: Dim, end: Dim, step: Dim): Dim {
  if (start === 0 && step === 1 && dim !== undefined && (end === dim || (typeof end === 'number' && end >= 2 ** 31 - 1))) return dim;
  if (typeof dim !== 'number' || typeof start !== 'number' || typeof end !== 'number' || typeof step !== 'number' || step === 0) return undefined;
  const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
  const clamp = (index: number, least: number): number => Math.min(Math.max(index < 0 ? index + dim : index, least), high);
  return Math.max(0, Math.ceil((clamp(end, low) - clamp(start, Math.max(low, 0))) / step));
}

function pad(node: Node, known: Known): readonly Dim[] | undefined {
  const dims = known.dims(node.inputs[0]);
  const pads = operand(node, 1, 'pads', known);
  if (dims === undefined || pads === undefined || pads.length % 2 !== 0) return undefined;
  const count = pads.length / 2;
  const places = placesOf(node, 3, count, dims.length, known);
  if (places === undefined) return undefined;
  const shape = [...dims];
  places.forEach((axis, index) => {
    const [dim, before, after] = [dims[axis], pads[index], pads[index + count]];
    if (before === 0 && after === 0) return;
    shape[axis] = typeof dim === 'number' && typeof before === 'number' && typeof after === 'number' ? length(dim + before + after) : undefined;
  });
  return shape;
}

function resize(node: Node, known: Known): readonly Dim[] | undefined {
  const dims = known.dims(node.inputs[0]);
  if (dims === undefined || node.string('coordinate_transformation_mode') === 'tf_crop_and_resize') return undefined;
  const [sizes, scales] = [node.inputs[3], node.inputs.length === 2 ? 1 : 2];
  if (sizes !== undefined) {
    const lengths = known.elements(sizes);
    const places = lengths && placesOf(node, 4, lengths.length, dims.length, known);
    if (places === undefined || node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch') return undefined;
    const shape = [...dims];
    places.forEach((axis, index) => { shape[axis] = length(lengths![index]); });
    return shape;
  }
  return node.attributes.has('axes') ? undefined : scaled(dims, listOf(node, scales, 'scales', undefined));
}

/** What a constant factor of exactly 1 leaves as it is; ONNX Runtime multiplies the rest. */
function scaled(dims: readonly Dim[] | undefined, scales: readonly number[] | undefined): readonly Dim[] | undefined {
  return zip(dims, scales, (dim, scale) => (scale === 1 ? dim : undefined));
}

function topK(node: Node, known: Known): readonly (readonly Dim[] | undefined)[] {
  const from = known.dims(node.inputs[0]);
  const count = node.inputs[1] === undefined ? undefined : known.elements(node.inputs[1])?.[0];
  if (from === undefined || count === undefined) return [];
  const axis = node.int('axis', -1);
  const shape = from.map((dim, each) => (each === (axis < 0 ? axis + from.length : axis) ? length(count) : dim));
  return [shape, shape];
}

function split(node: Node, known: Known): readonly (readonly Dim[] | undefined)[] {
  const from = known.dims(node.inputs[0]);
  const lengths = node.inputs[1] === undefined ? undefined : known.elements(node.inputs[1]);
  if (from === undefined || lengths?.length !== node.outputs.length) return [];
  const axis = node.int('axis', 0);
  return lengths.map((item) => from.map((dim, each) => (each === (axis < 0 ? axis + from.length : axis) ? length(item) : dim)));
}
