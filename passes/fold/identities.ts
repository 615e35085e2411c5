import type { Node, Value } from '../../ir/model.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { any, attributeOf, constant, oneOf, op, opsetOf } from '../pattern.ts';
import { no, rule, type Decline, type Rule } from '../rewrite.ts';
import { isRandom } from './barriers.ts';
import { isCertainlyFinite } from './finite.ts';
import { axisOf, broadcastsInto, dimsOf, isFilledWith, listOf, numbersOf, rankOf, sameKind } from './operands.ts';

/** A rule that hands the readers of a node over to its first input where `when` says so. */
function removes(name: string, summary: string, ops: readonly string[], when: (node: Node, x: Value) => boolean | Decline): Rule {
  return rule({ name, summary, match: oneOf(ops, any('x')).open(), when: ({ root, x }) => when(root, x), rewrite: (_, { x }) => x });
}

/** True if nothing reads the outputs behind the first. */
function isSingle(node: Node): boolean {
  return node.outputs.every((value, index) => index === 0 || value === undefined || value.uses.length === 0);
}

const identity = removes('identity', 'Removes an Identity.', ['Identity'], () => true);

const dropout = removes('dropout', 'Removes a Dropout, which does nothing outside training.', ['Dropout'], (node) => {
  if (isRandom(node)) return no('it is asked to drop elements as in training');
  return isSingle(node) || no('its mask is read');
});

const cast = removes('cast-to-same', 'Removes a cast to the type that its input has.', ['Cast', 'CastLike'], (node, x) => {
  const from = dtypeOfType(x.type);
  return from !== undefined && from === dtypeOfType(node.output.type);
});

const pad = removes('pad-nothing', 'Removes a Pad by nothing.', ['Pad'], (node) => {
  const pads = listOf(node, 1, opsetOf(node) < 2 ? 'paddings' : 'pads', undefined);
  return pads?.every((count) => count === 0) ?? false;
});

const slice = removes('slice-all', 'Removes a Slice that takes everything.', ['Slice'], (node, x) => {
  const starts = listOf(node, 1, 'starts', undefined);
  const ends = listOf(node, 2, 'ends', undefined);
  const axes = listOf(node, 3, 'axes', null);
  const steps = numbersOf(node.inputs[4]);
  if (starts === undefined || ends === undefined || axes === undefined || (node.inputs[4] !== undefined && !steps?.every((step) => step === 1))) return false;
  const dims = dimsOf(x);
  return starts.every((start, index) => {
    const axis = axisOf(axes?.[index] ?? index, dims?.length);
    const dim = axis === undefined ? undefined : dims?.[axis];
    const length = typeof dim === 'number' ? dim : undefined;
    // No axis of a tensor that fits a machine is longer than 2^31 − 1, the usual way to say "to the end".
    const fromStart = start === 0 || start <= -(2 ** 31) || (length !== undefined && start <= -length);
    return fromStart && ends[index]! >= (length ?? 2 ** 31 - 1);
  });
});

const reshape = removes('reshape-to-same', 'Removes a change of shape that leaves the shape as it is.', ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Expand'], (node, x) => {
  if (sameKind(x, node.output)) return true;
  const rank = rankOf(x);
  switch (node.op) {
    case 'Flatten':
      return rank === 2 && axisOf(node.int('axis', 1), rank) === 1;
    case 'Reshape': {
      // 0 copies an axis, one −1 takes what is left.
      const target = listOf(node, 1, 'shape', undefined);
      const dims = dimsOf(x);
      if (target === undefined || target.length !== dims?.length || (node.int('allowzero', 0) === 1 && target.includes(0))) return false;
      return target.filter((dim) => dim === -1).length <= 1 && target.every((dim, axis) => dim === -1 || dim === 0 || dim === dims[axis]);
    }
    case 'Expand': {
      const target = numbersOf(node.inputs[1]);
      return target !== undefined && rank !== undefined && target.length <= rank && target.every((dim) => dim === 1);
    }
    default:
      // Squeeze and Unsqueeze only add or take axes: an equal rank says that they did neither.
      return rank !== undefined && rank === rankOf(node.output);
  }
});

