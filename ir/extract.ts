import { cloneFunction, Cloner } from './clone.ts';
import { Diagnostic } from './diagnostic.ts';
import { calleeOf } from './inline.ts';
import { addUse, Graph, Model, Node, type LocalFunction, type Mutable, type Output, type Value } from './model.ts';
import { tensorType } from './type.ts';

/** What to cut out: everything between inputs and outputs, or a set of nodes with all that flows into and out of it. */
export type Region = { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] } | Iterable<Node>;

/**
 * Cuts a region out as a model of its own, which is called by the labels of its values. Constants and local functions that it needs come along; of nodes with bodies, what
 * the bodies capture counts as read. A region may begin in a graph and end in a body inside it: the new model is flat. `model` stays as it is; tensors are shared.
 * Throws `model/extract-input` if an output needs an input that is not given, and `model/extract-type` if the type of a new input is unknown.
 */
export function extractModel(model: Model, region: Region): Model {
  const ends = 'inputs' in region ? region : boundary(region);
  const [inputs, outputs] = [[...new Set(ends.inputs)], [...new Set(ends.outputs)]];
  const { nodes, constants } = needed(inputs, outputs);
  const graph = new Graph(model.graph.name);
  const self = graph as Mutable<Graph>;
  const cloner = new Cloner({ closed: true });
  self.inputs = inputs.map((value, index) => asInput(value, index, graph, cloner));
  for (const value of constants) cloner.constant(value, graph);
  cloner.append(inOrder(nodes), graph);
  self.outputs = outputs.map((value): Output => {
    const slot = cloner.values.get(value);
    if (slot === undefined) throw new Error(`'${value.name}' was not copied`);
    return { name: value.name, value: slot, type: value.type, extras: undefined };
  });
  const functions = functionsOf(model, graph, cloner);
  cloner.finish();
  graph.outputs.forEach(({ value }, index) => { addUse(value, graph, index); });
  const { irVersion, source } = model;
  const opsets = new Map(opsetsAt(outputs[0]?.graph ?? model.graph) ?? model.opsets);
  const cut = new Model(graph, { irVersion, opsets, ...(source !== undefined && { source }) });
  (cut as Mutable<Model>).functions = functions;
  return cut;
}

/** The operator sets that hold in a graph: the model's, or those of the function that it belongs to. */
function opsetsAt({ owner }: Graph): ReadonlyMap<string, number> | undefined {
  return owner instanceof Node ? opsetsAt(owner.graph) : owner?.opsets;
}

/** What flows into a set of nodes, constants apart, and what of it is read outside or by nobody. */
function boundary(nodes: Iterable<Node>): { readonly inputs: readonly Value[]; readonly outputs: readonly Value[] } {
  const inside = new Set(nodes);
  const within = (user: Node | Graph): boolean => {
    for (let at: Node | undefined = nodeOf(user); at !== undefined; at = nodeOf(at.graph)) if (inside.has(at)) return true;
    return false;
  };
  const inputs = new Set<Value>();
  const outputs: Value[] = [];
  for (const node of inside) {
    for (const value of readBy(node)) if (value.constant === undefined && !(value.producer && inside.has(value.producer))) inputs.add(value);
    for (const value of node.outputs) if (value !== undefined && (value.uses.length === 0 || value.uses.some(({ user }) => !within(user)))) outputs.push(value);
  }
  return { inputs: [...inputs], outputs };
}

/** The nodes and constants between inputs and outputs. */
function needed(inputs: readonly Value[], outputs: readonly Value[]): { readonly nodes: ReadonlySet<Node>; readonly constants: ReadonlySet<Value> } {
  const given = new Set(inputs);
  const nodes = new Set<Node>();
  const constants = new Set<Value>();
  const missing = new Map<Value, string>();
  const waiting = outputs.map((value) => ({ value, reader: `output '${value.name}'` }));
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    const { value, reader } = item;
    const { producer } = value;
    if (given.has(value)) continue;
    if (value.constant !== undefined) constants.add(value);
    else if (producer === undefined) missing.set(value, reader);
    else if (!nodes.has(producer)) {
      nodes.add(producer);
      for (const read of readBy(producer)) waiting.push({ value: read, reader: `node '${producer.name}' (${producer.op})` });
    }
  }
  if (missing.size > 0) {
    const list = Array.from(missing, ([{ name }, reader]) => `'${name}', which ${reader} reads`);
    throw new Diagnostic('model/extract-input', `the region cannot be computed from its inputs without ${list.slice(0, 8).join('; ')}`, {
      tensor: [...missing.keys()][0]!.name, expected: Array.from(missing.keys(), ({ name }) => name), suggestion: 'Add these values to the inputs of the region, or end it earlier.',
    });
  }
  return { nodes, constants };
}

/** Everything that a node reads, its bodies included, from outside itself. */
function readBy(node: Node): ReadonlySet<Value> {
  const read = new Set(node.inputs.filter((value) => value !== undefined));
  const inside = new Set<Graph>();
  const enter = (body: Graph): void => {
    inside.add(body);
    for (const inner of body.nodes()) {
      for (const value of inner.inputs) if (value !== undefined && !inside.has(value.graph)) read.add(value);
      inner.subgraphs.forEach(enter);
    }
    for (const { value } of body.outputs) if (!inside.has(value.graph)) read.add(value);
  };
  node.subgraphs.forEach(enter);
  return read;
}

/** The nodes in the model's order, which puts a body behind all that it captures. */
function inOrder(nodes: ReadonlySet<Node>): Node[] {
  const root = (graph: Graph): Graph => (graph.parent === undefined ? graph : root(graph.parent));
  const roots = new Set(Array.from(nodes, ({ graph }) => root(graph)));
  return [...roots].flatMap((graph) => [...graph.walk()].filter((node) => nodes.has(node)));
}

/** A copy of a value as input of the new graph: whatever made it or was stored in it is cut off. */
function asInput(value: Value, index: number, graph: Graph, cloner: Cloner): Value {
  const type = value.type ?? (value.tensor && tensorType(value.tensor.dtype, value.tensor.shape));
  if (type === undefined) {
    throw new Diagnostic('model/extract-type', `the type of '${value.name}', which is to be an input, is not known`, {
      tensor: value.name, suggestion: 'Infer the types of the model first, or begin the region elsewhere.',
    });
  }
  const copy = cloner.value(value, graph, undefined, index);
  return Object.assign(copy as Mutable<Value>, { type, tensor: undefined, form: undefined });
}

function functionsOf(model: Model, graph: Graph, cloner: Cloner): Map<string, LocalFunction> {
  const functions = new Map<string, LocalFunction>();
  const graphs = [graph];
  for (let at = graphs.pop(); at !== undefined; at = graphs.pop()) {
    for (const node of at.walk()) {
      const called = calleeOf(node, model);
      if (called === undefined || functions.has(called.key)) continue;
      functions.set(called.key, cloneFunction(called, cloner));
      graphs.push(called.body);
    }
  }
  return functions;
}

function nodeOf(user: Node | Graph): Node | undefined {
  if (user instanceof Node) return user;
  return user.owner instanceof Node ? user.owner : undefined;
}
