import type { Node, Value } from '../../ir/model.ts';
import type { KernelContext } from './kernels.ts';
import { roleOf } from './roles.ts';
import type { Unit, Units } from './units.ts';

/** Where a value comes from, seen through copies: an int8 kernel (or a pair that is there anyway), something computed in float, or from outside. */
export type Source = 'int8' | 'float' | 'free';

/** A rule, and a sentence for people. */
export interface Reason {
  readonly rule: string;
  readonly reason: string;
}

/** Which units run in int8, and who gives and wants int8 as a consequence. */
export interface Flow {
  readonly units: ReadonlySet<Unit>;
  /** By head, for every unit in int8. */
  readonly heads: ReadonlyMap<Node, Unit>;
  /** Why the other units do not. */
  readonly dropped: ReadonlyMap<Node, Reason>;
  source(value: Value): Source;
  /** True if somebody, maybe behind copies, reads the value as int8. */
  wanted(value: Value): boolean;
}

/**
 * The greatest set of units that support each other: weighted ones for themselves, memory-bound ones where they join int8 to int8. Starts with
 * all and takes away what has no support, backward and forward in turn, until nothing changes; the result does not depend on any order.
 */
export function flowOf({ weighted, bound }: Units, context: KernelContext): Flow {
  const { facts, options: { memoryBound } } = context;
  const dropped = new Map<Node, Reason>();
  const units = new Set<Unit>();
  for (const unit of weighted) {
    if (facts.pairs === 'all' && writesFloat(unit, context)) dropped.set(unit.head, { rule: 'PLC-11', reason: 'its result leaves the model, where there is no pair, and the int8 kernel needs one behind it' });
    else units.add(unit);
  }
  for (const unit of bound) {
    if (memoryBound === 'none') dropped.set(unit.head, { rule: 'PLC-16', reason: 'memory-bound operators are left in float (memoryBound: none)' });
    else if (facts.pairs === 'all' && context.view.escapes(unit.output)) dropped.set(unit.head, { rule: 'PLC-11', reason: 'its result leaves the model, where there is no pair' });
    else units.add(unit);
  }
  const sweeps = new Sweeps(units, dropped, context);
  do sweeps.backward(); while (sweeps.forward());
  return sweeps;
}

/** The set while it shrinks. */
class Sweeps implements Flow {
  readonly units: Set<Unit>;
  readonly heads: Map<Node, Unit>;
  readonly dropped: Map<Node, Reason>;
  private readonly context: KernelContext;
  /** What weighted operators read: it gets a pair in any case, and another reader finds int8 there. */
  private readonly paired: ReadonlySet<Value>;
  /** Operands of weighted units, by the node that reads them. */
  private readonly reads = new Map<Node, Value[]>();
  private readonly outputs: ReadonlyMap<Value, Unit>;
  private readonly wants = new Set<Value>();
  private readonly sources = new Map<Value, Source>();

  constructor(units: Set<Unit>, dropped: Map<Node, Reason>, context: KernelContext) {
    this.units = units;
    this.dropped = dropped;
    this.context = context;
    this.heads = new Map([...units].map((unit) => [unit.head, unit]));
    this.outputs = new Map([...units].map((unit) => [unit.output, unit]));
    const operands = [...units].flatMap(({ kernel, operands: all }) => (kernel === undefined ? [] : all));
    this.paired = new Set(operands.map(({ value }) => value));
    for (const { node, value } of operands) this.reads.set(node, [...this.reads.get(node) ?? [], value]);
  }

  source(value: Value): Source {
    return this.sources.get(value) ?? (this.paired.has(value) ? 'int8' : 'free');
  }

  wanted(value: Value): boolean {
    return this.wants.has(value);
  }

  /** Finds out what is wanted, and drops what gives int8 to nobody. */
  backward(): void {
    const { context, wants } = this;
    wants.clear();
    for (const node of context.view.order.toReversed()) {
      for (const value of this.reads.get(node) ?? []) wants.add(value);
      const unit = this.heads.get(node);
      if (unit !== undefined && unit.kernel === undefined) {
        if (context.options.memoryBound === 'both' && !wants.has(unit.output) && !isCheaper(unit, context)) this.drop(unit, 'nothing behind it reads int8, so that a pair would only cost');
        else for (const { value } of unit.operands) wants.add(value);
      } else if (passes(node, context) && node.outputs.some((value) => value !== undefined && wants.has(value))) {
        for (const value of dataOf(node, context)) wants.add(value);
      }
    }
  }

