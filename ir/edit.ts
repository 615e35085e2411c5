import { attribute, graphsOf, type Attribute, type AttributeLike } from './attribute.ts';
import {
  addUse, dropUse, Graph, isLinked, isPlaced, link, Model, Node, unlink, Value,
  type ConstantForm, type Extras, type LocalFunction, type Mutable, type Output, type Use,
} from './model.ts';
import { Names } from './names.ts';
import type { Tensor } from './tensor.ts';
import { tensorType, type Type } from './type.ts';

/** What `Editor.insert` makes a node of. */
export interface NodeSpec {
  readonly op: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly inputs: readonly (Value | undefined)[];
  /** Values may be plain JavaScript; see `attribute`. Undefined leaves the attribute out. */
  readonly attributes?: Readonly<Record<string, AttributeLike | undefined>> | ReadonlyMap<string, Attribute>;
  /** Types of the outputs, one for each; default one output of unknown type. */
  readonly outputs?: readonly (Type | undefined)[];
  /** Label to start from; made unique. Default: the operator's name. */
  readonly name?: string;
  /** The nodes that this one replaces or derives from; their origins become its origin. */
  readonly from?: readonly Node[];
  readonly extras?: Extras | undefined;
}

/** Where a node is inserted. A graph means: at its end. */
export type Place = { readonly before: Node } | { readonly after: Node } | Graph;

/** Properties of the model itself that `Editor.setModel` may change. */
export type ModelPatch = Partial<Pick<Model, 'irVersion' | 'opsets' | 'producerName' | 'producerVersion' | 'domain' | 'modelVersion' | 'extras'>> & {
  /** Replaces all functions. */
  readonly functions?: ReadonlyMap<string, LocalFunction>;
};

/**
 * The only way to change a model. Keeps use lists right, keeps labels unique, refuses nonsense at the call (an Error, since it is a
 * defect of the caller), counts what it does, and hands each new node the origin of those it stands for. Node order is the caller's
 * `Place`; a stable topological sort after each step repairs what a rewiring put out of order.
 */
export class Editor {
  readonly model: Model;
  /** Number of changes made by this editor. Verbs that would change nothing do not count. */
  changes = 0;
  private readonly valueNames = new Names();
  private readonly nodeNames = new Names();
  /** Values with a quantization annotation, which names other values by their labels. */
  private readonly annotated = new Set<Value>();

  constructor(model: Model) {
    this.model = model;
    for (const graph of model.graphs()) this.reserveNames(graph);
  }

  /** Adds a node and returns it. Its inputs must be visible from the graph. */
  insert(spec: NodeSpec, place: Place): Node {
    const graph = place instanceof Graph ? place : 'before' in place ? place.before.graph : place.after.graph;
    const anchor = place instanceof Graph ? undefined : 'before' in place ? place.before : place.after.next;
    if (!(place instanceof Graph)) assertLinked('before' in place ? place.before : place.after);
    for (const value of spec.inputs) if (value !== undefined) assertVisible(value, graph, spec.name ?? spec.op);
    const attributes = attributeMap(spec.attributes);
    assertFree([...attributes.values()].flatMap(graphsOf));
    const name = this.nodeNames.take(spec.name ?? spec.op);
    const origin = [...new Set((spec.from ?? []).flatMap((node) => node.origin))];
    const node = new Node(graph, spec.op, { name, domain: spec.domain ?? '', overload: spec.overload ?? '', origin });
    const self = node as Mutable<Node>;
    self.extras = spec.extras;
    self.inputs = trimmed(spec.inputs);
    node.inputs.forEach((value, index) => { if (value !== undefined) addUse(value, node, index); });
    self.attributes = attributes;
    for (const body of node.subgraphs) this.adopt(body, node);
    self.outputs = (spec.outputs ?? [undefined]).map((type, index, all) => {
      const label = this.valueNames.take(all.length === 1 ? `${name}_output` : `${name}_output_${index}`);
      return new Value(label, graph, { producer: node, index, type });
    });
    link(node, anchor);
    this.changed();
    return node;
  }

  /** Removes a node, a constant or a graph input that nothing reads. Later inputs of the graph move up. */
  remove(thing: Node | Value): void {
    if (thing instanceof Node) {
      assertLinked(thing);
      for (const value of thing.outputs) if (value !== undefined) assertUnused(value, thing);
      thing.inputs.forEach((value, index) => { if (value !== undefined) dropUse(value, thing, index); });
      thing.subgraphs.forEach((body) => { this.discard(body); });
      for (const value of thing.outputs) if (value !== undefined) this.valueNames.release(value.name);
      this.nodeNames.release(thing.name);
      unlink(thing);
    } else {
      assertUnused(thing, thing);
      const { graph } = thing;
      if (thing.isInput) {
        (graph as Mutable<Graph>).inputs = graph.inputs.filter((input) => input !== thing);
        graph.inputs.forEach((input, index) => { (input as Mutable<Value>).index = index; });
      } else if (!(graph.constants as Set<Value>).delete(thing)) {
        const { producer } = thing;
        throw new Error(producer === undefined
          ? `'${thing.name}' is no longer in its graph`
          : `'${thing.name}' is an output of node '${producer.name}': remove the node, or drop the output with dropOutput`);
      }
      this.valueNames.release(thing.name);
    }
    this.changed();
  }

