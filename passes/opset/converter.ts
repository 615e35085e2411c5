import type { Int } from '../../ir/attribute.ts';
import type { DType } from '../../ir/dtype.ts';
import type { Editor, NodeSpec } from '../../ir/edit.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';

/** How the nodes of one operator are taken over into the version that an opset brings. */
export interface Converter {
  /** The opset that brings the version. */
  readonly version: number;
  /** Why this node cannot be converted; nothing where it can. */
  readonly refuses?: (node: Node) => string | undefined;
  /** Changes the node, whose form is that of the opset before. */
  readonly convert: (node: Node, edit: Editor) => void;
  /** The operator that it becomes. */
  readonly becomes?: string;
}

/** Makes an input of a list of integers that was an attribute. Does nothing where the attribute is absent. */
export function attributeToInput(name: string, index: number): Converter['convert'] {
  return (node, edit) => {
    const found = node.attributes.get(name);
    const items = found?.kind === 'ints' ? found.value : undefined;
    if (items === undefined) return;
    edit.setAttribute(node, name, undefined);
    edit.setInput(node, index, constantInts(node, edit, items, name));
  };
}

/** A constant int64 list for a node. */
export function constantInts(node: Node, edit: Editor, items: readonly Int[], name: string): Value {
  return edit.constant(node.graph, Tensor.of('int64', items), `${node.name}_${name}`);
}

/** Makes an input of a float that was an attribute: a scalar in the element type of input 0. Does nothing where the attribute is absent. */
export function floatToInput(node: Node, edit: Editor, name: string, index: number, type?: DType): void {
  const value = node.float(name);
  if (value === undefined) return;
  const dtype = type ?? dtypeOfType(node.inputs[0]?.type) ?? 'float';
  edit.setAttribute(node, name, undefined);
  edit.setInput(node, index, edit.constant(node.graph, Tensor.scalar(dtype, value), `${node.name}_${name}`));
}

/** Puts another node in the place of one; its outputs take over the names, but for those at the graph's own outputs, so that whatever is known by name stays known. */
export function replaceNode(node: Node, edit: Editor, spec: Omit<NodeSpec, 'outputs' | 'from' | 'name'>): Node {
  const { name, outputs } = node;
  const fresh = edit.insert({ ...spec, name, from: [node], outputs: outputs.map((value) => value?.type), extras: node.extras }, { before: node });
  outputs.forEach((value, index) => { if (value !== undefined) edit.replaceUses(value, fresh.outputs[index]!); });
  const names = outputs.map((value) => value?.name);
  edit.remove(node);
  edit.rename(fresh, name);
  names.forEach((label, index) => { if (label !== undefined) edit.rename(fresh.outputs[index]!, label); });
  return fresh;
}
