import type { ByteRange, ByteSource } from '../bytes.ts';
import { constantTensor, densified } from '../constant.ts';
import { Diagnostic } from '../diagnostic.ts';
import {
  addUse, Graph, link, LocalFunction, Model, Node, Value, type ConstantNode, type Extras, type GraphOwner, type Mutable, type Output,
} from '../model.ts';
import type { Tensor } from '../tensor.ts';
import { tensorType, type Type } from '../type.ts';
import type { Attribute } from '../attribute.ts';
import { readAttribute } from './attribute-proto.ts';
import { decode, type DecodeLimits } from './decode.ts';
import type { FunctionProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto } from './fields.ts';
import { readEntries, readSparse, readTensor, type ExternalOpener } from './tensor-proto.ts';
import { readType } from './type-proto.ts';

/** How a model is read. */
export interface ReadOptions {
  /** Opens files with external data, by their location relative to the model; absent: a model that has some is refused. */
  readonly external?: ExternalOpener;
  readonly limits?: DecodeLimits;
}

/**
 * Reads a model. Weights stay where they are: views of the bytes in memory, ranges of the file otherwise. Names become edges; a name
 * that nothing defines, or that two things define, is a Diagnostic (`model/undefined-value`, `model/duplicate-name`) that names the node.
 */
export function readModel(source: ByteSource, options: ReadOptions = {}): Model {
  const proto = decode(source, 'ModelProto', options.limits);
  try {
    return buildModel(proto, source.name, options);
  } catch (error) {
    throw Diagnostic.is(error) ? error.with({ file: source.name }) : error;
  }
}

/** The model that a decoded message stands for; `source` is how users know where it came from. Throws as `readModel` does, without the file. */
export function buildModel(proto: ModelProto, source: string, { external }: Pick<ReadOptions, 'external'> = {}): Model {
  return new Reader(external).model(proto, source);
}

/** Values by name; a body sees those of the graphs around it. */
class Scope {
  private readonly values = new Map<string, Value>();
  private readonly outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.outer = outer;
  }

  define(value: Value, graph: Graph): void {
    if (value.name === '') {
      throw new Diagnostic('model/name', `graph '${graph.name}' has an input or initializer without a name`, { suggestion: 'Give each value a name; export the model again.' });
    }
    if (this.values.has(value.name)) {
      throw new Diagnostic('model/duplicate-name', `graph '${graph.name}' defines the value '${value.name}' twice`, {
        tensor: value.name, ...(value.producer !== undefined && { node: value.producer.reference }), suggestion: 'Each value needs a name of its own; export the model again.',
      });
    }
    this.values.set(value.name, value);
  }

  own(name: string): Value | undefined {
    return this.values.get(name);
  }

  find(name: string): Value | undefined {
    return this.values.get(name) ?? this.outer?.find(name);
  }
}

class Reader {
  private readonly open: ExternalOpener | undefined;
  /** What initializers take of external files. */
  private readonly taken = new Map<ByteSource, { readonly name: string; readonly location: string; readonly start: number; readonly end: number }[]>();

  constructor(open: ExternalOpener | undefined) {
    this.open = open;
  }

  model(proto: ModelProto, source: string): Model {
    if (proto.graph === undefined) throw new Diagnostic('model/no-graph', 'the model holds no graph', { suggestion: 'Check that the file is an ONNX model.' });
    const model = new Model(new Graph(proto.graph.name ?? ''), { irVersion: Number(proto.ir_version ?? 0), opsets: opsets(proto), source }) as Mutable<Model>;
    model.producerName = proto.producer_name;
    model.producerVersion = proto.producer_version;
    model.domain = proto.domain;
    model.modelVersion = proto.model_version;
    model.extras = extrasOf(proto);
    const { training_info: trainingInfo, configuration, compact } = proto;
    if (trainingInfo ?? configuration ?? compact) {
      model.opaque = { ...(trainingInfo && { trainingInfo }), ...(configuration && { configuration }), ...(compact && { compact }) };
    }
    this.fill(model.graph, proto.graph, undefined);
    const functions = new Map<string, LocalFunction>();
    for (const local of proto.functions ?? []) {
      const read = this.function(local);
      if (functions.has(read.key)) throw new Diagnostic('model/duplicate-function', `the function ${read.key} is defined twice`, { suggestion: 'Give each function a name or an overload of its own.' });
      functions.set(read.key, read);
    }
    model.functions = functions;
    this.refuseOverlaps();
    return model;
  }

  private function(proto: FunctionProto): LocalFunction {
    const name = proto.name ?? '';
    const body = new Graph(name);
    const local = new LocalFunction(name, domainOf(proto.domain), proto.overload ?? '', body, {
      opsets: opsets(proto), attributes: proto.attribute ?? [],
      defaults: new Map((proto.attribute_proto ?? []).map((item) => [item.name ?? '', this.attribute(item, `attribute '${item.name ?? ''}' of function '${name}'`, undefined)])),
      ...(extrasOf(proto) && { extras: extrasOf(proto)! }),
    });
    (body as Mutable<Graph>).owner = local;
    const graph: GraphProto = {
      input: (proto.input ?? []).map((input) => ({ name: input })), output: (proto.output ?? []).map((output) => ({ name: output })),
      ...(proto.node && { node: proto.node }), ...(proto.value_info && { value_info: proto.value_info }),
    };
    this.fill(body, graph, undefined);
    return local;
  }

