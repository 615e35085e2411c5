import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { Node as NodeClass } from '../../ir/model.ts';

/** What selectors ask of a model, looked up once: nodes in order (bodies included), values by name, modules. */
export class ModelIndex {
  readonly nodes: readonly Node[];
  readonly opset: number | undefined;
  /** Values of all graphs by name; a name may stand for several, in different bodies. Names of output slots are among them. */
  readonly values: ReadonlyMap<string, readonly Value[]>;
  readonly byName: ReadonlyMap<string, readonly Node[]>;
  private readonly modules: Map<Node, readonly string[]> = new Map();

  constructor(model: Model) {
    this.opset = model.opset();
    this.nodes = [...model.graphs()].flatMap((graph) => [...graph.walk()]);
    this.byName = groupBy(this.nodes, ({ name }) => name);
    const values: [string, Value][] = [];
    for (const graph of graphsOf(model, this.nodes)) {
      for (const value of graph.values()) values.push([value.name, value]);
      for (const { name, value } of graph.outputs) if (name !== value.name) values.push([name, value]);
    }
    const named = new Map<string, Value[]>();
    for (const [name, value] of values) {
      const list = named.get(name);
      if (list) list.push(value);
      else named.set(name, [value]);
    }
    this.values = named;
  }

  /** Paths of the modules around a node, outermost first: what the exporter recorded, else what the name shows (`/layer1/conv/Conv`). */
  modulesOf(node: Node): readonly string[] {
    const known = this.modules.get(node);
    if (known) return known;
    const scopes = node.extras?.metadata?.get('pkg.torch.onnx.name_scopes');
    const paths = scopes === undefined ? modulesOfName(node.name) : [...scopes.matchAll(/'([^']*)'|"([^"]*)"/g)].map((match) => match[1] ?? match[2] ?? '').slice(0, -1);
    const found = paths.filter((path) => path !== '');
    this.modules.set(node, found);
    return found;
  }
}

function groupBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

function* graphsOf(model: Model, nodes: readonly Node[]): Iterable<Graph> {
  yield* model.graphs();
  for (const node of nodes) yield* node.subgraphs;
}

/** `/layer1/conv/Conv` is in `layer1` and `layer1.conv`. */
function modulesOfName(name: string): string[] {
  const parts = name.split('/').slice(0, -1).filter((part) => part !== '').slice(0, 64);
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'));
}

/** Nodes that depend on one of `nodes`, themselves included; a node that holds a body depends on what the body reads. */
export function downstream(nodes: Iterable<Node>): Set<Node> {
  return closure(nodes, function* (node) {
    if (node.graph.owner instanceof NodeClass) yield node.graph.owner;
    for (const value of node.outputs) {
      for (const { user } of value?.uses ?? []) {
        if (user instanceof NodeClass) yield user;
        else if (user.owner instanceof NodeClass) yield user.owner;
      }
    }
    // What a body is given flows on inside it.
    for (const body of node.subgraphs) for (const input of body.inputs) for (const { user } of input.uses) if (user instanceof NodeClass) yield user;
  });
}

/** Nodes on which one of `nodes` depends, themselves included, also through captured values and the inputs of a body. */
export function upstream(nodes: Iterable<Node>): Set<Node> {
  return closure(nodes, function* (node) {
    const owner = node.graph.owner;
    for (const value of node.inputs) {
      if (value?.producer) yield value.producer;
      else if (value?.isInput && value.graph === node.graph && owner instanceof NodeClass) for (const given of owner.inputs) if (given?.producer) yield given.producer;
    }
    for (const body of node.subgraphs) for (const { value } of body.outputs) if (value.producer) yield value.producer;
  });
}

function closure(seeds: Iterable<Node>, next: (node: Node) => Iterable<Node>): Set<Node> {
  const reached = new Set<Node>(seeds);
  // A Set visits what is added while it is being visited.
  for (const node of reached) for (const other of next(node)) reached.add(other);
  return reached;
}