const transpose = removes('transpose-nothing', 'Removes a Transpose that leaves the order of the elements as it is.', ['Transpose'], (node, x) => {
  const dims = dimsOf(x);
  const perm = permutationOf(node, dims?.length);
  if (perm === undefined) return false;
  if (perm.every((axis, index) => axis === index)) return true;
  // Moving axes of length 1 about moves no element; the shape must be the same as well.
  const moved = perm.filter((axis) => dims?.[axis] !== 1);
  return sameKind(x, node.output) && moved.every((axis, index) => index === 0 || axis > moved[index - 1]!);
});

/** The permutation of a Transpose; reversed axes if it has none. Undefined if the rank is needed and unknown, or if it is no permutation. */
export function permutationOf(node: Node, rank: number | undefined): readonly number[] | undefined {
  const perm = node.ints('perm') ?? (rank === undefined ? undefined : Array.from({ length: rank }, (_, axis) => rank - 1 - axis));
  return perm?.every((_, axis) => perm.includes(axis)) ? perm : undefined;
}

const single = rule({
  name: 'single-operand',
  summary: 'Removes an operator over several operands that has only one.',
  match: oneOf(['Concat', 'Sum', 'Max', 'Min', 'Mean'], any('x')),
  rewrite: (_, { x }) => x,
});

const emptyOperand = rule({
  name: 'concat-empty',
  summary: 'Takes empty constants out of a Concat.',
  match: op('Concat'),
  when: ({ root }) => {
    const axis = axisOf(root.int('axis', 1), rankOf(root.inputs[0]));
    const kept = root.inputs.filter((value) => !(value?.constant !== undefined && axis !== undefined && value.constant.shape[axis] === 0));
    return kept.length > 0 && kept.length < root.inputs.length && { kept };
  },
  rewrite: ($, { root }, { kept }) => $.op('Concat', kept, root.attributes),
});

/** At scale 1 every coordinate transformation but the cropping one maps each place to itself, and all interpolations then take that element. */
const resize = removes('resize-nothing', 'Removes a Resize by a factor of 1.', ['Resize', 'Upsample'], (node, x) => {
  const mode = attributeOf(node, 'coordinate_transformation_mode');
  if (mode === 'tf_crop_and_resize' || mode === 'tf_half_pixel_for_nn' || node.int('antialias', 0) === 1) return false;
  const old = node.op === 'Upsample' || opsetOf(node) < 11;
  const scales = listOf(node, old ? 1 : 2, 'scales', undefined);
  if (scales !== undefined && scales.length > 0) return scales.every((scale) => scale === 1);
  const sizes = old ? undefined : numbersOf(node.inputs[3]);
  const dims = dimsOf(x);
  const axes = node.ints('axes');
  return sizes !== undefined && sizes.length > 0 && dims !== undefined && sizes.every((size, index) => {
    const axis = axisOf(axes?.[index] ?? index, dims.length);
    return axis !== undefined && dims[axis] === size;
  });
});

/**
 * Multiplication and division by 1 and subtraction of +0 are exact for every number, NaN and −0 included. Adding 0 turns −0 into +0, which is
 * equal to it; only 1/x, atan2 and the like can tell. Users expect `x + 0` to go, so it goes, and the sign of a zero may change.
 */
const neutral = rule({
  name: 'neutral-operand',
  summary: 'Removes arithmetic with an operand that changes nothing.',
  match: [
    op('Mul', any('x'), constant('c')), op('Div', any('x'), constant('c')), op('Add', any('x'), constant('c')), op('Sub', any('x'), constant('c')),
    op('Pow', any('x'), constant('c')), op('And', any('x'), constant('c')), op('Or', any('x'), constant('c')),
  ],
  when: ({ root, x, c }) => {
    const tensor = c.constant;
    if (!broadcastsInto(tensor, x) || (root.op === 'Pow' && dtypeOfType(root.output.type) !== dtypeOfType(x.type))) return false;
    switch (root.op) {
      case 'Add':
        return isFilledWith(tensor, 0) || isFilledWith(tensor, -0);
      case 'Sub':
      case 'Or':
        return isFilledWith(tensor, 0);
      default:
        return isFilledWith(tensor, 1);
    }
  },
  rewrite: (_, { x }) => x,
});

