import type { DType } from '../../ir/dtype.ts';
import type { Graph, Node, Value } from '../../ir/model.ts';
import type { NodeProto } from '../../ir/onnx/fields.ts';
import { shapeOf, tensorType, type Type } from '../../ir/type.ts';
import { readsOf } from '../../passes/dead.ts';
import { Refusal } from './client.ts';
import { isExotic, predictExotic } from './predict.ts';
import { helperNode, Probe, type ProbeOptions, type ProbeParts } from './probe.ts';
import { Propagation } from './propagation.ts';
import { dtypeOfOrt, type WireOutput } from './protocol.ts';
import { blame, firstRefused, readable } from './refusal.ts';
import { isSurelyScalar, mayLoseRank } from './scalar.ts';
import { isShaped } from './shaping.ts';

/** Constants of more bytes become typed inputs; smaller ones may drive shapes (Reshape, Pad, Slice, Resize, …). */
const largest = 1024;
/** Attempts at one graph. Each removes at least one node, so that a graph which ONNX Runtime refuses all over ends as unknown. */
const maxAttempts = 40;
/** Looks at one graph, each after shape arithmetic has told more. The last one or two change nothing as a rule. */
const maxLooks = 64;
/** Nodes that are cut one by one; after that, all nodes of the culprit's operator at once. */
const patience = 6;

/** What the inference of one graph is given. */
export interface SkeletonContext {
  /** Makes a session and tells its outputs. */
  readonly describe: (model: Uint8Array) => Promise<readonly WireOutput[]>;
  /** The type of a value that the graph reads from outside, of its inputs, and of outputs of nodes that are cut out. */
  readonly typeOf: (value: Value) => Type | undefined;
  /** True if a caller cannot override the default of an input: IR versions below 4. */
  readonly fixedDefaults: boolean;
  readonly swap: ProbeOptions['swap'];
  /** Operators, `domain:op:version`, that ONNX Runtime is known not to have, and how it says so. */
  readonly unknown: Map<string, string>;
  readonly declined: (node: Node, reason: string) => void;
}

/** A skeleton that ONNX Runtime may look at. */
interface Plan {
  readonly probe: Probe;
  readonly parts: ProbeParts;
  /** The nodes in it. */
  readonly nodes: readonly Node[];
}

/**
 * The types of one graph, from ONNX Runtime: a model of its nodes without weights, with every value as an output, is loaded and tells what its outputs are.
 * Nodes that ONNX Runtime refuses are cut out, and what follows from them is inferred from what is known of their outputs.
 */
export class Skeleton {
  private readonly graph: Graph;
  private readonly context: SkeletonContext;
  private readonly cut = new Set<Node>();
  /** Values that are not exposed, because their type can be neither told nor cast. */
  private readonly hidden = new Set<Value>();
  private readonly exotic = new Map<Value, DType>();
  private readonly known: Propagation;
  /** The nodes to look at; undefined for all. */
  private scope: ReadonlySet<Node> | undefined;

  constructor(graph: Graph, context: SkeletonContext) {
    this.graph = graph;
    this.context = context;
    this.known = new Propagation(context.typeOf);
  }

  /** Infers; the result holds what could be typed. */
  async infer(): Promise<Map<Value, Type>> {
    predictExotic(this.graph, this.context.typeOf, this.exotic);
    if (this.context.unknown.size > 0) for (const node of this.graph.nodes()) this.recall(node);
    for (let looks = 0; looks < maxLooks; looks++) {
      const types = await this.look();
      if (types === undefined) break;
      this.known.learn(types);
      this.scope = this.known.sweep(this.graph.nodes());
      if (this.scope.size === 0) break;
    }
    return this.known.finish();
  }

