import type { AttributeKind } from '../attribute.ts';
import type {
  AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto, StringStringEntryProto, TensorProto, ValueInfoProto,
} from '../onnx/fields.ts';
import { bytesOf, readTensor } from '../onnx/tensor-proto.ts';
import { readType } from '../onnx/type-proto.ts';
import { decodeUtf8 } from '../onnx/utf8.ts';
import { dtypeOf } from '../dtype.ts';
import { sizeOf, type Tensor } from '../tensor.ts';
import { printType, type Type } from '../type.ts';
import { attributeForms, kindOfNumber } from './attributes.ts';
import { elementTexts, isCoded } from './elements.ts';
import { doubleText, float32Text } from './numbers.ts';
import { isIdentifier, nameText, quoted } from './words.ts';

/** How a model is printed. */
export interface PrintOptions {
  /** Tensors of more elements are printed as their hash. Default: none is. */
  readonly elideAbove?: number;
  /** Where the types of values that nodes make are printed: `declared`, so that they can be read back (default), as `comments` behind the nodes, or nowhere. */
  readonly types?: 'declared' | 'comments' | 'none';
}

/** Values that a comment shows, of a tensor whose elements are printed as bit patterns. */
const maxShown = 8;

/** Text of messages, line by line. A printer is used once. */
export class Printer {
  private readonly elideAbove: number;
  private readonly types: 'declared' | 'comments' | 'none';
  private readonly lines: string[] = [];
  private line = '';
  private indent = '';
  /** What the comment at the end of the present line says. */
  private notes: string[] = [];

  constructor({ elideAbove = Infinity, types = 'declared' }: PrintOptions) {
    this.elideAbove = elideAbove;
    this.types = types;
  }

  finish(): string {
    return this.lines.join('\n');
  }

  model(model: ModelProto): this {
    this.header([
      ['ir_version', model.ir_version?.toString()], ['opset_import', opsetsText(model.opset_import ?? [])], ['producer_name', quotedOr(model.producer_name)],
      ['producer_version', quotedOr(model.producer_version)], ['domain', quotedOr(model.domain)], ['model_version', model.model_version?.toString()],
      ['doc_string', quotedOr(model.doc_string)], ['metadata_props', model.metadata_props && `[${entriesText(model.metadata_props)}]`],
    ]);
    this.graph(model.graph ?? {});
    this.end();
    for (const local of model.functions ?? []) this.function(local);
    return this;
  }

  node(node: NodeProto, types?: ReadonlyMap<string, Type>): this {
    if (node.name) this.put(`[${nameText(node.name)}] `);
    this.put(`${namesText(node.output ?? [])} = ${operatorText(node)}`);
    const attributes = node.attribute ?? [];
    const inputs = `(${namesText(node.input ?? [])})`;
    // onnx.printer puts bodies behind the inputs; so do we.
    const last = attributes.some((attribute) => attribute.g !== undefined || attribute.graphs !== undefined);
    if (last || attributes.length === 0) this.put(` ${inputs}`);
    if (attributes.length > 0) this.attributes(attributes);
    if (!last && attributes.length > 0) this.put(` ${inputs}`);
    if (this.types === 'comments') this.note((node.output ?? []).map((name) => (name === '' ? '' : printType(types?.get(name)))).join(', '));
    this.end();
    return this;
  }

  private header(entries: readonly (readonly [key: string, text: string | undefined])[]): void {
    const present = entries.filter(([, text]) => text !== undefined);
    this.put('<');
    this.nested(present, ([key, text]) => { this.put(`${key}: ${text!}`); });
    this.put('>');
    this.end();
  }

  private graph(graph: GraphProto): void {
    const defaults = new Map((graph.initializer ?? []).map((tensor) => [tensor.name ?? '', tensor]));
    this.put(`${nameText(graph.name ?? '')} (`);
    (graph.input ?? []).forEach((info, index) => {
      this.put(`${index > 0 ? ', ' : ''}${valueText(info)}`);
      const tensor = defaults.get(info.name ?? '');
      if (tensor === undefined) return;
      defaults.delete(info.name ?? '');
      this.put(' = ');
      // Elements follow the input's type, if that says all about them; else they bring their own.
      const own = tensorTypeText(tensor);
      if (own !== printType(readType(info.type, ''))) this.put(`${own} `);
      this.data(tensor);
    });
    this.put(`) => (${(graph.output ?? []).map(valueText).join(', ')})`);
    this.declarations([...defaults.values()], graph.sparse_initializer ?? [], graph.value_info ?? []);
    this.nodes(graph.node ?? [], this.types === 'comments' ? typesOf(graph) : undefined);
  }