/** A maximum starts from the lowest number: kernels give that for a window of NaN or −∞ alone, so the elements must be finite. */
const pool = removes('pool-of-one', 'Removes a pooling over windows of one element.', ['AveragePool', 'MaxPool', 'GlobalAveragePool', 'GlobalMaxPool'], (node, x) => {
  if (node.op.endsWith('MaxPool') && !isCertainlyFinite(x)) return false;
  if (node.op.startsWith('Global')) return dimsOf(x)?.slice(2).every((dim) => dim === 1) ?? false;
  const all = (name: string, number: number): boolean => node.ints(name, []).every((item) => item === number);
  return node.attributes.has('kernel_shape') && all('kernel_shape', 1) && all('strides', 1) && all('pads', 0) && isSingle(node);
});

const reduceOne = rule({
  name: 'reduce-of-one',
  summary: 'Replaces a reduction over axes of length 1 by a change of shape, or by nothing.',
  match: oneOf(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd'], any('x')).open(),
  when: ({ root, x }) => {
    const axes = listOf(root, 1, 'axes', null);
    const dims = dimsOf(x);
    if (axes === undefined || dims === undefined) return false;
    const empty = axes === null || axes.length === 0;
    if (empty && root.int('noop_with_empty_axes', 0) === 1) return { axes: [] };
    const reduced = empty ? dims.map((_, axis) => axis) : axes.map((axis) => axisOf(axis, dims.length)!);
    return reduced.every((axis) => dims[axis] === 1) && { axes: root.int('keepdims', 1) === 1 ? [] : reduced };
  },
  rewrite: ($, { root, x }, { axes }) => {
    if (axes.length === 0) return x;
    const { type } = root.output;
    return $.opset < 13 ? $.op('Squeeze', [x], { axes }, { types: [type] }) : $.op('Squeeze', [x, $.ints(axes, `${root.name}_axes`)], {}, { types: [type] });
  },
});

const gather = removes('gather-all', 'Removes a Gather of everything in order.', ['Gather'], (node, x) => {
  const indices = node.inputs[1]?.constant;
  const dims = dimsOf(x);
  const axis = axisOf(node.int('axis', 0), dims?.length);
  if (indices?.shape.length !== 1 || axis === undefined || dims?.[axis] !== indices.size) return false;
  return indices.floats().every((item, index) => item === index);
});

const tile = removes('tile-once', 'Removes a Tile that repeats nothing.', ['Tile'], (node) => opsetOf(node) >= 6 && (numbersOf(node.inputs[1])?.every((count) => count === 1) ?? false));

const splitOne = removes('split-into-one', 'Removes a Split into one part.', ['Split'], (node) => node.outputs.length === 1);

/** Bounds that are left out are the lowest and the largest number of the type. */
const clip = removes('clip-unbounded', 'Removes a Clip without bounds.', ['Clip'], (node, x) => {
  if (node.inputs.some((value, index) => index > 0 && value !== undefined) || node.attributes.has('min') || node.attributes.has('max')) return false;
  return isCertainlyFinite(x) || no('it clips infinities to the largest finite number');
});

const whereConstant = rule({
  name: 'where-constant',
  summary: 'Replaces a Where whose condition is constant by the operand that it takes.',
  match: op('Where', constant('condition', ({ size }) => size <= 65536), any('x'), any('y')),
  when: ({ root, condition, x, y }) => {
    const taken = isFilledWith(condition.constant, 1) ? x : isFilledWith(condition.constant, 0) ? y : undefined;
    return taken !== undefined && sameKind(taken, root.output) && { taken };
  },
  rewrite: (_, __, { taken }) => taken,
});

/** Nodes whose output is their input: bit for bit, but for the sign of a zero in `neutral-operand` and `pool-of-one`. */
export const identities: readonly Rule[] = [
  identity, dropout, cast, pad, slice, reshape, transpose, single, emptyOperand, resize, neutral, pool, reduceOne, gather, tile, splitOne, clip, whereConstant,
];
