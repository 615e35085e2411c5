import type { Chunk } from '../bytes.ts';
import { LocalFunction, type Graph, type Node, type ConstantNode, type Extras, type Model, type Value } from '../model.ts';
import type { Type } from '../type.ts';
import { writeAttribute } from './attribute-proto.ts';
import { encode } from './encode.ts';
import type {
  DeviceConfigurationProto, FunctionProto, GraphProto, ModelProto, NodeDeviceConfigurationProto, NodeProto, OperatorSetIdProto, TensorAnnotation, TensorProto,
  TrainingInfoProto, ValueInfoProto,
} from './fields.ts';
import { checkLocation, writeEntries, writeSparse, writeTensor } from './tensor-proto.ts';
import { writeType } from './type-proto.ts';

/** How a model is written. */
export interface WriteOptions {
  /** Puts the elements of large initializers into one side file. Default: all inside the model. */
  readonly external?: {
    /** Name of the side file, relative to the model. */
    readonly location: string;
    /** Tensors of fewer bytes stay inside; default 1024. */
    readonly threshold?: number;
  };
}

/** What a model is as bytes: the pieces of the file and, where asked for, of the side file. */
export interface Written {
  readonly model: readonly Chunk[];
  readonly external?: readonly Chunk[];
}

/** Start of each tensor in a side file: a multiple of the page size, so that runtimes can map it (ONNX external data documentation). */
const alignment = 4096;

/**
 * Writes a model. Interface names are those of the graph's slots; other values keep their labels, or get numbered ones where labels clash.
 * A slot whose value is an input, belongs to an outer graph or stands in another slot as well gets an Identity node.
 * Tensors keep the form in which they were stored. Equal models give equal bytes. Throws `model/external-path` for a side file that readers would refuse.
 */
export function writeModel(model: Model, options: WriteOptions = {}): Written {
  const writer = new Writer(options.external);
  const chunks = encode(writer.model(model), 'ModelProto');
  return { model: chunks, ...(options.external !== undefined && { external: writer.side }) };
}

/** The message that `writeModel` encodes, all tensors inside; they are there by reference. */
export function modelProto(model: Model): ModelProto {
  return new Writer(undefined).model(model);
}

/** The message of one node, in which values bear their labels. */
export function nodeProto(node: Node): NodeProto {
  const naming = new Naming();
  for (const value of [...readBy(node), ...node.outputs]) if (value !== undefined) naming.give(value, value.name);
  return new Writer(undefined).node(node, naming);
}

/** Names in use in a graph and in those around it, and the name that each value bears in the file. */
class Naming {
  private readonly taken = new Set<string>();
  private readonly outer: Naming | undefined;
  private readonly names = new Map<Value, string>();

  constructor(outer?: Naming) {
    this.outer = outer;
  }

  nameOf(value: Value): string {
    const name = this.names.get(value) ?? this.outer?.nameOf(value);
    if (name === undefined) throw new Error(`'${value.name}' is read outside the graph that defines it`);
    return name;
  }

  has(value: Value): boolean {
    return this.names.has(value);
  }

  /** The name of an input or slot: as it is, unless a graph around this one uses it. */
  claim(name: string): string {
    const free = this.outer?.isTaken(name) ? this.fresh(name) : name;
    this.taken.add(free);
    return free;
  }

  give(value: Value, name: string): void {
    this.names.set(value, name);
  }

  /** The label itself, or with a number where somebody visible bears it. */
  fresh(label: string): string {
    let name = label;
    for (let count = 1; name === '' || this.isTaken(name); count++) name = `${label}_${count}`;
    this.taken.add(name);
    return name;
  }

  private isTaken(name: string): boolean {
    return this.taken.has(name) || (this.outer?.isTaken(name) ?? false);
  }
}

class Writer {
  readonly side: Chunk[] = [];
  private sideLength = 0;
  /** Where bytes lie in the side file, by what holds them and their place in it: tensors that share theirs go on doing so. */
  private readonly placed = new Map<object, Map<string, number>>();
  private readonly external: WriteOptions['external'];

