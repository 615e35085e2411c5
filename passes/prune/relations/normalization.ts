import type { Node } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relate, Relation, Relations } from '../relation.ts';
import { along } from './along.ts';
import { broadcast, rightAligned } from './broadcast.ts';
import { axisAttribute } from './lengths.ts';
import { axesOf, fold } from './reduction.ts';

/** Parameters with one element for each channel; with `spatial` = 0 (opsets 7 and 8) for each place of a sample. Statistics, where they are written, have the shape of the parameters. */
function batchNormalization(node: Node, flow: Flow): void {
  const [x, ...parameters] = node.inputs;
  const [y, ...statistics] = node.outputs;
  if (x === undefined) return;
  if (node.int('training_mode', 0) !== 0 || statistics.length > 0) flow.only(x, 1, 'is averaged over in training');
  const behind = (axis: number): number => axis + 1;
  const layout = broadcast(flow, [{ value: x, axisOf: (axis) => axis }, ...parameters.flatMap((value) => (value === undefined ? [] : [{ value, axisOf: behind }]))]);
  flow.set(y, layout);
  for (const value of statistics) flow.set(value, layout.flatMap(({ axes, ids }) => (axes.length === 1 && axes[0] === 1 ? [{ axes: [0], ids }] : [])));
}

/** Each channel by itself: statistics over the window axes. */
function instanceNormalization(node: Node, flow: Flow): void {
  const [x, ...parameters] = node.inputs;
  const ids = flow.only(x, 1, 'is averaged over in each channel');
  if (ids === undefined) for (const value of parameters) flow.rigidAll(value, 'belongs to channels that cannot shrink');
  else for (const value of parameters) along(flow, value, 0, ids);
  flow.set(node.outputs[0], flow.layout(x));
}

/** Whole groups go, which changes no other one. One group alone is reduced like the features of a LayerNormalization. Parameters have an element for each group (opset 18) or each channel (21). */
const groupNormalization: Relation = {
  relate(node, flow) {
    const [x, ...parameters] = node.inputs;
    const ids = flow.only(x, 1, 'is averaged over in each group');
    if (x === undefined || ids === undefined) {
      for (const value of parameters) flow.rigidAll(value, 'belongs to channels that cannot shrink');
      return;
    }
    const groups = node.int('num_groups', 1);
    const size = ids.length / groups;
    if (groups === 1) flow.member('reduction', x, 1, ids);
    else for (let group = 0; group < groups; group++) flow.merge(ids.subarray(group * size, (group + 1) * size));
    for (const value of parameters) {
      if (value === undefined) continue;
      const length = flow.length(value, 0);
      if (length === ids.length) along(flow, value, 0, ids);
      else if (length === groups && groups > 1) along(flow, value, 0, ids.filter((_, channel) => channel % size === 0));
      else if (length !== 1) flow.pin(ids, 'is scaled by something of another length', value, 0);
    }
    flow.set(node.outputs[0], flow.layout(x));
  },
  rewire(node, survivors, edit) {
    const groups = node.int('num_groups', 1);
    const x = node.inputs[0]!;
    const [before, after] = [survivors.before(x)[1], survivors.after(x)[1]];
    if (groups > 1 && before !== undefined && after !== before) edit.setAttribute(node, 'num_groups', (groups * after!) / before);
  },
};

/** Statistics over all axes from `axis` on; parameters are broadcast to these. The outputs behind the first have one element where these axes were. */
const overLastAxes: Relate = (node, flow) => {
  const [x] = node.inputs;
  const [y, ...statistics] = node.outputs;
  const rank = flow.rank(x);
  if (x === undefined || rank === undefined) {
    for (const value of node.inputs) flow.rigidAll(value, 'is normalized over axes that are not known');
    return;
  }
  const first = axisAttribute(node, rank, -1);
  for (let axis = first; axis < rank; axis++) fold(flow, x, axis);
  const layout = broadcast(flow, rightAligned(flow, node.inputs, rank));
  flow.set(y, layout);
  for (const value of statistics) flow.set(value, layout.filter(({ axes }) => axes.every((axis) => axis < first)));
};

/** No parameters; the axes say what is reduced. What is divided by a mean or a norm over channels changes with their number. */
const over = (axes: (node: Node, rank: number) => readonly number[] | undefined): Relate => (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  const reduced = rank === undefined ? undefined : axes(node, rank);
  if (x === undefined || reduced === undefined) flow.rigidAll(x, 'is normalized over axes that are not known');
  else for (const axis of reduced) fold(flow, x, axis);
  flow.set(node.outputs[0], flow.layout(x));
};

/** Places compete with each other along one axis, before opset 13 along all from `axis` on: a place less means something else for all others. */
const competition: Relate = (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  const flat = (node.graph.opset() ?? 0) < 13;
  if (rank === undefined) flow.rigidAll(x, 'is normalized over axes that are not known');
  else {
    const first = axisAttribute(node, rank, flat ? 1 : -1);
    for (let axis = first; axis < (flat ? rank : first + 1); axis++) flow.rigid(x, axis, `holds what ${node.op} chooses among`);
  }
  flow.set(node.outputs[0], flow.layout(x));
};

const localResponse: Relate = (node, flow) => {
  const [x] = node.inputs;
  flow.rigid(x, 1, 'is normalized with its neighbours');
  flow.set(node.outputs[0], flow.layout(x));
};

/** Normalizations. `reduction` members are those whose statistics change with the number of channels. */
export const normalizations: Relations = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: overLastAxes,
  RMSNormalization: overLastAxes,
  MeanVarianceNormalization: over((node, rank) => axesOf(node, rank, [0, 2, 3])),
  LpNormalization: over((node, rank) => [axisAttribute(node, rank, -1)]),
  LRN: localResponse,
  Softmax: competition,
  LogSoftmax: competition,
  Hardmax: competition,
};
