import type { Model, Node } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import type { OptimizedNode } from '../runtime.ts';
import type { Target } from '../target.ts';

/** What became of the int8 nodes of a model in the graph that ONNX Runtime runs: for the report, under the name `fusion`. */
export interface FusionRecord {
  /** Nodes of the optimised graph, by operator. */
  readonly operators: Readonly<Record<string, number>>;
  /** Nodes that the file states in int8, between pairs. */
  readonly int8: number;
  /** Those of them that are computed in float all the same. */
  readonly float: readonly string[];
}

/** Nodes that stand between pairs: everything that changes with the sample and is read comes from a DequantizeLinear, and what is written goes into a QuantizeLinear. Products may end in float. */
export function statedInInt8(model: Model): Set<Node> {
  const found = new Set<Node>();
  for (const node of model.graph.nodes()) {
    if (node.is('QuantizeLinear', 'DequantizeLinear')) continue;
    const variable = node.inputs.flatMap((value) => (value?.producer?.op === 'DequantizeLinear' && value.producer.inputs[0]?.constant === undefined ? [value] : []));
    const all = node.inputs.every((value) => value === undefined || value.constant !== undefined || value.producer?.op === 'DequantizeLinear');
    if (variable.length > 0 && all && (node.is('Gemm', 'MatMul') || leadsToQuantizer(node))) found.add(node);
  }
  return found;
}

/** True if a QuantizeLinear reads the node, or the rectifier behind it that the rounding replaces. */
function leadsToQuantizer(node: Node): boolean {
  const [output] = node.outputs;
  return output !== undefined && output.uses.some(({ user }) => 'op' in user && (user.op === 'QuantizeLinear' || (user.is('Relu', 'Clip') && leadsToQuantizer(user))));
}

const kernels = /^(QLinear|QGemm$|QAttention$|MatMulInteger|ConvInteger|NhwcMaxPool$|DynamicQuantize)/;

/** Which of the nodes that are stated in int8 run so. `weighted` are the operators whose kernels have names of their own; others keep theirs, and differ in what they read. */
export function fusionOf(stated: ReadonlySet<Node>, optimized: readonly OptimizedNode[], weighted: readonly string[]): { readonly float: readonly Node[]; readonly record: FusionRecord } {
  const operators = new Map<string, number>();
  for (const { op } of optimized) operators.set(op, (operators.get(op) ?? 0) + 1);
  const float = new Set(optimized.flatMap(({ op, node, dequantized }) => (
    node !== undefined && stated.has(node) && op !== 'DequantizeLinear' && !kernels.test(op) && (dequantized || weighted.includes(node.op)) ? [node] : []
  )));
  return { float: [...float], record: { operators: Object.fromEntries(operators), int8: stated.size, float: Array.from(float, ({ name }) => name) } };
}

/** Reads back what ONNX Runtime makes of a quantized model, for targets that it runs, and tells of each node that does not run in int8 though the file says so. */
export async function checkFusion(model: Model, { runtime, target, record, remark, stat }: Pick<PassContext<unknown>, 'runtime' | 'target' | 'record' | 'remark' | 'stat'>): Promise<void> {
  if (target.runsOn !== 'onnxruntime') return;
  const stated = statedInInt8(model);
  if (stated.size === 0) return;
  const optimized = await runtime.optimized(model);
  if (optimized === undefined) {
    remark({ kind: 'analysis', rule: 'not-read-back', message: 'the model is too large for the optimised graph to be read back: what fuses is not known' });
    return;
  }
  const { float, record: fusion } = fusionOf(stated, optimized, target.placement.weighted);
  record('fusion', fusion);
  stat('int8 nodes that run in int8, percent', Math.round((1 - float.length / stated.size) * 1000) / 10);
  for (const node of float) if (hasKernel(node, target)) remark({ kind: 'missed', rule: 'not-fused', message: 'it stands between Q/DQ pairs, and ONNX Runtime computes it in float between them all the same', node });
}

function hasKernel({ op }: Node, { placement: { weighted, elementwise, copies } }: Target): boolean {
  return [weighted, elementwise, copies].some((list) => list.includes(op));
}
