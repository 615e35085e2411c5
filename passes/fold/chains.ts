import { dtypeBits, isFloat, type DType } from '../../ir/dtype.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, type Dim } from '../../ir/type.ts';
import { any, constant, oneOf, op } from '../pattern.ts';
import { no, rule, type Builder, type Rule } from '../rewrite.ts';
import { permutationOf } from './identities.ts';
import { axisOf, dimsOf, isFloatValue, listOf, numbersOf, rankOf } from './operands.ts';

const transposes = rule({
  name: 'transpose-transpose',
  summary: 'Merges a Transpose of a Transpose into one.',
  match: op('Transpose', op('Transpose', any('x')).as('inner')),
  when: ({ root, inner, x }) => {
    const first = permutationOf(inner, rankOf(x));
    const second = permutationOf(root, first?.length);
    return first !== undefined && second?.length === first.length && { perm: second.map((axis) => first[axis]!) };
  },
  rewrite: ($, { x, root }, { perm }) => (perm.every((axis, index) => axis === index) ? x : $.op('Transpose', [x], { perm }, { types: [root.output.type] })),
});

const shapers = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'] as const;

const reshapes = rule({
  name: 'reshape-reshape',
  summary: 'Merges a chain of Reshape, Flatten, Squeeze and Unsqueeze into one Reshape.',
  match: oneOf(shapers, oneOf(shapers, any('x')).open().as('inner')).open(),
  when: ({ root, inner, x }) => {
    // A target without 0 does not look at the shape before it.
    const own = root.op === 'Reshape' ? listOf(root, 1, 'shape', undefined) : undefined;
    if (own !== undefined && !own.includes(0)) return { target: own };
    const made = dimsOf(root.output);
    const target = targetOf(dimsOf(x), made);
    if (target === undefined) return no('the shape in between is not known well enough to leave it out');
    const copied = target.includes(-1) ? target.flatMap((length, axis) => (length === 0 ? [made![axis]] : [])) : [];
    if (copied.every((dim) => refusesEmpty(root, dim) || refusesEmpty(inner, dim))) return { target };
    return no('one Reshape would have to copy an axis and to compute another, which fails where the copied one is empty');
  },
  rewrite: ($, { x, root }, { target }) => reshaped($, x, target, root),
});

/** True if a Reshape computes the length of an axis by −1 and fails where another, of this length, is 0. */
function refusesEmpty(node: Node, dim: Dim): boolean {
  const at = node.op === 'Reshape' ? listOf(node, 1, 'shape', undefined)?.indexOf(-1) ?? -1 : -1;
  return at >= 0 && (dimsOf(node.output)?.some((other, axis) => axis !== at && other === dim) ?? false);
}

/** A Reshape to a constant shape. */
function reshaped($: Builder, x: Value, target: readonly number[], like: Node): Value {
  const more = { types: [like.output.type] };
  return $.opset < 5 ? $.op('Reshape', [x], { shape: target }, more) : $.op('Reshape', [x, $.ints(target, `${like.name}_shape`)], {}, more);
}

/**
 * The constant shape that reshapes `from` to `to`: lengths where they are known, 0 for an axis that is copied, −1 for at most one that is
 * neither. Undefined if two are neither, or if an axis is known to be empty. Next to a 0 that copies an axis of length 0, ONNX Runtime refuses −1.
 */
function targetOf(from: readonly Dim[] | undefined, to: readonly Dim[] | undefined): number[] | undefined {
  if (to === undefined || to.includes(0)) return undefined;
  const target = to.map((dim, axis) => (typeof dim === 'number' ? dim : dim !== undefined && from?.[axis] === dim ? 0 : -1));
  return target.filter((dim) => dim === -1).length <= 1 ? target : undefined;
}

const casts = rule({
  name: 'cast-cast',
  summary: 'Leaves out a cast to a type that holds every value exactly before another cast.',
  match: op('Cast', op('Cast', any('x')).as('inner')),
  when: ({ root, inner, x }) => {
    const [from, through, to] = [x, inner.output, root.output].map((value) => dtypeOfType(value.type));
    if (from === undefined || through === undefined || to === undefined || !holds(through, from)) return false;
    // Between integers what does not fit wraps around; a float that does not fit becomes anything.
    return isFloat(to) || to === 'bool' || (!isFloat(from) && (!isFloat(through) || holds(to, from)));
  },
  rewrite: ($, { x, root }) => $.op('Cast', [x], root.attributes, { types: [root.output.type] }),
});

/** Bits of the significand, the hidden one included, of the types in which integers and floats widen exactly. */
const precision: Partial<Record<DType, number>> = { float16: 11, bfloat16: 8, float: 24, double: 53 };