  /** Makes input `index` of a node read `value`, or nothing. The list grows and shrinks as needed. */
  setInput(node: Node, index: number, value: Value | undefined): void {
    const before = node.inputs[index];
    if (before === value) return;
    assertLinked(node);
    if (value !== undefined) assertVisible(value, node.graph, node.name);
    const inputs = [...node.inputs];
    while (inputs.length < index) inputs.push(undefined);
    inputs[index] = value;
    (node as Mutable<Node>).inputs = trimmed(inputs);
    if (before !== undefined) dropUse(before, node, index);
    if (value !== undefined) addUse(value, node, index);
    this.changed();
  }

  /** Makes all readers of `value` (or those that `where` admits) read `by` instead; output slots are readers. Returns how many there were. */
  replaceUses(value: Value, by: Value, where: (use: Use) => boolean = () => true): number {
    if (value === by) return 0;
    const uses = value.uses.filter(where);
    for (const { user, index } of uses) {
      if (user instanceof Node) this.setInput(user, index, by);
      else this.setOutput(user, index, by);
    }
    return uses.length;
  }

  /** Sets an attribute, or removes it with undefined. */
  setAttribute(node: Node, name: string, value: AttributeLike | undefined): void {
    const before = node.attributes.get(name);
    if (value === undefined && before === undefined) return;
    assertLinked(node);
    const after = value === undefined ? undefined : attribute(value);
    const [old, kept] = [before, after].map((item) => (item === undefined ? [] : graphsOf(item))) as [readonly Graph[], readonly Graph[]];
    const added = kept.filter((body) => !old.includes(body));
    assertFree(added);
    const attributes = new Map(node.attributes);
    if (after === undefined) attributes.delete(name);
    else attributes.set(name, after);
    (node as Mutable<Node>).attributes = attributes;
    for (const body of old) if (!kept.includes(body)) this.discard(body);
    for (const body of added) this.adopt(body, node);
    this.changed();
  }

  /** States what a value holds. */
  setType(value: Value, type: Type | undefined): void {
    if (value.type === type) return;
    (value as Mutable<Value>).type = type;
    this.changed();
  }

  /** Replaces the text and the unknown fields attached to a node, value, graph or function; for an output slot, see `setOutputExtras`, for the model `setModel`. */
  setExtras(thing: Node | Value | Graph | LocalFunction, extras: Extras | undefined): void {
    if (thing.extras === extras) return;
    (thing as Mutable<Node | Value | Graph | LocalFunction>).extras = extras;
    this.changed();
  }

  /** Gives a node or value another label, made unique; interface names of the graph do not change, but for an input, whose label is its interface name. */
  rename(thing: Node | Value, name: string): void {
    if (thing.name === name) return;
    const names = thing instanceof Node ? this.nodeNames : this.valueNames;
    const label = names.take(name);
    names.release(thing.name);
    if (thing instanceof Value) this.renameInAnnotations(thing, label);
    (thing as Mutable<Node | Value>).name = label;
    this.changed();
  }

  private renameInAnnotations({ graph, name }: Value, label: string): void {
    for (const value of this.annotated) {
      if (value.graph !== graph || value.quantization === undefined) continue;
      const entries = Array.from(value.quantization, ([key, tensor]) => [key, tensor === name ? label : tensor] as const);
      (value as Mutable<Value>).quantization = new Map(entries);
    }
  }

  /** Puts a value into an output slot of a graph; a new slot at the end needs a name; undefined removes the slot, and later slots move up. */
  setOutput(graph: Graph, index: number, value: Value | undefined, name?: string): void {
    const slot = graph.outputs[index];
    if (value !== undefined && slot?.value === value && (name === undefined || name === slot.name)) return;
    if (value === undefined) {
      if (slot === undefined) return;
      this.valueNames.release(slot.name);
      graph.outputs.forEach((output, at) => { dropUse(output.value, graph, at); });
      (graph as Mutable<Graph>).outputs = graph.outputs.filter((_, at) => at !== index);
      graph.outputs.forEach((output, at) => { addUse(output.value, graph, at); });
    } else {
      assertVisible(value, graph, graph.name);
      const label = name ?? slot?.name;
      if (label === undefined || index > graph.outputs.length) throw new Error(`output ${index} of graph '${graph.name}' needs a name, and those before it must be there`);
      if (graph.outputs.some((other, at) => at !== index && other.name === label)) throw new Error(`graph '${graph.name}' has an output '${label}' already`);
      const outputs: Output[] = [...graph.outputs];
      outputs[index] = { name: label, value, type: slot === undefined ? value.type : slot.type, extras: slot?.extras };
      (graph as Mutable<Graph>).outputs = outputs;
      this.valueNames.add(label);
      if (slot !== undefined) {
        this.valueNames.release(slot.name);
        dropUse(slot.value, graph, index);
      }
      addUse(value, graph, index);
    }
    this.changed();
  }

