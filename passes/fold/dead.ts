import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { opFacts } from '../../ir/ops.ts';
import { isInModel, removeDead } from '../dead.ts';
import type { PassContext } from '../pass.ts';
import { opsetOf } from '../pattern.ts';
import { withOutputs } from './bodies.ts';

type Context = Pick<PassContext<unknown>, 'edit' | 'select' | 'remark' | 'stat'>;

/**
 * Removes what nothing reads: nodes, optional outputs, constants, results of If and Loop with what only they needed inside. The interface of the
 * model stays as it is.
 */
export function removeUnused(model: Model, context: Context): void {
  const { edit, select } = context;
  const nodes = [...model.graph.walk()];
  const { nodes: removed } = removeDead(edit, nodes, (node) => select.has(node));
  for (const node of removed) context.remark({ kind: 'applied', rule: 'unused', message: 'Removes a node whose outputs nothing reads.', node });
  if (removed.length > 0) context.stat('unused', removed.length);
  for (const node of nodes) if (isInModel(node) && select.has(node)) trimOutputs(node, context);
  if (select.everything) removeConstants(model.graph, context);
}

function trimOutputs(node: Node, context: Context): void {
  if (node.is('If') || node.is('Loop')) {
    trimBodies(node, context);
    return;
  }
  const facts = opFacts(node.domain, node.op, opsetOf(node));
  // Of a variadic operator (Split) the number of outputs has a meaning, and BatchNormalization in training form has all of them.
  if (facts === undefined || facts.outputs[1] === Infinity || node.is('BatchNormalization')) return;
  for (const value of node.outputs) {
    if (value === undefined || value.uses.length > 0 || value.index < facts.outputs[0] || node.outputs.every((other) => other === undefined || other === value)) continue;
    context.edit.dropOutput(value);
    context.stat('unused-outputs');
  }
}

/** Takes unread results out of an If or Loop: out of the bodies, and out of a Loop's carried values where the body only hands them on. */
function trimBodies(node: Node, context: Context): void {
  const bodies = node.subgraphs;
  const loop = node.is('Loop') ? bodies[0] : undefined;
  const carried = loop === undefined ? 0 : loop.inputs.length - 2;
  const count = Math.max(...bodies.map((body) => body.outputs.length)) - (loop === undefined ? 0 : 1);
  const needed = (index: number): boolean => {
    const value = node.outputs[index];
    if (value !== undefined && value.uses.length > 0) return true;
    return loop !== undefined && index < carried && !isHandedOn(loop, index);
  };
  const kept = Array.from({ length: count }, (_, index) => index).filter(needed);
  if (kept.length === count || kept.length === 0) return;
  const dropped = Array.from({ length: count }, (_, index) => index).filter((index) => !kept.includes(index)).reverse();
  const inputs = node.inputs.filter((_, index) => loop === undefined || index < 2 || !dropped.includes(index - 2) || index - 2 >= carried);
  const { edit } = context;
  withOutputs(edit, node, kept, inputs, (body) => {
    for (const index of dropped) {
      edit.setOutput(body, loop === undefined ? index : index + 1, undefined);
      if (index < carried) edit.remove(body.inputs[index + 2]!);
    }
  });
  context.remark({ kind: 'applied', rule: 'unused', message: `Takes out of the bodies what only unread outputs needed: ${dropped.length} of ${count}.`, node });
  context.stat('unused-outputs', dropped.length);
}

/** True if the body does nothing with a carried value but hand it to the next iteration. */
function isHandedOn(body: Graph, index: number): boolean {
  const input: Value = body.inputs[index + 2]!;
  return input.uses.every(({ user, index: slot }) => user === body && slot === index + 1);
}

function removeConstants(graph: Graph, context: Context): void {
  for (const value of [...graph.constants]) {
    if (value.uses.length > 0) continue;
    context.edit.remove(value);
    context.stat('unused-constants');
  }
  for (const node of graph.nodes()) for (const body of node.subgraphs) removeConstants(body, context);
}
