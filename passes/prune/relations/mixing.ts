import type { Node } from '../../../ir/model.ts';
import { axisOf, numbersOf } from '../../fold/operands.ts';
import { opsetOf } from '../../pattern.ts';
import type { Relate, Relations } from '../relation.ts';

const mixes = 'is an axis along which what stands at one place depends on the others';

/** Operators that work along some axes of their first input, which stay, on each place of the others by itself. Undefined axes cannot be told. */
function alongAxes(axesOf: (node: Node, rank: number) => readonly (number | undefined)[] | undefined): Relate {
  return (node, flow) => {
    const [x] = node.inputs;
    const rank = flow.rank(x);
    const axes = rank === undefined ? undefined : axesOf(node, rank)?.map((axis) => (axis === undefined ? undefined : axisOf(axis, rank)));
    if (axes === undefined || axes.includes(undefined)) {
      flow.rigidAll(x, mixes);
      return;
    }
    for (const axis of axes) flow.rigid(x, axis!, mixes);
    const layout = flow.layout(x).filter((part) => !part.axes.some((axis) => axes.includes(axis)));
    for (const y of node.outputs) flow.set(y, layout);
  };
}

/** All places together decide. */
const whole: Relate = (node, flow) => {
  for (const value of node.inputs) if (value?.constant === undefined) flow.rigidAll(value, 'is read as a whole, and every element decides on the result');
};

/** The indices go through, with a new axis for the classes. */
const oneHot: Relate = (node, flow) => {
  const [indices, , values] = node.inputs;
  const rank = flow.rank(indices);
  if (values?.constant === undefined) flow.rigidAll(values, 'holds what stands for on and off');
  if (rank === undefined) {
    flow.rigidAll(indices, 'is turned into classes, and its shape is not known');
    return;
  }
  const classes = axisOf(node.int('axis', -1), rank + 1)!;
  flow.set(node.outputs[0], flow.layout(indices).map(({ axes, ids }) => ({ axes: axes.map((axis) => (axis < classes ? axis : axis + 1)), ids })));
};

const lastTwo = alongAxes(() => [-2, -1]);

/** The axis is an input. */
const cumulative = alongAxes((node) => numbersOf(node.inputs[1]));

/** Beside the axis of the transform, the last one holds real and imaginary parts. */
const dft = alongAxes((node) => (opsetOf(node) < 20 ? [node.int('axis', 1), -1] : node.inputs[2] === undefined ? [-2, -1] : [numbersOf(node.inputs[2])?.[0], -1]));

export const mixingOperators: Relations = {
  TopK: alongAxes((node) => [node.int('axis', -1)]), ReverseSequence: alongAxes((node) => [node.int('time_axis', 0), node.int('batch_axis', 1)]),
  CumSum: cumulative, CumProd: cumulative, Trilu: lastTwo, Det: lastTwo, DFT: dft, OneHot: oneHot,
  STFT: whole, NonZero: whole, Unique: whole, NonMaxSuppression: whole, Multinomial: whole,
};
