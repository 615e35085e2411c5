import { sizeOf, Tensor } from '../../../ir/tensor.ts';
import { shapeOf } from '../../../ir/type.ts';
import type { Node, Value } from '../../../ir/model.ts';
import { opsetOf } from '../../pattern.ts';
import type { Flow } from '../flow.ts';
import { renumbered, stridesOf, type Layout, type Part } from '../layout.ts';
import type { Relation, Relations } from '../relation.ts';
import { entriesOf, isSameLength, numberOf, rewrite, settle, type AxesOf } from './lengths.ts';

/** Elements of the largest array of atoms that is made for axes that a reshape mixes. */
const largest = 1 << 22;

/** Axes of the input and of the output that hold the same elements in the same order, apart from all others. */
interface Segment {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * The same elements, read row by row with other lengths. Both shapes are cut into the smallest segments that hold as many elements; what shrinks in a segment is written out for each of its elements and read with the output's lengths.
 * Of several axes that shrink by themselves and come into one segment, the outermost does so on; the others stay.
 */
export function reread(flow: Flow, x: Value, y: Value): Layout {
  if (flow.layout(x).length === 0) return [];
  const [before, after] = [flow.shape(x), flow.shape(y)];
  if (before === undefined || after === undefined || sizeOf(before) !== sizeOf(after) || sizeOf(before) === 0) {
    flow.rigidAll(x, 'is reshaped to lengths that are not known');
    return [];
  }
  return blocksOf(segmentsOf(before, after), flow.layout(x)).flatMap(({ from, to, parts }) => {
    const part = parts.find(({ ids }) => ids.some((id) => flow.atoms.pinOf(id) === undefined)) ?? parts[0]!;
    for (const other of parts) if (other !== part) flow.pin(other.ids, 'is merged by a reshape with others that can shrink', x, other.axes[0]);
    if (from.length === 1 && to.length === 1) return [{ axes: to, ids: part.ids }];
    const lengths = from.map((axis) => before[axis]!);
    if (sizeOf(lengths) <= largest) return [{ axes: to, ids: spread(part, from, lengths) }];
    flow.pin(part.ids, 'is mixed by a reshape with too many other elements', x, part.axes[0]);
    return [];
  });
}

/** Axes of length 1 belong nowhere. */
function segmentsOf(before: readonly number[], after: readonly number[]): Segment[] {
  const [left, right] = [before, after].map((shape) => [...shape.keys()].filter((axis) => shape[axis] !== 1)) as [number[], number[]];
  const segments: Segment[] = [];
  while (left.length > 0) {
    const [from, to] = [[left.shift()!], [right.shift()!]];
    let [own, other] = [before[from[0]!]!, after[to[0]!]!];
    while (own !== other) {
      if (own < other) {
        from.push(left.shift()!);
        own *= before[from.at(-1)!]!;
      } else {
        to.push(right.shift()!);
        other *= after[to.at(-1)!]!;
      }
    }
    segments.push({ from, to });
  }
  return segments;
}

/** Segments that a part of several axes links are one block; those in which nothing shrinks are left out. */
function blocksOf(segments: readonly Segment[], layout: Layout): (Segment & { readonly parts: readonly Part[] })[] {
  let blocks: { segments: Segment[]; parts: Part[] }[] = segments.map((segment) => ({ segments: [segment], parts: [] }));
  for (const part of layout) {
    const touches = ({ segments: own }: { readonly segments: readonly Segment[] }): boolean => own.some(({ from }) => from.some((axis) => part.axes.includes(axis)));
    const met = blocks.filter(touches);
    const one = { segments: met.flatMap(({ segments: own }) => own), parts: [...met.flatMap(({ parts }) => parts), part] };
    blocks = [...blocks.filter((block) => !met.includes(block)), one];
  }
  const ascending = (a: number, b: number): number => a - b;
  return blocks.filter(({ parts }) => parts.length > 0).map(({ segments: own, parts }) => ({
    from: own.flatMap(({ from }) => from).sort(ascending), to: own.flatMap(({ to }) => to).sort(ascending),
    parts: parts.sort((a, b) => a.axes[0]! - b.axes[0]!),
  }));
}

/** The atoms of a part, written out over more axes: the same all along those that are not its own. */
function spread({ axes, ids }: Part, over: readonly number[], lengths: readonly number[]): Int32Array {
  const strides = stridesOf(axes.map((axis) => lengths[over.indexOf(axis)]!));
  const steps = over.map((axis) => strides[axes.indexOf(axis)] ?? 0);
  const result = new Int32Array(sizeOf(lengths));
  const place = lengths.map(() => 0);
  for (let at = 0, from = 0; at < result.length; at++) {
    result[at] = ids[from]!;
    for (let axis = place.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++place[axis]! < lengths[axis]!) break;
      from -= lengths[axis]! * steps[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}

const viewed: Relation['relate'] = (node, flow) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x !== undefined && y !== undefined) flow.set(y, reread(flow, x, y));
};

/** Numbers of the shape are written anew; −1 takes what is left, and 0 copies an axis of the input where that has the same length still. */
const reshape: Relation = {
  relate(node, flow) {
    viewed(node, flow);
    const [x, shape] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined || (flow.layout(x).length === 0 && flow.layout(y).length === 0)) return;
    const entries = entriesOf(shape, (value) => flow.axes(value));
    for (let axis = 0; axis < (flow.rank(y) ?? 0); axis++) {
      const entry = entries?.[axis];
      if (!copies(node, numberOf(entry))) settle(flow, y, axis, entry);
      // What is no number in the file is none in the shape either.
      else if (!isSameLength(flow, y, axis, { of: x, axis }) && typeof shapeOf(y.type)?.[axis] !== 'number') settle(flow, y, axis, { of: x, axis });
    }
  },
  rewire(node, survivors, edit) {
    const [x, shape] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined) return;
    const axesOf: AxesOf = (value) => survivors.before(value);
    const [before, after, source] = [survivors.before(y), survivors.after(y), survivors.after(x)];
    const wanted = entriesOf(shape, axesOf)?.map((entry, axis) => {
      const number = numberOf(entry);
      if (copies(node, number)) return source[axis] === after[axis] ? undefined : after[axis];
      return number === undefined || number < 0 || before[axis] === after[axis] ? undefined : after[axis];
    });
    if (wanted !== undefined) rewrite(node, 1, wanted, edit, axesOf);
  },
};