/** True if every number of type `narrow` is a number of type `wide`. */
function holds(wide: DType, narrow: DType): boolean {
  if (wide === narrow) return wide !== 'string';
  const integer = (dtype: DType): boolean => dtype.startsWith('int') || dtype.startsWith('uint');
  if (narrow === 'bool') return integer(wide) || wide in precision;
  if (integer(narrow)) {
    const magnitude = dtypeBits(narrow) - (narrow.startsWith('int') ? 1 : 0);
    if (wide in precision) return magnitude <= precision[wide]! && wide !== 'float16' || (wide === 'float16' && magnitude <= 8);
    return integer(wide) && (wide.startsWith('int') ? dtypeBits(wide) - 1 >= magnitude : !narrow.startsWith('int') && dtypeBits(wide) >= magnitude);
  }
  if (narrow === 'float16' || narrow === 'bfloat16') return wide === 'float' || wide === 'double';
  return narrow === 'float' && wide === 'double';
}

interface Window {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[];
  readonly steps: readonly number[];
}

/** What a Slice with constant operands takes, with axes counted from the front; undefined if it is not known. */
function windowOf(node: Node, rank: number | undefined): Window | undefined {
  const starts = listOf(node, 1, 'starts', undefined);
  const ends = listOf(node, 2, 'ends', undefined);
  const given = listOf(node, 3, 'axes', null);
  const steps = node.inputs[4] === undefined ? starts?.map(() => 1) : numbersOf(node.inputs[4]);
  if (starts === undefined || starts.length !== ends?.length || given === undefined || starts.length !== steps?.length) return undefined;
  const axes = starts.map((_, index) => axisOf(given?.[index] ?? index, rank));
  return axes.every((axis) => axis !== undefined) ? { starts, ends, axes, steps } : undefined;
}

/** Windows on one axis compose exactly where all bounds count from the front and steps are 1: the inner start moves the outer bounds. */
function compose(inner: Window, outer: Window): Window | undefined {
  const result = { starts: [...inner.starts], ends: [...inner.ends], axes: [...inner.axes], steps: [...inner.steps] };
  for (const [index, axis] of outer.axes.entries()) {
    const [start, end, step] = [outer.starts[index]!, outer.ends[index]!, outer.steps[index]!];
    const at = inner.axes.indexOf(axis);
    if (at < 0) {
      result.starts.push(start);
      result.ends.push(end);
      result.axes.push(axis);
      result.steps.push(step);
      continue;
    }
    const [from, to] = [inner.starts[at]!, inner.ends[at]!];
    if (step !== 1 || inner.steps[at] !== 1 || Math.min(from, to, start, end) < 0) return undefined;
    result.starts[at] = from + start;
    result.ends[at] = Math.max(Math.min(to, from + end), from + start);
  }
  return result;
}

const slices = rule({
  name: 'slice-slice',
  summary: 'Merges a Slice of a Slice into one.',
  match: op('Slice', op('Slice', any('x')).open().soleUse().as('inner')).open(),
  when: ({ root, inner, x }) => {
    const [first, second] = [inner, root].map((node) => windowOf(node, rankOf(x)));
    const window = first && second && compose(first, second);
    return window !== undefined && window;
  },
  rewrite: ($, { root, x }, { starts, ends, axes, steps }) => {
    const more = { types: [root.output.type] };
    if ($.opset < 10) return $.op('Slice', [x], { starts, ends, axes }, more);
    // The largest number that a float64 and an int64 share stands for "to the end".
    const clamped = [starts, ends].map((list) => list.map((bound) => Math.max(-Number.MAX_SAFE_INTEGER, Math.min(bound, Number.MAX_SAFE_INTEGER))));
    const operands = [...clamped, axes, ...(steps.some((step) => step !== 1) ? [steps] : [])];
    return $.op('Slice', [x, ...operands.map((list, index) => $.ints(list, `${root.name}_${['starts', 'ends', 'axes', 'steps'][index]!}`))], {}, more);
  },
});

const concats = rule({
  name: 'concat-concat',
  summary: 'Merges a Concat into another on the same axis.',
  match: op('Concat'),
  when: ({ root }) => {
    const axis = axisOf(root.int('axis', 1), rankOf(root.output));
    const inner = root.inputs.map((value) => {
      const { producer } = value?.uses.length === 1 ? value : {};
      return producer?.is('Concat') && producer.graph === root.graph && axis !== undefined && axisOf(producer.int('axis', 1), rankOf(value)) === axis ? producer : undefined;
    });
    return inner.some((node) => node !== undefined) && { parts: root.inputs.flatMap((value, index) => inner[index]?.inputs ?? [value]) };
  },
  rewrite: ($, { root }, { parts }) => $.op('Concat', parts, root.attributes, { types: [root.output.type] }),
});

const idempotent = rule({
  name: 'idempotent-twice',
  summary: 'Removes an operator whose operand is its own result already.',
  match: ['Relu', 'Abs', 'Ceil', 'Floor', 'Round', 'Sign'].map((name) => op(name, op(name, any('x')).as('inner'))),
  rewrite: (_, { inner }) => inner.output,
});

