import { Editor } from '../../../ir/edit.ts';
import type { Model, Node, Value } from '../../../ir/model.ts';
import { producersOf } from '../../../ir/order.ts';

/**
 * The same model with its nodes in another topological order, the inputs of commutative operators swapped, and the uses of all values in another order,
 * as the numbers have it. Names stay.
 */
export function shuffled(model: Model, numbers: readonly number[]): Model {
  const edit = new Editor(model);
  let at = 0;
  const draw = (below: number): number => numbers[at++ % numbers.length]! % below;
  const { graph } = model;
  const waiting = new Set(graph.nodes());
  while (waiting.size > 0) {
    const ready = [...waiting].filter((node) => ![...producersOf(node)].some((producer) => waiting.has(producer)));
    const node = ready[draw(ready.length)]!;
    waiting.delete(node);
    if (node !== graph.last) edit.move(node, { after: graph.last! });
    reread(node, node.is('Add', 'Mul') && node.inputs.every((value) => value?.constant === undefined) && draw(2) === 1, edit);
  }
  return model;
}

/** Drops and adds all inputs of a node, so that it becomes the last user of each of them. */
function reread(node: Node, swap: boolean, edit: Editor): void {
  const inputs: (Value | undefined)[] = swap ? node.inputs.toReversed() : [...node.inputs];
  inputs.forEach((_, index) => { edit.setInput(node, index, undefined); });
  inputs.forEach((value, index) => { edit.setInput(node, index, value); });
}
