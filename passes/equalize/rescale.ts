import type { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { shapeOf } from '../../ir/type.ts';
import type { ChannelClasses, ValueChannels } from './channels.ts';
import type { Factors } from './factors.ts';
import { isGate, restoreGate } from './gates.ts';
import { scalable } from './rules.ts';

/** Divides the channels of all values by their factors, in the weights, biases and constants around them. The model computes what it did, up to rounding. */
export function rescale(model: Model, edit: Editor, classes: ChannelClasses, factors: Factors): void {
  const of = (channels: ValueChannels | undefined): Float64Array | undefined => {
    if (channels === undefined) return undefined;
    const list = Float64Array.from(channels.ids, (id) => (classes.isPinned(id) ? 1 : factors.get(classes.root(id)) ?? 1));
    return list.every((factor) => factor === 1) ? undefined : list;
  };
  for (const node of [...model.graph.nodes()]) {
    const input = of(classes.of(node.inputs[0]));
    const output = of(classes.of(node.outputs[0]));
    if (node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) rescaleLinear(node, input, output, edit);
    else if (node.is('LayerNormalization') && output !== undefined) for (const index of [1, 2]) divideConstant(node, index, output, node.inputs[index]?.constant?.shape.length === 1 ? 0 : -1, edit);
    else if (input !== undefined && isGate(node)) restoreGate(node, classes.of(node.inputs[0])!.axis, input, edit);
    else if (node.is('Add', 'Sub', 'Sum') && output !== undefined) rescaleSum(node, classes.of(node.outputs[0])!, output, edit);
  }
}

function rescaleLinear(node: Node, input: Float64Array | undefined, output: Float64Array | undefined, edit: Editor): void {
  const linear = scalable(node);
  if (linear === undefined || (input === undefined && output === undefined)) return;
  const { weight, rows, columns, taps, inputOf, outputOf } = linear;
  const old = weight.constant.floats();
  const scaled = old.slice();
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const factor = (input?.[inputOf(row, column)] ?? 1) / (output?.[outputOf(row, column)] ?? 1);
      for (const end = at + taps; at < end; at++) scaled[at] = old[at]! * factor;
    }
  }
  replaceConstant(node, 1, Tensor.of(weight.constant.dtype, scaled, weight.constant.shape), edit);
  const bias = node.is('MatMul') ? undefined : node.inputs[2];
  if (output !== undefined && bias?.constant !== undefined) divideConstant(node, 2, output, bias.constant.shape.length - 1, edit);
}

function rescaleSum(node: Node, { axis }: ValueChannels, output: Float64Array, edit: Editor): void {
  const rank = shapeOf(node.outputs[0]!.type)!.length;
  for (const [index, value] of node.inputs.entries()) {
    if (value?.constant !== undefined) divideConstant(node, index, output, axis - (rank - value.constant.shape.length), edit, rank - axis);
  }
}

/** Divides a constant along `axis` by the factors; one that does not vary there is written out for every channel first. `tail` is the number of axes from the channels' on, for a constant that has fewer. */
function divideConstant(node: Node, index: number, factors: Float64Array, axis: number, edit: Editor, tail = 1): void {
  const tensor = node.inputs[index]?.constant;
  if (tensor === undefined) return;
  const old = tensor.floats();
  const shape = axis >= 0 ? [...tensor.shape] : [factors.length, ...Array<number>(tail - 1 - tensor.shape.length).fill(1), ...tensor.shape];
  const at = Math.max(axis, 0);
  const wide = axis < 0 || shape[at] === 1;
  shape[at] = factors.length;
  const inner = sizeOf(shape.slice(at + 1));
  const result = tensor.dtype === 'double' ? new Float64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
  for (let position = 0; position < result.length; position++) {
    const channel = Math.floor(position / inner) % factors.length;
    const source = wide ? Math.floor(position / (inner * factors.length)) * inner + (position % inner) : position;
    result[position] = old[source % old.length]! / factors[channel]!;
  }
  replaceConstant(node, index, Tensor.of(tensor.dtype, result, shape), edit);
}

/** The node with another constant there, under the old name where nobody else reads it. */
function replaceConstant(node: Node, index: number, tensor: Tensor, edit: Editor): void {
  const value = node.inputs[index] as Value;
  if (value.uses.length === 1 && !value.isInput) edit.setTensor(value, tensor);
  else edit.setInput(node, index, edit.constant(node.graph, tensor, value.name));
}
