import type { Node, Value } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import { hasFixedBias, linearOf, type Linear } from '../fold/linear.ts';
import { listOf, numbersOf } from '../fold/operands.ts';
import { Decline } from '../rewrite.ts';
import type { ChannelRule } from './channels.ts';
import { gateRule, isGate } from './gates.ts';

/** The weights of an operator that can take up factors of its input channels and give factors to its output channels. */
export function scalable(node: Node): Linear | undefined {
  const linear = node.is('MatMul') ? matMulOf(node) : linearOf(node);
  return linear === undefined || linear instanceof Decline || linear === false || !hasFixedBias(linear) ? undefined : linear;
}

/** A product with constant weights on the right, whatever the rank of the left side. */
function matMulOf(node: Node): Linear | undefined {
  const [, weight] = node.inputs;
  const tensor = weight?.constant;
  if (weight === undefined || tensor?.shape.length !== 2 || (tensor.dtype !== 'float' && tensor.dtype !== 'double') || weight.uses.length > 1) return undefined;
  const [rows, columns] = tensor.shape as [number, number];
  return {
    node, weight: weight as Linear['weight'], bias: undefined, rows, columns, taps: 1, inputs: rows, outputs: columns,
    outputOf: (_, column) => column, inputOf: (row) => row,
  };
}

const rankOf = (value: Value | undefined): number | undefined => shapeOf(value?.type)?.length;
const axisFrom = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const linearRule: ChannelRule = (node, classes) => {
  const [x] = node.inputs;
  const linear = scalable(node);
  const rank = rankOf(node.outputs[0]);
  if (linear === undefined || rank === undefined) return false;
  const axis = node.is('MatMul', 'Gemm') ? rank - 1 : 1;
  const input = classes.of(x);
  if (input !== undefined && (input.axis !== axis || input.ids.length !== linear.inputs)) classes.pin(x);
  classes.start(node.outputs[0]!, axis, linear.outputs);
  return true;
};

/** Its scale and offset give factors to the output; what it reads is normalised, so that factors of the input would be lost. */
const layerNorm: ChannelRule = (node, classes) => {
  const [x, scale, offset] = node.inputs;
  classes.pin(x);
  const rank = rankOf(x);
  const channels = scale?.constant?.shape;
  if (rank === undefined || channels?.length !== 1 || axisFrom(node.int('axis', -1), rank) !== rank - 1) return true;
  if (offset !== undefined && (offset.constant?.shape.length !== 1 || offset.constant.size !== channels[0])) return true;
  classes.start(node.outputs[0]!, rank - 1, channels[0]!);
  return true;
};

/** f(s · x) = s · f(x) for s > 0, channel by channel, and the axes stay. */
const homogeneous: ChannelRule = (node, classes) => {
  const [x] = node.inputs;
  const input = classes.of(x);
  if (input !== undefined) classes.set(node.outputs[0]!, input.axis, input.ids);
  return true;
};

/** Windows and global pools go over the axes behind the channels' of ONNX. */
const pool: ChannelRule = (node, classes) => (classes.of(node.inputs[0])?.axis === 1 ? homogeneous(node, classes) : false);

/** A constant stands for itself where it does not vary along the channels, or can be scaled with them. */
const sum: ChannelRule = (node, classes) => {
  const output = node.outputs[0]!;
  const rank = rankOf(output);
  const variable = node.inputs.filter((value) => value !== undefined && value.constant === undefined) as Value[];
  if (rank === undefined || variable.length === 0) return false;
  const known = variable.map((value) => classes.of(value));
  const first = known[0];
  const alike = first !== undefined && variable.every((value, index) => {
    const own = known[index];
    return own?.axis === first.axis && own.ids.length === first.ids.length && rankOf(value) === rank && (shapeOf(value.type)?.[own.axis] === own.ids.length);
  });
  if (!alike || node.inputs.some((value) => value?.constant !== undefined && !scalableConstant(value, rank, first.axis, first.ids.length))) return false;
  for (const own of known) own!.ids.forEach((id, channel) => { classes.unite(first.ids[channel]!, id); });
  classes.set(output, first.axis, first.ids);
  return true;
};