  /**
   * Types of the nodes in scope, as ONNX Runtime sees them. What it refuses of the whole graph is cut out; a refusal of a part that it has accepted before
   * means that shapes contradict each other: undefined.
   */
  private async look(): Promise<Map<Value, Type> | undefined> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const plan = this.plan();
      if (plan.nodes.length === 0) break;
      try {
        const outputs = await this.context.describe(plan.probe.bytes(plan.parts));
        return await this.read(plan, outputs);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (this.scope !== undefined) break;
        await this.yieldTo(error.message, plan, attempt);
      }
    }
    return undefined;
  }

  /** Writes the skeleton of at most `count` nodes. With `ranks`, its outputs are instead the shapes of these values. */
  private plan(ranks?: ReadonlySet<Value>, count = Infinity): Plan {
    const { context, graph, known, scope } = this;
    const probe = new Probe(graph, { largest, swap: context.swap });
    const inputs: ProbeParts['inputs'][number][] = [];
    const initializers: ProbeParts['initializers'][number][] = [];
    const protos: NodeProto[] = [];
    const helpers: NodeProto[] = [];
    const claims: ProbeParts['inputs'][number][] = [];
    const outputs: string[] = [];
    const nodes: Node[] = [];
    const present = new Map<Value, boolean>();

    const provide = (value: Value): boolean => {
      let there = present.get(value);
      if (there !== undefined) return there;
      const tensor = value.constant ?? (context.fixedDefaults ? value.tensor : undefined);
      const type = tensor === undefined ? known.typeOf(value) : tensorType(tensor.dtype, tensor.shape);
      there = isComplete(type);
      if (there && tensor !== undefined && !probe.isLarge(tensor)) initializers.push(probe.initializer(value, tensor));
      else if (there) inputs.push(probe.declare(value, type));
      present.set(value, there);
      return there;
    };
    const expose = (value: Value): void => {
      if (ranks !== undefined || this.hidden.has(value)) return;
      const name = probe.nameOf(value);
      const dtype = this.exotic.get(value);
      if (dtype === undefined || dtype === context.swap?.from) {
        outputs.push(name);
        return;
      }
      claims.push(probe.declare(value, tensorType(dtype)));
      helpers.push(helperNode('Cast', `c${name.slice(1)}`, name, `c${name.slice(1)}`, 'float'));
      outputs.push(`c${name.slice(1)}`);
    };

    for (const node of graph.nodes()) {
      if (nodes.length >= count) break;
      if (this.cut.has(node) || scope?.has(node) === false || !everyRead(node, provide)) continue;
      protos.push(probe.node(node));
      nodes.push(node);
      for (const value of node.outputs) {
        if (value === undefined) continue;
        present.set(value, true);
        expose(value);
        // ONNX Runtime joins what is claimed and what it infers.
        if (scope !== undefined && isShaped(node) && known.hasRank(value) && !this.exotic.has(value)) claims.push(probe.declare(value, known.typeOf(value)));
        if (ranks?.has(value) ?? (mayLoseRank(node) && !known.hasRank(value))) {
          const name = `r${probe.nameOf(value).slice(1)}`;
          helpers.push(helperNode('Shape', name, probe.nameOf(value), name));
          outputs.push(name);
        }
      }
    }
    return { probe, nodes, parts: { inputs, initializers, nodes: [...protos, ...helpers], outputs, claims } };
  }

  /** Cuts a node of which ONNX Runtime has said before that it does not know its operator, or one inside its bodies. */
  private recall(node: Node): void {
    const unknown = (each: Node): string | undefined => {
      const reason = this.context.unknown.get(operatorKey(each));
      if (reason !== undefined) return reason;
      for (const body of each.subgraphs) for (const inner of body.nodes()) if (unknown(inner) !== undefined) return unknown(inner);
      return undefined;
    };
    const reason = unknown(node);
    if (reason !== undefined) this.decline(node, reason, false);
  }

  /** Takes out what ONNX Runtime does not want. */
  private async yieldTo(message: string, plan: Plan, attempt: number): Promise<void> {
    const { probe } = plan;
    const { claim, operator, helper, node } = blame(message, probe);
    if (claim !== undefined) {
      const value = probe.valueOf(claim.name)!;
      if (isExotic(claim.dtype)) this.exotic.set(value, claim.dtype);
      else this.exotic.delete(value);
      return;
    }
    if (helper !== undefined) {
      this.hidden.add(probe.valueOf(helper)!);
      return;
    }
    const reason = readable(message, probe);
    if (operator !== undefined) {
      const culprits = plan.nodes.filter((each) => holds(each, ({ domain, op }) => domain === operator[0] && op === operator[1], probe));
      for (const each of culprits) this.decline(each, reason, true);
      if (culprits.length > 0) return;
    }
    const named = node === undefined ? undefined : plan.nodes.find((each) => holds(each, (inner) => inner === node, probe));
    const culprit = named ?? plan.nodes[await firstRefused(plan.nodes.length, (count) => {
      const { probe: part, parts } = this.plan(undefined, count);
      return this.context.describe(part.bytes(parts));
    })]!;
    const told = /Unsupported data type/.test(message);
    if (named === undefined && told) {
      for (const value of culprit.outputs) if (value !== undefined) this.hidden.add(value);
      return;
    }
    this.decline(culprit, reason, /No Op registered/.test(message));
    if (attempt < patience) return;
    for (const each of plan.nodes) if (each.op === culprit.op && each.domain === culprit.domain) this.decline(each, reason, false);
  }

  private decline(node: Node, reason: string, unknown: boolean): void {
    if (unknown && node.subgraphs.length === 0) this.context.unknown.set(operatorKey(node), reason);
    if (this.cut.has(node)) return;
    this.cut.add(node);
    this.context.declined(node, reason);
  }

  private async read({ probe, nodes }: Plan, outputs: readonly WireOutput[]): Promise<Map<Value, Type>> {
    const types = new Map<Value, Type>();
    const { swap } = this.context;
    const ranks = new Map<Value, boolean>();
    for (const { name, type, shape } of outputs) {
      const value = probe.valueOf(name)!;
      if (name.startsWith('r')) ranks.set(value, shape[0] === 0);
      if (type === undefined || name.startsWith('r')) continue;
      const dtype = name.startsWith('c') ? this.exotic.get(value)! : dtypeOfOrt(type);
      types.set(value, tensorType(dtype === swap?.to ? swap.from : dtype, probe.axes(shape)));
    }
    await this.settleRanks(nodes, types, ranks);
    for (const [value, dtype] of this.exotic) if (!types.has(value) && this.hidden.has(value)) types.set(value, tensorType(dtype));
    return types;
  }

  /**
   * A session reports no axes both for a scalar and for an unknown rank. Where the operators leave it open, the length of the value's shape decides: it is
   * 0 for the one and unknown for the other.
   */
  private async settleRanks(nodes: readonly Node[], types: Map<Value, Type>, scalar: Map<Value, boolean>): Promise<void> {
    const open = new Set<Value>();
    const ranked = (value: Value | undefined): boolean => {
      if (value === undefined || value.tensor !== undefined) return true;
      const type = types.get(value) ?? this.known.typeOf(value);
      return type?.kind === 'tensor' && type.shape !== undefined && scalar.get(value) !== false && !open.has(value);
    };
    for (const node of nodes) {
      for (const value of node.outputs) {
        if (value === undefined || shapeOf(types.get(value))?.length !== 0 || scalar.has(value) || this.known.hasRank(value)) continue;
        if (!isSurelyScalar(node, ranked)) open.add(value);
      }
    }
    if (open.size > 0) {
      const { probe, parts } = this.plan(open);
      try {
        for (const { name, shape } of await this.context.describe(probe.bytes(parts))) scalar.set(probe.valueOf(name)!, shape[0] === 0);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        for (const value of open) scalar.set(value, false);
      }
    }
    for (const [value, isScalar] of scalar) {
      const type = types.get(value);
      if (!isScalar && type?.kind === 'tensor' && type.shape?.length === 0) types.set(value, tensorType(type.dtype!));
    }
  }
}