  constructor(external: WriteOptions['external']) {
    if (external !== undefined) checkLocation(external.location, 'the model that is written');
    this.external = external;
  }

  model(model: Model): ModelProto {
    const { opaque } = model;
    return {
      ...(model.irVersion !== 0 && { ir_version: model.irVersion }),
      ...(model.producerName !== undefined && { producer_name: model.producerName }),
      ...(model.producerVersion !== undefined && { producer_version: model.producerVersion }),
      ...(model.domain !== undefined && { domain: model.domain }),
      ...(model.modelVersion !== undefined && { model_version: model.modelVersion }),
      graph: this.graph(model.graph, undefined),
      opset_import: writeOpsets(model.opsets),
      ...(opaque?.trainingInfo && { training_info: opaque.trainingInfo as TrainingInfoProto[] }),
      ...(model.functions.size > 0 && { functions: Array.from(model.functions.values(), (local) => this.function(local)) }),
      ...(opaque?.configuration && { configuration: opaque.configuration as DeviceConfigurationProto[] }),
      ...(opaque?.compact && { compact: opaque.compact }),
      ...writeExtras(model.extras),
    };
  }

  private function(local: LocalFunction): FunctionProto {
    const { node, value_info: info = [], input = [], output = [] } = this.graph(local.body, undefined);
    // Inputs and outputs are mere names there; what is known of them stands beside the rest.
    const told = new Map<string | undefined, ValueInfoProto>();
    for (const item of [...input, ...info, ...output]) if (Object.keys(item).length > 1 && !told.has(item.name)) told.set(item.name, item);
    return {
      name: local.name,
      ...(input.length > 0 && { input: input.map(({ name }) => name ?? '') }),
      ...(output.length > 0 && { output: output.map(({ name }) => name ?? '') }),
      ...(local.attributes.length > 0 && { attribute: [...local.attributes] }),
      ...(node && { node }),
      opset_import: writeOpsets(local.opsets),
      domain: local.domain,
      ...(local.defaults.size > 0 && {
        attribute_proto: Array.from(local.defaults, ([name, value]) => writeAttribute(name, value, (body) => this.graph(body, undefined))),
      }),
      ...(told.size > 0 && { value_info: [...told.values()] }),
      ...(local.overload !== '' && { overload: local.overload }),
      ...writeExtras(local.extras),
    };
  }

  private graph(graph: Graph, outer: Naming | undefined): GraphProto {
    const naming = new Naming(outer);
    const { slots, identities } = nameGraph(graph, naming);
    const nodes = this.nodes(graph, naming);
    for (const [value, name] of identities) nodes.push({ input: [naming.nameOf(value)], output: [name], op_type: 'Identity' });
    const initializers = graph.inputs.flatMap((input): TensorProto[] => (input.tensor === undefined ? [] : [this.tensor(input, naming.nameOf(input))]));
    const sparse = [];
    for (const value of graph.owner instanceof LocalFunction ? [] : graph.constants) {
      if (value.form?.kind === 'sparse-initializer') sparse.push(writeSparse(value.form.sparse, naming.nameOf(value)));
      else if (value.form?.kind !== 'node') initializers.push(this.tensor(value, naming.nameOf(value)));
    }
    const info = writeInfo(graph, naming, new Set(slots));
    const annotations = writeAnnotations(graph, naming);
    return {
      ...(nodes.length > 0 && { node: nodes }),
      ...(graph.name !== '' && { name: graph.name }),
      ...(initializers.length > 0 && { initializer: initializers }),
      ...(graph.inputs.length > 0 && { input: graph.inputs.map((value) => valueInfo(naming.nameOf(value), value.type, value.extras)) }),
      ...(graph.outputs.length > 0 && { output: graph.outputs.map(({ type, value, extras }, index) => valueInfo(slots[index]!, type ?? value.type, extras)) }),
      ...(info.length > 0 && { value_info: info }),
      ...(annotations.length > 0 && { quantization_annotation: annotations }),
      ...(sparse.length > 0 && { sparse_initializer: sparse }),
      ...writeExtras(graph.extras),
    };
  }

