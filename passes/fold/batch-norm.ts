import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { any, constant, oneOf, op, opsetOf } from '../pattern.ts';
import { Decline, no, rule, type Rule } from '../rewrite.ts';
import { batchNormAffine, elementwiseAffine, type ChannelAffine } from './channel-affine.ts';
import { hasFixedBias, linearOf, readsNoPadding, rebuild, scaleInputs, scaleOutputs, type Linear, type Rescaled } from './linear.ts';
import { dimsOf, rankOf } from './operands.ts';
import { paddingOf, repadded } from './pads.ts';

/**
 * BatchNormalization and constant scale or shift of channels, folded into the weights next to them. Sums are taken in another order, so these
 * rules are not bit-exact: products are formed in float64 and rounded once to the weights' type.
 */

const linearOps = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];
const affineOps = ['Mul', 'Div', 'Add', 'Sub'];

/** Weights and affine that fit each other, or why not. Gemm broadcasts its bias and BatchNormalization is of inference form since opset 7. */
function pair(linear: Linear | Decline | false, affine: ChannelAffine | Decline | false, side: 'inputs' | 'outputs'): { linear: Linear; affine: ChannelAffine } | Decline | false {
  if (linear === false || affine === false) return false;
  if (linear instanceof Decline) return linear;
  if (affine instanceof Decline) return affine;
  if (!hasFixedBias(linear)) return no('the bias is not constant', linear.node);
  if (opsetOf(linear.node) < 7 || affine.scale.length !== linear[side]) return false;
  return { linear, affine };
}

/** The weights with the affine in them, or why not. */
function joined(linear: Linear | Decline | false, affine: ChannelAffine | Decline | false, side: 'inputs' | 'outputs'): Rescaled | Decline | false {
  const found = pair(linear, affine, side);
  if (found === false || found instanceof Decline) return found;
  return side === 'outputs' ? scaleOutputs(found.linear, found.affine) : scaleInputs(found.linear, found.affine);
}

/** A BatchNormalization or MatMul/Gemm affine works on axis 1, which is the columns of a matrix. */
function isMatrix(node: Node): boolean {
  return !node.is('Gemm', 'MatMul') || rankOf(node.outputs[0]) === 2;
}

const afterLinear = rule({
  name: 'linear-batch-norm',
  summary: 'Folds a BatchNormalization into the weights of the node before it.',
  match: op('BatchNormalization', oneOf(linearOps).as('linear').soleUse()).open(),
  when: ({ root, linear }) => isMatrix(linear) && joined(linearOf(linear), batchNormAffine(root), 'outputs'),
  rewrite: ($, _, rescaled) => rebuild($, rescaled),
});

/** Exact where nothing is padded, since padding is not shifted, or where no channel is shifted. */
const beforeLinear = rule({
  name: 'batch-norm-linear',
  summary: 'Folds a BatchNormalization into the weights of the node behind it.',
  match: oneOf(linearOps, op('BatchNormalization', any('x')).as('norm').open().soleUse()).open(),
  when: ({ root, norm }) => {
    if (root.is('Gemm', 'MatMul') && rankOf(root.inputs[0]) !== 2) return false;
    const found = pair(linearOf(root), batchNormAffine(norm), 'inputs');
    if (found === false || found instanceof Decline) return found;
    const shifted = found.affine.shift.some((value) => value !== 0);
    return !shifted || readsNoPadding(root) ? scaleInputs(found.linear, found.affine) : no('the node behind it pads, and padding is not normalised', norm);
  },
  rewrite: ($, { x }, rescaled) => rebuild($, rescaled, x),
});

const elementwiseAfter = rule({
  name: 'linear-scale-shift',
  summary: 'Folds a constant factor or summand of each channel into the weights of the node before it.',
  match: affineOps.flatMap((name) => [
    op(name, oneOf(linearOps).as('linear').soleUse(), constant('c')),
    ...(name === 'Sub' ? [op(name, constant('c'), oneOf(linearOps).as('linear').soleUse())] : []),
  ]),
  when: ({ root, linear, c }) => {
    // A plain bias for a MatMul is matmul-add's case; scaling it here would be the same with more words.
    if (!isMatrix(linear)) return false;
    return joined(linearOf(linear), elementwiseAffine(root, linear.output, c.constant), 'outputs');
  },
  rewrite: ($, _, rescaled) => rebuild($, rescaled),
});

const elementwiseBefore = rule({
  name: 'scale-linear',
  summary: 'Folds a constant factor of each channel into the weights of the node behind it.',
  match: ['Mul', 'Div'].map((name) => oneOf(linearOps, op(name, any('x'), constant('c')).as('factor').soleUse()).open()),
  when: ({ root, factor, x, c }) => {
    if (root.is('Gemm', 'MatMul') && rankOf(root.inputs[0]) !== 2) return false;
    return joined(linearOf(root), elementwiseAffine(factor, x, c.constant), 'inputs');
  },
  rewrite: ($, { x }, rescaled) => rebuild($, rescaled, x),
});

/** The number that all channels agree on once they are rounded to the type of the weights. */
function agreed(values: Float64Array, { weight }: Linear): number | undefined {
  const rounded = weight.constant.dtype === 'double' ? values : Float32Array.from(values);
  const [first] = rounded;
  return first !== undefined && Number.isFinite(first) && rounded.every((value) => value === first) ? first : undefined;
}

/** What a Pad fills in when an affine of channels moves past it: the same where it copies elements; else what `mapped` says, the same for all channels; or why not. */
function padValue(pad: Node, linear: Linear, mapped: (value: number) => Float64Array): { readonly value: number | undefined } | Decline | false {
  const padding = paddingOf(pad);
  if (padding === undefined || padding.before[1] !== 0 || padding.behind[1] !== 0) return false;
  if (padding.value === undefined) return { value: undefined };
  const value = agreed(mapped(padding.value), linear);
  return value === undefined ? no('what is padded would be another number for each channel', pad) : { value };
}

