import { Node, type Graph, type Value } from '../ir/model.ts';
import { newestOpset, opFacts } from '../ir/ops.ts';
import type { Tensor } from '../ir/tensor.ts';

/** A value that can be nothing but its tensor. */
export type Constant = Value & { readonly constant: Tensor };

/** True for an initializer or the value of a Constant node, which no caller can override. */
export function isConstant(value: Value | undefined): value is Constant {
  return value?.constant !== undefined;
}

/** What is known in the middle of a match. */
interface State {
  readonly graph: Graph;
  readonly bindings: Map<string, Value | Node>;
  /** Nodes matched so far, the root first. */
  readonly nodes: Node[];
}

/** Something that an input of a node may look like. `B` is what a match binds: names to values and nodes. */
export interface Pattern<B> {
  /** Only a type: nothing is ever stored here. */
  readonly binds?: B;
  /** How many nodes deep it looks. */
  readonly depth: number;
  /** If set, the producer must be one of these operators. */
  readonly ops?: ReadonlySet<string>;
  /** Tries every way in which `value` fits and calls `next` for each until that returns true; leaves the state as it was otherwise. */
  test(value: Value | undefined, state: State, next: () => boolean): boolean;
}

type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;
type Union<P> = P extends Pattern<infer B> ? B : never;

/** The bindings of a list of patterns together. */
export type Bindings<P extends readonly Pattern<unknown>[]> = Intersection<Union<P[number]>>;

/** What a match of a root pattern offers: what it binds, and the root node. */
export type Match<B> = B & { readonly root: Node };

/** Any value that is there; a name given twice means the same value. `test` may restrict it. */
export function any<N extends string>(name: N, test?: (value: Value) => boolean): Pattern<{ readonly [K in N]: Value }> {
  return leaf(name, (value) => value !== undefined && (test === undefined || test(value)));
}

/** A value known to be constant. `test` may restrict its tensor; look at size and shape before the elements. */
export function constant<N extends string>(name: N, test?: (tensor: Tensor) => boolean): Pattern<{ readonly [K in N]: Constant }> {
  return leaf(name, (value) => isConstant(value) && (test === undefined || test(value.constant)));
}

/** An input that may be left out; its names are undefined then. */
export function optional<B>(pattern: Pattern<B>): Pattern<{ readonly [K in keyof B]: B[K] | undefined }> {
  return {
    depth: pattern.depth,
    test: (value, state, next) => (value === undefined ? next() : pattern.test(value, state, next)),
  };
}

/**
 * The output of a node of this operator (`domain::Op` outside the ONNX domain) with inputs that fit. Without input patterns any inputs do; with them there must be as
 * many, but for `optional` ones and after `open()`. Operators with two inputs whose order makes no difference are tried both ways.
 */
export function op<const P extends readonly Pattern<unknown>[]>(name: string, ...inputs: P): OpPattern<Bindings<P>> {
  return oneOf([name], ...inputs);
}

/** Like `op`, for any of several operators. */
export function oneOf<const P extends readonly Pattern<unknown>[]>(names: readonly string[], ...inputs: P): OpPattern<Bindings<P>> {
  return new OpPattern<Bindings<P>>({ ops: new Set(names), inputs, conditions: [], open: inputs.length === 0, output: 0 });
}

/** What an attribute must be: this value, or one that a predicate admits (undefined where it is absent and has no default). */
export type AttributeTest = AttributeValue | ((value: AttributeValue | undefined) => boolean);

/** An attribute as plain data. */
export type AttributeValue = number | string | readonly number[];

interface OpSpec {
  readonly ops: ReadonlySet<string>;
  readonly inputs: readonly Pattern<unknown>[];
  readonly conditions: readonly ((node: Node) => boolean)[];
  readonly open: boolean;
  /** Which output is read, where this stands below another node. */
  readonly output: number | 'any';
  readonly soleUse?: true;
  readonly label?: string;
}

/** A node and what stands before it. Immutable: each method returns another pattern. */
export class OpPattern<B> implements Pattern<B> {
  declare readonly binds?: B;
  readonly depth: number;
  readonly ops: ReadonlySet<string>;
  private readonly spec: OpSpec;

  constructor(spec: OpSpec) {
    this.spec = spec;
    this.ops = spec.ops;
    this.depth = 1 + Math.max(0, ...spec.inputs.map((input) => input.depth));
  }

  /** Binds the node. */
  as<N extends string>(label: N): OpPattern<B & { readonly [K in N]: Node }> {
    return new OpPattern({ ...this.spec, label });
  }

  /** The value that is matched has no other reader. Below the root this says: the node may be consumed. */
  soleUse(): OpPattern<B> {
    return new OpPattern({ ...this.spec, soleUse: true });
  }

  /** Further inputs may follow those that are described. */
  open(): OpPattern<B> {
    return new OpPattern({ ...this.spec, open: true });
  }