  /** Fills a graph in two rounds: all values first, since files need not be in order, then the edges and bodies. */
  private fill(graph: Graph, proto: GraphProto, outer: Scope | undefined): void {
    const self = graph as Mutable<Graph>;
    const scope = new Scope(outer);
    self.extras = extrasOf(proto);
    self.inputs = (proto.input ?? []).map((info, index) => {
      const name = info.name ?? '';
      const value = new Value(name, graph, { index, type: readType(info.type, `input '${name}'`) });
      (value as Mutable<Value>).extras = extrasOf(info);
      scope.define(value, graph);
      return value;
    });
    this.constants(graph, proto, scope);
    const nodes = this.nodes(graph, proto, scope);
    this.types(proto, scope);
    for (const [node, nodeProto] of nodes) this.connect(node, nodeProto, scope);
    self.outputs = (proto.output ?? []).map((info, index): Output => {
      const name = info.name ?? '';
      const value = scope.find(name);
      if (value === undefined) throw undefinedValue(name, `output ${index} of graph '${graph.name}'`);
      const type = readType(info.type, `output '${name}'`);
      if (value.type === undefined && type !== undefined) (value as Mutable<Value>).type = type;
      addUse(value, graph, index);
      return { name, value, type, extras: extrasOf(info) };
    });
    for (const { tensor_name: name, quant_parameter_tensor_names: entries } of proto.quantization_annotation ?? []) {
      const value = scope.own(name ?? '');
      if (value !== undefined) (value as Mutable<Value>).quantization = readEntries(entries ?? []);
    }
  }

  private constants(graph: Graph, proto: GraphProto, scope: Scope): void {
    const constants = graph.constants as Set<Value>;
    for (const item of proto.initializer ?? []) {
      const name = item.name ?? '';
      const tensor = this.initializer(item, name);
      const input = scope.own(name);
      if (input?.isInput && input.tensor === undefined) {
        (input as Mutable<Value>).tensor = tensor;
        continue;
      }
      const value = new Value(name, graph, { tensor, form: { kind: 'initializer' }, type: tensorType(tensor.dtype, tensor.shape) });
      scope.define(value, graph);
      constants.add(value);
    }
    for (const item of proto.sparse_initializer ?? []) {
      const name = item.values?.name ?? '';
      const sparse = readSparse(item, name, this.open);
      const tensor = densified(sparse, name);
      const value = new Value(name, graph, { tensor, form: { kind: 'sparse-initializer', sparse }, type: tensorType(tensor.dtype, tensor.shape) });
      scope.define(value, graph);
      constants.add(value);
    }
  }

  private initializer(proto: TensorProto, name: string): Tensor {
    const tensor = readTensor(proto, name, this.open);
    const { external } = tensor.storage;
    if (external === undefined || tensor.byteLength === 0) return tensor;
    const { source, offset, length } = tensor.chunk() as ByteRange;
    const taken = this.taken.get(source) ?? [];
    this.taken.set(source, taken);
    taken.push({ name, location: external.location, start: offset, end: offset + length });
    return tensor;
  }

  /** Tensors may share their bytes, but not overlap: that is a damaged file, or one made to look larger than it is. */
  private refuseOverlaps(): void {
    for (const taken of this.taken.values()) {
      taken.sort((a, b) => a.start - b.start || a.end - b.end);
      taken.forEach((after, index) => {
        const before = taken[index - 1];
        if (before === undefined || before.end <= after.start || (before.start === after.start && before.end === after.end)) return;
        throw new Diagnostic('model/external-data', `'${before.name}' and '${after.name}' overlap in '${after.location}': bytes ${before.start} to ${before.end} and ${after.start} to ${after.end}`, {
          tensor: after.name, suggestion: 'The file is damaged or was written wrongly; export the model again.',
        });
      });
    }
  }

  private nodes(graph: Graph, proto: GraphProto, scope: Scope): [Node, NodeProto][] {
    const nodes: [Node, NodeProto][] = [];
    for (const item of proto.node ?? []) {
      if (this.constantNode(item, graph, scope)) continue;
      const name = item.name ?? '';
      const node = new Node(graph, item.op_type ?? '', { name, domain: domainOf(item.domain), overload: item.overload ?? '', origin: name === '' ? [] : [name] });
      const self = node as Mutable<Node>;
      self.extras = extrasOf(item);
      self.deviceConfigurations = item.device_configurations;
      self.outputs = trimmed((item.output ?? []).map((output, index) => {
        if (output === '') return undefined;
        const value = new Value(output, graph, { producer: node, index });
        scope.define(value, graph);
        return value;
      }));
      link(node, undefined);
      nodes.push([node, item]);
    }
    return nodes;
  }

