import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relation, Relations, Rewire } from '../relation.ts';

/** Where an operator reads its weights and what goes along with their output channels. */
interface Operands {
  readonly weight: number;
  /** Inputs with one element for each output channel, if they are not scalars: biases, scales and zero points. */
  readonly perOutput: readonly number[];
}

const window = 'is an axis along which a window slides';

/**
 * Convolution of any rank. Weights are [M, C/group, …]. With one group the input channels end here and the output channels begin here. With several groups, whole groups go: the inputs and outputs of a
 * group are one channel. (A depthwise convolution is the case of groups of one input.)
 */
export function convolution({ weight: at, perOutput }: Operands): Relation {
  return {
    relate(node, flow) {
      const [x, weight] = [node.inputs[0], node.inputs[at]];
      const [y] = node.outputs;
      if (x === undefined || weight === undefined || y === undefined) return;
      const input = flow.only(x, 1, window);
      keepWindows(flow, weight);
      const made = flow.part(weight, 0)?.ids ?? undefined;
      const groups = node.int('group', 1);
      const outputs = flow.length(weight, 0)!;
      if (groups === 1) consume(flow, weight, 1, x, input);
      else {
        flow.rigid(weight, 1, 'is an axis that all groups share');
        whole(flow, groups, x, input, made);
      }
      if (made === undefined) return;
      flow.member('producer', weight, 0, made);
      for (const index of perOutput) alongOutputs(flow, node.inputs[index], made, outputs);
      flow.set(y, [{ axes: [1], ids: made }]);
    },
    rewire: fewerGroups,
  };
}

/** Weights are [C, M/group, …]: the same with the axes exchanged. */
const transposedConvolution: Relation = {
  relate(node, flow) {
    const [x, weight, bias] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || weight === undefined || y === undefined) return;
    const input = flow.only(x, 1, window);
    keepWindows(flow, weight);
    const groups = node.int('group', 1);
    const columns = flow.length(weight, 1)!;
    if (groups === 1) {
      consume(flow, weight, 0, x, input);
      const made = flow.part(weight, 1)?.ids;
      if (made === undefined) return;
      flow.member('producer', weight, 1, made);
      alongOutputs(flow, bias, made, columns);
      flow.set(y, [{ axes: [1], ids: made }]);
      return;
    }
    // The outputs of a group have no axis of their own in the weights: they go with the group's inputs, the rows.
    const rows = flow.part(weight, 0)?.ids;
    if (rows === undefined) return;
    const perGroup = rows.length / groups;
    flow.rigid(weight, 1, 'is an axis that all groups share');
    whole(flow, groups, x, input, rows);
    const made = Int32Array.from({ length: groups * columns }, (_, output) => rows[Math.floor(output / columns) * perGroup]!);
    flow.member('producer', weight, 0, rows);
    alongOutputs(flow, bias, made, made.length);
    flow.set(y, [{ axes: [1], ids: made }]);
  },
  rewire: fewerGroups,
};

/** The axes behind the first two stay: places of an image, and of a window over it. */
export function keepWindows(flow: Flow, value: Value | undefined): void {
  for (const { axes } of flow.layout(value)) for (const axis of axes) if (axis > 1) flow.rigid(value, axis, window);
}

/** The input channels end at the axis of the weights that is summed over. */
export function consume(flow: Flow, weight: Value, axis: number, x: Value, input: Int32Array | undefined): void {
  const own = flow.part(weight, axis);
  if (own === undefined) {
    if (input !== undefined) flow.pin(input, 'is summed over with weights that cannot shrink', x);
    return;
  }
  if (input === undefined) {
    flow.rigid(weight, axis, 'is summed over with something that cannot shrink');
    return;
  }
  const ids = flow.separate(weight, axis);
  if (ids === undefined) {
    flow.pin(input, 'is summed over with weights that cannot shrink', x);
    return;
  }
  flow.unite(input, ids);
  flow.member('consumer', weight, axis, ids);
}

/** What has one element for each output channel. */
export function alongOutputs(flow: Flow, value: Value | undefined, made: Int32Array, outputs: number): void {
  if (value === undefined || flow.length(value, 0) !== outputs) return;
  const own = flow.part(value, 0)?.ids;
  if (own === undefined) flow.pin(made, 'goes along with something that cannot shrink', value, 0);
  else flow.unite(made, own);
}

/** Every group with its inputs and outputs is one channel. */
function whole(flow: Flow, groups: number, x: Value, input: Int32Array | undefined, made: Int32Array | undefined): void {
  if (input === undefined || made === undefined) {
    for (const ids of [input, made]) if (ids !== undefined) flow.pin(ids, 'belongs to a group whose other side cannot shrink', x, 1);
    return;
  }
  for (let group = 0; group < groups; group++) flow.merge([...block(input, group, groups), ...block(made, group, groups)]);
}

const block = (ids: Int32Array, index: number, count: number): Int32Array => ids.subarray((index * ids.length) / count, ((index + 1) * ids.length) / count);

/** As many groups fewer as channels of the input are gone. */
function fewerGroups(...[node, survivors, edit]: Parameters<Rewire>): void {
  const groups = node.int('group', 1);
  const [x] = node.inputs as readonly Value[];
  const [before, after] = [survivors.before(x!)[1], survivors.after(x!)[1]];
  if (groups === 1 || before === undefined || after === before) return;
  edit.setAttribute(node, 'group', (groups * after!) / before);
}

/** The quantized convolutions carry scales and zero points for each output channel. */
export const convolutions: Relations = {
  Conv: convolution({ weight: 1, perOutput: [2] }),
  ConvInteger: convolution({ weight: 1, perOutput: [3] }),
  QLinearConv: convolution({ weight: 3, perOutput: [4, 5, 8] }),
  ConvTranspose: transposedConvolution,
};

