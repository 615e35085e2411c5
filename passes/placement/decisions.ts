import type { Node } from '../../ir/model.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { passes, type Flow } from './flow.ts';
import type { KernelContext } from './kernels.ts';
import type { Decision } from './placement.ts';
import { roleOf } from './roles.ts';
import { streamReason } from './stream.ts';
import type { Unit, Units } from './units.ts';

/** What became of every node that could have been quantized, and why. */
export function decisionsOf(units: Units, flow: Flow, context: KernelContext): Decision[] {
  const { view: { graph } } = context;
  const carriers = new Map([...units.weighted, ...units.bound].flatMap((unit) => unit.members.slice(1).map((member) => [member, unit] as const)));
  const decisions: Decision[] = [];
  const say = (node: Node, int8: boolean, rule: string, reason: string): void => { decisions.push({ node, int8, rule, reason }); };
  for (const node of graph.walk()) {
    const role = roleOf(node);
    if (node.graph !== graph) {
      if (role === 'weighted' || role === 'recurrent') say(node, false, 'QDQ-24', 'it stands in the body of a control flow operator, where there are no pairs');
      continue;
    }
    const refused = units.refused.get(node) ?? flow.dropped.get(node);
    const unit = flow.heads.get(node);
    const carrier = carriers.get(node);
    if (refused !== undefined) say(node, refused.rule === 'QDQ-00' && isInt8(node), refused.rule, refused.reason);
    else if (unit !== undefined) say(node, true, unit.kernel?.rule ?? unit.operands[0]!.rule, unit.kernel?.reason ?? 'it joins int8 to int8');
    else if (carrier !== undefined && isResidual(node, carrier)) residual(node, carrier);
    else if (carrier === undefined && (role === 'concat' || node.is('MaxPool')) && touchesReal(node)) movement(node, role === 'concat' ? 'PLC-03' : 'PLC-04');
    else if (role === 'recurrent') say(node, false, 'REC-01', 'recurrent operators keep their state in float, and the target has no int8 kernel for them');
    else if (role === 'quantized' && !node.is('QuantizeLinear', 'DequantizeLinear')) say(node, true, 'QDQ-00', 'it is quantized already and left as it is');
    else if (role === undefined && touchesReal(node)) say(node, false, 'OPS-00', `nothing is known of the operator ${node.domain === '' ? '' : `${node.domain}::`}${node.op}, so that it stays in float`);
  }
  return decisions;

  /** A Concat or MaxPool of its own: int8 passes through where it comes from one side and is wanted on the other. */
  function movement(node: Node, rule: string): void {
    const [value] = node.outputs;
    if (value === undefined || !passes(node, context)) say(node, false, rule, 'int8 does not pass through it on this target');
    else if (flow.source(value) !== 'int8') say(node, false, rule, 'nothing before it makes int8');
    else if (!flow.wanted(value)) say(node, false, rule, 'nothing behind it reads int8');
    else if (context.facts.pairs === 'all' && context.view.escapes(value)) say(node, false, 'PLC-11', 'its result leaves the model, where there is no pair');
    else say(node, true, rule, 'int8 passes through it');
  }

  /** True for an Add of two activations of which the kernel computes but one. */
  function isResidual(node: Node, { members }: Unit): boolean {
    return node.is('Add') && context.view.variable(node).some(({ value }) => value.producer === undefined || !members.includes(value.producer));
  }

  function residual(node: Node, { head, operands }: Unit): void {
    const name = head.outputs[0]?.name ?? head.name;
    const stream = streamReason(node, context.view);
    if (!flow.heads.has(head)) say(node, false, 'PLC-02', `it is part of the kernel of '${name}', which runs in float`);
    else if (operands.some((operand) => operand.node === node)) say(node, true, 'PLC-02', `the kernel of '${name}' adds what its other input reads as int8`);
    else if (stream !== undefined) say(node, false, stream.rule, stream.reason);
    else say(node, false, 'PLC-02', `the kernel of '${name}' adds what its other input reads as float`);
  }
}

/** True if a Q/DQ pair stands before everything that the node multiplies. */
function isInt8(node: Node): boolean {
  return node.inputs.slice(0, 2).every((value) => value?.producer?.is('DequantizeLinear'));
}

function touchesReal(node: Node): boolean {
  return [...node.inputs, ...node.outputs].some((value) => ['float', 'float16', 'bfloat16'].includes(dtypeOfType(value?.type) ?? ''));
}
