import type { Attribute } from '../../ir/attribute.ts';
import { joinChunks, type Chunk } from '../../ir/bytes.ts';
import { dtypeNumber, type DType } from '../../ir/dtype.ts';
import { functionKey, Model, type Graph, type LocalFunction, type Node, type Value } from '../../ir/model.ts';
import { writeAttribute } from '../../ir/onnx/attribute-proto.ts';
import { encode } from '../../ir/onnx/encode.ts';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto, ValueInfoProto } from '../../ir/onnx/fields.ts';
import { writeTensor } from '../../ir/onnx/tensor-proto.ts';
import { writeType } from '../../ir/onnx/type-proto.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Dim, Type } from '../../ir/type.ts';

/** The newest operator sets that ONNX Runtime 1.30 loads; a model of a later one is tried with these. */
const newest = new Map([['', 26], ['ai.onnx.ml', 5], ['com.microsoft', 1]]);
const irVersion = 13;

/** Attributes whose integer is an element type. */
export const typeAttributes: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype']);

/** How a probe differs from the model it is made of. */
export interface ProbeOptions {
  /** Constants of more bytes become inputs that have only a type. Default: none. */
  readonly largest?: number;
  /** An element type to be replaced by another one everywhere. */
  readonly swap?: { readonly from: DType; readonly to: DType } | undefined;
}

/** What a probe consists of at its outermost level. */
export interface ProbeParts {
  readonly inputs: readonly ValueInfoProto[];
  readonly initializers: readonly TensorProto[];
  readonly nodes: readonly NodeProto[];
  readonly outputs: readonly string[];
  /** Types that ONNX Runtime must find to be true. */
  readonly claims?: readonly ValueInfoProto[];
}

/**
 * Writes parts of a model for ONNX Runtime. All names are made up: values are `v#7`, nodes `n#7`, functions `f#7`, symbols of axes `s#7`. So labels that occur
 * twice in different scopes, empty names and names that look like others do no harm, and what ONNX Runtime says can be traced back exactly.
 */
export class Probe {
  private readonly options: ProbeOptions;
  private readonly root: Model | LocalFunction | undefined;
  private readonly names = new Map<Value | Node | LocalFunction, string>();
  private readonly values: Value[] = [];
  private readonly nodes: Node[] = [];
  private readonly symbols = new Map<string, string>();
  private readonly symbolNames: string[] = [];
  private readonly functions = new Map<LocalFunction, FunctionProto>();
  private readonly hoisted = new Map<Value, ValueInfoProto>();
  /** Inside a function nothing can be read from around it. */
  private sealed = false;
  /** Domains of the nodes written so far. */
  private readonly domains = new Set(['']);

  constructor(graph: Graph, options: ProbeOptions = {}) {
    this.options = options;
    let outermost = graph;
    while (outermost.parent !== undefined) outermost = outermost.parent;
    this.root = outermost.owner as Model | LocalFunction | undefined;
  }

  nameOf(value: Value): string {
    let name = this.names.get(value);
    if (name === undefined) this.names.set(value, name = `v#${this.values.push(value) - 1}`);
    return name;
  }

  /** The value that has the number of this name, whatever letter stands before it. */
  valueOf(name: string): Value | undefined {
    return this.values[Number(name.slice(2))];
  }

  nodeOf(name: string): Node | undefined {
    return this.nodes[Number(name.slice(2))];
  }