  /** The nodes in order; a Constant node comes right before the first that reads it, at the end if only slots do. A function has no initializers: all its constants are nodes. */
  private nodes(graph: Graph, naming: Naming): NodeProto[] {
    const all = graph.owner instanceof LocalFunction;
    const pending = new Set([...graph.constants].filter((value) => all || value.form?.kind === 'node'));
    const protos: NodeProto[] = [];
    const emit = (value: Value): void => {
      if (pending.delete(value)) protos.push(writeConstant(asNode(value), naming.nameOf(value)));
    };
    for (const node of graph.nodes()) {
      for (const value of readBy(node)) emit(value);
      protos.push(this.node(node, naming));
    }
    for (const value of [...pending]) emit(value);
    return protos;
  }

  node(node: Node, naming: Naming): NodeProto {
    // No spreads here and in valueInfo: a model has tens of thousands of them, and half of the time went there.
    const { inputs, attributes, name, domain, overload, deviceConfigurations } = node;
    const proto: NodeProto = { output: node.outputs.map((value) => (value === undefined ? '' : naming.nameOf(value))), op_type: node.op };
    if (inputs.length > 0) proto.input = inputs.map((value) => (value === undefined ? '' : naming.nameOf(value)));
    if (name !== '') proto.name = name;
    if (attributes.size > 0) proto.attribute = Array.from(attributes, ([key, value]) => writeAttribute(key, value, (body) => this.graph(body, naming)));
    if (domain !== '') proto.domain = domain;
    if (overload !== '') proto.overload = overload;
    if (deviceConfigurations !== undefined) proto.device_configurations = deviceConfigurations as NodeDeviceConfigurationProto[];
    return node.extras === undefined ? proto : Object.assign(proto, writeExtras(node.extras));
  }

  private tensor(value: Value, name: string): TensorProto {
    const tensor = value.tensor!;
    const { external } = this;
    if (external === undefined || tensor.dtype === 'string' || tensor.byteLength < (external.threshold ?? 1024)) return writeTensor(tensor, name);
    const chunk = tensor.chunk();
    return writeTensor(tensor, name, [['location', external.location], ['offset', String(this.place(chunk))], ['length', String(chunk.length)]]);
  }

  /** Where bytes lie in the side file; puts them at its end unless they are there. */
  private place(chunk: Chunk): number {
    const [holder, at] = chunk instanceof Uint8Array ? [chunk.buffer, chunk.byteOffset] : [chunk.source, chunk.offset];
    const inHolder = this.placed.get(holder) ?? new Map<string, number>();
    this.placed.set(holder, inHolder);
    const key = `${at}:${chunk.length}`;
    const known = inHolder.get(key);
    if (known !== undefined) return known;
    const padding = (alignment - (this.sideLength % alignment)) % alignment;
    if (padding > 0) this.side.push(new Uint8Array(padding));
    const offset = this.sideLength + padding;
    this.side.push(chunk);
    this.sideLength = offset + chunk.length;
    inHolder.set(key, offset);
    return offset;
  }
}

/**
 * Names the values of a graph. Inputs and slots keep their names, which callers use; in a body, where their order counts, they make way for what
 * the body can see, so that nothing is hidden from it. Returns the names of the slots, and those among them that need an Identity.
 */