  private declarations(tensors: readonly TensorProto[], sparse: readonly SparseTensorProto[], info: readonly ValueInfoProto[]): void {
    const items = [
      ...tensors.map((tensor) => () => {
        this.put(`${tensorTypeText(tensor)} ${nameText(tensor.name ?? '')} = `);
        this.data(tensor);
      }),
      ...sparse.map((item) => () => { this.sparse(item, nameText(item.values?.name ?? '')); }),
      ...(this.types === 'declared' ? info.map((value) => () => { this.put(valueText(value)); }) : []),
    ];
    if (items.length === 0) return;
    this.end();
    this.put('<');
    this.nested(items, (print) => { print(); });
    this.put('>');
    this.end();
  }

  private nodes(nodes: readonly NodeProto[], types: ReadonlyMap<string, Type> | undefined): void {
    this.put(this.line === '' ? '{' : ' {');
    this.end();
    const before = this.indent;
    this.indent += '  ';
    for (const node of nodes) this.node(node, types);
    this.indent = before;
    this.put('}');
  }

  private attributes(attributes: readonly AttributeProto[]): void {
    this.put(' <');
    attributes.forEach((attribute, index) => {
      if (index > 0) this.put(', ');
      this.attribute(attribute);
    });
    this.put('>');
  }

  private attribute(attribute: AttributeProto): void {
    const name = isIdentifier(attribute.name ?? '') ? attribute.name! : quoted(attribute.name ?? '');
    const kind = kindOfNumber(attribute.type ?? 0);
    if (attribute.ref_attr_name) {
      this.put(`${name}${kind === undefined ? '' : `: ${attributeForms[kind].word}`} = @${nameText(attribute.ref_attr_name)}`);
      return;
    }
    if (kind === undefined) throw new Error(`attribute '${name}' has no kind`);
    const { element, field, word } = attributeForms[kind];
    const value = attribute[field];
    if (element === undefined) {
      this.put(`${name} = `);
      this.value(kind, value);
      return;
    }
    const items = Array.from((value ?? []) as Iterable<unknown>);
    this.put(items.length === 0 ? `${name}: ${word} = [` : `${name} = [`);
    items.forEach((item, index) => {
      if (index > 0) this.put(', ');
      this.value(element, item);
    });
    this.put(']');
  }

  /** One value of an attribute; each shows its kind, so that no annotation is needed. */
  private value(kind: AttributeKind, value: unknown): void {
    switch (kind) {
      case 'float':
        this.put(floatAttributeText((value ?? 0) as number));
        break;
      case 'string':
        this.put(quoted(decodeUtf8(value === undefined ? new Uint8Array(0) : bytesOf(value as Uint8Array))));
        break;
      case 'tensor':
        this.tensor((value ?? {}));
        break;
      case 'sparseTensor':
        this.sparse(value as SparseTensorProto);
        break;
      case 'graph':
        this.graph((value ?? {}));
        break;
      case 'type':
        this.put(printType(readType(value as ValueInfoProto['type'], '')));
        break;
      default: {
        const int: number | bigint = (value ?? 0) as number;
        this.put(String(int));
      }
    }
  }

  /** A tensor with its type and name. */
  private tensor(tensor: TensorProto): void {
    this.put(`${tensorTypeText(tensor)} ${tensor.name ? `${nameText(tensor.name)} ` : ''}`);
    if (tensor.data_location === 1 || this.isElided(tensor)) this.put('= ');
    this.data(tensor);
  }

  private sparse({ values, indices, dims }: SparseTensorProto, name?: string): void {
    const type = printType({ kind: 'tensor', sparse: true, dtype: dtypeOf(values?.data_type ?? 0), shape: (dims ?? []).map(Number) });
    this.put(`${type} ${name === undefined ? '' : `${name} = `}{`);
    this.tensor(name === undefined ? values! : { ...values!, name: '' });
    this.put(', ');
    this.tensor(indices!);
    this.put('}');
  }