/** Normalising what is copied is copying what is normalised; a constant has to be normalised to one number. */
const beforePad = rule({
  name: 'linear-pad-batch-norm',
  summary: 'Folds a BatchNormalization into the weights of the node before the Pad before it.',
  match: op('BatchNormalization', op('Pad', oneOf(['Conv', 'ConvTranspose']).as('linear').soleUse()).as('pad').open().soleUse()).open(),
  when: ({ root, linear, pad }) => {
    const found = pair(linearOf(linear), batchNormAffine(root), 'outputs');
    if (found === false || found instanceof Decline) return found;
    const { scale, shift } = found.affine;
    const padded = padValue(pad, found.linear, (value) => scale.map((factor, channel) => factor * value + shift[channel]!));
    if (padded === false || padded instanceof Decline) return padded;
    const rescaled = scaleOutputs(found.linear, found.affine);
    return rescaled instanceof Decline ? rescaled : { rescaled, ...padded };
  },
  rewrite: ($, { linear, pad }, { rescaled, value }) => repadded($, pad, rebuild($, rescaled, undefined, { name: linear.name, types: [linear.output.type] }), value),
});

/** The other way round, a constant has to be what one number is normalised to. The padding of the Conv itself is not normalised. */
const behindPad = rule({
  name: 'batch-norm-pad-linear',
  summary: 'Folds a BatchNormalization into the weights of the Conv behind the Pad behind it.',
  match: op('Conv', op('Pad', op('BatchNormalization', any('x')).as('norm').open().soleUse()).as('pad').open().soleUse()).open(),
  when: ({ root, norm, pad }) => {
    const found = pair(linearOf(root), batchNormAffine(norm), 'inputs');
    if (found === false || found instanceof Decline) return found;
    const { scale, shift } = found.affine;
    if (shift.some((value) => value !== 0) && !readsNoPadding(root)) return no('the node behind it pads, and padding is not normalised', norm);
    const padded = padValue(pad, found.linear, (value) => scale.map((factor, channel) => (value - shift[channel]!) / factor));
    if (padded === false || padded instanceof Decline) return padded;
    const rescaled = scaleInputs(found.linear, found.affine);
    return rescaled instanceof Decline ? rescaled : { rescaled, ...padded };
  },
  rewrite: ($, { x, pad }, { rescaled, value }) => rebuild($, rescaled, repadded($, pad, x, value, pad.name)),
});

/** The parts of the parameters go where the parts of the channels come from; every part is then folded by `linear-batch-norm`. */
const throughConcat = rule({
  name: 'concat-batch-norm',
  summary: 'Moves a BatchNormalization of a Concat of channels to before it, where each part folds.',
  match: op('BatchNormalization', op('Concat').as('concat').soleUse()).open(),
  when: ({ root, concat }) => {
    const affine = batchNormAffine(root);
    if (affine instanceof Decline || concat.int('axis', 1) !== 1) return false;
    const sizes = concat.inputs.map((value) => dimsOf(value)?.[1]);
    const folds = concat.inputs.every((value) => {
      const producer = value?.producer;
      if (producer === undefined || value!.uses.length !== 1 || producer.graph !== root.graph || !producer.is('Conv', 'ConvTranspose')) return false;
      const linear = linearOf(producer);
      return linear !== false && !(linear instanceof Decline) && hasFixedBias(linear);
    });
    return folds && sizes.every((size): size is number => typeof size === 'number') && { sizes };
  },
  rewrite: ($, { root, concat }, { sizes }) => {
    let start = 0;
    const parts = concat.inputs.map((value, index): Value => {
      const end = start + sizes[index]!;
      const slices = root.inputs.slice(1).map((parameter) => $.constant(rows(parameter!.constant!, start, end), parameter!.name));
      start = end;
      return $.op('BatchNormalization', [value, ...slices], root.attributes, { types: [value?.type] });
    });
    return $.op('Concat', parts, concat.attributes);
  },
});

/** MatMul of matrices and a constant row: one Gemm, which adds the row. The same sums in the same order. */
const matmulAdd = rule({
  name: 'matmul-add',
  summary: 'Joins a MatMul of matrices and the Add of a constant row to a Gemm.',
  match: op('Add', op('MatMul', any('a'), constant('b')).as('product').soleUse(), constant('row')),
  when: ({ root, product, a, b, row }) => {
    const columns = b.constant.shape[1];
    const fits = rankOf(a) === 2 && b.constant.shape.length === 2 && rankOf(product.output) === 2 && opsetOf(root) >= 7 && b.constant.dtype === row.constant.dtype
      && ['float', 'double', 'float16'].includes(b.constant.dtype);
    const { shape, size } = row.constant;
    return fits && shape.length <= 2 && size === columns && shape.at(-1) === columns;
  },
  rewrite: ($, { a, b, row }) => $.op('Gemm', [a, b, row]),
});

/** Elements `start` to `end` of a tensor with one axis. */
function rows(tensor: Tensor, start: number, end: number): Tensor {
  const bytes = tensor.bytes();
  const step = bytes.length / tensor.size;
  return Tensor.fromBytes(tensor.dtype, [end - start], bytes.slice(start * step, end * step));
}

/** Folding of BatchNormalization. */
export const batchNorm: readonly Rule[] = [afterLinear, beforeLinear, beforePad, behindPad, throughConcat];

/** Folding of other per-channel arithmetic into weights. */
export const affine: readonly Rule[] = [matmulAdd, elementwiseAfter, elementwiseBefore];
