import type { Relate, Relations } from '../relation.ts';
import { broadcast, rightAligned } from './broadcast.ts';

/** Every output is made of the inputs place by place, broadcast. */
export const elementwise: Relate = (node, flow) => {
  const [y] = node.outputs;
  const rank = flow.rank(y);
  if (rank === undefined) {
    for (const value of node.inputs) flow.rigidAll(value, 'is combined with something whose shape is not known');
    return;
  }
  const layout = broadcast(flow, rightAligned(flow, node.inputs, rank));
  for (const value of node.outputs) flow.set(value, layout);
};

/** One input place by place; what else the operator reads are scalars. Outputs of the same shape have the same channels. */
export const pointwise: Relate = (node, flow) => {
  const layout = flow.layout(node.inputs[0]);
  for (const value of node.outputs) flow.set(value, layout);
};

const of = (relate: Relate, operators: string): Relations => Object.fromEntries(operators.trim().split(/\s+/).map((op) => [op, relate]));

export const elementwiseOperators: Relations = {
  ...of(elementwise, `
    Add Sub Mul Div Pow Mod Min Max Mean Sum And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual Where PRelu BitShift BitwiseAnd BitwiseOr BitwiseXor`),
  ...of(pointwise, `
    Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not
    Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Bernoulli RandomNormalLike RandomUniformLike`),
};
