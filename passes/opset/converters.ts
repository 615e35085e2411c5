import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { attributeToInput, constantInts, floatToInput, replaceNode, type Converter } from './converter.ts';
import { resizeModes, upsampleScales, upsampleToResize } from './resize.ts';
import { softmax } from './softmax.ts';

const nothing = (): void => undefined;

/** Axes of a reduction became an input: of ReduceSum in opset 13, of the others in 18. Without axes both reduce all. */
const axesInput = (version: number): Converter => ({ version, convert: attributeToInput('axes', 1) });

const batchNormalization: readonly Converter[] = [
  {
    version: 9,
    refuses: (node) => (node.int('spatial', 1) === 0 ? 'it normalises every position by itself (spatial = 0), which opset 9 cannot' : undefined),
    convert: (node, edit) => { edit.setAttribute(node, 'spatial', undefined); },
  },
  { version: 14, refuses: (node) => (node.outputs.length > 1 ? 'it is written for training' : undefined), convert: nothing },
];

const dropout: Converter = {
  version: 12,
  refuses: (node) => (node.outputs[1] !== undefined && node.outputs[1].uses.length > 0 ? 'its mask is used' : undefined),
  convert: (node, edit) => {
    if (node.outputs[1] !== undefined) edit.dropOutput(node.outputs[1]);
    floatToInput(node, edit, 'ratio', 1, 'float');
  },
};

const slice: Converter = {
  version: 10,
  convert: (node, edit) => { for (const [index, name] of ['starts', 'ends', 'axes'].entries()) attributeToInput(name, index + 1)(node, edit); },
};

const topK: Converter = {
  version: 10,
  convert: (node, edit) => {
    edit.setInput(node, 1, constantInts(node, edit, [node.int('k', 1)], 'k'));
    edit.setAttribute(node, 'k', undefined);
  },
};

const clip: Converter = {
  version: 11,
  convert: (node, edit) => {
    floatToInput(node, edit, 'min', 1);
    floatToInput(node, edit, 'max', 2);
  },
};

const pad: Converter = {
  version: 11,
  convert: (node, edit) => {
    attributeToInput('pads', 1)(node, edit);
    const value = node.float('value', 0);
    edit.setAttribute(node, 'value', undefined);
    if (value !== 0) edit.setInput(node, 2, edit.constant(node.graph, Tensor.scalar(dtypeOfType(node.inputs[0]?.type) ?? 'float', value), `${node.name}_value`));
  },
};

/** The modes got the names that Resize has; the default is the same. */
const gridModes: Converter = {
  version: 20,
  convert: (node, edit) => {
    const mode = { bilinear: 'linear', bicubic: 'cubic' }[node.string('mode', '')];
    if (mode !== undefined) edit.setAttribute(node, 'mode', mode);
  },
};

/** Converters of operators whose form or meaning changed, in ascending order of version. */
export const converters: ReadonlyMap<string, readonly Converter[]> = new Map<string, readonly Converter[]>([
  ['BatchNormalization', batchNormalization],
  ['Clip', [clip]],
  ['Dropout', [{ version: 10, refuses: dropout.refuses!, convert: nothing }, dropout]],
  ['GridSample', [gridModes]],
  ['Hardmax', [softmax]],
  ['LogSoftmax', [softmax]],
  ['Pad', [pad]],
  ...['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare'].map((op): [string, Converter[]] => [op, [axesInput(18)]]),
  ['ReduceSum', [axesInput(13)]],
  ['Resize', [resizeModes]],
  ['RoiAlign', [{ version: 16, convert: (node, edit) => { edit.setAttribute(node, 'coordinate_transformation_mode', 'output_half_pixel'); } }]],
  ['Scan', [{ version: 9, refuses: () => 'Scan of opset 8 works on batches', convert: nothing }]],
  ['Scatter', [{ version: 11, becomes: 'ScatterElements', convert: (node, edit) => { replaceNode(node, edit, { op: 'ScatterElements', inputs: node.inputs, attributes: node.attributes }); } }]],
  ['Slice', [slice]],
  ['Softmax', [softmax]],
  ['Split', [
    { version: 13, convert: attributeToInput('split', 1) },
    { version: 18, convert: (node, edit) => { if (node.inputs[1] === undefined) edit.setAttribute(node, 'num_outputs', node.outputs.length); } },
  ]],
  ['Squeeze', [{ version: 13, convert: attributeToInput('axes', 1) }]],
  ['TopK', [topK]],
  ['Unsqueeze', [{ version: 13, convert: attributeToInput('axes', 1) }]],
  ['Upsample', [upsampleScales, upsampleToResize]],
]);

/**
 * Operators whose later versions, up to opset 21, only take more types, allow negative axes, or add inputs, outputs and attributes whose absence means what the older version did.
 * Of those with converters, the versions that have none are of this kind as well. Whatever stands in neither list is not converted.
 */
export const compatible: ReadonlySet<string> = new Set([
  ...converters.keys(),
  'Abs', 'Acos', 'Acosh', 'Add', 'And', 'ArgMax', 'ArgMin', 'Asin', 'Asinh', 'Atan', 'Atanh', 'AveragePool', 'BitShift', 'Cast', 'CastLike', 'Ceil', 'Celu', 'Compress', 'Concat',
  'Constant', 'ConstantOfShape', 'Conv', 'ConvInteger', 'ConvTranspose', 'Cos', 'Cosh', 'CumSum', 'DepthToSpace', 'DequantizeLinear', 'Det', 'Div', 'DynamicQuantizeLinear', 'Einsum', 'Elu',
  'Equal', 'Erf', 'Exp', 'Expand', 'EyeLike', 'Flatten', 'Floor', 'GRU', 'Gather', 'GatherElements', 'GatherND', 'Gemm', 'GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool', 'Greater',
  'GreaterOrEqual', 'HardSigmoid', 'HardSwish', 'Identity', 'If', 'InstanceNormalization', 'IsInf', 'IsNaN', 'LRN', 'LSTM', 'LayerNormalization', 'LeakyRelu', 'Less', 'LessOrEqual',
  'Log', 'Loop', 'LpNormalization', 'LpPool', 'MatMul', 'MatMulInteger', 'Max', 'MaxPool', 'Mean', 'MeanVarianceNormalization', 'Min', 'Mod', 'Mul', 'Neg', 'NonMaxSuppression', 'NonZero', 'Not',
  'OneHot', 'Or', 'PRelu', 'Pow', 'QLinearConv', 'QLinearMatMul', 'QuantizeLinear', 'RNN', 'Range', 'Reciprocal', 'Relu', 'Reshape', 'ReverseSequence', 'Round', 'ScatterElements', 'ScatterND',
  'Selu', 'Shape', 'Shrink', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Size', 'Softplus', 'Softsign', 'SpaceToDepth', 'Sqrt', 'Sub', 'Sum', 'Tan', 'Tanh', 'ThresholdedRelu', 'Tile', 'Transpose', 'Trilu',
  'Unique', 'Where', 'Xor',
]);
