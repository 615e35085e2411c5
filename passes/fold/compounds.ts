import { floatAttribute } from '../../ir/attribute.ts';
import type { Node, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { any, constant, op, opsetOf, type Constant, type OpPattern } from '../pattern.ts';
import { no, rule, type Rule } from '../rewrite.ts';
import { axisOf, dimsOf, listOf, rankOf } from './operands.ts';

/**
 * Operators that exporters of older operator sets spell out, recognised and, where the model's operator set has the operator, replaced by it.
 * The sums and products are the same up to rounding: the operator may round once where the spelled-out form rounds at each node.
 */

/** The only element of a constant, as a number. */
function scalar({ constant: tensor }: Constant): number | undefined {
  return tensor.size === 1 ? tensor.floats()[0] : undefined;
}

/** True if a constant is this number, up to how finely exporters write it: about five digits. */
function isAbout(value: Constant, number: number): boolean {
  const found = scalar(value);
  return found !== undefined && Math.abs(found - number) <= 2e-5 * Math.abs(number);
}

/** Constants of one element but several axes make a result of more axes than `x` has; the operators that stand for it keep the rank. */
function keepsRank(root: Node, x: Value): boolean {
  const rank = rankOf(x);
  return rank !== undefined && rank === rankOf(root.output);
}

/** True for `x − ReduceX(x)` over the same axes as `reduction`, which is how norms and Softmax begin. */
function isCentred(d: Value, by: string, reduction: Node): Value | undefined {
  const node = d.producer;
  const [x, mean] = node?.is('Sub') ? node.inputs : [];
  const inner = mean?.producer;
  if (x === undefined || inner === undefined || !inner.is(by) || inner.inputs[0] !== x) return undefined;
  const [a, b] = [axesOf(inner), axesOf(reduction)];
  return a !== undefined && b !== undefined && a.join() === b.join() ? x : undefined;
}

/** Axes of a reduction that keeps its axes, counted from the front and sorted; undefined where they are not known. */
function axesOf(node: Node): readonly number[] | undefined {
  const rank = rankOf(node.inputs[0]);
  const axes = listOf(node, 1, 'axes', null);
  if (rank === undefined || axes === undefined || node.int('keepdims', 1) !== 1) return undefined;
  if (axes === null) return node.int('noop_with_empty_axes', 0) === 0 ? Array.from({ length: rank }, (_, axis) => axis) : undefined;
  const counted = axes.map((axis) => axisOf(axis, rank)!);
  return counted.sort((a, b) => a - b);
}

/** The first of the axes that a norm runs over, if they are all axes from it to the last. */
function trailing(axes: readonly number[] | undefined, rank: number | undefined): number | undefined {
  const [first] = axes ?? [];
  return first !== undefined && rank !== undefined && axes!.every((axis, index) => axis === first + index) && axes!.at(-1) === rank - 1 ? first : undefined;
}

/** The square of something: `Pow(d, 2)` or `d · d`. */
const squares: readonly OpPattern<{ readonly d: Value; readonly square: Node }>[] = [
  op('Pow', any('d'), any('two', (value) => value.constant?.size === 1 && value.constant.floats()[0] === 2)).as('square'),
  op('Mul', any('d'), any('d')).as('square'),
];

/** (x − E[x]) / √(E[(x − E[x])²] + ε) · γ + β, Ba, Kiros & Hinton 2016. */
const layerNorm = rule({
  name: 'layer-normalization',
  summary: 'Replaces a spelled-out layer normalisation by LayerNormalization.',
  match: squares.map((squared) => op('Add',
    op('Mul',
      op('Div', any('d'), op('Sqrt', op('Add', op('ReduceMean', squared).open().as('variance'), constant('epsilon')))),
      constant('gamma')),
    constant('beta'))),
  when: ({ root, d, variance, epsilon, gamma, beta }) => {
    const x = isCentred(d, 'ReduceMean', variance);
    const axis = trailing(axesOf(variance), rankOf(d));
    const eps = scalar(epsilon);
    // The operator computes in float unless told otherwise.
    if (x === undefined || axis === undefined || eps === undefined || !keepsRank(root, x) || dtypeOfType(x.type) === 'double') return false;
    const normalized = dimsOf(x)?.slice(axis);
    if (![gamma, beta].every(({ constant: tensor }) => tensor.shape.join() === normalized?.join())) return no('its scale or shift is not one number for each normalised element');
    return opsetOf(root) >= 17 ? { x, axis, eps } : no('LayerNormalization came with opset 17');
  },
  rewrite: ($, { gamma, beta }, { x, axis, eps }) => $.op('LayerNormalization', [x, gamma, beta], { axis, epsilon: floatAttribute(eps) }),
});

/** 1 / √(E[x²] + ε), as factor or divisor. */
const rootMeanSquares = squares.map((squared) => op('Sqrt', op('Add', op('ReduceMean', squared).open().as('mean'), constant('epsilon'))));

/** x / √(E[x²] + ε) · γ, Zhang & Sennrich 2019. */
const rmsNorm = rule({
  name: 'rms-normalization',
  summary: 'Replaces a spelled-out normalisation by the root mean square by RMSNormalization.',
  match: rootMeanSquares.flatMap((rms): OpPattern<RootMeanSquare>[] => [
    op('Mul', op('Div', any('d'), rms), constant('gamma')),
    op('Mul', op('Mul', any('d'), op('Reciprocal', rms)), constant('gamma')),
    op('Mul', op('Mul', any('d'), op('Div', constant('one', isOne), rms)), constant('gamma')),
  ]),
  when: ({ root, d, mean, epsilon, gamma }) => {
    const axis = trailing(axesOf(mean), rankOf(d));
    const eps = scalar(epsilon);
    if (axis === undefined || eps === undefined || !keepsRank(root, d) || dtypeOfType(d.type) === 'double') return false;
    if (gamma.constant.shape.join() !== dimsOf(d)?.slice(axis).join()) return no('its scale is not one number for each normalised element');
    return opsetOf(root) >= 23 ? { axis, eps } : no('RMSNormalization came with opset 23');
  },
  rewrite: ($, { d, gamma }, { axis, eps }) => $.op('RMSNormalization', [d, gamma], { axis, epsilon: floatAttribute(eps) }),
});

interface RootMeanSquare {
  readonly d: Value;
  readonly mean: Node;
  readonly epsilon: Constant;
  readonly gamma: Constant;
}

function isOne(tensor: Tensor): boolean {
  return tensor.size === 1 && tensor.floats()[0] === 1;
}

/** x · ½ · (1 + erf(x / √2)) in any order of the factors, Hendrycks & Gimpel 2016. */
const erfs = [
  op('Add', op('Erf', op('Div', any('x'), constant('factor')).as('by')), constant('one')),
  op('Add', op('Erf', op('Mul', any('x'), constant('factor')).as('by')), constant('one')),
] as const;

const gelu = rule({
  name: 'gelu',
  summary: 'Replaces a spelled-out GELU by Gelu.',
  match: erfs.flatMap((erf) => [
    op('Mul', op('Mul', any('x'), erf), constant('half')),
    op('Mul', any('x'), op('Mul', erf, constant('half'))),
    op('Mul', op('Mul', any('x'), constant('half')), erf),
  ]),
  when: ({ root, x, half, one, factor, by }) => {
    if (!keepsRank(root, x) || scalar(half) !== 0.5 || scalar(one) !== 1 || !isAbout(factor, by.op === 'Div' ? Math.SQRT2 : Math.SQRT1_2)) return false;
    return opsetOf(root) >= 20 || no('Gelu came with opset 20');
  },
  rewrite: ($, { x }) => $.op('Gelu', [x]),
});

/** min(max(x + 3, 0), 6): six times the gate of MobileNetV3 (Howard et al. 2019). */
const relu6 = op('Clip', op('Add', any('x'), constant('three')), constant('low'), constant('high'));

const hardSigmoid = rule({
  name: 'hard-sigmoid',
  summary: 'Replaces a spelled-out hard sigmoid by HardSigmoid.',
  match: [op('Div', relu6, constant('six')), op('Mul', relu6, constant('six'))],
  when: ({ root, x, three, low, high, six }) => {
    // Integers divide otherwise, and ONNX Runtime has no HardSigmoid for double.
    const dtype = dtypeOfType(x.type);
    if ((dtype !== 'float' && dtype !== 'float16') || !keepsRank(root, x)) return false;
    return scalar(three) === 3 && scalar(low) === 0 && scalar(high) === 6 && isAbout(six, root.op === 'Div' ? 6 : 1 / 6);
  },
  rewrite: ($, { x }) => $.op('HardSigmoid', [x], { alpha: floatAttribute(1 / 6), beta: floatAttribute(0.5) }),
});

const hardSwish = rule({
  name: 'hard-swish',
  summary: 'Replaces x times its hard sigmoid by HardSwish.',
  match: op('Mul', any('x'), op('HardSigmoid', any('x')).as('gate')),
  when: ({ root, gate }) => {
    const fits = Math.abs(gate.float('alpha', 0.2) - 1 / 6) < 1e-5 && gate.float('beta', 0.5) === 0.5;
    return fits && (opsetOf(root) >= 14 || no('HardSwish came with opset 14'));
  },
  rewrite: ($, { x }) => $.op('HardSwish', [x]),
});

/** x · σ(α x): SiLU where α is 1 (Elfwing et al. 2017), an approximation of GELU where it is 1.702. */
const swish = rule({
  name: 'swish',
  summary: 'Replaces x times its sigmoid (SiLU) by Swish.',
  match: [
    op('Mul', any('x'), op('Sigmoid', any('x'))),
    op('Mul', any('x'), op('Sigmoid', op('Mul', any('x'), constant('alpha')))),
  ] as readonly OpPattern<{ readonly x: Value; readonly alpha?: Constant }>[],
  when: ({ root, x, alpha }) => {
    const factor = alpha === undefined ? 1 : scalar(alpha);
    if (factor === undefined || !keepsRank(root, x)) return false;
    return opsetOf(root) >= 24 ? { factor } : no('Swish came with opset 24');
  },
  rewrite: ($, { x }, { factor }) => $.op('Swish', [x], factor === 1 ? {} : { alpha: floatAttribute(factor) }),
});

/** exp(x − max x) / Σ exp(x − max x) over one axis. */
const softmax = rule({
  name: 'softmax',
  summary: 'Replaces a spelled-out softmax by Softmax.',
  match: op('Div', any('e'), op('ReduceSum', any('e')).open().as('sum')),
  when: ({ root, e, sum }) => {
    const axes = axesOf(sum);
    const exp = e.producer;
    if (exp === undefined || !exp.is('Exp') || axes?.length !== 1) return false;
    const x = isCentred(exp.inputs[0]!, 'ReduceMax', sum);
    // Before opset 13 Softmax flattens what follows the axis: the same only for the last one.
    const last = axes[0] === (rankOf(e) ?? 0) - 1;
    return x !== undefined && (opsetOf(root) >= 13 || last) && { x, axis: axes[0]! };
  },
  rewrite: ($, _, { x, axis }) => $.op('Softmax', [x], { axis }),
});

/** Recognition of spelled-out operators; the order lets a hard sigmoid become part of a HardSwish. */
export const compounds: readonly Rule[] = [layerNorm, rmsNorm, gelu, hardSigmoid, hardSwish, swish, softmax];
