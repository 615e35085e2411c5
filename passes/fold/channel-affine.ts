import type { Node, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { no, type Decline } from '../rewrite.ts';
import { dimsOf, isFloatValue, rankOf } from './operands.ts';

/** y = scale · x + shift, one pair for each channel (axis 1), in float64. */
export interface ChannelAffine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/**
 * What a BatchNormalization does at inference: scale = γ / √(σ² + ε), shift = β − μ · scale (Ioffe & Szegedy 2015; ONNX operator BatchNormalization).
 * Declines where the node is in training form, has parameters that are not constant, or a variance that gives no finite scale.
 */
export function batchNormAffine(node: Node): ChannelAffine | Decline {
  const [, gamma, beta, mean, variance] = node.inputs.map((value) => value?.constant);
  if (node.outputs.some((value, index) => index > 0 && value !== undefined) || node.int('training_mode', 0) !== 0) return no('it normalises with the statistics of the batch');
  if (node.int('spatial', 1) === 0) return no('it has parameters of its own for each place (spatial = 0)');
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined) return no('its parameters are not constant');
  const epsilon = Math.fround(node.float('epsilon', 1e-5));
  const [g, b, m, v] = [gamma.floats(), beta.floats(), mean.floats(), variance.floats()];
  const scale = Float64Array.from(v, (item, channel) => g[channel]! / Math.sqrt(item + epsilon));
  const shift = Float64Array.from(scale, (item, channel) => b[channel]! - m[channel]! * item);
  const wrong = scale.findIndex((item, channel) => !Number.isFinite(item) || !Number.isFinite(shift[channel]!));
  return wrong < 0 ? { scale, shift } : no(`channel ${wrong} has variance ${v[wrong]!}, which gives no finite scale`);
}

/**
 * What Mul, Div, Add or Sub with a constant does to each channel of its other operand `x`. False where the constant is not one number for each
 * channel, where the result would have another shape than `x`, or where the number of channels is unknown.
 */
export function elementwiseAffine(node: Node, x: Value, constant: Tensor): ChannelAffine | Decline | false {
  const channels = dimsOf(x)?.[1];
  const rank = rankOf(x);
  if (rank === undefined || typeof channels !== 'number' || !isFloatValue(x) || constant.size > Math.max(channels, 1)) return false;
  if (constant.shape.length > rank) return false;
  const own = constant.shape.findIndex((dim) => dim !== 1);
  if (own >= 0 && (constant.size !== channels || own + rank - constant.shape.length !== 1 || constant.shape[own] !== channels)) return false;
  const elements = constant.floats();
  const each = (f: (c: number) => number): Float64Array => Float64Array.from({ length: channels }, (_, channel) => f(elements.length === 1 ? elements[0]! : elements[channel]!));
  const first = node.inputs[0] === x;
  const affine = ((): ChannelAffine | undefined => {
    switch (node.op) {
      case 'Mul':
        return { scale: each((c) => c), shift: each(() => 0) };
      case 'Div':
        return first ? { scale: each((c) => 1 / c), shift: each(() => 0) } : undefined;
      case 'Add':
        return { scale: each(() => 1), shift: each((c) => c) };
      case 'Sub':
        return first ? { scale: each(() => 1), shift: each((c) => -c) } : { scale: each(() => -1), shift: each((c) => c) };
      default:
        return undefined;
    }
  })();
  if (affine === undefined) return false;
  return [...affine.scale, ...affine.shift].every(Number.isFinite) ? affine : no('the constant has elements that are not finite');
}
