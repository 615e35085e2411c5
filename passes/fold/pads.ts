import { floatAttribute } from '../../ir/attribute.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { any, attributeOf, op } from '../pattern.ts';
import { no, rule, type Builder, type Rule } from '../rewrite.ts';
import { isCertainlyFinite } from './finite.ts';
import { axisOf, listOf, numbersOf, rankOf } from './operands.ts';

/** Constant padding joined with the padding that convolution and pooling have themselves. */

export interface Padding {
  /** Elements added before and behind each axis; negative ones crop. */
  readonly before: readonly number[];
  readonly behind: readonly number[];
  /** What they are; undefined where they are copies of elements of the input. */
  readonly value: number | undefined;
}

/** What a Pad adds to each axis of its input; undefined where it is not known. */
export function paddingOf(node: Node): Padding | undefined {
  const rank = rankOf(node.inputs[0]);
  const pads = listOf(node, 1, 'pads', undefined);
  const axes = node.inputs[3] === undefined ? null : numbersOf(node.inputs[3]);
  const copies = attributeOf(node, 'mode') !== 'constant';
  const value = copies ? undefined : node.inputs[2] === undefined ? node.float('value', 0) : numbersOf(node.inputs[2])?.[0];
  if (rank === undefined || pads === undefined || axes === undefined || (value === undefined && !copies)) return undefined;
  const count = pads.length / 2;
  if (!Number.isInteger(count) || (axes === null ? count !== rank : axes.length !== count)) return undefined;
  const before = new Array<number>(rank).fill(0);
  const behind = new Array<number>(rank).fill(0);
  for (let index = 0; index < count; index++) {
    const axis = axisOf(axes?.[index] ?? index, rank);
    if (axis === undefined || axis >= rank) return undefined;
    before[axis] = pads[index]!;
    behind[axis] = pads[index + count]!;
  }
  return { before, behind, value };
}

/** The same Pad of another value that it fills in. Undefined: the value, or the way of copying, stays. */
export function repadded($: Builder, pad: Node, x: Value, value: number | undefined, name?: string): Value {
  const [, pads, , axes] = pad.inputs;
  const more = name === undefined ? {} : { name };
  if (value === undefined) return $.op('Pad', [x, ...pad.inputs.slice(1)], pad.attributes, more);
  if ($.opset < 11) return $.op('Pad', [x], new Map([...pad.attributes, ['value', floatAttribute(value)]]), more);
  return $.op('Pad', [x, pads, $.constant(Tensor.scalar(dtypeOfType(x.type) ?? 'float', value), `${pad.name}_value`), axes], pad.attributes, more);
}

/** Padding of batch, channels, by a negative amount or by copies cannot be said by a convolution or a pool. */
function isSpatial({ before, behind, value }: Padding): boolean {
  return value !== undefined && [...before.slice(0, 2), ...behind.slice(0, 2)].every((count) => count === 0) && [...before, ...behind].every((count) => count >= 0);
}

/** The window's own pads with those of a Pad added; undefined where the window pads by a rule instead of by numbers. */
function joined(window: Node, { before, behind }: Padding): number[] | undefined {
  const auto = window.string('auto_pad', 'NOTSET');
  if (auto !== 'NOTSET' && auto !== 'VALID') return undefined;
  const spatial = before.length - 2;
  const own = auto === 'VALID' ? [] : window.ints('pads', []);
  return [...before.slice(2), ...behind.slice(2)].map((count, index) => count + (own.length === 2 * spatial ? own[index]! : 0));
}

const intoConv = rule({
  name: 'pad-conv',
  summary: 'Joins a Pad with zeros to the padding of the Conv behind it.',
  match: op('Conv', op('Pad', any('x')).as('pad').open()).open(),
  when: ({ root, pad }) => {
    const padding = paddingOf(pad);
    if (padding === undefined || !isSpatial(padding)) return false;
    if (padding.value !== 0) return no(`it pads with ${padding.value!}, a Conv with 0`, pad);
    const pads = joined(root, padding);
    return pads === undefined ? no('the Conv pads by a rule (auto_pad), not by numbers') : { pads };
  },
  rewrite: ($, { root, x }, { pads }) => $.op('Conv', [x, ...root.inputs.slice(1)], new Map([...without(root, 'auto_pad'), ['pads', { kind: 'ints', value: pads }]])),
});

