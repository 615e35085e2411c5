import type { Editor } from '../../ir/edit.ts';
import type { Node } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import { constantInts, type Converter } from './converter.ts';

/**
 * Before opset 13, Softmax, LogSoftmax and Hardmax flattened their input to a matrix at `axis` (1 by default) and worked on its rows; since then they work
 * along one axis (the last by default). Where at most one of the flattened axes is longer than 1 both are the same; else the matrix is spelled out.
 * (Reshape of opset 13 cannot make a tensor without elements: there an empty input of unknown shape fails.)
 */
export const softmax: Converter = {
  version: 13,
  refuses: (node) => (shapeOf(node.inputs[0]?.type) === undefined ? 'the rank of its input is not known' : undefined),
  convert: (node, edit) => {
    const shape = shapeOf(node.inputs[0]!.type)!;
    const start = flattenedFrom(node, shape.length);
    const long = [...shape.keys()].filter((axis) => axis >= start && shape[axis] !== 1);
    if (long.length <= 1) edit.setAttribute(node, 'axis', long[0] ?? Math.max(0, shape.length - 1));
    else overMatrix(node, edit, shape, start);
  },
};

function flattenedFrom(node: Node, rank: number): number {
  const axis = node.int('axis', 1);
  return axis < 0 ? axis + rank : axis;
}

function overMatrix(node: Node, edit: Editor, shape: readonly Dim[], start: number): void {
  const { output } = node;
  const { name, type } = output;
  const input = node.inputs[0]!;
  const from = [node];
  const flat = edit.insert({ op: 'Flatten', inputs: [input], attributes: { axis: start }, name: `${node.name}_Flatten`, from }, { before: node });
  edit.setInput(node, 0, flat.output);
  edit.setAttribute(node, 'axis', 1);
  edit.setType(output, undefined);
  const target = shape.filter((dim) => typeof dim !== 'number').length <= 1
    ? constantInts(node, edit, shape.map((dim) => (typeof dim === 'number' ? dim : -1)), 'shape')
    : edit.insert({ op: 'Shape', inputs: [input], name: `${node.name}_Shape`, from }, { before: node }).output;
  const back = edit.insert({ op: 'Reshape', inputs: [output, target], name: `${node.name}_Reshape`, from, outputs: [type] }, { after: node });
  edit.replaceUses(output, back.output, ({ user }) => user !== back);
  edit.rename(output, `${name}_rows`);
  edit.rename(back.output, name);
}
