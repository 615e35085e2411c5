import { byteLengthOf, type DType } from '../../ir/dtype.ts';
import { Node, type Graph, type Value } from '../../ir/model.ts';
import type { NodeProto } from '../../ir/onnx/fields.ts';
import { opFacts } from '../../ir/ops.ts';
import { sizeOf, type Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, tensorType } from '../../ir/type.ts';
import { readsOf } from '../../passes/dead.ts';
import { Refusal, type Client } from './client.ts';
import { helperNode, Probe, type ProbeParts } from './probe.ts';
import { predictExotic } from './predict.ts';
import { dtypeOfOrt, type WireOutput } from './protocol.ts';
import { blame, firstRefused, readable } from './refusal.ts';
import { carrierOf, fromWire } from './wire.ts';

/** Results of more bytes are never made. */
export const largestResult: number = 2 ** 30;
/** Sessions that one evaluation may take: each either yields results or removes a node. */
const maxSessions = 64;

/** Operators whose result is bounded by the size of their inputs although its shape is known only after the run. */
const bounded = new Set(['NonZero', 'Unique', 'Compress', 'NonMaxSuppression', 'StringSplit', 'Reshape', 'Squeeze', 'Slice']);

interface Plan {
  readonly probe: Probe;
  readonly parts: ProbeParts;
  readonly nodes: readonly Node[];
  /** Output name → value and the element type that it has. */
  readonly fetched: ReadonlyMap<string, readonly [Value, DType | undefined]>;
}

/** Evaluates nodes that depend on constants only; see `Runtime.evaluate`. */
export async function evaluateNodes(
  client: Client, graph: Graph, nodes: readonly Node[], maxBytes: number, declined: (node: Node, reason: string) => void,
): Promise<Map<Value, Tensor>> {
  return new Evaluation(client, graph, nodes, maxBytes, declined).run();
}

class Evaluation {
  private readonly client: Client;
  private readonly graph: Graph;
  private readonly maxBytes: number;
  private readonly declined: (node: Node, reason: string) => void;
  private readonly results = new Map<Value, Tensor>();
  private readonly exotic = new Map<Value, DType>();
  /** Nodes whose results have unknown sizes until others have been evaluated. */
  private readonly held = new Set<Node>();
  /** Nodes not yet evaluated, in topological order. */
  private waiting: Node[];

  constructor(client: Client, graph: Graph, nodes: readonly Node[], maxBytes: number, declined: (node: Node, reason: string) => void) {
    this.client = client;
    this.graph = graph;
    this.maxBytes = maxBytes;
    this.declined = declined;
    const wanted = new Set(nodes);
    this.waiting = [...graph.nodes()].filter((node) => wanted.has(node));
  }

  async run(): Promise<Map<Value, Tensor>> {
    predictExotic(this.graph, (value) => value.type, this.exotic);
    for (const node of [...this.waiting]) if (isRandom(node)) this.decline(node, `${node.op} gives other values at each run`);
    for (let sessions = 0; this.waiting.length > 0 && sessions < maxSessions; sessions++) {
      const plan = this.plan();
      if (plan.nodes.length === 0 && this.held.size === 0) break;
      if (plan.nodes.length === 0) {
        this.held.clear();
        continue;
      }
      try {
        await this.attempt(plan, true);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        await this.yieldTo(error.message, plan);
      }
    }
    for (const node of [...this.waiting]) this.decline(node, this.missing(node));
    return this.results;
  }

  /** Makes a session of the plan and, unless there is something to object to, runs it and keeps the results. */
  private async attempt(plan: Plan, keep: boolean): Promise<void> {
    const session = this.client.newSession();
    const outputs = await this.client.ask({
      kind: 'create', session, model: plan.probe.bytes(plan.parts), settings: { optimization: 'disabled', threads: 1 },
    });
    try {
      if (!this.inspect(plan, outputs)) return;
      const fetch = [...plan.fetched.keys()];
      const tensors = await this.client.ask({ kind: 'run', session, feeds: new Map(), fetch });
      if (!keep) return;
      tensors.forEach((tensor, index) => {
        const [value, dtype] = plan.fetched.get(fetch[index]!)!;
        this.results.set(value, fromWire(tensor, dtype ?? dtypeOfOrt(tensor.type)));
      });
      const done = new Set(plan.nodes);
      this.waiting = this.waiting.filter((node) => !done.has(node));
    } finally {
      await this.client.ask({ kind: 'release', session });
    }
  }

