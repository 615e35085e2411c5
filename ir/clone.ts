import type { Attribute, AttributeValues } from './attribute.ts';
import {
  addUse, Graph, link, LocalFunction, Model, Node, Value, type GraphOwner, type Mutable, type Use,
} from './model.ts';

/** How copies differ from what they are made of. Everything that is left out stays as it is. */
export interface CloneOptions {
  /** What stands for values from outside, undefined for nothing at all. Filled with the copies. A value that is not in it stands for itself. */
  readonly values?: Map<Value, Value | undefined>;
  /** Filled with the copies of nodes. */
  readonly nodes?: Map<Node, Node>;
  readonly label?: (thing: Node | Value) => string;
  /** The origin of a copy, from the node and the copy's label. */
  readonly origin?: (node: Node, label: string) => readonly string[];
  /** The attribute to copy in place of this one, or undefined to leave it out: for the attribute references of a function body. */
  readonly attribute?: (attribute: Attribute, node: Node) => Attribute | undefined;
  /** Refuse values from outside (an Error): the copy must not reach back. */
  readonly closed?: boolean;
}

/**
 * Copies of graphs, nodes and values; tensors and other immutable parts are shared. Uses come in the order of the original's, so that
 * a pass does the same on a copy.
 */
export class Cloner {
  readonly values: Map<Value, Value | undefined>;
  readonly nodes: Map<Node, Node>;
  private readonly graphs = new Map<Graph, Graph>();
  /** The graphs that copies of values belong to: what else a value stands for belongs to others. */
  private readonly targets = new Set<Graph>();
  private readonly originals: Value[] = [];
  private readonly copies: Value[] = [];
  private readonly options: CloneOptions;

  constructor(options: CloneOptions = {}) {
    this.options = options;
    this.values = options.values ?? new Map<Value, Value | undefined>();
    this.nodes = options.nodes ?? new Map<Node, Node>();
  }

  /** A copy of a graph with all that is in it. Call `finish` when the last copy is made. */
  graph(graph: Graph, owner?: GraphOwner): Graph {
    const copy = new Graph(graph.name, owner);
    const self = copy as Mutable<Graph>;
    this.graphs.set(graph, copy);
    self.extras = graph.extras;
    self.inputs = graph.inputs.map((value) => this.value(value, copy));
    for (const value of graph.constants) this.constant(value, copy);
    this.append(graph.nodes(), copy);
    self.outputs = graph.outputs.map((output, index) => {
      const value = this.read(output.value, copy, index);
      if (value === undefined) throw new Error(`output '${output.name}' of graph '${graph.name}' would be left without a value`);
      return { ...output, value };
    });
    return copy;
  }

  /** Copies of nodes at the end of `graph`, which they need not have in common. */
  append(nodes: Iterable<Node>, graph: Graph): void {
    const list = [...nodes];
    // All outputs first: a graph that is not in order may read what comes later.
    const copies = list.map((node) => {
      const { options: { label, origin } } = this;
      const { op, domain, overload } = node;
      const name = label?.(node) ?? node.name;
      const copy = new Node(graph, op, { name, domain, overload, origin: origin?.(node, name) ?? node.origin });
      const self = copy as Mutable<Node>;
      self.extras = node.extras;
      self.deviceConfigurations = node.deviceConfigurations;
      self.outputs = node.outputs.map((value) => value && this.value(value, graph, copy));
      this.nodes.set(node, copy);
      link(copy, undefined);
      return self;
    });
    copies.forEach((copy, position) => {
      const node = list[position]!;
      const inputs = node.inputs.map((value, index) => value && this.read(value, copy, index));
      while (inputs.length > 0 && inputs.at(-1) === undefined) inputs.pop();
      copy.inputs = inputs;
      if (node.attributes.size > 0) copy.attributes = this.attributes(node, copy);
    });
  }

  /** A copy of a constant, or of an input with a default, as a constant of `graph`. */
  constant(value: Value, graph: Graph): Value {
    const copy = this.value(value, graph, undefined, 0);
    (graph.constants as Set<Value>).add(copy);
    return copy;
  }

  /** A copy of a value that belongs to `graph`, at the same index unless another is given. The caller gives it its place. */
  value(value: Value, graph: Graph, producer?: Node, index: number = value.index): Value {
    const { name, type, tensor, form } = value;
    const { label } = this.options;
    const copy = new Value(label === undefined ? name : label(value), graph, { index, type, producer, tensor, form });
    const self = copy as Mutable<Value>;
    self.extras = value.extras;
    self.quantization = value.quantization;
    this.values.set(value, copy);
    this.targets.add(graph);
    this.originals.push(value);
    this.copies.push(copy);
    return copy;
  }

