import type { Node } from '../../ir/model.ts';
import { opFacts } from '../../ir/ops.ts';
import { opsetOf } from '../pattern.ts';

const quantizers = new Set(['QuantizeLinear', 'DequantizeLinear', 'DynamicQuantizeLinear']);

/** True for Q/DQ nodes, which say how an engine shall compute: their place matters, their value does not. In any domain. */
export function isQuantizer(node: Node): boolean {
  return quantizers.has(node.op);
}

/** True if two runs of the node, or of a node in its bodies, may give different outputs. Dropout counts when its training_mode input is there and not a constant false. */
export function isRandom(node: Node): boolean {
  const random = opFacts(node.domain, node.op, opsetOf(node))?.random;
  if (random === 'always' || (random === 'training' && trains(node))) return true;
  return node.subgraphs.some((body) => [...body.nodes()].some(isRandom));
}

/** True for what fold neither evaluates nor merges. */
export function isBarrier(node: Node): boolean {
  return isQuantizer(node) || isRandom(node);
}

function trains(node: Node): boolean {
  if (opsetOf(node) < 7) return node.int('is_test', 0) === 0;
  const mode = node.inputs[2];
  return mode !== undefined && mode.constant?.ints()[0] !== 0;
}