  /** Below another node: which output of this one is read there. Default 0. */
  output(index: number | 'any'): OpPattern<B> {
    return new OpPattern({ ...this.spec, output: index });
  }

  /** Conditions on attributes; an absent one has the operator's default. */
  with(attributes: Readonly<Record<string, AttributeTest>>): OpPattern<B> {
    const tests = Object.entries(attributes);
    return this.where((node) => tests.every(([name, test]) => {
      const value = attributeOf(node, name);
      return typeof test === 'function' ? test(value) : sameAttribute(value, test);
    }));
  }

  /** A condition on the node alone. */
  where(condition: (node: Node) => boolean): OpPattern<B> {
    return new OpPattern({ ...this.spec, conditions: [...this.spec.conditions, condition] });
  }

  test(value: Value | undefined, state: State, next: () => boolean): boolean {
    const { soleUse, output } = this.spec;
    const node = value?.producer;
    if (value === undefined || node === undefined || (output !== 'any' && value.index !== output)) return false;
    // A node of an outer graph is not part of a pattern in a body: moving it inside would run it once for each iteration.
    if (node.graph !== state.graph || (soleUse && value.uses.length !== 1)) return false;
    return this.fits(node, state, next);
  }

  /** The first match rooted at `node` for which `accept` has an answer, in a fixed order; undefined if there is none. */
  find<T>(node: Node, accept: (match: Match<B>, nodes: readonly Node[]) => T | undefined): T | undefined {
    const state: State = { graph: node.graph, bindings: new Map(), nodes: [] };
    let answer: T | undefined;
    if (this.spec.soleUse && node.outputs[0]?.uses.length !== 1) return undefined;
    this.fits(node, state, () => {
      answer = accept({ ...Object.fromEntries(state.bindings), root: node } as Match<B>, [...new Set(state.nodes)]);
      return answer !== undefined;
    });
    return answer;
  }

  /** True if the operators right before `node` make a match impossible: cheap, asked before `find`. */
  rejects(node: Node): boolean {
    return this.spec.inputs.some((input) => input.ops !== undefined && !node.inputs.some((value) => value?.producer !== undefined && input.ops!.has(opKey(value.producer))));
  }

  private fits(node: Node, state: State, next: () => boolean): boolean {
    const { ops, inputs, conditions, open, label } = this.spec;
    if (!ops.has(opKey(node)) || (!open && node.inputs.length > inputs.length)) return false;
    if (!conditions.every((condition) => condition(node))) return false;
    const rest = (given: readonly (Value | undefined)[], at: number): boolean => {
      if (at < inputs.length) return inputs[at]!.test(given[at], state, () => rest(given, at + 1));
      return label === undefined ? next() : bind(state, label, node, next);
    };
    state.nodes.push(node);
    if (rest(node.inputs, 0)) return true;
    if (inputs.length === 2 && isCommutative(node) && rest(node.inputs.toReversed(), 0)) return true;
    state.nodes.pop();
    return false;
  }
}

/** `Op`, or `domain::Op` outside the ONNX domain: how patterns and indices name the operator of a node. */
export function opKey(node: Node): string {
  return node.domain === '' ? node.op : `${node.domain}::${node.op}`;
}

/** An attribute as plain data, or the operator's default where the node does not have it; undefined for other kinds, references included. */
export function attributeOf(node: Node, name: string): AttributeValue | undefined {
  const found = node.attributes.get(name);
  if (found === undefined) return opFacts(node.domain, node.op, opsetOf(node))?.attributes.get(name)?.default as AttributeValue | undefined;
  if (found.kind === 'int') return Number(found.value);
  if (found.kind === 'ints') return found.value.map(Number);
  if (found.kind === 'float' || found.kind === 'floats') return found.value;
  return found.kind === 'string' && typeof found.value === 'string' ? found.value : undefined;
}

/** The version of the node's operator set. */
export function opsetOf(node: Node): number {
  return node.graph.opset(node.domain) ?? newestOpset;
}

/** True if the node has two inputs whose order makes no difference to any bit of the output. */
export function isCommutative(node: Node): boolean {
  return node.inputs.length === 2 && opFacts(node.domain, node.op, opsetOf(node))?.commutative === true;
}

function leaf<B>(name: string, test: (value: Value | undefined) => boolean): Pattern<B> {
  return { depth: 0, test: (value, state, next) => test(value) && bind(state, name, value!, next) };
}

/** Binds a name for as long as `next` needs it; a name that is bound already must mean the same thing. */
function bind({ bindings }: State, name: string, thing: Value | Node, next: () => boolean): boolean {
  const known = bindings.get(name);
  if (known !== undefined) return known === thing && next();
  bindings.set(name, thing);
  if (next()) return true;
  bindings.delete(name);
  return false;
}

function sameAttribute(a: AttributeValue | undefined, b: AttributeValue): boolean {
  return typeof a === 'object' && typeof b === 'object' ? a.length === b.length && a.every((item, index) => item === b[index]) : a === b;
}