const copies = (node: Node, number: number | undefined): boolean => number === 0 && node.int('allowzero', 0) === 0;

/** Without a list of axes all of length 1 go: one that has shrunk to 1 is none of them. */
const squeeze: Relation = {
  relate: viewed,
  rewire(node, survivors, edit) {
    const [x] = node.inputs;
    if (x === undefined || node.inputs[1] !== undefined || node.attributes.has('axes')) return;
    const before = survivors.before(x);
    if (!survivors.after(x).some((length, axis) => length === 1 && before[axis] !== 1)) return;
    const axes = [...before.keys()].filter((axis) => before[axis] === 1);
    if (opsetOf(node) < 13) edit.setAttribute(node, 'axes', axes);
    else edit.setInput(node, 1, edit.constant(node.graph, Tensor.of('int64', axes), `${node.name}_axes`));
  },
};

/**
 * Axis `i` of the output is axis `perm[i]` of the input. What is left of a part of several axes stands in the order of its first axis, then of the next: where the order of its axes changes, that is the same places only if what goes
 * are whole rows or whole columns. One of two axes that change places stays, the shorter one, so that as few as possible must go together.
 */
const transpose: Relation['relate'] = (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  if (x === undefined || rank === undefined) return;
  const perm = node.ints('perm', Array.from({ length: rank }, (_, axis) => rank - 1 - axis));
  const lengthOf = (axis: number): number => flow.length(x, axis)!;
  for (let crossed = crossing(flow.layout(x), perm); crossed !== undefined; crossed = crossing(flow.layout(x), perm)) {
    const [first, second] = crossed;
    flow.rigid(x, lengthOf(first) <= lengthOf(second) ? first : second, 'changes places with an axis that shrinks along with it');
  }
  flow.set(node.outputs[0], renumbered(flow.layout(x), (axis) => perm.indexOf(axis), lengthOf));
};

/** Two neighbouring axes of one part that change places. */
function crossing(layout: Layout, perm: readonly number[]): readonly [number, number] | undefined {
  for (const { axes } of layout) {
    const at = axes.findIndex((axis, index) => index > 0 && perm.indexOf(axis) < perm.indexOf(axes[index - 1]!));
    if (at > 0) return [axes[at - 1]!, axes[at]!];
  }
  return undefined;
}

export const reshapes: Relations = { Reshape: reshape, Flatten: viewed, Squeeze: squeeze, Unsqueeze: viewed, Transpose: transpose };
