import type { Node, Value } from '../../ir/model.ts';
import { costOf } from '../cost.ts';
import type { PlacementOptions } from './placement.ts';
import type { Reason } from './flow.ts';
import { keepsLayout, roleOf } from './roles.ts';
import { kernelOf, isQuantizedAlready, type Kernel, type KernelContext } from './kernels.ts';
import { streamReason } from './stream.ts';
import { lowerLimit, type GraphView, type Operand } from './view.ts';

/** One int8 kernel in the making: an operator, and what is computed before its result is rounded. */
export interface Unit {
  readonly head: Node;
  /** In topological order, the head first. */
  readonly members: readonly Node[];
  readonly output: Value;
  /** What it reads as int8: the inputs of the head, and the other side of a residual Add. */
  readonly operands: readonly UnitOperand[];
  /** Set for weighted operators. */
  readonly kernel?: Kernel;
}

export interface UnitOperand extends Operand {
  /** Rule that asks for it. */
  readonly rule: string;
}

/** All kernels that the target could run in int8, and why the other candidates cannot be. */
export interface Units {
  readonly weighted: readonly Unit[];
  /** Memory-bound operators: int8 only where they join int8 to int8. */
  readonly bound: readonly Unit[];
  readonly refused: ReadonlyMap<Node, Reason>;
}

/** Nodes inside one figure that leaves a value in several directions and comes together again (SiLU, GELU): more is no epilogue. */
const widest = 24;

/** A unit while it grows. */
interface Growing {
  readonly head: Node;
  readonly members: Node[];
  readonly inside: Set<Value>;
  readonly operands: UnitOperand[];
  readonly kernel?: Kernel;
  exit: Value;
  residual: boolean;
}

/** Finds all units: weighted operators with their epilogues, then what is left of the memory-bound ones. */
export function unitsOf(context: KernelContext): Units {
  const { view, facts } = context;
  const refused = new Map<Node, Reason>();
  const growing: Growing[] = [];
  const exits = new Map<Value, Growing>();
  const absorbed = new Set<Node>();
  const begin = (head: Node, operands: readonly UnitOperand[], kernel?: Kernel): Growing => {
    const exit = head.outputs[0]!;
    return { head, members: [head], inside: new Set([exit]), operands: [...operands], exit, residual: false, ...(kernel && { kernel }) };
  };
  for (const node of view.order) {
    if (roleOf(node) !== 'weighted') continue;
    const kernel = kernelOf(node, context);
    if (!kernel.ok) refused.set(node, kernel);
    else growing.push(begin(node, kernel.operands.map((operand) => ({ ...operand, rule: kernel.rule })), kernel));
  }
  const grow = (unit: Growing): void => {
    exits.delete(unit.exit);
    let more = true;
    while (more) more = advance(unit, context);
    for (const member of unit.members) absorbed.add(member);
    exits.set(unit.exit, unit);
  };
  growing.forEach(grow);
  if (facts.residual === 'skip') {
    for (const add of view.order) if (add.is('Add') && view.variable(add).length === 2) joinResidual(add, exits, context, grow);
  }
  const bound: Growing[] = [];
  for (const node of view.order) {
    if (absorbed.has(node) || !isBound(node, context)) continue;
    const operands = boundOperands(node, view);
    const verdict = boundRefusal(node, operands, context);
    if (verdict !== undefined) {
      refused.set(node, verdict);
      continue;
    }
    const unit = begin(node, operands.map((operand) => ({ ...operand, rule: boundRule(node) })));
    bound.push(unit);
    grow(unit);
  }
  const finish = ({ head, members, exit, operands, kernel }: Growing): Unit => {
    members.sort((a, b) => view.rank(a) - view.rank(b));
    return { head, members, output: exit, operands, ...(kernel && { kernel }) };
  };
  return { weighted: growing.map(finish), bound: bound.map(finish), refused };
}

/** The rule by which a memory-bound operator is judged. */
export function boundRule(node: Node): string {
  if (node.is('Add')) return 'PLC-14';
  if (node.is('Mul')) return 'PLC-15';
  if (node.is('AveragePool', 'GlobalAveragePool')) return 'PLC-05';
  return node.is('Resize', 'Upsample') ? 'PLC-12' : 'PLC-16';
}

/** Operators with an int8 kernel of their own that only saves memory: pools, Resize that interpolates, Add and Mul of two activations, activations that the target has. */
function isBound(node: Node, { view, facts }: KernelContext): boolean {
  if (node.domain !== '' || !facts.elementwise.includes(node.op)) return false;
  switch (roleOf(node)) {
    case 'elementwise':
      return view.variable(node).length === 2;
    case 'pool':
      return true;
    case 'pointwise':
      return facts.epilogue === 'rectifier'; // elsewhere it is part of what stands before it
    default:
      return false;
  }
}

/** Why a memory-bound operator cannot be int8, whatever stands around it. */
function boundRefusal(node: Node, operands: readonly Operand[], { view, options }: KernelContext): Reason | undefined {
  if (!options.select(node)) return { rule: 'SEL-01', reason: 'it is not among the nodes that the step selects' };
  if (isQuantizedAlready(node)) return { rule: 'QDQ-00', reason: 'it is quantized already and left as it is' };
  if (![node.outputs[0], ...operands.map(({ value }) => value)].every((value) => view.isActivation(value))) {
    return { rule: 'TYP-01', reason: 'what it reads is not a tensor of float, float16 or bfloat16 with at least one axis' };
  }
  return node.is('Add') ? streamReason(node, view) : undefined;
}