  /** The attributes of a copy of `node`, with bodies that `owner` will own (none yet for the editor's insert). */
  attributes(node: Node, owner?: Node): Map<string, Attribute> {
    const attributes = new Map<string, Attribute>();
    for (const [name, original] of node.attributes) {
      const { attribute: replace, ...options } = this.options;
      const replaced = replace === undefined ? original : replace(original, node);
      if (replaced === undefined) continue;
      // A body that came from elsewhere has nothing to do with the values copied here, and may come again.
      const cloner = replaced === original ? this : new Cloner({ ...options, values: new Map(), nodes: new Map() });
      attributes.set(name, cloner.attribute(replaced, owner));
      if (cloner !== this) cloner.finish();
    }
    return attributes;
  }

  attribute(attribute: Attribute, owner?: GraphOwner): Attribute {
    if (attribute.kind === 'graph') return { ...attribute, value: this.graph(attribute.value, owner) };
    if (attribute.kind !== 'graphs') return attribute;
    return { ...attribute, value: attribute.value.map((body): AttributeValues['graph'] => this.graph(body, owner)) };
  }

  /** Gives the copied values their uses, those by copies, in the original's order. */
  finish(): void {
    this.originals.forEach((value, at) => {
      const uses = this.copies[at]!.uses as Use[];
      for (const { user, index } of value.uses) {
        const reader = user instanceof Node ? this.nodes.get(user) : this.graphs.get(user);
        if (reader !== undefined) uses.push({ user: reader, index });
      }
    });
    this.originals.length = this.copies.length = 0;
  }

  /** What stands for `value`. Readers of values that were not copied are registered here; the others by `finish`. */
  private read(value: Value, user: Node | Graph, index: number): Value | undefined {
    const known = this.values.get(value);
    if (known !== undefined) {
      if (!this.targets.has(known.graph)) addUse(known, user, index);
      return known;
    }
    if (this.values.has(value)) return undefined;
    if (this.options.closed) throw new Error(`'${user.name}' reads '${value.name}', which does not belong to what is copied`);
    addUse(value, user, index);
    return value;
  }
}

/** A copy of a model that shares its tensors; takes a few milliseconds for thousands of nodes. `nodes` and `values` of the options are filled. */
export function cloneModel(model: Model, { values, nodes }: Pick<CloneOptions, 'values' | 'nodes'> = {}): Model {
  const cloner = new Cloner({ closed: true, ...(values && { values }), ...(nodes && { nodes }) });
  const { irVersion, source } = model;
  const copy = new Model(cloner.graph(model.graph), { irVersion, opsets: new Map(model.opsets), ...(source !== undefined && { source }) });
  const functions = new Map<string, LocalFunction>();
  for (const [key, local] of model.functions) functions.set(key, cloneFunction(local, cloner));
  cloner.finish();
  const { producerName, producerVersion, domain, modelVersion, extras, opaque, version } = model;
  return Object.assign(copy, { functions, producerName, producerVersion, domain, modelVersion, extras, opaque, version });
}

/** A copy of a graph for use elsewhere: a body to be adopted by a node, for instance. What it captures, the copy captures too, unless `values` says otherwise. */
export function cloneGraph(graph: Graph, owner?: GraphOwner, options: CloneOptions = {}): Graph {
  const cloner = new Cloner(options);
  const copy = cloner.graph(graph, owner);
  cloner.finish();
  return copy;
}

/**
 * Makes `model` equal to `from`, in place: rolls a failed step back. `from` stays what it is. References into the old graph and
 * editors of the model are void afterwards; the version goes up, so that no analysis of the discarded state passes for current.
 */
export function restoreModel(model: Model, from: Model): void {
  const version = Math.max(model.version, from.version) + 1;
  const copy = cloneModel(from);
  (copy.graph as Mutable<Graph>).owner = model;
  Object.assign(model, copy, { version });
}

/** A copy of a local function; the caller calls the cloner's `finish`. */
export function cloneFunction(local: LocalFunction, cloner: Cloner): LocalFunction {
  const { name, domain, overload, opsets, attributes, extras } = local;
  const defaults = new Map([...local.defaults].map(([key, attribute]) => [key, cloner.attribute(attribute)]));
  return new LocalFunction(name, domain, overload, cloner.graph(local.body), { opsets: new Map(opsets), attributes, defaults, ...(extras && { extras }) });
}
