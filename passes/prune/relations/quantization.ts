import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relate, Relations } from '../relation.ts';
import { broadcast } from './broadcast.ts';
import { axisAttribute } from './lengths.ts';

/** Place by place, with a scale and a zero point for the whole tensor, for each index on `axis`, or for blocks along it. */
const scaled: Relate = (node, flow) => {
  const [x, ...parameters] = node.inputs;
  const [y] = node.outputs;
  const rank = flow.rank(x);
  if (x === undefined || rank === undefined) {
    for (const value of node.inputs) flow.rigidAll(value, 'is scaled, but how many axes it has is not known');
    return;
  }
  const axis = axisAttribute(node, rank, 1);
  const block = node.int('block_size', 0);
  const present = parameters.filter((value) => value !== undefined);
  if (block > 0) blocks(flow, x, axis, block, present);
  const onto = (own: number): number | undefined => (block === 0 ? axis : own === axis ? undefined : own);
  flow.set(y, broadcast(flow, [{ value: x, axisOf: (own) => own }, ...present.map((value) => ({ value, axisOf: onto }))]));
};

/** Whole blocks go, with their scales. */
function blocks(flow: Flow, x: Value, axis: number, size: number, parameters: readonly Value[]): void {
  const ids = flow.part(x, axis)?.axes.length === 1 ? flow.part(x, axis)!.ids : undefined;
  if (ids === undefined) {
    for (const value of [x, ...parameters]) flow.rigid(value, axis, 'is scaled in blocks');
    return;
  }
  const firsts = ids.filter((_, at) => at % size === 0);
  for (let at = 0; at < ids.length; at += size) flow.merge(ids.subarray(at, at + size));
  for (const value of parameters) {
    const own = flow.part(value, axis)?.ids;
    if (own?.length === firsts.length) flow.unite(firsts, own);
    else flow.rigid(x, axis, 'is scaled in blocks by something that cannot shrink');
  }
}

/** One scale for the whole tensor, from the range of what is there: it may change with what is removed. */
const dynamic: Relate = (node, flow) => {
  const [x] = node.inputs;
  const layout = flow.layout(x);
  for (const { axes, ids } of layout) flow.member('reduction', x!, axes[0]!, ids);
  flow.set(node.outputs[0], layout);
};

export const quantizations: Relations = { QuantizeLinear: scaled, DequantizeLinear: scaled, DynamicQuantizeLinear: dynamic };
