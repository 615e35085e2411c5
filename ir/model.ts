import { graphsOf, type Attribute, type Int } from './attribute.ts';
import type { Chunk } from './bytes.ts';
import type { NodeReference } from './diagnostic.ts';
import type { Tensor, SparseTensor } from './tensor.ts';
import type { Type } from './type.ts';

/**
 * Lifts `readonly` inside ir/: passes see read-only objects, and only the editor, the readers and the cloner, which keep use lists
 * right, write to them. Nothing outside ir/ may import it.
 */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Text that people attached to a thing, and wire fields that this version does not know. Kept from reading to writing. */
export interface Extras {
  readonly docString?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  readonly unknown?: readonly Chunk[];
}

/** One place where a value is read: input `index` of a node, or output slot `index` of a graph. */
export interface Use {
  readonly user: Node | Graph;
  readonly index: number;
}

/** How a constant without producer was stored in the file, so that a writer can keep it. */
export type ConstantForm =
  | { readonly kind: 'initializer' }
  | { readonly kind: 'sparse-initializer'; readonly sparse: SparseTensor }
  /** A Constant node; `attribute` holds the value in its original form (value, value_float, value_ints, sparse_value, …). */
  | { readonly kind: 'node'; readonly node: ConstantNode };

/** What a Constant node had beside its value. */
export interface ConstantNode extends Extras {
  readonly name: string;
  readonly domain: string;
  readonly attribute: { readonly name: string; readonly attribute: Attribute };
  readonly deviceConfigurations?: readonly object[];
}

/**
 * Something that flows along an edge: a graph input, an output of a node, or a constant. It belongs to one graph; nodes of that graph
 * and of the subgraphs inside it may read it. Its name is a label, unique in its graph: the interface names live on the graph's slots.
 */
export class Value {
  readonly name: string;
  readonly graph: Graph;
  readonly type: Type | undefined;
  readonly producer: Node | undefined;
  /** Which output of the producer, or which input of the graph, this is; 0 for a constant. */
  readonly index: number;
  /** All readers, in the order in which they became readers; captures by subgraphs and graph outputs included. */
  readonly uses: readonly Use[] = [];
  /** The elements of an initializer or Constant node; for a graph input, the default that a caller may override. */
  readonly tensor: Tensor | undefined;
  readonly form: ConstantForm | undefined;
  /** Extras of the value's entry in value_info, inputs or outputs. */
  readonly extras: Extras | undefined;
  /** Quantization annotation: key such as SCALE_TENSOR → name of the tensor that holds it. */
  readonly quantization: ReadonlyMap<string, string> | undefined;

  constructor(name: string, graph: Graph, fields: {
    producer?: Node | undefined; index?: number; type?: Type | undefined; tensor?: Tensor | undefined; form?: ConstantForm | undefined;
  }) {
    this.name = name;
    this.graph = graph;
    this.type = fields.type;
    this.producer = fields.producer;
    this.index = fields.index ?? 0;
    this.tensor = fields.tensor;
    this.form = fields.form;
    this.extras = undefined;
    this.quantization = undefined;
  }

  /** True if this is an input of its graph. */
  get isInput(): boolean {
    return this.graph.inputs[this.index] === this;
  }

  /** The tensor if the value can be nothing else: an initializer or Constant node that no caller can override. */
  get constant(): Tensor | undefined {
    return this.isInput ? undefined : this.tensor;
  }
}

/** What a node has before it is filled; shared, since these lists are replaced and never written to. */
const nothing: readonly never[] = Object.freeze([]);
const noAttributes: ReadonlyMap<string, Attribute> = new Map();

/** What most nodes have of bodies; walks ask for it all the time. */
const none: readonly Graph[] = [];

/** One application of an operator. */
export class Node {
  readonly name: string;
  readonly op: string;
  /** '' is the ONNX domain. */
  readonly domain: string;
  readonly overload: string;
  readonly graph: Graph;
  /** Undefined where an optional input is left out. There is no undefined at the end. */
  readonly inputs: readonly (Value | undefined)[] = nothing;
  /** Undefined where an optional output is left out. */
  readonly outputs: readonly (Value | undefined)[] = nothing;
  readonly attributes: ReadonlyMap<string, Attribute> = noAttributes;
  readonly extras: Extras | undefined;
  /** Device configurations (IR 11) as decoded messages; kept, never interpreted. */
  readonly deviceConfigurations: readonly object[] | undefined;
  /** Names of the nodes of the model as read from which this node descends. */
  readonly origin: readonly string[];
  /** Neighbours in the graph's order; undefined at the ends. */
  readonly previous: Node | undefined;
  readonly next: Node | undefined;

  constructor(graph: Graph, op: string, fields: { name: string; domain?: string; overload?: string; origin?: readonly string[] }) {
    this.graph = graph;
    this.op = op;
    this.name = fields.name;
    this.domain = fields.domain ?? '';
    this.overload = fields.overload ?? '';
    this.origin = fields.origin ?? [];
    this.extras = undefined;
    this.deviceConfigurations = undefined;
    this.previous = undefined;
    this.next = undefined;
  }

