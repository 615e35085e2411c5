import { Diagnostic } from './diagnostic.ts';
import { Node, link, unlink, type Graph, type Mutable, type Model } from './model.ts';

/**
 * Puts the nodes of a graph and of all graphs inside it into topological order: Kahn's algorithm, ties by present position, so that
 * an ordered graph stays as it is. A node with bodies comes behind what the bodies read. Throws `model/cycle`. Returns true if anything moved.
 */
export function sortGraph(graph: Graph): boolean {
  let moved = false;
  for (const node of graph.nodes()) for (const body of node.subgraphs) moved = sortGraph(body) || moved;
  if (isSorted(graph)) return moved;
  const order = stableOrder(graph);
  for (const node of order) unlink(node);
  for (const node of order) link(node, undefined);
  return true;
}

/** `sortGraph` on every graph of a model; bumps the version if anything moved. */
export function sortModel(model: Model): void {
  let moved = false;
  for (const graph of model.graphs()) moved = sortGraph(graph) || moved;
  if (moved) (model as Mutable<Model>).version++;
}

/** True if every node of this graph stands behind the producers of what it and its bodies read. Bodies themselves are not looked into. */
export function isSorted(graph: Graph): boolean {
  const seen = new Set<Node>();
  for (const node of graph.nodes()) {
    for (const producer of producersOf(node)) if (!seen.has(producer)) return false;
    seen.add(node);
  }
  return true;
}

/** Nodes of the same graph that must come before `node`: producers of its inputs and of what its bodies capture. */
export function* producersOf(node: Node): Iterable<Node> {
  yield* producersIn(node.graph, node);
}

function* producersIn(graph: Graph, node: Node): Iterable<Node> {
  for (const value of node.inputs) if (value?.producer !== undefined && value.graph === graph) yield value.producer;
  for (const body of node.subgraphs) {
    for (const inner of body.nodes()) yield* producersIn(graph, inner);
    for (const { value } of body.outputs) if (value.producer !== undefined && value.graph === graph) yield value.producer;
  }
}

/** The nodes of a graph in topological order, ties by present position; the graph stays as it is. Throws `model/cycle`. */
export function stableOrder(graph: Graph): Node[] {
  const nodes = [...graph.nodes()];
  const position = new Map(nodes.map((node, index) => [node, index]));
  const waiting = nodes.map(() => 0);
  const followers: number[][] = nodes.map(() => []);
  nodes.forEach((node, index) => {
    for (const producer of new Set(producersOf(node))) {
      const before = position.get(producer);
      if (before === undefined) continue; // read from a removed node: verify reports it
      followers[before]!.push(index);
      waiting[index]!++;
    }
  });
  const ready = new Heap();
  waiting.forEach((count, index) => { if (count === 0) ready.push(index); });
  const order: Node[] = [];
  for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
    order.push(nodes[index]!);
    for (const follower of followers[index]!) if (--waiting[follower]! === 0) ready.push(follower);
  }
  if (order.length < nodes.length) throw cycleError(graph, nodes.filter((_, index) => waiting[index]! > 0));
  return order;
}

/** Names one cycle among nodes that Kahn's algorithm could not place: each of them waits for another one. */
function cycleError(graph: Graph, stuck: readonly Node[]): Diagnostic {
  const among = new Set(stuck);
  const path = new Set<Node>();
  let node = stuck[0]!;
  for (; !path.has(node); node = [...producersOf(node)].find((producer) => among.has(producer))!) path.add(node);
  const cycle = [...path];
  cycle.splice(0, cycle.indexOf(node)); // what leads to the cycle is not on it
  const names = cycle.slice(0, 8).map(({ name, op }) => `'${name}' (${op})`).join(' ← ');
  return new Diagnostic('model/cycle', `graph '${graph.name}' has a cycle: ${names}${cycle.length > 8 ? ' ← …' : ` ← '${node.name}'`}`, {
    node: node.reference, suggestion: 'A node may only read what earlier nodes made; export the model again.',
  });
}

/** A binary heap of numbers, smallest first. */
class Heap {
  private readonly items: number[] = [];

  push(item: number): void {
    const { items } = this;
    let at = items.push(item) - 1;
    for (let up = (at - 1) >> 1; at > 0 && items[up]! > item; at = up, up = (at - 1) >> 1) items[at] = items[up]!;
    items[at] = item;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const item = items.pop();
    if (top === undefined || item === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1]! < items[child]!) child++;
      if (items[child]! >= item) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
    return top;
  }
}
