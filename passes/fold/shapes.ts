import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, staticShape, type Dim } from '../../ir/type.ts';
import { any, oneOf, op, opsetOf } from '../pattern.ts';
import { no, rule, type Rule } from '../rewrite.ts';
import { dimensionsOf } from './dimensions.ts';
import { axisOf, dimsOf, listOf, rankOf } from './operands.ts';

/**
 * Shape arithmetic, computed from types instead of at run time. Symbols stand for lengths that are only known then: a symbolic batch
 * stays symbolic. Exact, since symbols come from the inputs of the graph alone (inference takes none from what is declared of results), as long
 * as axes of inputs that have one name have one length.
 */

const arithmetic = ['Shape', 'Size', 'Gather', 'Slice', 'Concat', 'Unsqueeze', 'Squeeze', 'Cast', 'Reshape', 'Add', 'Sub', 'Mul', 'Div'];

/** Exact although parts of the shape may be symbols: those are not among the elements. */
const constantDimensions = rule({
  name: 'shape-arithmetic',
  summary: 'Replaces a computation on shapes by its result.',
  match: oneOf(arithmetic),
  when: ({ root }) => {
    const { output } = root;
    const shape = staticShape(output.type);
    const dtype = dtypeOfType(output.type);
    if (shape === undefined || shape.length > 1 || (dtype !== 'int64' && dtype !== 'int32')) return false;
    const elements = dimensionsOf(output);
    if (elements?.length !== (shape[0] ?? 1) || !elements.every((item): item is number => typeof item === 'number')) return false;
    return { tensor: Tensor.of(dtype, elements, shape) };
  },
  rewrite: ($, { root }, { tensor }) => $.constant(tensor, root.output.name),
});

/**
 * 0 copies an axis of the input, one −1 takes what the others leave: enough where at most one length is neither a number nor copied. Both together only where the
 * computed shape has that −1 itself: a −1 next to an axis that is 0 at run time is refused.
 */
const reshape = rule({
  name: 'reshape-symbolic',
  summary: 'Replaces the computed shape of a Reshape by one of numbers, 0 and −1.',
  match: op('Reshape', any('x'), any('shape')),
  when: ({ root, x, shape }) => {
    if (shape.constant !== undefined || opsetOf(root) < 5 || root.int('allowzero', 0) !== 0) return false;
    const target = dimensionsOf(shape);
    const dims = dimsOf(x);
    if (target === undefined) return false;
    const made = dimsOf(root.output);
    const literal = target.map((item, axis): number => {
      const length = typeof item === 'number' ? item : staticLength(made, target.length, axis);
      if (length !== undefined && length !== 0) return length;
      return isSymbol(item) && item === dims?.[axis] ? 0 : item === 0 ? 0 : -1;
    });
    const computed = literal.flatMap((item, axis) => (item === -1 ? [target[axis]] : []));
    if (computed.length > 1) return false;
    return literal.includes(0) && computed.some((item) => item !== -1) ? no('it copies an axis, which may be empty, and computes another') : { literal };
  },
  rewrite: ($, { x }, { literal }) => $.op('Reshape', [x, $.ints(literal)]),
});

/** Expanding an axis to 1 keeps its length; so a symbol that the input has in the same place needs no computing. */
const expand = rule({
  name: 'expand-symbolic',
  summary: 'Replaces the computed shape of an Expand by numbers, with 1 where the input has the length already.',
  match: op('Expand', any('x'), any('shape')),
  when: ({ x, shape }) => {
    const target = shape.constant === undefined ? dimensionsOf(shape) : undefined;
    const dims = dimsOf(x);
    if (target === undefined || dims === undefined) return false;
    const literal = target.map((item, axis) => (isSymbol(item) && item === dims[axis + dims.length - target.length] ? 1 : item));
    return literal.every((item): item is number => typeof item === 'number') && { literal };
  },
  rewrite: ($, { x }, { literal }) => $.op('Expand', [x, $.ints(literal)]),
});

/** Slicing up to the length of the axis is slicing to its end. */
const sliceToEnd = rule({
  name: 'slice-to-end',
  summary: 'Replaces a computed end of a Slice that is the length of the axis.',
  match: op('Slice', any('x'), any('starts'), any('ends')).open(),
  when: ({ root, x, ends }) => {
    const dims = dimsOf(x);
    const axes = listOf(root, 3, 'axes', null);
    if (ends.constant !== undefined || dims === undefined || axes === undefined || dtypeOfType(ends.type) !== 'int64') return false;
    const elements = dimensionsOf(ends);
    const literal = elements?.map((item, index) => {
      const axis = axisOf(axes?.[index] ?? index, rankOf(x));
      return isSymbol(item) && axis !== undefined && item === dims[axis] ? 2 ** 31 - 1 : item;
    });
    return literal?.every((item): item is number => typeof item === 'number') === true && { literal };
  },
  rewrite: ($, { root, x, starts }, { literal }) => $.op('Slice', [x, starts, $.ints(literal), ...root.inputs.slice(3)]),
});

function isSymbol(dim: Dim): dim is string {
  return typeof dim === 'string';
}

/** The length that the type of the result states. */
function staticLength(dims: readonly Dim[] | undefined, rank: number, axis: number): number | undefined {
  const length = dims?.length === rank ? dims[axis] : undefined;
  return typeof length === 'number' ? length : undefined;
}

/** Shape arithmetic. */
export const shapes: readonly Rule[] = [constantDimensions, reshape, expand, sliceToEnd];