  /** True for this operator of the ONNX domain. */
  is(...ops: readonly string[]): boolean {
    return this.domain === '' && ops.includes(this.op);
  }

  /** The only output. Throws a TypeError if the node has another number of outputs. */
  get output(): Value {
    const [value] = this.outputs;
    if (value === undefined || this.outputs.some((other, index) => index > 0 && other !== undefined)) {
      throw new TypeError(`node '${this.name}' (${this.op}) has not exactly one output`);
    }
    return value;
  }

  /** An integer attribute, or `fallback` (the operator's default) where it is absent. Beyond 2^53 it rounds. */
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined;
  int(name: string, fallback?: number): number | undefined {
    const found = this.attributes.get(name);
    return found?.kind === 'int' ? Number(found.value) : fallback;
  }

  float(name: string, fallback: number): number;
  float(name: string, fallback?: number): number | undefined;
  float(name: string, fallback?: number): number | undefined {
    const found = this.attributes.get(name);
    return found?.kind === 'float' ? found.value : fallback;
  }

  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined;
  string(name: string, fallback?: string): string | undefined {
    const found = this.attributes.get(name);
    return found?.kind === 'string' && typeof found.value === 'string' ? found.value : fallback;
  }

  ints(name: string, fallback: readonly number[]): readonly number[];
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined;
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined {
    const found = this.attributes.get(name);
    return found?.kind === 'ints' ? found.value.map(Number) : fallback;
  }

  /** Graphs that the node's attributes hold (bodies of If, Loop, Scan). */
  get subgraphs(): readonly Graph[] {
    let bodies: readonly Graph[] = none;
    for (const attribute of this.attributes.values()) {
      const found = graphsOf(attribute);
      if (found.length > 0) bodies = bodies.length === 0 ? found : [...bodies, ...found];
    }
    return bodies;
  }

  /** How remarks and errors name this node. */
  get reference(): NodeReference {
    return { name: this.name, op: this.op, origin: this.origin };
  }
}

/** A slot of a graph's interface: the name that callers use, and the value that stands there. */
export interface Output {
  readonly name: string;
  readonly value: Value;
  /** The declared type; the value's own type may be more precise. */
  readonly type: Type | undefined;
  readonly extras: Extras | undefined;
}

/** Where a graph stands: in the model itself, in a function, or in an attribute of a node. */
export type GraphOwner = Model | LocalFunction | Node;

/** Nodes in an order in which producers precede users, between inputs and outputs. */
export class Graph {
  readonly name: string;
  /** Undefined only while the owner is being built. */
  readonly owner: GraphOwner | undefined;
  readonly inputs: readonly Value[] = [];
  readonly outputs: readonly Output[] = [];
  /** Initializers and the values of Constant nodes, in the order in which they came; defaults of inputs are not among them. */
  readonly constants: ReadonlySet<Value> = new Set();
  readonly first: Node | undefined;
  readonly last: Node | undefined;
  readonly nodeCount: number = 0;
  readonly extras: Extras | undefined;

  constructor(name: string, owner?: GraphOwner) {
    this.name = name;
    this.owner = owner;
    this.first = undefined;
    this.last = undefined;
    this.extras = undefined;
  }

  /** The nodes of this graph in order, subgraphs not entered. During the iteration any node may be removed, also the current one, and nodes inserted; those behind the current one are visited. */
  *nodes(): Iterable<Node> {
    let node = this.first;
    while (node !== undefined) {
      const current = node;
      yield current;
      // A removed node keeps its `next`, which may itself have been removed: follow until one is still linked.
      node = current.next;
      while (node !== undefined && !isLinked(node)) node = node.next;
    }
  }

  /** All nodes of this graph and of the graphs inside its nodes, a node before its bodies. */
  *walk(): Iterable<Node> {
    for (const node of this.nodes()) {
      yield node;
      for (const body of node.subgraphs) yield* body.walk();
    }
  }

  /** All values of this graph: inputs, constants, outputs of nodes. */
  *values(): Iterable<Value> {
    yield* this.inputs;
    yield* this.constants;
    for (const node of this.nodes()) for (const value of node.outputs) if (value !== undefined) yield value;
  }

  /** The graph around this one, for a body of a node. */
  get parent(): Graph | undefined {
    return this.owner instanceof Node ? this.owner.graph : undefined;
  }

  /** Version of an operator set that holds in this graph, or undefined if its domain is not imported. */
  opset(domain = ''): number | undefined {
    const { owner } = this;
    if (owner instanceof Node) return owner.graph.opset(domain);
    return owner?.opsets.get(domain);
  }
}

