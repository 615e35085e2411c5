import type { Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Target } from '../target.ts';
import { any, oneOf, op, opsetOf } from '../pattern.ts';
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

/** The rules for a target: none but for kernels that take pairs before and behind every operator, as those of ONNX Runtime do. */
export function kernelRules({ placement }: Target): readonly Rule[] {
  return placement.pairs === 'all' ? [normAsConvolution, meanAsPool, gateAsConvolution] : [];
}
