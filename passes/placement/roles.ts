import type { Node } from '../../ir/model.ts';
import { attributeOf } from '../pattern.ts';
import { scalarOf } from './view.ts';

/**
 * What an operator is to int8:
 * - `weighted`: a matrix product; int8 when what it reads is.
 * - `pointwise`: element by element; may be part of the kernel of what stands before it, never int8 of its own.
 * - `elementwise`: likewise, and with two activations it may be an int8 operator of its own (Add, Mul).
 * - `pool`: sums over windows; has an int8 kernel of its own.
 * - `copy`: moves elements and makes none: int8 passes through it with one scale.
 * - `concat`: a copy of several inputs.
 * - `float`: has no int8 kernel.
 * - `recurrent`: keeps state in float.
 * - `quantized`: is there because somebody quantized before.
 * - `never`: makes or reads shapes, indices, masks or constants.
 */
export type Role = 'weighted' | 'pointwise' | 'elementwise' | 'pool' | 'copy' | 'concat' | 'float' | 'recurrent' | 'quantized' | 'never';

const operators: Readonly<Record<Role, string>> = {
  weighted: 'Conv ConvTranspose Gemm MatMul',
  pointwise: `Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization Cast Ceil Celu Clip Cos Cosh Div Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log
    Max Mean Min Mish Mod Neg Pow PRelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu`,
  elementwise: 'Add Mul',
  pool: 'AveragePool GlobalAveragePool',
  copy: `DepthToSpace Dropout Expand Flatten Gather GatherElements GatherND Identity MaxPool Pad Reshape Resize ReverseSequence Slice SpaceToDepth Split Squeeze
    Tile Transpose Unsqueeze Upsample`,
  concat: 'Concat',
  float: `Attention AffineGrid Bernoulli CastLike CenterCropPad Col2Im Compress CumProd CumSum DeformConv Det DFT Einsum EyeLike GlobalLpPool GlobalMaxPool GridSample
    GroupNormalization Hardmax InstanceNormalization LayerNormalization LogSoftmax LpNormalization LpPool LRN MaxRoiPool MaxUnpool MeanVarianceNormalization MelWeightMatrix
    NegativeLogLikelihoodLoss ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RMSNormalization RoiAlign
    RotaryEmbedding Scatter ScatterElements ScatterND Softmax SoftmaxCrossEntropyLoss STFT TensorScatter Trilu Where`,
  recurrent: 'GRU LSTM RNN',
  quantized: 'ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear',
  never: `And ArgMax ArgMin BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Constant ConstantOfShape Equal Greater GreaterOrEqual HammingWindow HannWindow If
    ImageDecoder IsInf IsNaN Less LessOrEqual Loop Multinomial NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or RandomNormal
    RandomNormalLike RandomUniform RandomUniformLike Range RegexFullMatch Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength
    SequenceMap Shape Size SplitToSequence ConcatFromSequence StringConcat StringNormalizer StringSplit TfIdfVectorizer TopK Unique Xor`,
};

/** The facet table: the role of every operator of the ONNX domain. */
const table: ReadonlyMap<string, Role> = new Map((Object.entries(operators) as [Role, string][]).flatMap(([role, names]) => names.split(/\s+/).map((name) => [name, role] as const)));

/** Operators of the runtime's own domain that somebody's quantizer writes. */
const quantizedElsewhere = /^(QLinear|QGemm$|QAttention$|MatMulInteger|DynamicQuantize|MatMulNBits$|QuantizeLinear$|DequantizeLinear$|ConvInteger$)/;

/** The role of an operator of the ONNX domain, whatever its attributes; undefined for one without a row. */
export function tableRole(op: string): Role | undefined {
  return table.get(op);
}

/** The role of a node; undefined for an operator without a row, which is left in float. */
export function roleOf(node: Node): Role | undefined {
  if (node.domain !== '') return quantizedElsewhere.test(node.op) ? 'quantized' : undefined;
  const role = table.get(node.op);
  return role === 'copy' && !isCopy(node) ? sampled(node) : role;
}

/** Operators that only sometimes do nothing but move elements. */
function isCopy(node: Node): boolean {
  switch (node.op) {
    case 'MaxPool':
      return node.outputs[1] === undefined; // with indices it is no longer the plain kernel
    case 'Dropout':
      return node.inputs[2] === undefined || scalarOf(node.inputs[2]) === 0;
    case 'Resize': case 'Upsample':
      return attributeOf(node, 'mode') === 'nearest';
    case 'Pad':
      return padsWithData(node);
    default:
      return true;
  }
}

/** Resize that interpolates is a kernel of its own; the others have none. */
function sampled(node: Node): Role {
  return node.is('Resize', 'Upsample') && attributeOf(node, 'mode') === 'linear' ? 'pool' : 'float';
}

/** Zero has a code in every quantized format, so that padding with it makes no new number; other constants would need one of their own. */
function padsWithData(node: Node): boolean {
  if (attributeOf(node, 'mode') !== 'constant') return true;
  return node.inputs[2] === undefined ? node.float('value', 0) === 0 : scalarOf(node.inputs[2]) === 0;
}

/** Operators whose outputs lie in [0, 1] whatever they read. */
export function hasUnitRange(node: Node): boolean {
  return node.is('Softmax', 'Sigmoid', 'HardSigmoid');
}

/** Normalisations at run time: the mark of a residual stream, which int8 would ruin. */
export function isNormalization(node: Node): boolean {
  return node.is('LayerNormalization', 'GroupNormalization', 'InstanceNormalization', 'RMSNormalization', 'LpNormalization', 'MeanVarianceNormalization')
    || /^(Simplified|Skip|SkipSimplified|Embed)?LayerNormalization$/.test(node.op) || isDeviation(node);
}

/** `x − mean(x)`: how every decomposed normalisation begins. */
function isDeviation(node: Node): boolean {
  const [x, mean] = node.inputs;
  return node.is('Sub') && x !== undefined && mean?.producer?.is('ReduceMean') === true && mean.producer.inputs[0] === x;
}

/** True for copies that leave every element where it is in memory: a kernel writes its output in either shape. */
export function keepsLayout(node: Node): boolean {
  return node.is('Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Dropout');
}
