import type { Node, Value } from '../../../ir/model.ts';
import { axisOf, listOf } from '../../fold/operands.ts';
import type { Flow } from '../flow.ts';
import { renumbered, type Layout } from '../layout.ts';
import type { Relate, Relations } from '../relation.ts';
import { axisAttribute } from './lengths.ts';

/**
 * The axes of a reduction, ascending: an attribute, or from opset 13 or 18 on an input. Those of an operator that names none are `fallback`, or else all, or with `noop_with_empty_axes` none. Undefined if only running
 * the model tells.
 */
export function axesOf(node: Node, rank: number, fallback?: readonly number[]): readonly number[] | undefined {
  const given = listOf(node, 1, 'axes', []);
  if (given === undefined) return undefined;
  if (given.length > 0) return given.map((axis) => axisOf(axis, rank)!).sort((a, b) => a - b);
  if (fallback !== undefined) return fallback;
  return node.int('noop_with_empty_axes', 0) === 0 ? Array.from({ length: rank }, (_, axis) => axis) : [];
}

/** Channels that meet in a sum or a mean along an axis: they may go, and what is made of them changes. Within a part of several axes, the mode of heads says what stays. */
export function fold(flow: Flow, x: Value, axis: number): void {
  const ids = flow.separate(x, axis);
  if (ids !== undefined) flow.member('reduction', x, axis, ids);
}

/** What a reduction leaves of the channels: those on other axes, which move up if the reduced ones are dropped. */
function remaining(flow: Flow, x: Value, reduced: readonly number[], keepDims: boolean): Layout {
  const layout = flow.layout(x).filter(({ axes }) => axes.every((axis) => !reduced.includes(axis)));
  return keepDims ? layout : renumbered(layout, (axis) => axis - reduced.filter((other) => other < axis).length, (axis) => flow.length(x, axis)!);
}

/**
 * A reduction over axes. Sums (of magnitudes, of squares) lose only the terms of what is removed, and a mean changes by the share C/C′, which recovery can repair; channels that any other reduction
 * meets stay, since removing one changes the result in a way that nothing repairs.
 */
const reduction = (mayShrink: boolean): Relate => (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  const axes = rank === undefined ? undefined : axesOf(node, rank);
  if (x === undefined || axes === undefined) {
    flow.rigidAll(x, 'is reduced over axes that are not known');
    return;
  }
  for (const axis of axes) {
    if (mayShrink) fold(flow, x, axis);
    else flow.rigid(x, axis, `is reduced by ${node.op}`);
  }
  flow.set(node.outputs[0], remaining(flow, x, axes, node.int('keepdims', 1) !== 0));
};

/** Positions along an axis. */
const position: Relate = (node, flow) => {
  const [x] = node.inputs;
  const rank = flow.rank(x);
  if (x === undefined || rank === undefined) {
    flow.rigidAll(x, 'is searched along an axis that is not known');
    return;
  }
  const axis = axisAttribute(node, rank, 0);
  flow.rigid(x, axis, `holds what ${node.op} gives the position of`);
  flow.set(node.outputs[0], remaining(flow, x, [axis], node.int('keepdims', 1) !== 0));
};

export const reductions: Relations = {
  ...Object.fromEntries(['ReduceSum', 'ReduceMean', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum'].map((op) => [op, reduction(true)])),
  ...Object.fromEntries(['ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceLogSumExp'].map((op) => [op, reduction(false)])),
  ArgMax: position,
  ArgMin: position,
};