  /** Axes as ONNX Runtime reports them; a symbol that it made up stands for nothing. */
  axes(shape: readonly (number | string)[]): Dim[] {
    return shape.map((dim) => (typeof dim === 'number' ? dim : /^s#\d+$/.test(dim) ? this.symbolNames[Number(dim.slice(2))] : undefined));
  }

  /** True if the constant is left out of the probe, which then has an input for it. */
  isLarge(tensor: Tensor): boolean {
    return tensor.byteLength > (this.options.largest ?? Infinity);
  }

  /** Declares a value with a type: an input, a claim. */
  declare(value: Value, type: Type | undefined): ValueInfoProto {
    return { name: this.nameOf(value), ...(type !== undefined && { type: this.type(type) }) };
  }

  initializer(value: Value, tensor: Tensor, external?: readonly (readonly [string, string])[]): TensorProto {
    return writeTensor(this.tensor(tensor), this.nameOf(value), external);
  }

  node(node: Node): NodeProto {
    const name = this.nodeName(node);
    const called = this.calleeOf(node);
    if (called !== undefined) this.writeFunction(called);
    else this.domains.add(node.domain);
    return {
      name, input: this.list(node.inputs), output: this.list(node.outputs),
      ...(called === undefined ? { op_type: node.op, domain: node.domain } : { op_type: this.functionName(called), domain: 'local' }),
      ...(node.attributes.size > 0 && { attribute: Array.from(node.attributes, ([key, item]) => this.attribute(key, item)) }),
    };
  }

  /** The local function that a node calls, if it calls one. */
  calleeOf(node: Node): LocalFunction | undefined {
    return this.root instanceof Model ? this.root.functions.get(functionKey(node.domain, node.op, node.overload)) : undefined;
  }

  /** The model around the parts, with the functions that they call and the inputs of constants in bodies that were left out. */
  model(parts: ProbeParts): Chunk[] {
    const graph: GraphProto = {
      name: 'probe', node: [...parts.nodes], initializer: [...parts.initializers], input: [...parts.inputs, ...this.hoisted.values()],
      output: parts.outputs.map((name) => ({ name })), ...(parts.claims !== undefined && { value_info: [...parts.claims] }),
    };
    const functions = [...this.functions.values()];
    return encode({
      ir_version: irVersion, opset_import: this.opsets(this.root?.opsets, functions.length > 0), graph, ...(functions.length > 0 && { functions }),
    }, 'ModelProto');
  }

  /** The same in one piece, as a buffer that may change owner. */
  bytes(parts: ProbeParts): Uint8Array {
    return joinChunks(this.model(parts));
  }

  private nodeName(node: Node): string {
    let name = this.names.get(node);
    if (name === undefined) this.names.set(node, name = `n#${this.nodes.push(node) - 1}`);
    return name;
  }

  private functionName(called: LocalFunction): string {
    let name = this.names.get(called);
    if (name === undefined) this.names.set(called, name = `f#${this.functions.size}`);
    return name;
  }

  private list(values: readonly (Value | undefined)[]): string[] {
    return values.map((value) => (value === undefined ? '' : this.nameOf(value)));
  }

  /** Versions of the domains in use, none newer than ONNX Runtime knows; a domain that the model does not import has version 1. */
  private opsets(stated: ReadonlyMap<string, number> | undefined, functions: boolean): OperatorSetIdProto[] {
    const list = Array.from(this.domains, (domain) => ({ domain, version: Math.min(stated?.get(domain) ?? 1, newest.get(domain) ?? Infinity) }));
    return functions ? [...list, { domain: 'local', version: 1 }] : list;
  }

  private writeFunction(called: LocalFunction): void {
    if (this.functions.has(called)) return;
    const name = this.functionName(called);
    const proto: FunctionProto = { name, domain: 'local' };
    this.functions.set(called, proto);
    const { body } = called;
    const { sealed } = this;
    this.sealed = true;
    const { nodes, outputs } = this.section(body);
    this.sealed = sealed;
    proto.node = [...this.constants(body), ...nodes];
    proto.input = this.list(body.inputs);
    proto.output = outputs;
    proto.attribute = [...called.attributes];
    proto.attribute_proto = Array.from(called.defaults, ([key, item]) => this.attribute(key, item));
    proto.opset_import = this.opsets(called.opsets, true);
  }

  /** Constants of a function's body, which has no initializers. */
  private constants(body: Graph): NodeProto[] {
    return Array.from(body.constants, (value) => {
      const stated = value.form?.kind === 'node' ? value.form.node.attribute : undefined;
      const [key, item] = value.tensor === undefined && stated !== undefined ? [stated.name, stated.attribute] : ['value', { kind: 'tensor', value: value.tensor! } as const];
      return { op_type: 'Constant', output: [this.nameOf(value)], attribute: [this.attribute(key, item)] };
    });
  }

  private body(graph: Graph): GraphProto {
    const initializer: TensorProto[] = [];
    for (const value of graph.constants) {
      if (this.sealed || !this.isLarge(value.tensor!)) initializer.push(this.initializer(value, value.tensor!));
      else this.hoisted.set(value, this.declare(value, { kind: 'tensor', dtype: value.tensor!.dtype, shape: value.tensor!.shape }));
    }
    const { nodes, outputs } = this.section(graph);
    return {
      name: graph.name, node: nodes, initializer, input: graph.inputs.map((value) => this.declare(value, value.type)), output: outputs.map((name) => ({ name })),
    };
  }

  /** The nodes of a graph, and the names of its outputs: a slot that shows no node's output of this graph, or one already shown, gets an Identity. */
  private section(graph: Graph): { nodes: NodeProto[]; outputs: string[] } {
    const nodes = Array.from(graph.nodes(), (node) => this.node(node));
    const shown = new Set<Value>();
    const outputs = graph.outputs.map(({ value }, index) => {
      const name = this.nameOf(value);
      if (value.producer?.graph === graph && !shown.has(value)) {
        shown.add(value);
        return name;
      }
      const copy = `${name}@${this.values.length}.${index}`;
      nodes.push({ op_type: 'Identity', input: [name], output: [copy] });
      return copy;
    });
    return { nodes, outputs };
  }

  private attribute(name: string, item: Attribute): AttributeProto {
    return writeAttribute(name, this.exchanged(name, item), (body) => this.body(body));
  }

  /** The attribute with element types exchanged and symbols renamed. */
  private exchanged(name: string, item: Attribute): Attribute {
    const { swap } = this.options;
    switch (item.kind) {
      case 'int':
        return swap !== undefined && typeAttributes.has(name) && Number(item.value) === dtypeNumber(swap.from) ? { ...item, value: dtypeNumber(swap.to) } : item;
      case 'tensor':
        return { ...item, value: this.tensor(item.value) };
      case 'type':
        return { ...item, value: this.translate(item.value) };
      case 'types':
        return { ...item, value: item.value.map((type) => this.translate(type)) };
      default:
        return item;
    }
  }

  private tensor(tensor: Tensor): Tensor {
    const { swap } = this.options;
    return swap !== undefined && tensor.dtype === swap.from ? Tensor.of(swap.to, tensor.floats(), tensor.shape) : tensor;
  }

  private type(type: Type): TypeProto {
    return writeType(this.translate(type));
  }

  private translate(type: Type): Type {
    const { swap } = this.options;
    switch (type.kind) {
      case 'tensor':
        return {
          kind: 'tensor', dtype: swap !== undefined && type.dtype === swap.from ? swap.to : type.dtype,
          shape: type.shape?.map((dim) => (typeof dim === 'string' ? this.symbol(dim) : dim)), ...(type.sparse && { sparse: true }),
        };
      case 'sequence':
      case 'optional':
        return { kind: type.kind, element: type.element && this.translate(type.element) };
      case 'map':
        return { kind: 'map', key: type.key, value: type.value && this.translate(type.value) };
      case 'opaque':
        return type;
    }
  }

  private symbol(symbol: string): string {
    let name = this.symbols.get(symbol);
    if (name === undefined) this.symbols.set(symbol, name = `s#${this.symbolNames.push(symbol) - 1}`);
    return name;
  }
}

/** A node that a probe has and the model has not. */
export function helperNode(op: string, name: string, input: string, output: string, to?: DType): NodeProto {
  return {
    op_type: op, name, input: [input], output: [output],
    ...(to !== undefined && { attribute: [{ name: 'to', type: 2, i: dtypeNumber(to) }] }),
  };
}