  /** Finds out what is given, and drops what gets float. True if it dropped anything. */
  forward(): boolean {
    const { context, sources, units: { size } } = this;
    sources.clear();
    for (const node of context.view.order) {
      const unit = this.heads.get(node);
      if (unit !== undefined && unit.kernel === undefined) this.judge(unit);
      const through = passes(node, context) ? combined(dataOf(node, context).map((value) => this.source(value))) : this.movesOnly(node) ? 'free' : 'float';
      for (const value of node.outputs) {
        if (value === undefined) continue;
        const maker = this.outputs.get(value);
        sources.set(value, (maker !== undefined && this.units.has(maker)) || this.paired.has(value) ? 'int8' : through);
      }
    }
    return this.units.size < size;
  }

  private judge(unit: Unit): void {
    const { context } = this;
    const sources = unit.operands.map(({ value }) => (this.source(value) === 'float' && isGate(value, unit.output, context) ? 'free' : this.source(value)));
    if (sources.includes('float')) this.drop(unit, 'what it reads is computed in float, so that a pair would only cost');
    else if (!sources.includes('int8') && !(context.options.memoryBound === 'one' && this.wants.has(unit.output))) this.drop(unit, 'nothing before it makes int8, so that a pair would only cost');
  }

  private drop(unit: Unit, reason: string): void {
    this.units.delete(unit);
    this.heads.delete(unit.head);
    this.dropped.set(unit.head, { rule: unit.operands[0]!.rule, reason });
  }

  /** True for copies and resampling that the target does in float, of what is int8 before: a pair behind them is all that a reader needs. */
  private movesOnly(node: Node): boolean {
    const [data] = node.inputs;
    return (roleOf(node) === 'copy' || node.is('Resize', 'Upsample')) && data !== undefined && this.source(data) !== 'float';
  }
}

/** With pairs on all sides, what a pool or an Add reads are codes: its int8 kernel is cheaper than turning them to float first, whatever comes behind. */
function isCheaper({ head }: Unit, { facts }: KernelContext): boolean {
  return facts.pairs === 'all' && head.is('Add', 'AveragePool', 'GlobalAveragePool');
}

/** True if int8 passes through the node: a copy or a Concat that the target has. */
export function passes(node: Node, { view, facts }: KernelContext): boolean {
  if (node.domain !== '') return false;
  const role = roleOf(node);
  if (role === 'copy') return facts.copies.includes(node.op) && view.isActivation(node.inputs[0]) && view.isActivation(node.outputs[0]);
  return role === 'concat' && facts.elementwise.includes('Concat') && view.isActivation(node.outputs[0]);
}

/** What a copy or Concat moves. */
export function dataOf(node: Node, { view }: KernelContext): Value[] {
  return roleOf(node) === 'concat' ? view.variable(node).map(({ value }) => value) : [node.inputs[0]!];
}

/** A Concat gives int8 as soon as one of its inputs is: the others need one rounding, or all would need one behind it. */
function combined(sources: readonly Source[]): Source {
  if (sources.includes('int8')) return 'int8';
  return sources.includes('float') ? 'float' : 'free';
}

/** An operand that is stretched to at least sixteen times its size costs nothing to round: the gate of squeeze and excitation. */
function isGate(value: Value, output: Value, { view }: KernelContext): boolean {
  const [small, large] = [view.dims(value), view.dims(output)];
  if (small === undefined || large === undefined) return false;
  const stretched = large.map((dim, axis) => (small[axis - large.length + small.length] === 1 ? dim : 1)).reduce((product, dim) => product * dim, 1);
  return stretched >= 16;
}

/** True if the kernel would have to write float: its result is read where there is no pair. A Conv writes codes only; a matrix product either, but not both. */
function writesFloat({ head, output }: Unit, context: KernelContext): boolean {
  if (context.view.escapes(output)) return !head.is('Gemm', 'MatMul') || output.uses.length > 1;
  return head.is('Conv') && leavesModel(output, context);
}

/** True if nothing but copies of the value goes anywhere, and these leave the model. */
function leavesModel(start: Value, context: KernelContext): boolean {
  const seen = new Set<Value>();
  const waiting = [start];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    for (const { node } of context.view.uses(value).nodes) {
      if (!passes(node, context)) return false;
      for (const output of node.outputs) if (output !== undefined) waiting.push(output);
    }
  }
  return true;
}
