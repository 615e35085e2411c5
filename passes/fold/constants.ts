import { byteLengthOf } from '../../ir/dtype.ts';
import { Node, type Graph, type Model, type Value } from '../../ir/model.ts';
import { sizeOf, type Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, staticShape } from '../../ir/type.ts';
import { readsOf, removeDead } from '../dead.ts';
import type { PassContext } from '../pass.ts';
import { isQuantizer, isRandom } from './barriers.ts';

/** Results above this are not even computed on the way to a small one. */
const largestIntermediate = 2 ** 26;

/**
 * Evaluates what depends on constants only. All such nodes of a graph go through the runtime in one session; what the rest of the graph reads of them becomes
 * a constant, unless it is more than `maxGrowth` bytes larger than the constants that die with the nodes that made it. Then the last of these nodes stay:
 * an Expand of a scalar remains an Expand, and a mean of it is still evaluated.
 */
export class Evaluator {
  private readonly context: Pick<PassContext<unknown>, 'edit' | 'select' | 'remark' | 'stat' | 'runtime'>;
  private readonly maxGrowth: number;
  /** Why nodes with constant operands stay. */
  private readonly kept = new Map<Node, string>();
  /** What the runtime could not do will not be asked of it again. */
  private readonly hopeless = new Map<Node, string>();

  constructor(context: Evaluator['context'], maxGrowth: number) {
    this.context = context;
    this.maxGrowth = maxGrowth;
  }

  /** Evaluates in the main graph and in all bodies, outer graphs first. */
  async run(model: Model): Promise<void> {
    this.kept.clear();
    await this.graph(model.graph);
  }

  /** Remarks on what stayed in the last run, once for each node. */
  reportKept(): void {
    for (const [node, message] of this.kept) this.context.remark({ kind: 'missed', rule: 'constants', message, node });
  }

  private async graph(graph: Graph): Promise<void> {
    const nodes = this.candidates(graph);
    if (nodes.size > 0) {
      const tensors = await this.context.runtime.evaluate(graph, [...nodes], (node, reason) => { this.hopeless.set(node, reason); });
      this.replace(nodes, tensors);
    }
    for (const node of graph.nodes()) for (const body of node.subgraphs) await this.graph(body);
  }

  /** The nodes of a graph whose inputs and captures are constants or come from such nodes, in order. */
  private candidates(graph: Graph): ReadonlySet<Node> {
    const found = new Set<Node>();
    for (const node of graph.nodes()) {
      if (isQuantizer(node) || !this.context.select.has(node)) continue;
      const reads = readsOf(node);
      if (![...reads].every((value) => value.constant !== undefined || (value.producer !== undefined && found.has(value.producer)))) continue;
      const hopeless = this.hopeless.get(node) ?? hopelessOf(node);
      if (hopeless !== undefined) this.kept.set(node, hopeless);
      else if (node.outputs.every((value) => value === undefined || (bytesOf(value) ?? 0) <= largestIntermediate + bytesRead(reads))) found.add(node);
      else this.kept.set(node, 'its value is too large to be evaluated');
    }
    return found;
  }

  /** Decides, last nodes first, which results become constants and which nodes stay. */
  private replace(nodes: ReadonlySet<Node>, tensors: ReadonlyMap<Value, Tensor>): void {
    const { edit, select } = this.context;
    const spent = new Set<Value>();
    const stay = new Set<Node>();
    const labels: (readonly [Value, string])[] = [];
    for (const node of [...nodes].reverse()) {
      const read = node.outputs.filter((value) => value?.uses.some(({ user }) => !(user instanceof Node && nodes.has(user)) || stay.has(user))) as Value[];
      if (read.length === 0) continue;
      const results = read.map((value) => tensors.get(value));
      const growth = results.reduce((sum, tensor) => sum + (tensor?.byteLength ?? Infinity), 0);
      const credit = growth > this.maxGrowth ? this.credit(node, nodes, spent) : { bytes: 0, constants: [] };
      if (growth > this.maxGrowth + credit.bytes) {
        stay.add(node);
        this.kept.set(node, this.hopeless.get(node) ?? `its value has ${growth} bytes, and what it is made of ${credit.bytes}; maxGrowth allows ${this.maxGrowth} more`);
        continue;
      }
      for (const value of credit.constants) spent.add(value);
      read.forEach((value, index) => {
        const constant = edit.constant(node.graph, results[index]!, value.name);
        labels.push([constant, value.name]);
        edit.replaceUses(value, constant);
      });
      this.context.remark({ kind: 'applied', rule: 'constants', message: `Evaluates what is constant: ${node.op}.`, node });
    }
    removeDead(edit, nodes, (node) => select.has(node));
    for (const [constant, label] of labels) edit.rename(constant, label);
    if (labels.length > 0) this.context.stat('constants', labels.length);
  }

  /** The constants that nothing but these nodes reads and that `node` depends on, those aside that another result was set off against. */
  private credit(node: Node, nodes: ReadonlySet<Node>, spent: ReadonlySet<Value>): { readonly bytes: number; readonly constants: readonly Value[] } {
    const seen = new Set<Node>([node]);
    const constants = new Set<Value>();
    for (const at of seen) {
      for (const value of readsOf(at)) {
        if (value.producer !== undefined) seen.add(value.producer);
        else if (!spent.has(value) && value.uses.every(({ user }) => user instanceof Node && nodes.has(user))) constants.add(value);
      }
    }
    return { bytes: bytesRead(constants), constants: [...constants] };
  }
}

/** Bytes of a value whose type tells them. */
function bytesOf(value: Value): number | undefined {
  const shape = staticShape(value.type);
  const dtype = dtypeOfType(value.type);
  return shape === undefined || dtype === undefined || dtype === 'string' ? undefined : byteLengthOf(dtype, sizeOf(shape));
}

function bytesRead(values: Iterable<Value>): number {
  let sum = 0;
  for (const value of values) sum += value.constant?.byteLength ?? 0;
  return sum;
}

/** Why a node is never evaluated, whatever it reads. */
function hopelessOf(node: Node): string | undefined {
  if (isRandom(node)) return 'it gives other values at each run';
  return isLoop(node) ? 'it has a loop, which may run for as long as it likes' : undefined;
}

function isLoop(node: Node): boolean {
  return node.is('Loop', 'Scan') || node.subgraphs.some((body) => [...body.nodes()].some(isLoop));
}
