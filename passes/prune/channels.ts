import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { Atoms } from './atoms.ts';
import { Flow, type DimsOf, type HeadMode } from './flow.ts';
import { relationOf } from './relations/table.ts';

/** What following the channels needs to know about the model. */
export interface FollowOptions {
  readonly dims: DimsOf;
  readonly heads?: HeadMode;
}

/** Follows the channels through the whole model: the atoms of all axes that can shrink, tied into channels. */
export function followChannels(model: Model, { dims, heads }: FollowOptions): Flow {
  const flow = new Flow(new Atoms(), dims, heads);
  followGraph(model.graph, flow);
  flow.enter(undefined);
  for (const { name, value } of model.graph.outputs) flow.rigidAll(value, `is the output '${name}' of the model`);
  return flow;
}

/** Follows the channels through the nodes of a graph in order. Rules of operators with bodies call it for these. */
export function followGraph(graph: Graph, flow: Flow): void {
  for (const node of graph.nodes()) {
    flow.enter(node);
    const relation = relationOf(node);
    if (relation === undefined) stop(node, flow);
    else relation.relate(node, flow);
    // What has no known rank has no axes that a rule could tell apart; the rule's own reason comes first.
    for (const value of node.inputs) if (value !== undefined && flow.rank(value) === undefined) flow.rigidAll(value, 'has an unknown number of axes');
  }
}

/** An operator without a row: everything that it and its bodies read stays as it is. */
function stop(node: Node, flow: Flow): void {
  const reason = `is read by ${node.op}, whose channels cannot be followed`;
  for (const value of readBy(node)) flow.rigidAll(value, reason);
}

function readBy(node: Node): Set<Value> {
  const read = new Set<Value>();
  const add = (value: Value | undefined): void => { if (value !== undefined) read.add(value); };
  node.inputs.forEach(add);
  for (const body of node.subgraphs) {
    for (const inside of body.walk()) inside.inputs.forEach(add);
    for (const { value } of body.outputs) add(value);
  }
  return read;
}
