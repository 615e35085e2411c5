import { Tensor } from '../../../ir/tensor.ts';
import type { Value } from '../../../ir/model.ts';
import { opsetOf } from '../../pattern.ts';
import { numbersOf } from '../../fold/operands.ts';
import type { Flow } from '../flow.ts';
import type { Relation, Relations } from '../relation.ts';
import { broadcast } from './broadcast.ts';
import { axisAttribute } from './lengths.ts';

/** Along the axis the channels stand one behind the other; what cannot shrink among them stays where it is. All other axes are combined place by place. Nothing is written: offsets move by themselves. */
const concat: Relation['relate'] = (node, flow) => {
  const [y] = node.outputs;
  const inputs = node.inputs.filter((value) => value !== undefined);
  const rank = flow.rank(y) ?? flow.rank(inputs[0]);
  // Lists of lengths are joined with constants, too: those are no channels.
  if (rank === undefined || inputs.every((value) => flow.isFree(value) || flow.layout(value).length === 0)) {
    for (const value of inputs) flow.rigidAll(value, 'is joined with something that cannot shrink');
    return;
  }
  const axis = axisAttribute(node, rank, 0);
  const pieces = inputs.map((value) => ({ value, ids: flow.separate(value, axis), length: flow.length(value, axis) }));
  const others = broadcast(flow, inputs.map((value) => ({ value, axisOf: (each) => (each === axis ? undefined : each) })));
  const lengths = pieces.map(({ length }) => length);
  if (!lengths.every((length) => length !== undefined)) {
    for (const { value, ids } of pieces) if (ids !== undefined) flow.pin(ids, 'is joined with something whose length is not known', value, axis);
    flow.set(y, others);
  } else if (pieces.some(({ ids }) => ids !== undefined)) {
    const ids = pieces.flatMap(({ value, ids: own, length }) => [...own ?? staying(flow, value, axis, length!)]);
    flow.set(y, [...others, { axes: [axis], ids: Int32Array.from(ids) }]);
  } else flow.set(y, others);
};

function staying(flow: Flow, value: Value, axis: number, length: number): Int32Array {
  const ids = flow.fresh(length);
  flow.pin(ids, 'is an axis that cannot shrink', value, axis);
  return ids;
}

/** The inverse of Concat. The sizes are always written out when the axis shrinks: pieces that were equal may not be so any more. */
const split: Relation = {
  relate(node, flow) {
    const [x, sizes] = node.inputs;
    const rank = flow.rank(x);
    if (x === undefined || rank === undefined) return;
    const axis = axisAttribute(node, rank, 0);
    const lengths = node.outputs.map((y) => (y === undefined ? undefined : flow.length(y, axis)));
    const isKnown = lengths.every((length) => length !== undefined) && (sizes === undefined || numbersOf(sizes) !== undefined);
    if (!isKnown) flow.rigid(x, axis, 'is split into pieces of lengths that are not known');
    const ids = isKnown ? flow.separate(x, axis) : undefined;
    const others = flow.layout(x).filter(({ axes }) => !axes.includes(axis));
    let from = 0;
    node.outputs.forEach((y, index) => { flow.set(y, ids === undefined ? others : [...others, { axes: [axis], ids: ids.subarray(from, from += lengths[index]!) }]); });
  },
  rewire(node, survivors, edit) {
    const [x] = node.inputs;
    if (x === undefined) return;
    const axis = axisAttribute(node, survivors.before(x).length, 0);
    if (survivors.after(x)[axis] === survivors.before(x)[axis]) return;
    const sizes = node.outputs.map((y) => survivors.after(y!)[axis]!);
    if (opsetOf(node) < 13) edit.setAttribute(node, 'split', sizes);
    else {
      edit.setInput(node, 1, edit.constant(node.graph, Tensor.of('int64', sizes), `${node.name}_split`));
      edit.setAttribute(node, 'num_outputs', undefined);
    }
  },
};

export const joints: Relations = { Concat: concat, Split: split };