  private data(proto: TensorProto): void {
    if (proto.data_location === 1) {
      this.put(`[${entriesText(proto.external_data ?? [])}]`);
      return;
    }
    const tensor = readTensor(proto, proto.name ?? '', undefined);
    if (this.isElided(proto)) {
      this.put(quoted(`sha256:${tensor.hash()}`));
      return;
    }
    this.put(`{${elementTexts(tensor).join(', ')}}`);
    if (isCoded(tensor.dtype) && tensor.size > 0 && tensor.size <= maxShown) this.note(codedValues(tensor));
  }

  private isElided(tensor: TensorProto): boolean {
    return tensor.data_location !== 1 && sizeOf((tensor.dims ?? []).map(Number)) > this.elideAbove;
  }

  private function(local: FunctionProto): void {
    this.header([
      ['domain', quoted(local.domain ?? '')], ['overload', local.overload ? quoted(local.overload) : undefined], ['opset_import', opsetsText(local.opset_import ?? [])],
      ['doc_string', quotedOr(local.doc_string)],
    ]);
    this.put(nameText(local.name ?? ''));
    const defaults = local.attribute_proto ?? [];
    const names = (local.attribute ?? []).map(nameText);
    if (names.length + defaults.length > 0) {
      this.put(` <${names.join(', ')}`);
      defaults.forEach((attribute, index) => {
        if (names.length + index > 0) this.put(', ');
        this.attribute(attribute);
      });
      this.put('>');
    }
    this.put(` (${namesText(local.input ?? [])}) => (${namesText(local.output ?? [])})`);
    this.declarations([], [], local.value_info ?? []);
    this.nodes(local.node ?? [], this.types === 'comments' ? typesOf({ value_info: local.value_info ?? [] }) : undefined);
    this.end();
  }

  /** Items on lines of their own, with commas between. */
  private nested<T>(items: readonly T[], print: (item: T) => void): void {
    this.end();
    const before = this.indent;
    this.indent += '  ';
    items.forEach((item, index) => {
      print(item);
      if (index < items.length - 1) this.put(',');
      this.end();
    });
    this.indent = before;
  }

  private put(text: string): void {
    this.line += text;
  }

  private note(text: string): void {
    this.notes.push(text.replace(/[\n\r]/g, ' '));
  }

  private end(): void {
    if (this.line === '') return;
    this.lines.push(`${this.indent}${this.line}${this.notes.length === 0 ? '' : `  # ${this.notes.join('; ')}`}`);
    this.line = '';
    this.notes = [];
  }
}

function typesOf(graph: GraphProto): Map<string, Type> {
  const infos = [...(graph.value_info ?? []), ...(graph.output ?? [])];
  return new Map(infos.flatMap(({ name, type }) => {
    const read = readType(type, name ?? '');
    return read === undefined ? [] : [[name ?? '', read] as const];
  }));
}

function operatorText({ domain, op_type: op = '', overload }: NodeProto): string {
  const name = isIdentifier(op) ? op : quoted(op);
  const path = domain === undefined || domain === '' ? '' : `${domain.split('.').every(isIdentifier) ? domain : quoted(domain)}.`;
  return `${path}${name}${overload ? `:${isIdentifier(overload) ? overload : quoted(overload)}` : ''}`;
}

function valueText({ name, type }: ValueInfoProto): string {
  const read = readType(type, name ?? '');
  return `${read === undefined ? '' : `${printType(read)} `}${nameText(name ?? '')}`;
}

function tensorTypeText({ data_type: number, dims }: TensorProto): string {
  return printType({ kind: 'tensor', dtype: dtypeOf(number ?? 0), shape: (dims ?? []).map(Number) });
}

/** A float attribute shows that it is no integer: `1.0`, `1e-7`, `nan`. */
function floatAttributeText(value: number): string {
  const text = float32Text(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function codedValues(tensor: Tensor): string {
  return Array.from(tensor.floats(), tensor.dtype === 'bfloat16' ? float32Text : doubleText).join(', ');
}

function namesText(names: readonly string[]): string {
  return names.map((name) => (isIdentifier(name) ? name : quoted(name))).join(', ');
}

function opsetsText(opsets: readonly OperatorSetIdProto[]): string {
  return `[${opsets.map(({ domain, version }) => `${quoted(domain ?? '')}: ${version ?? 0}`).join(', ')}]`;
}

function entriesText(entries: readonly StringStringEntryProto[]): string {
  return entries.map(({ key, value }) => `${quoted(key ?? '')}: ${quoted(value ?? '')}`).join(', ');
}

function quotedOr(text: string | undefined): string | undefined {
  return text === undefined ? undefined : quoted(text);
}