function nameGraph(graph: Graph, naming: Naming): { slots: string[]; identities: [value: Value, name: string][] } {
  const identities: [Value, string][] = [];
  const claimed = new Map<string, string>();
  for (const input of graph.inputs) {
    claimed.set(input.name, naming.claim(input.name));
    naming.give(input, claimed.get(input.name)!);
  }
  for (const { name } of graph.outputs) if (!claimed.has(name)) claimed.set(name, naming.claim(name));
  const slots = graph.outputs.map((output) => claimed.get(output.name)!);
  graph.outputs.forEach(({ value }, index) => {
    const name = slots[index]!;
    if (value.graph === graph && (!naming.has(value) || naming.nameOf(value) === name)) naming.give(value, name);
    else identities.push([value, name]);
  });
  for (const value of graph.values()) if (!naming.has(value)) naming.give(value, naming.fresh(value.name));
  return { slots, identities };
}

/** Values that a node or its bodies read. */
function* readBy(node: Node): Iterable<Value> {
  for (const value of node.inputs) if (value !== undefined) yield value;
  for (const body of node.subgraphs) {
    for (const inner of body.nodes()) yield* readBy(inner);
    for (const { value } of body.outputs) yield value;
  }
}

/** The Constant node that a constant is, or becomes. */
function asNode({ form, tensor }: Value): ConstantNode {
  if (form?.kind === 'node') return form.node;
  const attribute: ConstantNode['attribute'] = form?.kind === 'sparse-initializer'
    ? { name: 'sparse_value', attribute: { kind: 'sparseTensor', value: form.sparse } }
    : { name: 'value', attribute: { kind: 'tensor', value: tensor! } };
  return { name: '', domain: '', attribute };
}

function writeConstant(node: ConstantNode, output: string): NodeProto {
  return {
    output: [output], ...(node.name !== '' && { name: node.name }), op_type: 'Constant',
    attribute: [writeAttribute(node.attribute.name, node.attribute.attribute, () => { throw new Error('a Constant has no bodies'); })],
    ...(node.deviceConfigurations && { device_configurations: node.deviceConfigurations as NodeDeviceConfigurationProto[] }),
    ...writeExtras(node),
  };
}

/** Entries of value_info: types of what nodes make, unless a slot states them, and whatever carries extras. */
function writeInfo(graph: Graph, naming: Naming, slots: ReadonlySet<string>): ValueInfoProto[] {
  const info: ValueInfoProto[] = [];
  for (const value of graph.values()) {
    if (value.isInput) continue;
    const name = naming.nameOf(value);
    const told = value.producer !== undefined && value.type !== undefined && !slots.has(name);
    if (told || value.extras !== undefined) info.push(valueInfo(name, value.type, value.extras));
  }
  return info;
}

/** Annotations name tensors by the labels that these have in the graph; in the file they may have other names. */
function writeAnnotations(graph: Graph, naming: Naming): TensorAnnotation[] {
  const annotated = [...graph.values()].flatMap((value) => (value.quantization === undefined ? [] : [[value, value.quantization] as const]));
  if (annotated.length === 0) return [];
  const names = new Map([...graph.values()].map((value) => [value.name, naming.nameOf(value)]));
  return annotated.map(([value, entries]) => ({
    tensor_name: naming.nameOf(value), quant_parameter_tensor_names: writeEntries(Array.from(entries, ([key, label]) => [key, names.get(label) ?? label] as const)),
  }));
}

function valueInfo(name: string, type: Type | undefined, extras: Extras | undefined): ValueInfoProto {
  const info: ValueInfoProto = { name };
  if (type !== undefined) info.type = writeType(type);
  return extras === undefined ? info : Object.assign(info, writeExtras(extras));
}

function writeExtras(extras: Extras | undefined): Pick<ValueInfoProto, 'doc_string' | 'metadata_props' | 'unknown'> {
  if (extras === undefined) return {};
  const { docString, metadata, unknown } = extras;
  return {
    ...(docString !== undefined && { doc_string: docString }), ...(metadata && { metadata_props: writeEntries(metadata) }),
    ...(unknown && { unknown: [...unknown] }),
  };
}

function writeOpsets(opsets: ReadonlyMap<string, number>): OperatorSetIdProto[] {
  return Array.from(opsets, ([domain, version]) => ({ ...(domain !== '' && { domain }), version }));
}
