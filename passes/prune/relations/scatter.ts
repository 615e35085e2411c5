import type { Node, Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relate, Relations } from '../relation.ts';
import { broadcast } from './broadcast.ts';
import { axisAttribute } from './lengths.ts';

const elsewhere = 'is an axis along which elements are read or written at places that only the elements of another tensor tell';

/** Elements are read from or written to other places along one axis, which stays; the others are combined place by place, where data, indices and updates have one length. */
function alongAxis(operands: (node: Node) => readonly (Value | undefined)[]): Relate {
  return (node, flow) => {
    const values = operands(node).filter((value) => value !== undefined);
    const [x] = values;
    const rank = flow.rank(x);
    if (x === undefined || rank === undefined) {
      for (const value of values) flow.rigidAll(value, elsewhere);
      return;
    }
    const axis = axisAttribute(node, rank, 0);
    const isShared = (each: number): boolean => each !== axis && values.every((value) => flow.length(value, each) !== undefined && flow.length(value, each) === flow.length(x, each));
    // A free constant takes the layout of the others; what it has of an axis that stays is no channel.
    for (const value of values) {
      if (flow.isFree(value)) continue;
      for (let each = 0; each < rank; each++) if (!isShared(each)) flow.rigid(value, each, elsewhere);
    }
    const layout = broadcast(flow, values.map((value) => ({ value, axisOf: (each) => (isShared(each) ? each : undefined) })));
    flow.set(node.outputs[0], layout);
  };
}

/** The last axis of the indices addresses the first axes of the data behind the batch axes; all these stay. What lies behind them goes through as it is. */
const gatherND: Relate = (node, flow) => {
  const [x, indices] = node.inputs;
  const [rank, depth] = [flow.rank(x), addressed(flow, indices)];
  if (x === undefined || indices === undefined) return;
  if (indices.constant === undefined) flow.rigidAll(indices, elsewhere);
  if (rank === undefined || depth === undefined) {
    flow.rigidAll(x, elsewhere);
    return;
  }
  const first = node.int('batch_dims', 0) + depth;
  for (let axis = 0; axis < first; axis++) flow.rigid(x, axis, elsewhere);
  const shift = flow.rank(indices)! - 1 - first;
  flow.set(node.outputs[0], flow.layout(x).filter(({ axes }) => axes[0]! >= first).map(({ axes, ids }) => ({ axes: axes.map((axis) => axis + shift), ids })));
};

/** The same for writing: updates have the axes of the indices but the last, and then those of the data that are not addressed. */
const scatterND: Relate = (node, flow) => {
  const [x, indices, updates] = node.inputs;
  const [y] = node.outputs;
  if (x === undefined || indices === undefined || updates === undefined || y === undefined) return;
  if (indices.constant === undefined) flow.rigidAll(indices, elsewhere);
  const [rank, depth] = [flow.rank(x), addressed(flow, indices)];
  if (rank === undefined || depth === undefined) {
    for (const value of [x, updates]) flow.rigidAll(value, elsewhere);
    return;
  }
  const shift = flow.rank(indices)! - 1 - depth;
  for (let axis = 0; axis < depth; axis++) if (!flow.isFree(x)) flow.rigid(x, axis, elsewhere);
  for (let axis = 0; axis < depth + shift; axis++) if (!flow.isFree(updates)) flow.rigid(updates, axis, elsewhere);
  flow.set(y, broadcast(flow, [
    { value: x, axisOf: (axis) => (axis < depth ? undefined : axis) },
    { value: updates, axisOf: (axis) => (axis < depth + shift ? undefined : axis - shift) },
  ]));
};

/** How many axes one address has. */
function addressed(flow: Flow, indices: Value | undefined): number | undefined {
  const rank = flow.rank(indices);
  return indices === undefined || rank === undefined ? undefined : flow.length(indices, rank - 1);
}

const scatter = alongAxis((node) => node.inputs.slice(0, 3));

export const scatters: Relations = {
  GatherElements: alongAxis((node) => node.inputs.slice(0, 2)), GatherND: gatherND, Scatter: scatter, ScatterElements: scatter, ScatterND: scatterND,
};
