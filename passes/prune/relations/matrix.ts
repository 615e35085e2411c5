import type { Node, Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import { renumbered, type Layout } from '../layout.ts';
import type { Relations } from '../relation.ts';
import { broadcast, rightAligned, type Operand } from './broadcast.ts';
import { alongOutputs } from './convolution.ts';

/** One side of a product, and its axis that is summed over. */
interface Side extends Operand {
  readonly inner: number;
}

/** Y = α · A B + β · C, with A and B turned or not, and C broadcast. */
function gemm(node: Node, flow: Flow): void {
  const [a, b, c] = node.inputs;
  const [y] = node.outputs;
  if (a === undefined || b === undefined || y === undefined) return;
  const [row, inner] = node.int('transA', 0) === 0 ? [0, 1] : [1, 0];
  const [depth, column] = node.int('transB', 0) === 0 ? [0, 1] : [1, 0];
  flow.set(y, product(flow, { value: a, inner, axisOf: (axis) => (axis === row ? 0 : undefined) }, { value: b, inner: depth, axisOf: (axis) => (axis === column ? 1 : undefined) }));
  // The product has no value of its own; what it has of channels is what the output has before C is added.
  if (c !== undefined) flow.set(y, broadcast(flow, rightAligned(flow, [y, c], 2)));
}

/** Matrices in the last two axes, the axes before them broadcast; an operand with one axis is a vector. */
function matMul(a: Value | undefined, b: Value | undefined, y: Value | undefined, flow: Flow): void {
  const [left, right] = [flow.rank(a), flow.rank(b)];
  if (a === undefined || b === undefined || y === undefined || left === undefined || right === undefined) {
    for (const value of [a, b]) flow.rigidAll(value, 'is multiplied with something whose shape is not known');
    return;
  }
  // As if both were matrices: axes are counted from the right, −1 for columns, −2 for rows. A vector has only the axis that is summed over.
  const layout = product(
    flow,
    { value: a, inner: left - 1, axisOf: (axis) => (axis === left - 1 ? undefined : axis - left) },
    { value: b, inner: Math.max(0, right - 2), axisOf: (axis) => (axis === Math.max(0, right - 2) ? undefined : axis - right) },
  );
  const rank = flow.rank(y) ?? 0;
  // Without columns, rows are last; without rows, columns are, and what stands before the rows moves up.
  const place = (axis: number): number => (right === 1 ? rank + axis + 1 : left === 1 && axis < -1 ? rank + axis + 1 : rank + axis);
  flow.set(y, renumbered(layout, place, () => 1));
}

/** Sums over the inner axes, which end here, and combines the others place by place. */
function product(flow: Flow, left: Side, right: Side): Layout {
  contract(flow, left, right);
  for (const { value, inner } of [left, right]) {
    if (!isWeight(value)) continue;
    for (const { axes: [axis, ...more], ids } of flow.layout(value)) if (more.length === 0 && axis !== inner) flow.member('producer', value, axis!, ids);
  }
  return broadcast(flow, [left, right]);
}

function contract(flow: Flow, left: Side, right: Side): void {
  const [a, b] = [left, right].map(({ value, inner }) => flow.separate(value, inner));
  if (a === undefined || b === undefined) {
    for (const { value, inner } of [left, right]) flow.rigid(value, inner, 'is summed over with something that cannot shrink');
    return;
  }
  flow.unite(a, b);
  for (const { value, inner } of [left, right]) if (isWeight(value)) flow.member('consumer', value, inner, a);
  if (!isWeight(left.value) && !isWeight(right.value)) flow.member('contraction', left.value, left.inner, a);
}

/** True for a constant, and for what is made of constants alone. */
export function isWeight(value: Value): boolean {
  const { constant, producer } = value;
  return constant !== undefined || (producer !== undefined && producer.inputs.length > 0 && producer.subgraphs.length === 0 && producer.inputs.every((input) => input === undefined || isWeight(input)));
}

/** Products of integers: the right side has a scale and a zero point, or one for each column. */
function integers(left: number, right: number, perColumn: readonly number[]) {
  return (node: Node, flow: Flow): void => {
    const weight = node.inputs[right];
    matMul(node.inputs[left], weight, node.outputs[0], flow);
    const rank = flow.rank(weight);
    const columns = rank === undefined || rank < 2 ? undefined : flow.part(weight, rank - 1);
    for (const index of perColumn) if (columns?.axes.length === 1) alongOutputs(flow, node.inputs[index], columns.ids, columns.ids.length);
  };
}

export const products: Relations = {
  Gemm: gemm,
  MatMul: (node, flow) => { matMul(node.inputs[0], node.inputs[1], node.outputs[0], flow); },
  MatMulInteger: integers(0, 1, [3]),
  QLinearMatMul: integers(0, 3, [4, 5]),
};
