import { createHash } from 'node:crypto';
import type { Attribute, Text } from './attribute.ts';
import { Node, type Graph, type Model, type Value } from './model.ts';
import type { SparseTensor } from './tensor.ts';
import type { Type } from './type.ts';

export interface HashOptions {
  /**
   * Take in all that a pass can see: labels, types of inner values, origins. For keys of what a step made, whose bytes depend on these.
   * Without it the hash is that of the computation.
   */
  readonly exact?: boolean;
}

/**
 * SHA-256 of a model's computation, in hexadecimal: interface names and types, operators with attributes, edges, elements of tensors, operator sets,
 * functions. Labels of nodes and inner values, how constants are stored and in which order, documentation and inner types do not matter.
 *
 * The order of the nodes does. Passes walk the nodes in order, and what they write is in that order: two models that differ in it do
 * not lead to the same bytes, and a cache that took them for one would make the output depend on its history.
 */
export function hashModel(model: Model, options: HashOptions = {}): string {
  const writer = new Writer(options.exact ?? false);
  writer.put('model', model.irVersion, pairs(model.opsets));
  writer.graph(model.graph, true);
  for (const [key, local] of sorted(model.functions)) {
    writer.put('function', key, pairs(local.opsets), [...local.attributes].sort());
    for (const [name, attribute] of sorted(local.defaults)) writer.attribute(name, attribute);
    writer.graph(local.body, false);
  }
  return writer.digest();
}

/** SHA-256 of one graph, as in `hashModel`; values of graphs around it are told apart, but not followed. */
export function hashGraph(graph: Graph, options: HashOptions = {}): string {
  const writer = new Writer(options.exact ?? false);
  writer.graph(graph, false);
  return writer.digest();
}

/** Writes a graph as a sequence of JSON lines, values numbered in the order in which they are made or, for constants and captures, first read. */
class Writer {
  private readonly hash = createHash('sha256');
  private readonly exact: boolean;
  private readonly numbers = new Map<Value, number>();
  private lines: string[] = [];

  constructor(exact: boolean) {
    this.exact = exact;
  }

  put(...items: readonly unknown[]): void {
    this.lines.push(JSON.stringify(items));
    if (this.lines.length >= 1024) this.flush();
  }

  digest(): string {
    this.flush();
    return this.hash.digest('hex');
  }

  graph(graph: Graph, named: boolean): void {
    for (const value of graph.inputs) {
      this.put('input', ...(named || this.exact ? [value.name] : []), typeData(value.type), value.tensor?.hash() ?? null);
      this.number(value);
    }
    for (const node of graph.nodes()) this.node(node);
    for (const { name, value, type } of graph.outputs) this.put('output', this.read(value), ...(named ? [name, typeData(type ?? value.type)] : []));
    const unread = [...graph.constants].filter((value) => !this.numbers.has(value)).map((value) => value.tensor?.hash() ?? '');
    this.put('end', unread.sort());
  }

  attribute(name: string, attribute: Attribute): void {
    if (attribute.kind === 'graph' || attribute.kind === 'graphs') {
      const bodies = attribute.kind === 'graph' ? [attribute.value] : attribute.value;
      this.put('attribute', name, attribute.kind, bodies.length);
      for (const body of bodies) this.graph(body, false);
    } else {
      this.put('attribute', name, attribute.kind, attributeData(attribute));
    }
  }

  private node(node: Node): void {
    const inputs = node.inputs.map((value) => (value === undefined ? null : this.read(value)));
    this.put('node', node.domain, node.op, node.overload, inputs, node.outputs.map((value) => value !== undefined));
    if (this.exact) this.put(node.name, node.origin);
    for (const [name, attribute] of sorted(node.attributes)) this.attribute(name, attribute);
    for (const value of node.outputs) {
      if (value === undefined) continue;
      this.number(value);
      if (this.exact) this.put(value.name, typeData(value.type));
    }
  }

  /** The number of a value that is read; a constant, a capture or a value that is made later gets its number now. */
  private read(value: Value): number {
    const known = this.numbers.get(value);
    if (known !== undefined) return known;
    if (value.tensor !== undefined && !value.isInput) this.put('constant', value.tensor.hash(), ...(this.exact ? [value.name, typeData(value.type)] : []));
    else this.put('outside', ...(this.exact ? [value.name, typeData(value.type)] : []));
    return this.number(value);
  }

  private number(value: Value): number {
    const known = this.numbers.get(value) ?? this.numbers.size;
    this.numbers.set(value, known);
    return known;
  }

  private flush(): void {
    this.hash.update(`${this.lines.join('\n')}\n`);
    this.lines = [];
  }
}

/** The value of an attribute as JSON data, equal for equal values only: numbers by their shortest exact decimals, byte strings apart from strings, tensors by their hashes. */
export function attributeData(attribute: Exclude<Attribute, { readonly kind: 'graph' | 'graphs' }>): unknown {
  switch (attribute.kind) {
    case 'float':
      return number(attribute.value);
    case 'floats':
      return attribute.value.map(number);
    case 'int':
      return String(attribute.value);
    case 'ints':
      return attribute.value.map(String);
    case 'string':
      return text(attribute.value);
    case 'strings':
      return attribute.value.map(text);
    case 'tensor':
      return attribute.value.hash();
    case 'tensors':
      return attribute.value.map((tensor) => tensor.hash());
    case 'sparseTensor':
      return sparse(attribute.value);
    case 'sparseTensors':
      return attribute.value.map(sparse);
    case 'type':
      return typeData(attribute.value);
    case 'types':
      return attribute.value.map(typeData);
    case 'reference':
      return [attribute.name, attribute.type ?? null];
  }
}

function number(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function text(value: Text): unknown {
  return typeof value === 'string' ? value : [...value];
}

function sparse({ values, indices, shape }: SparseTensor): unknown {
  return [values.hash(), indices.hash(), shape];
}

/** A type as JSON data. The text form will not do: a symbol may contain its punctuation. */
function typeData(type: Type | undefined): unknown {
  switch (type?.kind) {
    case undefined:
      return null;
    case 'tensor':
      return ['tensor', type.dtype ?? null, type.shape?.map((dim) => dim ?? null) ?? null, type.sparse ?? false];
    case 'sequence':
    case 'optional':
      return [type.kind, typeData(type.element)];
    case 'map':
      return ['map', type.key ?? null, typeData(type.value)];
    case 'opaque':
      return ['opaque', type.domain ?? null, type.name ?? null];
  }
}

function pairs(map: ReadonlyMap<string, number>): (readonly [string, number])[] {
  return sorted(map);
}

function sorted<T>(map: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
