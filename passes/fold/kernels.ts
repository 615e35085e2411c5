import type { Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import type { Target } from '../target.ts';
import { any, constant, oneOf, op, optional, opsetOf } from '../pattern.ts';
import { Decline, rule, type Rule } from '../rewrite.ts';
import { batchNormAffine } from './channel-affine.ts';
import { dimsOf, isFloatValue, listOf, rankOf } from './operands.ts';

/**
 * Operators that the target has no int8 kernel for, as others that do the same and have one. They come last: what can be folded away needs no kernel.
 */

/** What is left of BatchNormalization (behind a Concat, say) multiplies and shifts each channel: a depthwise convolution of one weight, which rounds to a code exactly. */
const normAsConvolution = rule({
  name: 'batch-norm-as-conv',
  summary: 'Replaces a BatchNormalization that cannot be folded by a depthwise convolution of one weight for each channel.',
  match: op('BatchNormalization', any('x')).open(),
  when: ({ root, x }) => {
    const rank = rankOf(x);
    if (rank === undefined || rank < 3 || rank > 5 || opsetOf(root) < 7 || x.type?.kind !== 'tensor' || x.type.dtype !== 'float') return false;
    const affine = batchNormAffine(root);
    return affine instanceof Decline || { affine, rank };
  },
  rewrite: ($, { x }, { affine: { scale, shift }, rank }) => {
    const channels = scale.length;
    const ones = new Array<number>(rank - 2).fill(1);
    const weight = $.constant(Tensor.of('float', scale, [channels, 1, ...ones]), 'scale');
    return $.op('Conv', [x, weight, $.constant(Tensor.of('float', shift), 'shift')], { group: channels, kernel_shape: ones });
  },
});

/** A mean over all axes behind the channels is what GlobalAveragePool computes. */
const meanAsPool = rule({
  name: 'mean-as-pool',
  summary: 'Replaces a mean over all axes behind the channels by GlobalAveragePool.',
  match: op('ReduceMean', any('x')).open(),
  when: ({ root, x }) => {
    const rank = rankOf(x);
    const axes = listOf(root, 1, 'axes', undefined)?.map((axis) => (axis < 0 && rank !== undefined ? axis + rank : axis)).sort((a, b) => a - b);
    if (rank === undefined || rank < 3 || axes === undefined || !isFloatValue(x)) return false;
    return axes.length === rank - 2 && axes.every((axis, index) => axis === index + 2);
  },
  rewrite: ($, { root, x }) => {
    const pooled = $.op('GlobalAveragePool', [x]);
    return root.int('keepdims', 1) === 0 ? $.op('Flatten', [pooled], { axis: 1 }) : pooled;
  },
});

/** clip(αx + β, 0, 1) is a depthwise convolution whose result is cut off at 0 and 1, which is what its rounding does. */
const gateAsConvolution = rule({
  name: 'hard-sigmoid-as-conv',
  summary: 'Replaces a HardSigmoid, also that of a HardSwish, by a depthwise convolution of one weight for each channel, and a Clip.',
  match: oneOf(['HardSigmoid', 'HardSwish'], any('x')).open(),
  when: ({ x }) => {
    const dims = dimsOf(x);
    return dims !== undefined && dims.length >= 3 && dims.length <= 5 && typeof dims[1] === 'number' && x.type?.kind === 'tensor' && x.type.dtype === 'float' && { channels: dims[1], rank: dims.length };
  },
  rewrite: ($, { root, x }, { channels, rank }) => {
    const [alpha, beta] = root.is('HardSwish') ? [1 / 6, 0.5] : [root.float('alpha', 0.2), root.float('beta', 0.5)];
    const ones = new Array<number>(rank - 2).fill(1);
    const each = (number: number, shape: readonly number[], name: string): Value => $.constant(Tensor.of('float', new Float32Array(channels).fill(number), shape), name);
    const line = $.op('Conv', [x, each(alpha, [channels, 1, ...ones], 'alpha'), each(beta, [channels], 'beta')], { group: channels, kernel_shape: ones });
    const gate = $.op('Clip', [line, $.constant(Tensor.scalar('float', 0), 'zero'), $.constant(Tensor.scalar('float', 1), 'one')]);
    return root.is('HardSwish') ? $.op('Mul', [x, gate]) : gate;
  },
});

/**
 * A transposed convolution that moves by one element is a convolution with its kernel turned round: y[o] = Σ w[i, o, t] x[i, p − d t + b], for a kernel of k, dilation d and padding b, reads x as a convolution with
 * padding d (k − 1) − b does. Int8 kernels take one scale for the weights of a transposed convolution, but one for each output channel of a convolution, and all of them have kernels for the latter.
 * The sums may come in another order.
 */
const transposedAsConvolution = rule({
  name: 'conv-transpose-as-conv',
  summary: 'Replaces a ConvTranspose whose strides are 1 by the Conv that computes the same.',
  match: op('ConvTranspose', any('x'), constant('w'), optional(any('b'))).open(),
  when: ({ root, w }) => {
    const { shape, dtype } = w.constant;
    const kernel = shape.slice(2);
    const each = (name: string, value: number, length = kernel.length): readonly number[] => root.ints(name, new Array<number>(length).fill(value));
    if (kernel.length === 0 || dtype !== 'float' || w.uses.length > 1 || root.string('auto_pad', 'NOTSET') !== 'NOTSET' || root.attributes.has('output_shape')) return false;
    if (each('strides', 1).some((stride) => stride !== 1) || each('output_padding', 0).some((more) => more !== 0)) return false;
    const dilations = each('dilations', 1);
    const pads = each('pads', 0, 2 * kernel.length).map((pad, at) => dilations[at % kernel.length]! * (kernel[at % kernel.length]! - 1) - pad);
    return pads.every((pad) => pad >= 0) && { kernel, dilations, pads, group: root.int('group', 1) };
  },
  rewrite: ($, { x, w, b }, { kernel, dilations, pads, group }) => (
    $.op('Conv', [x, $.constant(turned(w.constant, group), w.name), b], { group, kernel_shape: kernel, dilations, pads, strides: kernel.map(() => 1) })
  ),
});

/** Weights [inputs, outputs of a group, kernel…] of a ConvTranspose as those of a Conv [outputs, inputs of a group, kernel…], with each kernel in the opposite order along all of its axes. */
function turned(weights: Tensor, group: number): Tensor {
  const [inputs = 0, columns = 0, ...kernel] = weights.shape;
  const taps = sizeOf(kernel);
  const rows = inputs / group;
  const old = weights.floats();
  const result = new Float32Array(old.length);
  for (let input = 0, from = 0; input < inputs; input++) {
    for (let column = 0; column < columns; column++, from += taps) {
      const to = ((Math.floor(input / rows) * columns + column) * rows + input % rows) * taps;
      for (let tap = 0; tap < taps; tap++) result[to + taps - 1 - tap] = old[from + tap]!;
    }
  }
  return Tensor.of('float', result, [columns * group, rows, ...kernel]);
}

/** The rules for a target; most are for kernels that take pairs before and behind every operator, as those of ONNX Runtime do. */
export function kernelRules({ placement }: Target): readonly Rule[] {
  return [transposedAsConvolution, ...(placement.pairs === 'all' ? [normAsConvolution, meanAsPool, gateAsConvolution] : [])];
}