/** True if the type is enough to declare an input: the element type is known, and ONNX Runtime has it. */
function isComplete(type: Type | undefined): boolean {
  switch (type?.kind) {
    case 'tensor':
      return type.dtype !== undefined && !type.dtype.startsWith('complex') && !type.sparse;
    case 'sequence':
    case 'optional':
      return isComplete(type.element);
    case 'map':
      return type.key !== undefined && isComplete(type.value);
    default:
      return false;
  }
}

/** True if the node, a node inside its bodies, or one in a function that it calls is the one looked for. */
function holds(node: Node, wanted: (node: Node) => boolean, probe: Probe, depth = 0): boolean {
  if (wanted(node)) return true;
  const called = depth < 64 ? probe.calleeOf(node) : undefined;
  const graphs = called === undefined ? node.subgraphs : [...node.subgraphs, called.body];
  return graphs.some((graph) => [...graph.nodes()].some((inner) => holds(inner, wanted, probe, depth + 1)));
}

/** True if `provide` is true of all values that the node and its bodies read; it is called for each. */
function everyRead(node: Node, provide: (value: Value) => boolean): boolean {
  if (node.subgraphs.length > 0) return [...readsOf(node)].every(provide);
  return node.inputs.every((value) => value === undefined || provide(value));
}

function operatorKey(node: Node): string {
  return `${node.domain}:${node.op}:${node.graph.opset(node.domain) ?? 1}`;
}
