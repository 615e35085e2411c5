import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Constant } from '../pattern.ts';
import { no, type Builder, type Decline } from '../rewrite.ts';
import type { ChannelAffine } from './channel-affine.ts';
import { rankOf } from './operands.ts';

/** Shared weights above this many bytes are not copied to be scaled for one of their readers: the file would grow. */
const largestShared = 65536;

/** A node that is linear in its first input, with constant weights: how channels lie in them. */
export interface Linear {
  readonly node: Node;
  readonly weight: Constant;
  readonly bias: Value | undefined;
  /** Channels of the input (all groups) and of the output. */
  readonly inputs: number;
  readonly outputs: number;
  /** Output channel that the weight at this flat position contributes to, and the input channel that it reads. */
  outputOf(index: number): number;
  inputOf(index: number): number;
}

/** Conv, ConvTranspose, Gemm or MatMul as Linear; declines with the reason where its weights cannot be changed, false where it is another form. */
export function linearOf(node: Node): Linear | Decline | false {
  const [, weight, bias] = node.inputs;
  const tensor = weight?.constant;
  if (weight === undefined || tensor === undefined) return false;
  if (tensor.dtype !== 'float' && tensor.dtype !== 'double') return no(`its weights are ${tensor.dtype}, which would lose precision`);
  if (weight.uses.length > 1 && tensor.byteLength > largestShared) return no(`its weights '${weight.name}' have other readers`);
  const { shape } = tensor;
  const base = { node, weight: weight as Constant, bias };
  if (node.is('Conv')) {
    const group = node.int('group', 1);
    const [outputs = 0, perGroup = 0] = shape;
    const taps = shape.slice(2).reduce((product, dim) => product * dim, 1);
    return {
      ...base, outputs, inputs: perGroup * group,
      outputOf: (index) => Math.floor(index / (perGroup * taps)),
      inputOf: (index) => Math.floor(Math.floor(index / (perGroup * taps)) / (outputs / group)) * perGroup + (Math.floor(index / taps) % perGroup),
    };
  }
  if (node.is('ConvTranspose')) {
    const group = node.int('group', 1);
    const [inputs = 0, perGroup = 0] = shape;
    const taps = shape.slice(2).reduce((product, dim) => product * dim, 1);
    return {
      ...base, inputs, outputs: perGroup * group,
      outputOf: (index) => Math.floor(Math.floor(index / (perGroup * taps)) / (inputs / group)) * perGroup + (Math.floor(index / taps) % perGroup),
      inputOf: (index) => Math.floor(index / (perGroup * taps)),
    };
  }
  if (shape.length !== 2) return false;
  if (node.is('MatMul') && rankOf(node.inputs[0]) !== 2) return false;
  if (node.is('Gemm') && (node.int('transA', 0) !== 0 || !isRowBias(bias, node))) return false;
  const transposed = node.is('Gemm') && node.int('transB', 0) !== 0;
  const [rows, columns] = shape as [number, number];
  const [row, column] = [(index: number): number => Math.floor(index / columns), (index: number): number => index % columns];
  return transposed
    ? { ...base, outputs: rows, inputs: columns, outputOf: row, inputOf: column }
    : { ...base, outputs: columns, inputs: rows, outputOf: column, inputOf: row };
}

/** The output channels scaled and shifted: W'[o,…] = scale[o] · W[o,…], b' = scale · b + shift. Products in float64, rounded once. */
export function scaleOutputs($: Builder, linear: Linear, { scale, shift }: ChannelAffine): Value {
  const weight = mapWeight(linear, (value, index) => value * scale[linear.outputOf(index)]!);
  const bias = biasOf(linear).map((value, channel) => value * scale[channel]! + shift[channel]!);
  return rebuild($, linear, weight, bias);
}

/** The input channels scaled and shifted before the node reads them: W'[o,i] = W[o,i] · scale[i], b' = b + Σ W[o,i] · shift[i]. */
export function scaleInputs($: Builder, linear: Linear, { scale, shift }: ChannelAffine, x: Value): Value {
  const bias = biasOf(linear);
  const alpha = linear.node.is('Gemm') ? linear.node.float('alpha', 1) : 1;
  const weight = mapWeight(linear, (value, index) => {
    const channel = linear.inputOf(index);
    bias[linear.outputOf(index)]! += alpha * value * shift[channel]!;
    return value * scale[channel]!;
  });
  return rebuild($, linear, weight, bias, x);
}

/** True if the bias of a Gemm is absent or one constant for each column, so that it can be scaled. */
function isRowBias(bias: Value | undefined, node: Node): boolean {
  if (bias === undefined) return true;
  const tensor = bias.constant;
  const columns = node.inputs[1]!.constant!.shape[node.int('transB', 0) === 0 ? 1 : 0]!;
  return tensor !== undefined && (tensor.size === 1 || (tensor.size === columns && tensor.shape.at(-1) === columns));
}

/** The bias as float64, zeros if there is none; Gemm's beta is multiplied in. */
function biasOf({ node, bias, outputs }: Linear): Float64Array {
  const beta = node.is('Gemm') ? node.float('beta', 1) : 1;
  const elements = bias?.constant?.floats();
  return Float64Array.from({ length: outputs }, (_, channel) => (elements === undefined ? 0 : beta * (elements.length === 1 ? elements[0]! : elements[channel]!)));
}

function mapWeight({ weight }: Linear, f: (value: number, index: number) => number): Tensor {
  const { dtype, shape } = weight.constant;
  const values = Float64Array.from(weight.constant.floats(), f);
  return Tensor.of(dtype, dtype === 'double' ? values : Float32Array.from(values), shape);
}

/** The node with other weights and a bias; a MatMul becomes a Gemm, which has one. */
function rebuild($: Builder, { node, weight, bias }: Linear, tensor: Tensor, shift: Float64Array, x: Value = node.inputs[0]!): Value {
  const dtype = tensor.dtype;
  const w = $.constant(tensor, weight.name);
  // A bias that is zero throughout, where there was none, is left out.
  const needsBias = bias !== undefined || shift.some((value) => value !== 0);
  const b = needsBias ? $.constant(Tensor.of(dtype, dtype === 'double' ? shift : Float32Array.from(shift)), bias?.name ?? `${node.name}.bias`) : undefined;
  if (node.is('MatMul')) return $.op(b === undefined ? 'MatMul' : 'Gemm', [x, w, b], {});
  const attributes = new Map(node.attributes);
  attributes.delete('beta');
  return $.op(node.op, [x, w, b], attributes);
}

/** True if the bias may be changed: absent or constant. */
export function hasFixedBias({ bias }: Linear): boolean {
  return bias === undefined || bias.constant !== undefined;
}

/** True if the node reads nothing from beyond the edges of its input. */
export function readsNoPadding(node: Node): boolean {
  if (!node.is('Conv')) return !node.is('ConvTranspose');
  const auto = node.string('auto_pad', 'NOTSET');
  return auto === 'VALID' || (auto === 'NOTSET' && node.ints('pads', []).every((pad) => pad === 0));
}