  /** States the type that an output slot declares to callers. */
  setOutputType(graph: Graph, index: number, type: Type | undefined): void {
    this.patchOutput(graph, index, { type });
  }

  /** Replaces the text and the unknown fields attached to an output slot. */
  setOutputExtras(graph: Graph, index: number, extras: Extras | undefined): void {
    this.patchOutput(graph, index, { extras });
  }

  private patchOutput(graph: Graph, index: number, patch: Partial<Pick<Output, 'type' | 'extras'>>): void {
    const slot = graph.outputs[index];
    if (slot === undefined) throw new Error(`graph '${graph.name}' has no output ${index}`);
    const outputs = [...graph.outputs];
    outputs[index] = { ...slot, ...patch };
    (graph as Mutable<Graph>).outputs = outputs;
    this.changed();
  }

  /** Adds a constant to a graph and returns its value. */
  constant(graph: Graph, tensor: Tensor, name = 'constant', form: ConstantForm = { kind: 'initializer' }): Value {
    const label = this.valueNames.take(name);
    const value = new Value(label, graph, { tensor, form, type: tensorType(tensor.dtype, tensor.shape) });
    (graph.constants as Set<Value>).add(value);
    this.changed();
    return value;
  }

  /** Gives a constant or the default of a graph input other elements, for all readers. The type follows. */
  setTensor(value: Value, tensor: Tensor): void {
    if (value.tensor === tensor) return;
    if (value.tensor === undefined) throw new Error(`'${value.name}' is not a constant`);
    const self = value as Mutable<Value>;
    self.tensor = tensor;
    if (value.form?.kind !== 'initializer' && !value.isInput) self.form = { kind: 'initializer' };
    self.type = tensorType(tensor.dtype, tensor.shape);
    this.changed();
  }

  /** Adds an input to a graph and returns its value. */
  addInput(graph: Graph, name: string, type: Type | undefined): Value {
    const label = this.valueNames.take(name);
    const value = new Value(label, graph, { index: graph.inputs.length, type });
    (graph as Mutable<Graph>).inputs = [...graph.inputs, value];
    this.changed();
    return value;
  }

  /** Turns inputs of a graph that have a default into constants, which callers can no longer override. Later inputs move up. */
  fixInputs(graph: Graph, values: readonly Value[]): void {
    const wrong = values.find((value) => value.graph !== graph || !value.isInput || value.tensor === undefined);
    if (wrong !== undefined) throw new Error(`'${wrong.name}' is not an input of graph '${graph.name}' with a default`);
    const fixed = new Set(values);
    (graph as Mutable<Graph>).inputs = graph.inputs.filter((input) => !fixed.has(input));
    graph.inputs.forEach((input, index) => { (input as Mutable<Value>).index = index; });
    for (const value of fixed) {
      const self = value as Mutable<Value>;
      self.index = 0;
      self.form ??= { kind: 'initializer' };
      (graph.constants as Set<Value>).add(value);
      this.changed();
    }
  }

  /** Drops an output of a node that nothing reads: a trailing one disappears, others are left out. */
  dropOutput(value: Value): void {
    const node = value.producer;
    if (node === undefined) throw new Error(`'${value.name}' is no output of a node`);
    assertUnused(value, node);
    assertLinked(node);
    if (node.outputs[value.index] !== value) throw new Error(`'${value.name}' is no longer an output of node '${node.name}'`);
    this.valueNames.release(value.name);
    (node as Mutable<Node>).outputs = trimmed(node.outputs.map((output) => (output === value ? undefined : output)));
    this.changed();
  }

  /** Moves a node to another place in its own graph. */
  move(node: Node, place: { readonly before: Node } | { readonly after: Node }): void {
    const target = 'before' in place ? place.before : place.after;
    assertLinked(node);
    assertLinked(target);
    if (target.graph !== node.graph) throw new Error(`'${node.name}' and '${target.name}' stand in different graphs`);
    const anchor = 'before' in place ? target : target.next;
    if (target === node || anchor === node || node.next === anchor) return;
    unlink(node);
    link(node, anchor);
    this.changed();
  }