/** A function of the model itself (FunctionProto): a node with its name and domain is a call. */
export class LocalFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly opsets: ReadonlyMap<string, number>;
  /** Inputs and outputs of the body are the function's; it has no initializers. */
  readonly body: Graph;
  /** Attributes without default, which every call must give. */
  readonly attributes: readonly string[];
  /** Attributes with default. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  readonly extras: Extras | undefined;

  constructor(name: string, domain: string, overload: string, body: Graph, fields: {
    opsets: ReadonlyMap<string, number>; attributes?: readonly string[]; defaults?: ReadonlyMap<string, Attribute>; extras?: Extras;
  }) {
    this.name = name;
    this.domain = domain;
    this.overload = overload;
    this.body = body;
    this.opsets = fields.opsets;
    this.attributes = fields.attributes ?? [];
    this.defaults = fields.defaults ?? new Map<string, Attribute>();
    this.extras = fields.extras;
    (body as Mutable<Graph>).owner = this;
  }

  /** `domain:name:overload`, the key in `Model.functions`. */
  get key(): string {
    return functionKey(this.domain, this.name, this.overload);
  }
}

/** Key of a function in `Model.functions`; a node calls the function whose key its domain, op and overload make. */
export function functionKey(domain: string, name: string, overload = ''): string {
  return `${domain}:${name}:${overload}`;
}

/** An ONNX model. */
export class Model {
  readonly irVersion: number;
  /** Domain → version. '' is the ONNX domain; `ai.onnx` in a file is read as ''. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly functions: ReadonlyMap<string, LocalFunction> = new Map();
  readonly producerName: string | undefined;
  readonly producerVersion: string | undefined;
  readonly domain: string | undefined;
  readonly modelVersion: Int | undefined;
  readonly extras: Extras | undefined;
  /** Parts of ModelProto that are kept, never interpreted: training_info, configuration (decoded messages), and `compact`, see ModelProto in onnx/fields.ts. */
  readonly opaque: { readonly trainingInfo?: readonly object[]; readonly configuration?: readonly object[]; readonly compact?: boolean } | undefined;
  /** Counts edits: equal versions of one Model mean an equal model. */
  readonly version: number = 0;
  /** File or buffer it was read from, for messages. */
  readonly source: string | undefined;

  constructor(graph: Graph, fields: { irVersion: number; opsets: ReadonlyMap<string, number>; source?: string }) {
    this.graph = graph;
    this.irVersion = fields.irVersion;
    this.opsets = fields.opsets;
    this.source = fields.source;
    this.producerName = undefined;
    this.producerVersion = undefined;
    this.domain = undefined;
    this.modelVersion = undefined;
    this.extras = undefined;
    this.opaque = undefined;
    (graph as Mutable<Graph>).owner = this;
  }

  opset(domain = ''): number | undefined {
    return this.opsets.get(domain);
  }

  /** The main graph and the bodies of the functions: everything that holds nodes, subgraphs aside. */
  *graphs(): Iterable<Graph> {
    yield this.graph;
    for (const { body } of this.functions.values()) yield body;
  }
}

/** True while the node stands in its graph's list. */
export function isLinked(node: Node): boolean {
  return node.graph.first === node || node.previous?.next === node;
}

/** True while the value stands in its graph: as an input, as a constant, or as an output of a node in the list. */
export function isPlaced(value: Value): boolean {
  const { producer, graph, index } = value;
  if (producer !== undefined) return producer.outputs[index] === value && isLinked(producer);
  return value.isInput || graph.constants.has(value);
}

/** Puts a node into its graph's list before `anchor`, or at the end. */
export function link(node: Node, anchor: Node | undefined): void {
  const graph = node.graph as Mutable<Graph>;
  const previous = anchor === undefined ? graph.last : anchor.previous;
  const self = node as Mutable<Node>;
  self.previous = previous;
  self.next = anchor;
  if (previous === undefined) graph.first = node;
  else (previous as Mutable<Node>).next = node;
  if (anchor === undefined) graph.last = node;
  else (anchor as Mutable<Node>).previous = node;
  graph.nodeCount++;
}

/** Takes a node out of its graph's list. Its own `next` stays, so that a running iteration finds its way. */
export function unlink(node: Node): void {
  const graph = node.graph as Mutable<Graph>;
  if (node.previous === undefined) graph.first = node.next;
  else (node.previous as Mutable<Node>).next = node.next;
  if (node.next === undefined) graph.last = node.previous;
  else (node.next as Mutable<Node>).previous = node.previous;
  (node as Mutable<Node>).previous = undefined;
  graph.nodeCount--;
}

/** Records that `user` reads `value` at `index`. */
export function addUse(value: Value, user: Node | Graph, index: number): void {
  (value.uses as Use[]).push({ user, index });
}

/** Forgets that `user` reads `value` at `index`. */
export function dropUse(value: Value, user: Node | Graph, index: number): void {
  const uses = value.uses as Use[];
  const at = uses.findIndex((use) => use.user === user && use.index === index);
  if (at >= 0) uses.splice(at, 1);
}

