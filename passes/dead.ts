import type { Editor } from '../ir/edit.ts';
import { isLinked, Node, type Graph, type Value } from '../ir/model.ts';

/** What `removeDead` took away, and the values that lost a reader by it. */
export interface Removed {
  readonly nodes: readonly Node[];
  readonly read: ReadonlySet<Value>;
}

/**
 * Removes those of the candidates (the last first) whose outputs nothing reads, then the nodes and constants that only they read, and so on. Graph outputs and
 * captures by bodies are readers. A node that `admits` refuses stays, and so does what it reads.
 */
export function removeDead(edit: Editor, candidates: Iterable<Node>, admits: (node: Node) => boolean = () => true): Removed {
  const nodes: Node[] = [];
  const read = new Set<Value>();
  const waiting = [...candidates];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (!isLinked(node) || !node.outputs.every((value) => value === undefined || value.uses.length === 0) || !admits(node)) continue;
    const values = readsOf(node);
    edit.remove(node);
    nodes.push(node);
    for (const value of values) {
      read.add(value);
      if (value.uses.length > 0) continue;
      if (value.producer !== undefined) waiting.push(value.producer);
      else if (value.constant !== undefined && value.graph.constants.has(value)) edit.remove(value);
    }
  }
  return { nodes, read };
}

/** The values that a node reads, and those that its bodies read from outside it. */
export function readsOf(node: Node): ReadonlySet<Value> {
  const values = new Set<Value>();
  for (const value of node.inputs) if (value !== undefined) values.add(value);
  if (node.subgraphs.length > 0) {
    const outer = new Set<Graph>();
    for (let graph: Graph | undefined = node.graph; graph !== undefined; graph = graph.parent) outer.add(graph);
    const capture = (value: Value | undefined): void => { if (value !== undefined && outer.has(value.graph)) values.add(value); };
    const enter = (body: Graph): void => {
      for (const inner of body.nodes()) {
        inner.inputs.forEach(capture);
        inner.subgraphs.forEach(enter);
      }
      body.outputs.forEach(({ value }) => { capture(value); });
    };
    node.subgraphs.forEach(enter);
  }
  return values;
}

/** True if the node and all nodes around its graph still stand. */
export function isInModel(node: Node): boolean {
  for (let at: Node | undefined = node; at !== undefined; at = at.graph.owner instanceof Node ? at.graph.owner : undefined) if (!isLinked(at)) return false;
  return true;
}