  /** Changes properties of the model itself. */
  setModel(patch: ModelPatch): void {
    Object.assign(this.model, patch);
    for (const { body } of patch.functions?.values() ?? []) this.reserveNames(body);
    this.changed();
  }

  /** Reserves a label that nothing else bears, for the parts of a graph that is built before a node adopts it. */
  label(of: 'node' | 'value', base: string): string {
    return (of === 'node' ? this.nodeNames : this.valueNames).take(base);
  }

  private changed(): void {
    this.changes++;
    (this.model as Mutable<Model>).version++;
  }

  /** Takes in a graph that becomes the body of a node. */
  private adopt(body: Graph, node: Node): void {
    (body as Mutable<Graph>).owner = node;
    this.reserveNames(body);
  }

  private reserveNames(graph: Graph): void {
    for (const value of graph.values()) {
      this.valueNames.add(value.name);
      if (value.quantization !== undefined) this.annotated.add(value);
    }
    for (const output of graph.outputs) this.valueNames.add(output.name);
    for (const node of graph.nodes()) {
      this.nodeNames.add(node.name);
      for (const body of node.subgraphs) this.reserveNames(body);
    }
  }

  /** Forgets a body that no longer stands anywhere: what it reads from outside, and its labels. */
  private discard(body: Graph): void {
    dropCaptures(body, new Set());
    this.releaseNames(body);
  }

  private releaseNames(graph: Graph): void {
    for (const value of graph.values()) {
      this.valueNames.release(value.name);
      this.annotated.delete(value);
    }
    for (const output of graph.outputs) this.valueNames.release(output.name);
    for (const node of graph.nodes()) {
      this.nodeNames.release(node.name);
      for (const body of node.subgraphs) this.releaseNames(body);
    }
  }
}

/** Builds a graph for use as a body: the editor's verbs work on it before it belongs to anything. */
export function detachedGraph(name: string): Graph {
  return new Graph(name);
}

function attributeMap(attributes: NodeSpec['attributes']): ReadonlyMap<string, Attribute> {
  if (attributes === undefined) return new Map();
  if (attributes instanceof Map) return attributes as ReadonlyMap<string, Attribute>;
  const entries = Object.entries(attributes as Record<string, AttributeLike | undefined>);
  return new Map(entries.flatMap(([name, like]) => (like === undefined ? [] : [[name, attribute(like)] as const])));
}

/** Without undefined at the end. */
function trimmed<T>(list: readonly (T | undefined)[]): (T | undefined)[] {
  const last = list.findLastIndex((item) => item !== undefined);
  return list.slice(0, last + 1);
}

/** Forgets what a removed body and the bodies in it read from outside; `inside` holds the bodies entered so far. */
function dropCaptures(body: Graph, inside: Set<Graph>): void {
  inside.add(body);
  for (const node of body.nodes()) {
    node.inputs.forEach((value, index) => { if (value !== undefined && !inside.has(value.graph)) dropUse(value, node, index); });
    for (const inner of node.subgraphs) dropCaptures(inner, inside);
  }
  body.outputs.forEach(({ value }, index) => { if (!inside.has(value.graph)) dropUse(value, body, index); });
}

function assertLinked(node: Node): void {
  if (!isLinked(node)) throw new Error(`node '${node.name}' (${node.op}) is no longer in its graph`);
}

function assertUnused(value: Value, thing: Node | Value): void {
  const [use] = value.uses;
  if (use === undefined) return;
  const reader = use.user instanceof Node ? `input ${use.index} of node '${use.user.name}' (${use.user.op})` : `output '${use.user.outputs[use.index]?.name ?? '?'}' of the graph`;
  throw new Error(`'${thing.name}' cannot be removed: '${value.name}' is read by ${reader}`);
}

function assertFree(bodies: readonly Graph[]): void {
  const taken = bodies.find((body, index) => body.owner !== undefined || bodies.indexOf(body) !== index);
  if (taken !== undefined) throw new Error(`graph '${taken.name}' belongs to something else; clone it`);
}

function assertVisible(value: Value, from: Graph, reader: string): void {
  if (!isPlaced(value)) throw new Error(`'${value.name}', which '${reader}' is to read, is no longer in its graph`);
  for (let graph: Graph | undefined = from; graph !== undefined; graph = graph.parent) if (graph === value.graph) return;
  // A body under construction has no owner yet; what it captures is checked when it is adopted by verify.
  if (outermost(from).owner === undefined) return;
  throw new Error(`'${value.name}' of graph '${value.graph.name}' is not visible to '${reader}' in graph '${from.name}'`);
}

function outermost(graph: Graph): Graph {
  let at = graph;
  while (at.parent !== undefined) at = at.parent;
  return at;
}