  /** The nodes whose inputs are known, or come from nodes in the plan. */
  private plan(count = Infinity): Plan {
    const probe = new Probe(this.graph);
    const initializers: ProbeParts['initializers'][number][] = [];
    const protos: NodeProto[] = [];
    const helpers: NodeProto[] = [];
    const claims: ProbeParts['inputs'][number][] = [];
    const fetched = new Map<string, readonly [Value, DType | undefined]>();
    const nodes: Node[] = [];
    const present = new Set<Value>();
    const provide = (value: Value): boolean => {
      if (present.has(value)) return true;
      const tensor = value.constant ?? this.results.get(value);
      if (tensor === undefined) return false;
      initializers.push(probe.initializer(value, tensor));
      present.add(value);
      return true;
    };
    for (const node of this.waiting) {
      if (nodes.length >= count) break;
      if (this.held.has(node) || ![...readsOf(node)].every(provide)) continue;
      nodes.push(node);
      protos.push(probe.node(node));
      for (const value of node.outputs) {
        if (value === undefined) continue;
        present.add(value);
        const dtype = this.exotic.get(value) ?? dtypeOfType(value.type);
        const carrier = dtype && carrierOf(dtype);
        const name = probe.nameOf(value);
        if (dtype === undefined || carrier === dtype) {
          fetched.set(name, [value, undefined]);
        } else if (carrier !== undefined) {
          const cast = `c${name.slice(1)}`;
          claims.push(probe.declare(value, tensorType(dtype)));
          helpers.push(helperNode('Cast', cast, name, cast, carrier));
          fetched.set(cast, [value, dtype]);
        }
      }
    }
    return { probe, nodes, fetched, parts: { inputs: [], initializers, nodes: [...protos, ...helpers], outputs: [...fetched.keys()], claims } };
  }

  /** Judges the outputs before anything runs; true if all nodes of the plan may run. What may not is declined, or held back until its inputs are known. */
  private inspect({ nodes, fetched }: Plan, outputs: readonly WireOutput[]): boolean {
    const found = new Map(outputs.map((output) => [fetched.get(output.name)![0], output]));
    const computed = new Set<Value>();
    let clean = true;
    for (const node of nodes) {
      const values = node.outputs.filter((value) => value !== undefined);
      for (const value of values) computed.add(value);
      const reason = values.map((value) => this.objection(value, found.get(value))).find((each) => each !== undefined);
      const open = values.some((value) => found.get(value)?.shape.some((dim) => typeof dim !== 'number'));
      if (reason === undefined && (!open || (node.domain === '' && bounded.has(node.op)))) continue;
      clean = false;
      if (reason === '') continue; // known better now: the next plan casts it
      if (reason !== undefined) this.decline(node, reason);
      else if ([...readsOf(node)].some((value) => computed.has(value))) this.held.add(node);
      else this.decline(node, 'the size of its result is not known before it runs');
    }
    return clean;
  }

  /** Why an output cannot be fetched; '' if it can under another type. */
  private objection(value: Value, output: WireOutput | undefined): string | undefined {
    if (output === undefined) return `JavaScript and ONNX Runtime have no common form of ${this.exotic.get(value) ?? dtypeOfType(value.type) ?? 'its'} elements`;
    const { type, shape } = output;
    if (type === undefined) return 'its result is not a tensor';
    if (type === 'int4' || type === 'uint4') {
      this.exotic.set(value, type);
      return '';
    }
    const sizes = shape.filter((dim) => typeof dim === 'number');
    const dtype = dtypeOfOrt(type);
    const bytes = dtype === 'string' || sizes.length < shape.length ? 0 : byteLengthOf(dtype, sizeOf(sizes));
    return bytes > this.maxBytes ? `its result of ${bytes} bytes is larger than ${this.maxBytes} bytes` : undefined;
  }

  private async yieldTo(message: string, plan: Plan): Promise<void> {
    const { probe, nodes } = plan;
    const { claim, operator, helper, node } = blame(message, probe);
    if (claim !== undefined) {
      const value = probe.valueOf(claim.name)!;
      // A declared type that is wrong would come back again: the value's own producer is declined.
      this.exotic.delete(value);
      this.decline(value.producer!, readable(message, probe));
      return;
    }
    const named = helper !== undefined ? probe.valueOf(helper)!.producer : node ?? nodes.find(({ domain, op }) => domain === operator?.[0] && op === operator[1]);
    const culprit = nodes.find((each) => each === named || (named !== undefined && isWithin(named, each)));
    this.decline(culprit ?? nodes[await firstRefused(nodes.length, (count) => this.attempt(this.plan(count), false))]!, readable(message, probe));
  }

  private decline(node: Node, reason: string): void {
    this.waiting = this.waiting.filter((each) => each !== node);
    this.held.delete(node);
    this.declined(node, reason);
  }

  private missing(node: Node): string {
    const absent = [...readsOf(node)].find((value) => value.constant === undefined && !this.results.has(value));
    return absent === undefined ? 'too many other nodes were refused before it' : `it reads '${absent.name}', which is not constant or was not evaluated`;
  }
}

/** True if the node, or one in its bodies, draws random numbers. */
function isRandom(node: Node): boolean {
  const facts = opFacts(node.domain, node.op, node.graph.opset(node.domain) ?? 1);
  // Dropout learns of training by its third input, other operators by an attribute.
  const training = node.int('training_mode', 0) !== 0 || (node.is('Dropout') && node.inputs[2] !== undefined);
  return facts?.random === 'always' || (facts?.random === 'training' && training) || node.subgraphs.some((body) => [...body.nodes()].some(isRandom));
}

function isWithin(inner: Node, node: Node): boolean {
  for (let graph = inner.graph; graph.owner instanceof Node; graph = graph.owner.graph) if (graph.owner === node) return true;
  return false;
}
