import { Tensor } from '../../../ir/tensor.ts';
import { shapeOf } from '../../../ir/type.ts';
import type { Node } from '../../../ir/model.ts';
import { opsetOf } from '../../pattern.ts';
import { renumbered, type Layout } from '../layout.ts';
import type { Relation, Relations } from '../relation.ts';
import { entriesOf, isSameLength, numberOf, rewrite, settle, type AxesOf } from './lengths.ts';
import { reread } from './reread.ts';
import { followShuffle, rewireShuffle } from './shuffle.ts';

const viewed: Relation['relate'] = (node, flow) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x !== undefined && y !== undefined) flow.set(y, reread(flow, x, y));
};

/** Numbers of the shape are written anew; −1 takes what is left, and 0 copies an axis of the input where that has the same length still. */
const reshape: Relation = {
  relate(node, flow) {
    if (followShuffle(node, flow)) return;
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
    if (x === undefined || y === undefined || rewireShuffle(node, survivors, edit)) return;
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
