import { Cloner } from '../../ir/clone.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Graph, Node, Value } from '../../ir/model.ts';
import { removeDead } from '../dead.ts';

/**
 * Puts the nodes of a body before the node that owns it and returns what stands for the body's outputs. `values` says what stands for its inputs; it
 * is filled with what stands for everything else. Labels are those of the body as far as they are free; `settle` gives them back once the owner is gone.
 */
export function inlineBody(edit: Editor, owner: Node, body: Graph, values: Map<Value, Value | undefined>): { readonly outputs: readonly Value[]; readonly settle: () => void } {
  const { graph } = owner;
  const cloner = new Cloner({ values });
  const renames: (readonly [Node | Value, string])[] = [];
  for (const value of body.constants) {
    const copy = edit.constant(graph, value.constant!, value.name, value.form);
    renames.push([copy, value.name]);
    values.set(value, copy);
  }
  for (const node of body.nodes()) {
    const { op, domain, overload, extras, name } = node;
    const attributes = cloner.attributes(node);
    cloner.finish();
    const inputs = node.inputs.map((value) => value && standsFor(value, values));
    const copy = edit.insert({ op, domain, overload, extras, name, inputs, attributes, outputs: node.outputs.map((value) => value?.type), from: [node] }, { before: owner });
    renames.push([copy, name]);
    [...copy.outputs].forEach((value, index) => {
      const original = node.outputs[index];
      if (original === undefined) {
        edit.dropOutput(value!);
      } else {
        values.set(original, value);
        renames.push([value!, original.name]);
      }
    });
  }
  return {
    outputs: body.outputs.map(({ value }) => standsFor(value, values)!),
    settle: () => { for (const [thing, name] of renames) edit.rename(thing, name); },
  };
}

function standsFor(value: Value, values: ReadonlyMap<Value, Value | undefined>): Value | undefined {
  return values.has(value) ? values.get(value) : value;
}

/** Makes the node over with some of its outputs only; `shrink` takes from the copies of its bodies and from its inputs what belonged to the others. */
export function withOutputs(edit: Editor, node: Node, kept: readonly number[], inputs: readonly (Value | undefined)[], shrink: (body: Graph) => void): Node {
  const { op, domain, overload, extras, name } = node;
  const cloner = new Cloner();
  const attributes = cloner.attributes(node);
  cloner.finish();
  const outputs = kept.map((index) => node.outputs[index]?.type);
  const copy = edit.insert({ op, domain, overload, extras, name, inputs, attributes, outputs, from: [node] }, { before: node });
  copy.subgraphs.forEach(shrink);
  const labels = kept.map((index) => node.outputs[index]?.name);
  kept.forEach((index, at) => { if (node.outputs[index] !== undefined) edit.replaceUses(node.outputs[index], copy.outputs[at]!); });
  removeDead(edit, [node]);
  edit.rename(copy, name);
  labels.forEach((label, at) => { if (label !== undefined) edit.rename(copy.outputs[at]!, label); });
  return copy;
}
