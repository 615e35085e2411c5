import { isFloat } from '../../ir/dtype.ts';
import { Editor } from '../../ir/edit.ts';
import { Graph, Model, type Node, type Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import type { Feeds, Runtime } from '../../passes/runtime.ts';
import { kernels } from './float64-kernels.ts';

/**
 * What a model computes from these inputs if all its floats are float64: the measure for two models whose sums are rounded in different order. Weights and
 * inputs are what they are. Sums and products are those of `float64-kernels.ts`; other operators go through ONNX Runtime one by one, in float64 where it can,
 * else rounded to float32 before and after. Returns the outputs by slot name, or why there are none (an operator with a body, or one that cannot be run).
 */
export async function evaluateInFloat64(model: Model, feeds: Feeds, runtime: Runtime): Promise<Map<string, Tensor> | string> {
  const { graph } = model;
  const known = new Map<Value, Tensor>();
  const readers = new Map<Value, number>();
  for (const value of graph.inputs) {
    const tensor = feeds.get(value.name) ?? value.tensor;
    if (tensor === undefined) return `there is nothing for input '${value.name}'`;
    known.set(value, widened(tensor));
  }
  const read = (value: Value | undefined): Tensor | undefined => (value === undefined ? undefined : known.get(value) ?? (value.constant && widened(value.constant)));
  for (const node of graph.nodes()) {
    const inputs = node.inputs.map(read);
    const results = computed(node, inputs) ?? await foreign(model, node, inputs, runtime);
    if (typeof results === 'string') return `${node.op} '${node.name}': ${results}`;
    node.outputs.forEach((value, index) => { if (value !== undefined && results[index] !== undefined) known.set(value, results[index]); });
    for (const value of new Set(node.inputs)) {
      if (value === undefined) continue;
      const count = (readers.get(value) ?? new Set(value.uses.map(({ user }) => user)).size) - 1;
      readers.set(value, count);
      if (count === 0) known.delete(value);
    }
  }
  return new Map(graph.outputs.map(({ name, value }) => [name, read(value)!]));
}

/** By a kernel of our own, if there is one for this operator, these types and this form. */
function computed(node: Node, inputs: readonly (Tensor | undefined)[]): readonly Tensor[] | undefined {
  const kernel = node.domain === '' && Object.hasOwn(kernels, node.op) ? kernels[node.op] : undefined;
  if (kernel === undefined || !inputs.every((tensor) => tensor === undefined || tensor.dtype === 'double')) return undefined;
  const result = kernel(node, inputs);
  return result && [result];
}

/** By ONNX Runtime, alone in a model. */
async function foreign(model: Model, node: Node, inputs: readonly (Tensor | undefined)[], runtime: Runtime): Promise<readonly (Tensor | undefined)[] | string> {
  if (node.subgraphs.length > 0) return 'it has a body';
  let reason = 'it has no result';
  for (const dtype of ['double', 'float'] as const) {
    const alone = new Model(new Graph('alone'), { irVersion: model.irVersion, opsets: model.opsets });
    const edit = new Editor(alone);
    const operands = inputs.map((tensor, index) => tensor && edit.constant(alone.graph, tensor.dtype === 'double' ? Tensor.of(dtype, tensor.floats(), tensor.shape) : tensor, `x${index}`));
    const attributes = new Map(node.attributes);
    if (node.is('Cast') && dtype === 'double' && node.int('to') === 1) attributes.set('to', { kind: 'int', value: 11n });
    const copy = edit.insert({ op: node.op, domain: node.domain, name: node.name, inputs: operands, attributes, outputs: node.outputs.map(() => undefined) }, alone.graph);
    const results = await runtime.evaluate(alone.graph, [copy], (_, why) => { reason = why; });
    const tensors = copy.outputs.map((value) => value && results.get(value));
    if (node.outputs.every((value, index) => value === undefined || value.uses.length === 0 || tensors[index] !== undefined)) return tensors.map((tensor) => tensor && widened(tensor));
  }
  return reason;
}

function widened(tensor: Tensor): Tensor {
  return isFloat(tensor.dtype) && tensor.dtype !== 'double' ? Tensor.of('double', Float64Array.from(tensor.floats()), tensor.shape) : tensor;
}
