import type { Node, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import type { Constant } from '../pattern.ts';
import { Decline, no, type Builder, type MadeNode } from '../rewrite.ts';
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
  readonly outputOf: (row: number, column: number) => number;
  readonly inputOf: (row: number, column: number) => number;
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

/** The output channels scaled and shifted: W'[o,…] = scale[o] · W[o,…], b' = scale · b + shift. Products in float64, rounded once. Declines where one overflows or a channel vanishes. */
export function scaleOutputs(linear: Linear, { scale, shift }: ChannelAffine): Rescaled | Decline {
  const weight = scaled(linear, scale, (row, column) => linear.outputOf(row, column));
  const bias = biasOf(linear).map((value, channel) => value * scale[channel]! + shift[channel]!);
  return inRange(linear, weight, bias);
}

/** The input channels scaled and shifted before the node reads them: W'[o,i] = W[o,i] · scale[i], b' = b + Σ W[o,i] · shift[i], summed in float64. Declines where one overflows or a channel vanishes. */
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
  return inRange(linear, scaled(linear, scale, (row, column) => linear.inputOf(row, column)), bias);
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

/** The least positive normal number: below it a product loses bits, at last all of them. */
const leastNormal = { float: 2 ** -126, double: 2 ** -1022 };

/** Numbers from here on round to infinity. */
const overflow = { float: 2 ** 128 - 2 ** 103, double: Infinity };

/**
 * The weights times the factor of their channel, in float64, rounded once. Declines where all weights of a channel become so small that bits are lost: what made up
 * for the factor elsewhere in the model would no longer find them. Beside a normal weight of the channel a smaller one loses less than that one is rounded by.
 */
function scaled(linear: Linear, factors: Float64Array, channelOf: (row: number, column: number) => number): Tensor | Decline {
  const { weight, rows, columns, taps, node } = linear;
  const { shape } = weight.constant;
  const dtype = weight.constant.dtype as keyof typeof leastNormal;
  const elements = weight.constant.floats();
  const result = dtype === 'double' ? new Float64Array(elements.length) : new Float32Array(elements.length);
  const largest = new Float64Array(factors.length);
  const lossy = new Set<number>();
  // Finite as long as every product is: one pass over the weights finds out.
  let sum = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const channel = channelOf(row, column);
      const factor = factors[channel]!;
      let most = largest[channel]!;
      for (const end = at + taps; at < end; at++) {
        const product = elements[at]! * factor;
        result[at] = product;
        sum += product;
        const size = Math.abs(product);
        if (size > most) most = size;
        if (size < leastNormal[dtype] && (result[at] !== product || (product === 0 && factor !== 0 && elements[at] !== 0))) lossy.add(channel);
      }
      largest[channel] = most;
    }
  }
  if (!Number.isFinite(sum) || largest.some((most) => most >= overflow[dtype])) return no('its weights would not be finite', node);
  const lost = [...lossy].find((channel) => largest[channel]! < leastNormal[dtype]);
  return lost === undefined ? Tensor.of(dtype, result, shape) : no(`its weights of channel ${lost} would vanish: they come to at most ${largest[lost]!}`, node);
}

/** Two factors that cancel in the model may overflow when they meet in the weights. */
function inRange(linear: Linear, weight: Tensor | Decline, exact: Float64Array): Rescaled | Decline {
  if (weight instanceof Decline) return weight;
  const bias = weight.dtype === 'double' ? exact : Float32Array.from(exact);
  return bias.every(Number.isFinite) ? { linear, weight, bias } : no('its weights would not be finite', linear.node);
}

/** The node with other weights and a bias, reading `x`; a MatMul becomes a Gemm, which has a bias. `more` is for where it does not stand for the root. */
export function rebuild($: Builder, { linear: { node, weight, bias }, weight: tensor, bias: shift }: Rescaled, x: Value = node.inputs[0]!, more: MadeNode = {}): Value {
  const w = $.constant(tensor, weight.name);
  // A bias that is zero throughout, where there was none, is left out.
  const needsBias = bias !== undefined || shift.some((value) => value !== 0);
  const b = needsBias ? $.constant(Tensor.of(tensor.dtype, shift), bias?.name ?? `${node.name}.bias`) : undefined;
  if (node.is('MatMul')) return $.op(b === undefined ? 'MatMul' : 'Gemm', [x, w, b], {}, more);
  const attributes = new Map(node.attributes);
  attributes.delete('beta');
  return $.op(node.op, [x, w, b], attributes, more);
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