function boundOperands(node: Node, view: GraphView): readonly Operand[] {
  return roleOf(node) === 'elementwise' ? view.variable(node) : [{ value: node.inputs[0]!, node, input: 0 }];
}

/** Takes the next node, or the next figure, behind the exit into the unit. False when nothing more belongs to it. */
function advance(unit: Growing, context: KernelContext): boolean {
  const { view } = context;
  const { nodes, others } = view.uses(unit.exit);
  if (others > 0) return false;
  const found = nodes.length === 1 ? joins(nodes[0]!.node, unit, new Set(), context) ? [nodes[0]!.node] : undefined : figure(unit, context);
  if (found === undefined) return false;
  for (const node of found) {
    unit.members.push(node);
    unit.inside.add(node.outputs[0]!);
  }
  unit.exit = found.at(-1)!.outputs[0]!;
  return true;
}

/** True if the node only needs what is inside the unit, and the kernel can compute it before it rounds. */
function joins(node: Node, unit: Growing, more: ReadonlySet<Value>, { view, facts }: KernelContext): boolean {
  if (node.outputs.length !== 1 || !view.isActivation(node.outputs[0])) return false;
  if (!view.variable(node).every(({ value }) => unit.inside.has(value) || more.has(value))) return false;
  if (facts.epilogue === 'rectifier') {
    if (lowerLimit(node) === 0) return true;
    return node === unit.kernel?.weight?.addedBias?.node;
  }
  if (node.is('MaxPool')) return unit.head.is('Conv', 'ConvTranspose') && roleOf(node) === 'copy';
  const role = roleOf(node);
  return role === 'pointwise' || role === 'elementwise' || (role === 'copy' && keepsLayout(node) && node.inputs[0] !== undefined && !view.isFixed(node.inputs[0]));
}

/** The smallest set of nodes behind an exit with several readers that comes together in one value again; undefined if there is none. */
function figure(unit: Growing, context: KernelContext): Node[] | undefined {
  const { view, facts } = context;
  if (facts.epilogue === 'rectifier' || view.uses(unit.exit).nodes.length > widest) return undefined;
  const nodes: Node[] = [];
  const taken = new Set<Node>();
  const values = new Set<Value>([unit.exit]);
  while (nodes.length < widest) {
    const next = [...values].flatMap((value) => view.uses(value).nodes.map(({ node }) => node))
      .filter((node) => !taken.has(node) && joins(node, unit, values, context))
      .sort((a, b) => view.rank(a) - view.rank(b))[0];
    if (next === undefined) return undefined;
    nodes.push(next);
    taken.add(next);
    values.add(next.outputs[0]!);
    const open = [...values].filter((value) => {
      const uses = view.uses(value);
      return uses.others > 0 || uses.nodes.length === 0 || uses.nodes.some(({ node }) => !taken.has(node));
    });
    if (open.length === 1 && open[0] === next.outputs[0]) return nodes;
  }
  return undefined;
}

/** Gives an Add of two activations to the kernel that computes one of them, if there is one whose only reader it is. */
function joinResidual(add: Node, exits: ReadonlyMap<Value, Growing>, context: KernelContext, grow: (unit: Growing) => void): void {
  const { view, options } = context;
  const sum = add.outputs[0];
  if (sum === undefined || !view.isActivation(sum)) return;
  const candidates = view.variable(add).flatMap((operand) => {
    const unit = exits.get(operand.value);
    return unit?.kernel !== undefined && !unit.residual && view.soleUse(operand.value) !== undefined && !broadcasts(operand.value, sum, view) ? [{ unit, operand }] : [];
  });
  // The branch that is computed last carries the Add. Depth, then work, then name: nothing here depends on the order of inputs or nodes.
  candidates.sort((a, b) => view.depth(b.unit.head) - view.depth(a.unit.head) || workOf(b.unit, options) - workOf(a.unit, options) || (a.operand.value.name < b.operand.value.name ? -1 : 1));
  const [main] = candidates;
  if (main === undefined) return;
  const { unit, operand } = main;
  const other = view.variable(add).find(({ input }) => input !== operand.input)!;
  if (streamReason(add, view, operand.value) === undefined && view.isActivation(other.value) && options.select(add)) unit.operands.push({ ...other, rule: 'PLC-02' });
  unit.members.push(add);
  unit.inside.add(sum);
  unit.residual = true;
  unit.exit = sum;
  grow(unit);
}

function broadcasts(value: Value, sum: Value, view: GraphView): boolean {
  const [a, b] = [view.dims(value), view.dims(sum)];
  return a !== undefined && b !== undefined && (a.length !== b.length || a.some((dim, axis) => dim === 1 && b[axis] !== 1));
}

function workOf({ head }: Growing, { sizes }: PlacementOptions): number {
  return costOf(head, sizes).macs ?? 0;
}
