import type { Node, Value } from '../../ir/model.ts';
import { shapeOf, tensorType, type Dim, type TensorType, type Type } from '../../ir/type.ts';
import { readsOf } from '../../passes/dead.ts';
import { Dimensions } from '../../passes/fold/dimensions.ts';
import { isComputed, isShaped, shapesOf, type Known } from './shaping.ts';

/** Stand-ins for unknown lengths begin with half of a surrogate pair, which no name in a file can: it has no UTF-8 form. */
const mark = '\ud800';

/**
 * What is known of one graph, between two looks that ONNX Runtime takes at it. ONNX Runtime carries shapes through operators, but not the elements of shape arithmetic
 * (Shape → Gather → Concat → Reshape). So each sweep computes these and the shapes that they lead to, and where a length of such a shape is still unknown gives it a
 * name. ONNX Runtime carries names along like any symbol; when a later sweep finds what a name stands for, all values that have it are known better at once.
 */
export class Propagation implements Known {
  private readonly outer: (value: Value) => Type | undefined;
  private readonly known = new Map<Value, Type>();
  private readonly meanings = new Map<string, Dim>();
  /** Values of which something was learned since ONNX Runtime last looked. */
  private readonly fresh = new Set<Value>();
  private readonly dimensions = new Dimensions((value) => this.resolved(this.typeOf(value)));
  private names = 0;

  constructor(outer: (value: Value) => Type | undefined) {
    this.outer = outer;
  }

  /** The type of any value that the graph reads or makes. */
  typeOf(value: Value): Type | undefined {
    return this.known.get(value) ?? (value.constant === undefined ? this.outer(value) : tensorType(value.constant.dtype, value.constant.shape));
  }

  /** True for an output of which ONNX Runtime has told the rank. */
  hasRank(value: Value): boolean {
    return shapeOf(this.known.get(value)) !== undefined;
  }

  /** Takes in what ONNX Runtime says; it may say less than is known, but nothing else. */
  learn(types: ReadonlyMap<Value, Type>): void {
    for (const [value, type] of types) {
      const before = this.known.get(value);
      const joined = before === undefined ? type : this.joined(before, type);
      this.known.set(value, joined);
      // Readers have seen what ONNX Runtime says.
      if (before !== undefined) this.note(value, shapeOf(joined), shapeOf(type));
    }
  }

  /** Computes shapes from shape arithmetic, in the order of the nodes. Returns the nodes that ONNX Runtime may know more about now. */
  sweep(nodes: Iterable<Node>): ReadonlySet<Node> {
    this.dimensions.renew();
    const order = [...nodes];
    const named: Value[] = [];
    let waiting = false;
    for (const node of order) {
      const open = node.outputs.filter((value) => value !== undefined && !this.isClosed(value)) as Value[];
      if (open.length === 0) continue;
      const shapes = isShaped(node) ? shapesOf(node, this) : [];
      for (const value of open) if (this.state(value, shapes[value.index])) named.push(value);
      waiting ||= isComputed(node) && !open.every((value) => this.isClosed(value));
    }
    this.substitute();
    // Names are worth a look while there is something that they may help to compute.
    if (waiting) for (const value of named) this.fresh.add(value);
    const affected = this.affected(order);
    this.fresh.clear();
    return affected;
  }

  dims(value: Value | undefined): readonly Dim[] | undefined {
    return value === undefined ? undefined : this.resolved(this.typeOf(value))?.shape;
  }

  elements(value: Value | undefined): readonly Dim[] | undefined {
    const elements = this.dimensions.of(value);
    return this.meanings.size > 0 && elements?.some(isName) ? elements.map((item) => this.meaning(item)) : elements;
  }

  /** What is known in the end; names that stand for nothing known are unknown lengths. */
  finish(): Map<Value, Type> {
    for (const [value, type] of this.known) {
      if (type.kind === 'tensor' && type.shape?.some(isName)) this.known.set(value, { ...type, shape: type.shape.map((dim) => (isName(dim) ? undefined : dim)) });
    }
    return this.known;
  }

  /** True if nothing is left to learn of the value. */
  private isClosed(value: Value): boolean {
    const type = this.typeOf(value);
    return type?.kind === 'tensor' && type.shape?.every((dim) => dim !== undefined && !isName(dim)) === true;
  }

  /** States what was computed of an output, and gives names to the lengths that nobody knows. True if it gave one. */
  private state(value: Value, computed: readonly Dim[] | undefined): boolean {
    const type = this.known.get(value);
    if (type?.kind !== 'tensor' || type.dtype === undefined) return false;
    const { shape } = type;
    const told = shape === undefined || shape.length === computed?.length ? computed : undefined;
    const agreed = (shape ?? told)?.map((dim, axis) => this.agreed(dim, told?.[axis]));
    if (agreed === undefined) return false;
    const next = agreed.map((dim) => dim ?? this.name());
    this.known.set(value, tensorType(type.dtype, next));
    this.note(value, next, shape);
    return agreed.includes(undefined);
  }

  /** Remembers a value of which more is known now than ONNX Runtime has seen. That a length has another name is no news. */
  private note(value: Value, now: readonly Dim[] | undefined, seen: readonly Dim[] | undefined): void {
    if (now !== undefined && (seen === undefined || now.some((dim, axis) => dim !== seen[axis] && dim !== undefined && !isName(dim)))) this.fresh.add(value);
  }

  private name(): string {
    return `${mark}${this.names++}`;
  }

  /** One length from two sources. What a name is found to stand for is remembered. */
  private agreed(a: Dim, b: Dim): Dim {
    const [x, y] = [this.meaning(a), this.meaning(b)];
    if (x === undefined || !isName(x)) return x ?? y;
    if (y === undefined || y === x) return x;
    this.meanings.set(x, y);
    return y;
  }

  private joined(before: Type, after: Type): Type {
    if (before.kind !== 'tensor' || before.shape === undefined || after.kind !== 'tensor') return after;
    const { shape } = after;
    return shape?.length === before.shape.length ? { ...before, shape: before.shape.map((dim, axis) => this.agreed(dim, shape[axis])) } : before;
  }

  private meaning(dim: Dim): Dim {
    let found = dim;
    while (isName(found) && this.meanings.has(found)) found = this.meanings.get(found);
    return found;
  }

  private resolved(type: Type | undefined): TensorType | undefined {
    if (type?.kind !== 'tensor') return undefined;
    return this.meanings.size > 0 && type.shape?.some(isName) ? { ...type, shape: type.shape.map((dim) => this.meaning(dim)) } : type;
  }

  /** Puts in what names have turned out to stand for. */
  private substitute(): void {
    if (this.meanings.size === 0) return;
    for (const [value, type] of this.known) {
      const better = this.resolved(type);
      if (better === undefined || better === type) continue;
      this.known.set(value, better);
      this.note(value, better.shape, shapeOf(type));
    }
    this.meanings.clear();
  }

  /** The nodes with open outputs that depend on what has just been learned. */
  private affected(nodes: readonly Node[]): ReadonlySet<Node> {
    const found = new Set<Node>();
    if (this.fresh.size === 0) return found;
    const changed = new Set(this.fresh);
    for (const node of nodes) {
      if (node.outputs.every((value) => value === undefined || this.isClosed(value))) continue;
      if (![...(node.subgraphs.length > 0 ? readsOf(node) : node.inputs)].some((value) => value !== undefined && changed.has(value))) continue;
      found.add(node);
      for (const value of node.outputs) if (value !== undefined) changed.add(value);
    }
    return found;
  }
}

function isName(dim: Dim): dim is string {
  return typeof dim === 'string' && dim.startsWith(mark);
}