/** True for a float constant, small enough to be written out for every channel. */
export function scalableConstant(value: Value, rank: number, axis: number, channels: number): boolean {
  const tensor = value.constant;
  if (tensor === undefined || (tensor.dtype !== 'float' && tensor.dtype !== 'double') || tensor.shape.length > rank) return false;
  const own = axis - (rank - tensor.shape.length);
  return own < 0 || tensor.shape[own] === 1 ? tensor.size <= 65536 / channels : tensor.shape[own] === channels;
}

/** A factor passes through a product: of the operand that varies along the channels; the other one is pinned. */
const product: ChannelRule = (node, classes) => {
  const [a, b] = node.inputs as readonly Value[];
  const output = node.outputs[0]!;
  if (a === undefined || b === undefined) return false;
  if (node.is('Div') && b.constant === undefined) return false;
  const rank = rankOf(output);
  const scaled = [a, b].find((value) => value.constant === undefined && classes.of(value) !== undefined && rankOf(value) === rank);
  if (scaled === undefined || (node.is('Div') && scaled !== a)) return false;
  const other = scaled === a ? b : a;
  if (other === scaled) return false;
  const { axis, ids } = classes.of(scaled)!;
  if (shapeOf(output.type)?.[axis] !== ids.length) return false;
  classes.pin(other);
  classes.set(output, axis, ids);
  return true;
};

const slope: ChannelRule = (node, classes) => (node.inputs[1]?.constant === undefined ? false : homogeneous(node, classes));

/** Zero padding; along the channels it adds classes of zeros. */
const pad: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  const pads = listOf(node, 1, 'pads', undefined);
  const rank = rankOf(node.inputs[0]);
  const zero = node.inputs[2] === undefined ? node.float('value', 0) === 0 : numbersOf(node.inputs[2])?.[0] === 0;
  if (input === undefined || pads === undefined || rank === undefined || node.inputs[3] !== undefined || !zero || node.string('mode', 'constant') !== 'constant') return false;
  const [before, after] = [pads[input.axis]!, pads[input.axis + rank]!];
  if (before < 0 || after < 0) return false;
  if (before + after === 0) return homogeneous(node, classes);
  const ids = classes.start(node.outputs[0]!, input.axis, before + input.ids.length + after);
  ids.set(input.ids, before);
  return true;
};

const concat: ChannelRule = (node, classes) => {
  const output = node.outputs[0]!;
  const rank = rankOf(output);
  const parts = node.inputs.map((value) => classes.of(value));
  const [first] = parts;
  if (rank === undefined || first === undefined || parts.some((part) => part?.axis !== first.axis)) return false;
  if (axisFrom(node.int('axis', 0), rank) === first.axis) {
    classes.set(output, first.axis, Int32Array.from(parts.flatMap((part) => [...part!.ids])));
    return true;
  }
  if (parts.some((part) => part!.ids.length !== first.ids.length)) return false;
  for (const part of parts) part!.ids.forEach((id, channel) => { classes.unite(first.ids[channel]!, id); });
  classes.set(output, first.axis, first.ids);
  return true;
};

const split: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  const rank = rankOf(node.inputs[0]);
  if (input === undefined || rank === undefined) return false;
  const along = axisFrom(node.int('axis', 0), rank) === input.axis;
  let from = 0;
  for (const output of node.outputs) {
    if (output === undefined) return false;
    const length = shapeOf(output.type)?.[input.axis];
    if (typeof length !== 'number') return false;
    classes.set(output, input.axis, along ? input.ids.slice(from, from + length) : input.ids);
    from += length;
  }
  return true;
};

const slice: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  const rank = rankOf(node.inputs[0]);
  const [starts, ends] = [listOf(node, 1, 'starts', undefined), listOf(node, 2, 'ends', undefined)];
  if (input === undefined || rank === undefined || starts === undefined || ends === undefined) return false;
  const axes = listOf(node, 3, 'axes', starts.map((_, index) => index));
  const steps = listOf(node, 4, 'steps', starts.map(() => 1));
  const at = axes?.findIndex((axis) => axisFrom(axis, rank) === input.axis);
  if (at === undefined || steps === undefined) return false;
  if (at < 0) return homogeneous(node, classes);
  if (steps[at] !== 1) return false;
  classes.set(node.outputs[0]!, input.axis, input.ids.slice(starts[at], ends[at]));
  return true;
};

