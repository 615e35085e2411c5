import { dtypeOf, type DType } from '../../ir/dtype.ts';
import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { dtypeOfType, type Type } from '../../ir/type.ts';
import { typeAttributes } from './probe.ts';
import { ortTypeOf } from './protocol.ts';

/** Operators whose outputs have a type of their own, whatever narrow type goes in. */
const plainResult = new Set([
  'Shape', 'Size', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'IsNaN', 'IsInf', 'ArgMax', 'ArgMin', 'NonZero', 'DynamicQuantizeLinear',
  'SequenceLength', 'OptionalHasElement', 'MatMulInteger', 'ConvInteger',
]);

/** True for element types that a session cannot report as the type of an output. */
export function isExotic(dtype: DType | undefined): dtype is DType {
  return dtype !== undefined && ortTypeOf(dtype) === undefined;
}

/**
 * Predicts which outputs of nodes have an element type that onnxruntime-node cannot name, so that the skeleton does not expose them as they are. Where a
 * prediction is wrong, ONNX Runtime says so (it is checked as a claim): this need not be a type system. `typeOf` gives what is known of other values.
 */
export function predictExotic(graph: Graph, typeOf: (value: Value) => Type | undefined, into: Map<Value, DType>): void {
  const exotic = (value: Value | undefined): DType | undefined => {
    if (value === undefined) return undefined;
    const dtype = into.get(value) ?? value.tensor?.dtype ?? (value.producer === undefined || value.graph !== graph ? dtypeOfType(typeOf(value)) : undefined);
    return isExotic(dtype) ? dtype : undefined;
  };
  for (const node of graph.nodes()) {
    for (const body of node.subgraphs) predictExotic(body, typeOf, into);
    node.outputs.forEach((value, index) => {
      if (value === undefined) return;
      const dtype = predicted(node, index, exotic) ?? dtypeOfType(value.type);
      if (isExotic(dtype)) into.set(value, dtype);
    });
  }
}

function predicted(node: Node, index: number, exotic: (value: Value | undefined) => DType | undefined): DType | undefined {
  const [body] = node.subgraphs;
  if (body !== undefined) return exotic(body.outputs[node.op === 'Loop' ? index + 1 : index]?.value);
  const stated = node.int('to') ?? node.int('output_dtype') ?? node.int('dtype');
  if (stated !== undefined && stated !== 0) return dtypeOf(stated);
  const value = node.attributes.get('value');
  if (value?.kind === 'tensor') return value.value.dtype;
  if (plainResult.has(node.op)) return undefined;
  if (node.op === 'CastLike' || node.op === 'DequantizeLinear') return exotic(node.inputs[1]);
  if (node.op === 'QuantizeLinear') return exotic(node.inputs[2]);
  for (const input of node.inputs) {
    const dtype = exotic(input);
    if (dtype !== undefined) return dtype;
  }
  return undefined;
}

/**
 * bfloat16 → float16 for a model that knows the first and not the second. Few kernels take bfloat16 on a CPU, and no session reports it; but all that takes
 * it takes float16 too, so a skeleton with the two exchanged has the same shapes.
 */
export function exchange(model: Model): { readonly from: DType; readonly to: DType } | undefined {
  const seen = new Set<DType>();
  const enter = (graph: Graph): void => {
    for (const value of graph.values()) {
      const dtype = value.tensor?.dtype ?? dtypeOfType(value.type);
      if (dtype !== undefined) seen.add(dtype);
    }
    for (const node of graph.nodes()) {
      for (const [name, item] of node.attributes) {
        const dtype = item.kind === 'tensor' ? item.value.dtype : item.kind === 'int' && typeAttributes.has(name) ? dtypeOf(Number(item.value)) : undefined;
        if (dtype !== undefined) seen.add(dtype);
      }
      node.subgraphs.forEach(enter);
    }
  };
  for (const graph of model.graphs()) enter(graph);
  return seen.has('bfloat16') && !seen.has('float16') ? { from: 'bfloat16', to: 'float16' } : undefined;
}
