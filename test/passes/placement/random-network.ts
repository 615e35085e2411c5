import { Editor } from '../../../ir/edit.ts';
import { Graph, Model, type Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { tensorType } from '../../../ir/type.ts';

const map = tensorType('float', ['N', 16, 8, 8]);
const wide = tensorType('float', ['N', 32, 8, 8]);
const point = tensorType('float', ['N', 16, 1, 1]);

/** A network of everything that placement treats differently, drawn by the numbers: values are 16 maps of 8×8, wired in any way; one value in eight leaves the model. */
export function randomNetwork(numbers: readonly number[]): Model {
  const edit = new Editor(new Model(new Graph('random'), { irVersion: 8, opsets: new Map([['', 17]]) }));
  const { graph } = edit.model;
  const zeros = (...shape: number[]): Value => edit.constant(graph, Tensor.of('float', new Array<number>(shape.reduce((a, b) => a * b)).fill(0), shape));
  const [full, deep, double, few] = [zeros(16, 16, 1, 1), zeros(16, 1, 3, 3), zeros(16, 32, 1, 1), zeros(16, 16, 3, 3)];
  const values: Value[] = [edit.addInput(graph, 'x', map)];
  let at = 0;
  const draw = (below: number): number => numbers[at++]! % below;
  const add = (op: string, inputs: readonly Value[], type = map, attributes = {}): Value => edit.insert({ op, inputs, attributes, outputs: [type] }, graph).output;
  const same = { pads: [1, 1, 1, 1] };
  while (at + 4 < numbers.length) {
    const kind = draw(16);
    // Mostly what was made lately, so that chains come about.
    const pick = (): Value => values[values.length - 1 - Math.min(draw(values.length), draw(6))]!;
    const a = pick();
    values.push([
      () => add('Conv', [a, full]),
      () => add('Conv', [a, few], map, same),
      () => add('Conv', [a, deep], map, { ...same, group: 16 }),
      () => add('Relu', [a]),
      () => add('Relu', [a]),
      () => add('Sigmoid', [a]),
      () => add('Tanh', [a]),
      () => add('Add', [a, pick()]),
      () => add('Add', [a, pick()]),
      () => add('Mul', [a, pick()]),
      () => add('Conv', [add('Concat', [a, pick()], wide, { axis: 1 }), double]),
      () => add('MaxPool', [a], map, { kernel_shape: [3, 3], ...same }),
      () => add('AveragePool', [a], map, { kernel_shape: [3, 3], ...same }),
      () => add('Transpose', [a], map, { perm: [0, 1, 3, 2] }),
      () => add('Mul', [a, add('Sigmoid', [add('Conv', [add('GlobalAveragePool', [a], point), full], point)], point)]),
      () => add('Softmax', [a], map, { axis: 1 }),
    ][kind]!());
    if (draw(8) === 0) edit.setOutput(graph, graph.outputs.length, values.at(-1), `y${graph.outputs.length}`);
  }
  edit.setOutput(graph, graph.outputs.length, values.at(-1), `y${graph.outputs.length}`);
  return edit.model;
}
