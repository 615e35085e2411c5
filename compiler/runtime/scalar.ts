import type { Node, Value } from '../../ir/model.ts';

/** Operators whose output has a known rank as soon as the ranks of all inputs are known. */
const preserving = new Set([
  'Abs', 'Acos', 'Acosh', 'Add', 'And', 'Asin', 'Asinh', 'Atan', 'Atanh', 'BitShift', 'BitwiseAnd', 'BitwiseNot', 'BitwiseOr', 'BitwiseXor', 'Cast', 'CastLike',
  'Ceil', 'Celu', 'Clip', 'Cos', 'Cosh', 'DequantizeLinear', 'Div', 'Dropout', 'Elu', 'Equal', 'Erf', 'Exp', 'Floor', 'Gather', 'Gelu', 'Greater', 'GreaterOrEqual',
  'HardSigmoid', 'HardSwish', 'Identity', 'IsInf', 'IsNaN', 'LeakyRelu', 'Less', 'LessOrEqual', 'Log', 'MatMul', 'Max', 'Mean', 'Min', 'Mish', 'Mod', 'Mul', 'Neg',
  'Not', 'Or', 'PRelu', 'Pow', 'QuantizeLinear', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Shrink', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Softplus', 'Softsign', 'Sqrt',
  'Sub', 'Sum', 'Swish', 'Tan', 'Tanh', 'ThresholdedRelu', 'Where', 'Xor', 'ArgMax', 'ArgMin',
]);

/** Operators whose output may have an unknown rank although the ranks of all inputs are known. */
const leaving = new Set(['ConstantOfShape', 'Expand', 'If', 'Loop', 'OptionalGetElement', 'Reshape', 'Scan', 'SequenceAt', 'Squeeze']);

/** Operators that give scalars whatever goes in. */
const always = new Set(['Size', 'SequenceLength', 'OptionalHasElement', 'DynamicQuantizeLinear']);

/**
 * True if a node's output that is reported without axes can only be a scalar, and not a value of unknown rank. `ranked` tells of inputs whether their rank is
 * known. Operators that are not listed here make no difference but that of one more question to ONNX Runtime.
 */
export function isSurelyScalar(node: Node, ranked: (value: Value | undefined) => boolean): boolean {
  if (node.domain !== '') return false;
  if (always.has(node.op)) return true;
  if (!node.inputs.every(ranked)) return false;
  if (preserving.has(node.op)) return true;
  const shaping = node.inputs[1];
  // A constant says how many axes there are; without one, an attribute does, or the operator works on all axes.
  if (node.op === 'Reshape') return shaping?.constant !== undefined || node.attributes.has('shape');
  if (node.op === 'Squeeze') return shaping?.constant !== undefined || node.attributes.has('axes');
  return node.op.startsWith('Reduce') && (shaping === undefined || shaping.constant !== undefined);
}

/** True if it is worth asking for the rank of the node's outputs at once. */
export function mayLoseRank(node: Node): boolean {
  return node.domain === '' && leaving.has(node.op) && !isSurelyScalar(node, () => true);
}