/** Exact for an average that counts the padding; a pool that rounds its output size up may read beyond it, and is left alone. */
const intoAverage = rule({
  name: 'pad-average-pool',
  summary: 'Joins a Pad with zeros to the padding of the AveragePool behind it.',
  match: op('AveragePool', op('Pad', any('x')).as('pad').open()),
  when: ({ root, pad }) => {
    const padding = paddingOf(pad);
    if (padding?.value !== 0 || !isSpatial(padding) || root.int('ceil_mode', 0) !== 0) return false;
    const own = root.ints('pads', []);
    if (root.int('count_include_pad', 0) === 0 && own.some((count) => count !== 0)) return no('the pool counts the padding of the Pad, but not its own');
    const pads = joined(root, padding);
    return pads !== undefined && pads.every((count, index) => count < windowOf(root, index, pads.length)) && { pads };
  },
  rewrite: ($, { root, x }, { pads }) => $.op('AveragePool', [x], new Map([
    ...without(root, 'auto_pad'), ['pads', { kind: 'ints', value: pads }], ['count_include_pad', { kind: 'int', value: 1 }],
  ])),
});

/**
 * A MaxPool ignores padding: right where the Pad's value never exceeds an element, that is for the lowest number, or for 0 below values that are not negative.
 * NaN and −∞ are below every Pad and, in a window of their own, give what the kernel starts from: the elements must certainly be finite, as integers are.
 * A dilated window may lie in padding wholly, with its gap over the input.
 */
const intoMax = rule({
  name: 'pad-max-pool',
  summary: 'Joins a Pad to the padding of the MaxPool behind it.',
  match: op('MaxPool', op('Pad', any('x')).as('pad').open()),
  when: ({ root, pad, x }) => {
    const padding = paddingOf(pad);
    if (padding === undefined || !isSpatial(padding) || root.outputs[1] !== undefined || root.int('ceil_mode', 0) !== 0) return false;
    if (root.ints('dilations', []).some((step) => step !== 1)) return false;
    if (!(padding.value! <= leastOf(x) || (padding.value === 0 && isNonNegative(x)))) return no(`it pads with ${padding.value!}, which may be the maximum of a window`, pad);
    if (!isCertainlyFinite(x)) return no('a window may hold nothing but NaN or −∞, of which the padding would then be the maximum', pad);
    const pads = joined(root, padding);
    return pads !== undefined && pads.every((count, index) => count < windowOf(root, index, pads.length)) && { pads };
  },
  rewrite: ($, { root, x }, { pads }) => $.op('MaxPool', [x], new Map([...without(root, 'auto_pad'), ['pads', { kind: 'ints', value: pads }]])),
});

/** Runtimes refuse padding that is as large as the window: a window could then lie in it wholly. */
function windowOf(node: Node, index: number, count: number): number {
  return node.ints('kernel_shape', [])[index % (count / 2)] ?? 0;
}

/** A number that no finite element is below. */
function leastOf(x: Value): number {
  const dtype = dtypeOfType(x.type);
  return dtype === 'float' ? -3.4028234663852886e38 : dtype === 'int8' ? -128 : dtype === 'uint8' ? 0 : -Infinity;
}

/** True if no element can be below zero. */
function isNonNegative(value: Value): boolean {
  return value.producer?.is('Relu', 'Sigmoid', 'Softmax') ?? false;
}

function without(node: Node, name: string): Node['attributes'] {
  return new Map([...node.attributes].filter(([key]) => key !== name));
}

/** Joining of padding. */
export const pads: readonly Rule[] = [intoConv, intoAverage, intoMax];