  /** A Constant node becomes a constant value that remembers its form. One that refers to a function's attribute stays a node. */
  private constantNode(proto: NodeProto, graph: Graph, scope: Scope): boolean {
    const [item] = proto.attribute ?? [];
    const [output] = proto.output ?? [];
    if (proto.op_type !== 'Constant' || domainOf(proto.domain) !== '' || item === undefined || proto.attribute!.length > 1 || !output) return false;
    const attributeName = item.name ?? '';
    const attribute = this.attribute(item, `attribute '${attributeName}' of Constant '${output}'`, undefined);
    const tensor = constantTensor(attributeName, attribute);
    if (tensor === undefined) return false;
    const node: ConstantNode = {
      name: proto.name ?? '', domain: '', attribute: { name: attributeName, attribute }, ...extrasOf(proto),
      ...(proto.device_configurations && { deviceConfigurations: proto.device_configurations }),
    };
    const value = new Value(output, graph, { tensor, form: { kind: 'node', node }, type: tensorType(tensor.dtype, tensor.shape) });
    scope.define(value, graph);
    (graph.constants as Set<Value>).add(value);
    return true;
  }

  private connect(node: Node, proto: NodeProto, scope: Scope): void {
    const self = node as Mutable<Node>;
    self.inputs = trimmed((proto.input ?? []).map((name, index) => {
      if (name === '') return undefined;
      const value = scope.find(name);
      if (value === undefined) throw undefinedValue(name, `input ${index} of node '${node.name}' (${node.op})`, node);
      return value;
    }));
    node.inputs.forEach((value, index) => { if (value !== undefined) addUse(value, node, index); });
    if (proto.attribute === undefined) return;
    const attributes = new Map<string, Attribute>();
    for (const item of proto.attribute) {
      const name = item.name ?? '';
      if (attributes.has(name)) throw new Diagnostic('model/attribute', `node '${node.name}' (${node.op}) has the attribute '${name}' twice`, { node: node.reference, suggestion: 'The file was written wrongly; export the model again.' });
      attributes.set(name, this.attribute(item, `attribute '${name}' of node '${node.name}' (${node.op})`, { owner: node, scope }));
    }
    self.attributes = attributes;
  }

  private attribute(proto: Parameters<typeof readAttribute>[0], where: string, place: { owner: GraphOwner; scope: Scope } | undefined): Attribute {
    return readAttribute(proto, where, {
      open: this.open,
      graph: (body) => {
        const graph = new Graph(body.name ?? '', place?.owner);
        this.fill(graph, body, place?.scope);
        return graph;
      },
    });
  }

  private types(proto: GraphProto, scope: Scope): void {
    for (const info of proto.value_info ?? []) {
      const value: Mutable<Value> | undefined = scope.own(info.name ?? '');
      if (value === undefined) continue;
      const type: Type | undefined = readType(info.type, `value '${info.name ?? ''}'`);
      // An input has them from its own entry, but for that of a function, which is a mere name.
      const own = value.isInput && (value.type !== undefined || value.extras !== undefined);
      if (own) continue;
      if (value.tensor === undefined && type !== undefined) value.type = type;
      value.extras = extrasOf(info);
    }
  }
}

function undefinedValue(name: string, reader: string, node?: Node): Diagnostic {
  return new Diagnostic('model/undefined-value', `${reader} reads '${name}', which nothing defines`, {
    tensor: name, ...(node !== undefined && { node: node.reference }), suggestion: 'The file is damaged or was cut out of a larger model; export it again.',
  });
}

function extrasOf(proto: { doc_string?: string; metadata_props?: StringStringEntryProto[] } & Pick<ValueInfoProto, 'unknown'>): Extras | undefined {
  const { doc_string: docString, metadata_props: entries, unknown } = proto;
  if (docString === undefined && entries === undefined && unknown === undefined) return undefined;
  return { ...(docString !== undefined && { docString }), ...(entries && { metadata: readEntries(entries) }), ...(unknown && { unknown }) };
}

function opsets(proto: ModelProto | FunctionProto): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version: number } of proto.opset_import ?? []) {
    const name = domainOf(domain);
    const version = Number(number ?? 0);
    const other = opsets.get(name) ?? version;
    if (other !== version) {
      throw new Diagnostic('model/opset', `operator set '${name || 'ai.onnx'}' is imported in the versions ${other} and ${version}`, { suggestion: 'Keep one of the imports.' });
    }
    opsets.set(name, version);
  }
  return opsets;
}

function domainOf(domain: string | undefined): string {
  return domain === undefined || domain === 'ai.onnx' ? '' : domain;
}

function trimmed<T>(list: readonly (T | undefined)[]): readonly (T | undefined)[] {
  return list.at(-1) === undefined ? list.slice(0, list.findLastIndex((item) => item !== undefined) + 1) : list;
}