const involution = rule({
  name: 'involution-twice',
  summary: 'Removes two negations in a row.',
  match: ['Neg', 'Not', 'BitwiseNot'].map((name) => op(name, op(name, any('x')))),
  rewrite: (_, { x }) => x,
});

/** The interval that a Clip with constant bounds, or a Relu, restricts to. For a Clip, an infinite bound is one that is left out: it stops at the last finite number. */
function intervalOf(node: Node): readonly [number, number] | undefined {
  if (node.op === 'Relu') return [0, Infinity];
  const bound = (input: number, name: string, absent: number): number | undefined => {
    const value = node.inputs[input];
    const number = value === undefined ? node.float(name) : numbersOf(value)?.[0];
    if (value === undefined && number === undefined) return absent;
    // One that is given may be infinite, and then lets infinities through; one of 64 bits that a number does not hold exactly is left alone.
    return Number.isFinite(number) && (value === undefined || isFloatValue(value) || Number.isSafeInteger(number)) ? number : undefined;
  };
  const [low, high] = [bound(1, 'min', -Infinity), bound(2, 'max', Infinity)];
  return low !== undefined && high !== undefined && low <= high ? [low, high] : undefined;
}

/** Exact for intervals that meet: clipping to both is clipping to what they share. A Relu may differ from a Clip at 0 in the sign of the zero. */
const clips = rule({
  name: 'clip-clip',
  summary: 'Merges Clip and Relu in a row into one Clip.',
  match: oneOf(['Clip', 'Relu'], oneOf(['Clip', 'Relu'], any('x')).open().soleUse().as('inner')).open(),
  when: ({ root, inner, x }) => {
    const [first, second] = [intervalOf(inner), intervalOf(root)];
    const dtype = dtypeOfType(x.type);
    if (first === undefined || second === undefined || dtype === undefined || (root.op === 'Relu' && inner.op === 'Relu')) return false;
    const [low, high] = [Math.max(first[0], second[0]), Math.min(first[1], second[1])];
    // Beyond 2^53 a bound was rounded on the way here.
    const exact = isFloat(dtype) || [low, high].every((bound) => !Number.isFinite(bound) || Number.isSafeInteger(bound));
    return exact && low <= high && { low, high, dtype };
  },
  rewrite: ($, { root, x }, { low, high, dtype }) => {
    const more = { types: [root.output.type] };
    if ($.opset < 11) {
      const float = (value: number): { kind: 'float'; value: number } | undefined => (Number.isFinite(value) ? { kind: 'float', value } : undefined);
      return $.op('Clip', [x], { min: float(low), max: float(high) }, more);
    }
    const bound = (value: number, name: string): Value | undefined => (Number.isFinite(value) ? $.constant(Tensor.scalar(dtype, value), `${root.name}_${name}`) : undefined);
    return $.op('Clip', [x, bound(low, 'min'), bound(high, 'max')], {}, more);
  },
});

/** True if an Unsqueeze makes a vector of a scalar. */
function makesVector(node: Node): boolean {
  const axes = listOf(node, 1, 'axes', undefined);
  return axes?.length === 1 && rankOf(node.inputs[0]) === 0;
}

const gatherUnsqueeze = rule({
  name: 'gather-unsqueeze',
  summary: 'Takes one element of a vector as a vector at once, without an Unsqueeze.',
  match: op('Unsqueeze', op('Gather', any('x'), constant('index')).soleUse().as('gather')).open(),
  when: ({ root, x, index }) => makesVector(root) && rankOf(x) === 1 && index.constant.shape.length === 0,
  rewrite: ($, { root, x, gather, index }) => $.op('Gather', [x, $.constant(index.constant.reshaped([1]), index.name)], gather.attributes, { types: [root.output.type] }),
});

/** So that what makes vectors of scalars meets its like, and the Gather that takes the scalar from a shape. */
const scalarUnsqueeze = rule({
  name: 'unsqueeze-scalar-arithmetic',
  summary: 'Moves an Unsqueeze of a scalar to before the arithmetic with a constant that makes the scalar.',
  match: op('Unsqueeze', oneOf(['Add', 'Sub', 'Mul', 'Div'], any('x'), constant('c')).soleUse().as('inner')).open(),
  when: ({ root, x, c }) => makesVector(root) && rankOf(x) === 0 && c.constant.shape.length === 0,
  rewrite: ($, { root, x, c, inner }) => {
    const { type } = root.output;
    const vector = $.op('Unsqueeze', [x, root.inputs[1]], root.attributes, { types: [type] });
    return $.op(inner.op, [vector, c], inner.attributes, { types: [type] });
  },
});

/** Chains that merge into one node, exactly. */
export const chains: readonly Rule[] = [transposes, reshapes, casts, slices, concats, idempotent, involution, clips, gatherUnsqueeze, scalarUnsqueeze];
