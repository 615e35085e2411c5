import type { Node, Value } from '../../ir/model.ts';
import { dataOf, passes, type Flow } from './flow.ts';
import type { KernelContext } from './kernels.ts';
import { roleOf } from './roles.ts';
import { compareOperands, type GraphView, type Operand } from './view.ts';

/** A pair before scales are shared: who reads it, and by which rules. */
export interface Demand {
  readonly value: Value;
  readonly consumers: readonly Operand[];
  readonly rules: ReadonlySet<string>;
}

/** All pairs, by the value that they stand on, in the order of the graph. */
export type Demands = ReadonlyMap<Value, Demand>;

/** Where the pairs go. */
export function demandsOf(flow: Flow, context: KernelContext): Demands {
  const { view } = context;
  const pairs = new Pairs(view);
  for (const unit of flow.units) for (const operand of unit.operands) pairs.add(operand, [operand.rule]);
  if (context.facts.pairs === 'inputs') raise(pairs, flow, context);
  else surround(pairs, flow, context);
  const sorted = [...pairs.growing].sort(([a], [b]) => view.place(a) - view.place(b));
  return new Map(sorted.map(([value, { readers, rules }]) => [value, { value, consumers: [...readers.values()].sort(compareOperands(view)), rules }]));
}

/** The pairs in the making. */
class Pairs {
  /** Readers by place, so that each is there once. */
  readonly growing = new Map<Value, { readonly readers: Map<string, Operand>; readonly rules: Set<string> }>();
  private readonly view: GraphView;

  constructor(view: GraphView) {
    this.view = view;
  }

  add(operand: Operand, rules: readonly string[]): void {
    let found = this.growing.get(operand.value);
    if (found === undefined) this.growing.set(operand.value, found = { readers: new Map(), rules: new Set() });
    found.readers.set(`${this.view.rank(operand.node)} ${operand.input}`, operand);
    for (const rule of rules) found.rules.add(rule);
  }

  /** Makes all nodes that read a value read the pair on it. */
  addAll(value: Value, rule: string): void {
    for (const operand of this.view.uses(value).nodes) this.add(operand, [rule]);
  }
}

/** Moves pairs up through copies, as long as everything that reads the copy wants int8: then the producer rounds once for all. */
function raise(pairs: Pairs, flow: Flow, context: KernelContext): void {
  const fused = new Set([...flow.units].flatMap(({ members }) => members));
  for (const node of context.view.order.toReversed()) {
    if (fused.has(node) || roleOf(node) !== 'copy' || !passes(node, context)) continue;
    const outputs = node.outputs.filter((value) => value !== undefined);
    if (!outputs.every((value) => value.uses.length === (pairs.growing.get(value)?.readers.size ?? 0))) continue;
    const rules = outputs.flatMap((value) => [...pairs.growing.get(value)?.rules ?? []]);
    if (rules.length > 0) pairs.add({ value: node.inputs[0]!, node, input: 0 }, rules);
    for (const value of outputs) pairs.growing.delete(value);
  }
}

/** Pairs before and behind every int8 operator, copies and Concat included; and everything that reads such a result reads it from the pair, or the kernel would have to write float as well. */
function surround(pairs: Pairs, flow: Flow, context: KernelContext): void {
  const { view } = context;
  for (const node of view.order) {
    if (!carries(node, flow, context)) continue;
    const concat = roleOf(node) === 'concat';
    const rule = concat ? 'PLC-03' : node.is('MaxPool') ? 'PLC-04' : 'CPY-01';
    for (const operand of concat ? view.variable(node) : [{ value: node.inputs[0]!, node, input: 0 }]) pairs.add(operand, [rule]);
    for (const value of node.outputs) if (value !== undefined) pairs.addAll(value, rule);
  }
  for (const { head, output } of flow.units) {
    // A matrix product may also end in float; where somebody wants its result as int8, all readers take that.
    if (!head.is('Gemm', 'MatMul') || pairs.growing.has(output)) pairs.addAll(output, 'CPU-01');
  }
}

/** A copy or Concat that int8 passes through: what it reads is int8, somebody wants that of what it gives, and nothing of it leaves the model. */
export function carries(node: Node, flow: Flow, context: KernelContext): boolean {
  if (!passes(node, context)) return false;
  const outputs = node.outputs.filter((value) => value !== undefined);
  return outputs.some((value) => flow.wanted(value)) && !outputs.some((value) => context.view.escapes(value)) && dataOf(node, context).some((value) => flow.source(value) === 'int8');
}
