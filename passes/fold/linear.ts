import type { Node, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import type { Constant } from '../pattern.ts';
import { no, type Builder, type Decline } from '../rewrite.ts';
import type { ChannelAffine } from './channel-affine.ts';
import { rankOf } from './operands.ts';

/** Shared weights above this many bytes are not copied to be scaled for one of their readers: the file would grow. */
const largestShared = 65536;

/**
 * A node that is linear in its first input, with constant weights: how channels lie in them. The weights are seen as rows × columns × taps,
 * row-major: the first two axes and all the others together.
 */
export interface Linear {
  readonly node: Node;
  readonly weight: Constant;
  readonly bias: Value | undefined;
  readonly rows: number;
  readonly columns: number;
  readonly taps: number;
  /** Channels of the input (all groups) and of the output. */
  readonly inputs: number;
  readonly outputs: number;
  /** Output channel that the weights of this row and column contribute to, and the input channel that they read. */
  outputOf(row: number, column: number): number;
  inputOf(row: number, column: number): number;
}

/** Conv, ConvTranspose, Gemm or MatMul as Linear; declines with the reason where its weights cannot be changed, false where it is another form. */
export function linearOf(node: Node): Linear | Decline | false {
  const [, weight, bias] = node.inputs;
  const tensor = weight?.constant;
  if (weight === undefined || tensor === undefined) return false;
  if (tensor.dtype !== 'float' && tensor.dtype !== 'double') return no(`its weights are ${tensor.dtype}, which would lose precision`);
  if (weight.uses.length > 1 && tensor.byteLength > largestShared) return no(`its weights '${weight.name}' have other readers`);
  const [rows = 0, columns = 0, ...kernel] = tensor.shape;
  const base = { node, weight: weight as Constant, bias, rows, columns, taps: sizeOf(kernel) };
  if (node.is('Conv', 'ConvTranspose')) {
    // Rows are the channels of one side, all groups; columns those of the other side within a group.
    const group = node.int('group', 1);
    const ofRow = (row: number): number => row;
    const ofColumn = (row: number, column: number): number => Math.floor(row / (rows / group)) * columns + column;
    return node.op === 'Conv'
      ? { ...base, outputs: rows, inputs: columns * group, outputOf: ofRow, inputOf: ofColumn }
      : { ...base, inputs: rows, outputs: columns * group, outputOf: ofColumn, inputOf: ofRow };
  }
  if (tensor.shape.length !== 2) return false;
  if (node.is('MatMul') && rankOf(node.inputs[0]) !== 2) return false;
  if (node.is('Gemm') && (node.int('transA', 0) !== 0 || !isRowBias(bias, node))) return false;
  const transposed = node.is('Gemm') && node.int('transB', 0) !== 0;
  const ofRow = (row: number): number => row;
  const ofColumn = (_: number, column: number): number => column;
  return transposed
    ? { ...base, outputs: rows, inputs: columns, outputOf: ofRow, inputOf: ofColumn }
    : { ...base, outputs: columns, inputs: rows, outputOf: ofColumn, inputOf: ofRow };
}

/** Weights and biases that a node shall have. */
export interface Rescaled {
  readonly linear: Linear;
  readonly weight: Tensor;
  readonly bias: Float32Array | Float64Array;
}

/** The output channels scaled and shifted: W'[o,…] = scale[o] · W[o,…], b' = scale · b + shift. Products in float64, rounded once. Declines where one overflows. */
export function scaleOutputs(linear: Linear, { scale, shift }: ChannelAffine): Rescaled | Decline {
  const weight = scaled(linear, (row, column) => scale[linear.outputOf(row, column)]!);
  const bias = biasOf(linear).map((value, channel) => value * scale[channel]! + shift[channel]!);
  return inRange(linear, weight, bias);
}

/** The input channels scaled and shifted before the node reads them: W'[o,i] = W[o,i] · scale[i], b' = b + Σ W[o,i] · shift[i], summed in float64. Declines where one overflows. */
export function scaleInputs(linear: Linear, { scale, shift }: ChannelAffine): Rescaled | Decline {
  const { node, rows, columns, taps } = linear;
  const bias = biasOf(linear);
  const alpha = node.is('Gemm') ? node.float('alpha', 1) : 1;
  const elements = linear.weight.constant.floats();
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (const end = at + taps; at < end; at++) sum += elements[at]!;
      bias[linear.outputOf(row, column)]! += alpha * sum * shift[linear.inputOf(row, column)]!;
    }
  }
  return inRange(linear, scaled(linear, (row, column) => scale[linear.inputOf(row, column)]!), bias);
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

/** The weights times a factor for each row and column, in float64, rounded once. */
function scaled({ weight, rows, columns, taps }: Linear, factorOf: (row: number, column: number) => number): Tensor {
  const { dtype, shape } = weight.constant;
  const elements = weight.constant.floats();
  const result = dtype === 'double' ? new Float64Array(elements.length) : new Float32Array(elements.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const factor = factorOf(row, column);
      for (const end = at + taps; at < end; at++) result[at] = elements[at]! * factor;
    }
  }
  return Tensor.of(dtype, result, shape);
}

/** Two factors that cancel in the model may overflow when they meet in the weights. */
function inRange(linear: Linear, weight: Tensor, exact: Float64Array): Rescaled | Decline {
  const bias = weight.dtype === 'double' ? exact : Float32Array.from(exact);
  return weight.floats().every(Number.isFinite) && bias.every(Number.isFinite) ? { linear, weight, bias } : no('its weights would not be finite', linear.node);
}

/** The node with other weights and a bias, reading `x`; a MatMul becomes a Gemm, which has a bias. */
export function rebuild($: Builder, { linear: { node, weight, bias }, weight: tensor, bias: shift }: Rescaled, x: Value = node.inputs[0]!): Value {
  const w = $.constant(tensor, weight.name);
  // A bias that is zero throughout, where there was none, is left out.
  const needsBias = bias !== undefined || shift.some((value) => value !== 0);
  const b = needsBias ? $.constant(Tensor.of(tensor.dtype, shift), bias?.name ?? `${node.name}.bias`) : undefined;
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
