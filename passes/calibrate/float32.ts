import type { Attribute } from '../../ir/attribute.ts';
import { dtypeNumber } from '../../ir/dtype.ts';
import { Editor } from '../../ir/edit.ts';
import type { Graph, Model, Node } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, tensorType } from '../../ir/type.ts';

/** True if something in the model is computed in float16. */
export function usesFloat16(model: Model): boolean {
  return [...model.graphs()].some((graph) => [...everyGraph(graph)].some((each) => [...each.values()].some((value) => (value.tensor?.dtype ?? dtypeOfType(value.type)) === 'float16')));
}

/**
 * Makes a float16 model compute in float32, in place: constants and attributes are widened, which is exact, and inputs of the main graph are cast. Types of inner values are dropped, except those of the main graph,
 * whose shapes stay.
 */
export function widenFloat16(model: Model): void {
  const edit = new Editor(model);
  for (const graph of model.graphs()) {
    for (const each of everyGraph(graph)) {
      for (const value of each.constants) if (value.tensor?.dtype === 'float16') edit.setTensor(value, widened(value.tensor));
      for (const node of each.nodes()) widenAttributes(node, edit);
      for (const value of each.values()) {
        if (value.isInput && each === model.graph) continue;
        if (value.type?.kind === 'tensor' && value.type.dtype === 'float16') edit.setType(value, tensorType('float', value.type.shape));
      }
      each.outputs.forEach(({ type }, index) => {
        if (type?.kind === 'tensor' && type.dtype === 'float16') edit.setOutputType(each, index, tensorType('float', type.shape));
      });
    }
  }
  for (const value of model.graph.inputs) {
    if (dtypeOfType(value.type) !== 'float16') continue;
    const place = model.graph.first === undefined ? model.graph : { before: model.graph.first };
    const cast = edit.insert({ op: 'Cast', inputs: [value], attributes: { to: dtypeNumber('float') }, name: value.name, outputs: [tensorType('float')] }, place);
    edit.replaceUses(value, cast.output, ({ user }) => user !== cast);
  }
}

function* everyGraph(graph: Graph): Iterable<Graph> {
  yield graph;
  for (const node of graph.nodes()) for (const body of node.subgraphs) yield* everyGraph(body);
}

function widened(tensor: Tensor): Tensor {
  return Tensor.of('float', tensor.floats(), tensor.shape);
}

/** `to` of Cast and `dtype` of operators that make tensors, and tensors in attributes. */
function widenAttributes(node: Node, edit: Editor): void {
  for (const [name, attribute] of node.attributes) {
    const wide = wider(name, attribute);
    if (wide !== undefined) edit.setAttribute(node, name, wide);
  }
}

function wider(name: string, attribute: Attribute): Attribute | undefined {
  if (attribute.kind === 'tensor' && attribute.value.dtype === 'float16') return { ...attribute, value: widened(attribute.value) };
  const isType = attribute.kind === 'int' && (name === 'to' || name === 'dtype') && Number(attribute.value) === dtypeNumber('float16');
  return isType ? { ...attribute, value: dtypeNumber('float') } : undefined;
}