const transpose: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  const rank = rankOf(node.inputs[0]);
  if (input === undefined || rank === undefined) return false;
  const order = node.ints('perm', Array.from({ length: rank }, (_, axis) => rank - 1 - axis));
  classes.set(node.outputs[0]!, order.indexOf(input.axis), input.ids);
  return true;
};

/** Reshape and its relatives: the channels stay an axis of their own, or are merged with the places behind them. */
const reshape: ChannelRule = (node, classes) => {
  const [x] = node.inputs;
  const input = classes.of(x);
  const [from, to] = [shapeOf(x?.type), shapeOf(node.outputs[0]?.type)];
  if (input === undefined || from === undefined || to === undefined) return false;
  const rest = from.slice(input.axis);
  const product = (dims: readonly Dim[]): number | undefined => (dims.every((dim) => typeof dim === 'number') ? dims.reduce((total, dim) => total * dim, 1) : undefined);
  const [inner, own] = [product(rest.slice(1)), input.ids.length];
  if (inner === undefined || rest[0] !== own || inner === 0) return false;
  // The same number of elements behind an axis on both sides: then there is the same number before it.
  const axis = to.findIndex((dim, at) => product(to.slice(at)) === inner * own && (dim === own || dim === inner * own));
  if (axis < 0) return false;
  classes.set(node.outputs[0]!, axis, to[axis] === own ? input.ids : Int32Array.from({ length: inner * own }, (_, at) => input.ids[Math.floor(at / inner)]!));
  return true;
};

/** Over all axes but that of the channels. */
const reduction: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  const rank = rankOf(node.inputs[0]);
  const axes = listOf(node, 1, 'axes', undefined)?.map((axis) => axisFrom(axis, rank ?? 0));
  if (input === undefined || rank === undefined || axes === undefined || axes.includes(input.axis)) return false;
  const removed = node.int('keepdims', 1) === 0 ? axes.filter((axis) => axis < input.axis).length : 0;
  classes.set(node.outputs[0]!, input.axis - removed, input.ids);
  return true;
};

const resize: ChannelRule = (node, classes) => {
  const input = classes.of(node.inputs[0]);
  if (input === undefined || shapeOf(node.outputs[0]?.type)?.[input.axis] !== input.ids.length || shapeOf(node.inputs[0]?.type)?.[input.axis] !== input.ids.length) return false;
  // As many channels come out; still they may be moved, by a region that is cut out or a scale that is nearly one.
  const scales = listOf(node, node.op === 'Upsample' || node.inputs.length === 2 ? 1 : 2, 'scales', []);
  const at = node.ints('axes', []).length === 0 ? input.axis : node.ints('axes', []).findIndex((axis) => axisFrom(axis, rankOf(node.inputs[0])!) === input.axis);
  const moves = node.string('coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize' || (scales?.[at] ?? 1) !== 1;
  return scales !== undefined && !moves && homogeneous(node, classes);
};

/** One rule for each operator that factors of channels can pass. */
export const channelRules: Readonly<Record<string, ChannelRule>> = {
  Conv: linearRule, ConvTranspose: linearRule, Gemm: linearRule, MatMul: linearRule, LayerNormalization: layerNorm,
  Relu: homogeneous, LeakyRelu: homogeneous, PRelu: slope, Abs: homogeneous, Neg: homogeneous, Identity: homogeneous, Dropout: homogeneous,
  MaxPool: pool, AveragePool: pool, GlobalAveragePool: pool, GlobalMaxPool: pool,
  ReduceMean: reduction, ReduceSum: reduction, ReduceMax: reduction,
  Add: sum, Sub: sum, Sum: sum, Mul: product, Div: product,
  Concat: concat, Split: split, Slice: slice, Pad: pad, Transpose: transpose, Resize: resize, Upsample: resize,
  Reshape: reshape, Flatten: reshape, Squeeze: reshape, Unsqueeze: reshape,
};

/** The rule of a node of the ONNX domain; with `gates`, factors also pass activations that are gates, which costs a multiplication for each. */
export function channelRule(node: Node, gates = false): ChannelRule | undefined {
  if (gates && isGate(node)) return gateRule;
  return node.domain === '' ? channelRules[node.op] : undefined;
}
