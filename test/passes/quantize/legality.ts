import type { Model, Node, Value } from '../../../ir/model.ts';
import { Node as NodeClass } from '../../../ir/model.ts';
import { opFacts } from '../../../ir/ops.ts';
import { shapeOf } from '../../../ir/type.ts';
import type { Target } from '../../../passes/target.ts';

/**
 * Checks a written model against the rules of Q/DQ nodes and weights (reference: tensorrt.md §1.1, §1.2): the ids of the rules that it breaks, with places. What a target
 * says about number formats decides which of them hold: zero points, unsigned codes and int32 biases are legal where the target wants them.
 */
export function brokenRules(model: Model, { numbers, opset }: Target): string[] {
  const broken: string[] = [];
  const say = (rule: string, place: Node | Value, problem: string): void => { broken.push(`${rule} ${place.name}: ${problem}`); };
  const version = model.opset() ?? 0;
  if (version > opset.max) broken.push(`MOD opset ${version} is above ${opset.max}`);
  for (const node of model.graph.walk()) {
    if (node.is('QuantizeLinear', 'DequantizeLinear')) pair(node, numbers, version, say);
    else if (node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) weighted(node, numbers, say);
    if (/^(QLinear|ConvInteger|MatMulInteger|DynamicQuantize)/.test(node.op)) say('QDQ-17', node, `${node.op} is no Q/DQ form`);
    for (const name of node.attributes.keys()) if (node.domain === '' && opFacts('', node.op, version)?.attributes.has(name) !== true) say('MOD', node, `${node.op} of opset ${version} has no attribute ${name}`);
  }
  return broken;
}

type Say = (rule: string, place: Node | Value, problem: string) => void;

function pair(node: Node, numbers: Target['numbers'], version: number, say: Say): void {
  const [data, scale, zeroPoint] = node.inputs;
  const bias = node.is('DequantizeLinear') && data?.constant?.dtype === 'int32';
  if (node.graph.parent !== undefined) say('QDQ-24', node, 'stands in a body');
  if (node.domain !== '') say('QDQ-22', node, `is of the domain ${node.domain}`);
  if (node.inputs.length !== 3 || node.inputs.some((value) => value === undefined)) say('QDQ-01', node, `has ${node.inputs.length} inputs`);
  if (data === undefined || scale?.constant === undefined || zeroPoint?.constant === undefined) {
    say('QDQ-02', node, 'has a scale or zero point that is no constant');
    return;
  }
  const scales = Array.from(scale.constant.floats());
  if (scale.constant.dtype !== 'float') say('QDQ-13', node, `has scales of type ${scale.constant.dtype}`);
  if (scales.length === 0 || scales.some((item) => !(item > 0) || !Number.isFinite(item))) say('QDQ-03', node, 'has scales that are not positive');
  const symmetric = isWeight(node) ? numbers.weights.symmetric : numbers.activations.symmetric;
  if ((symmetric || bias) && zeroPoint.constant.ints().some((item) => item !== 0)) say('QDQ-04', node, 'has zero points other than 0');
  const type = bias ? 'int32' : isWeight(node) ? numbers.weights.type : numbers.activations.type;
  if (zeroPoint.constant.dtype !== type) say('QDQ-05', node, `has a zero point of type ${zeroPoint.constant.dtype}`);
  if (bias && numbers.bias === 'float') say('WGT-03', node, 'dequantizes an int32 bias');
  if (String(zeroPoint.constant.shape) !== String(scale.constant.shape)) say('QDQ-09', node, 'has a zero point of another shape than its scale');
  const shape = data.constant?.shape ?? shapeOf(data.type);
  if (scale.constant.shape.length > 0) {
    const axis = node.int('axis');
    if (axis === undefined) say('QDQ-08', node, 'leaves its axis to the default');
    else if (axis < 0 || axis >= (shape?.length ?? 0) || shape?.[axis] !== scales.length) say('QDQ-09', node, `has ${scales.length} scales on axis ${axis} of [${String(shape)}]`);
    if (!isWeight(node) && !bias) say('QDQ-10', node, 'has several scales for an activation');
    if (version < 13) say('QDQ-15', node, `has several scales at opset ${version}`);
  }
  if (node.attributes.has('output_dtype')) say('QDQ-12', node, 'sets output_dtype');
  if (shape?.length === 0 && !isWeight(node)) say('QDQ-18', node, 'quantizes a scalar');
  if (node.is('QuantizeLinear')) {
    const output = node.output;
    if (output.uses.some(({ user }) => !(user instanceof NodeClass) || !user.is('DequantizeLinear'))) say('QDQ-16', node, 'is read by something else than DequantizeLinear');
    if (data.producer?.is('DequantizeLinear') && output.uses.length > 0) say('QDQ-19', node, 'follows a DequantizeLinear');
    if (data.uses.filter(({ user }) => user instanceof NodeClass && user.is('QuantizeLinear')).length > 1) say('QDQ-20', node, `is not the only QuantizeLinear of '${data.name}'`);
  }
}

/** True for the nodes of a weight's pair: what they read comes from a constant, and a weighted node reads it. */
function isWeight(node: Node): boolean {
  const [data] = node.inputs;
  const root = data?.producer?.is('QuantizeLinear') ? data.producer.inputs[0] : data;
  if (root?.constant === undefined) return false;
  const last = node.is('QuantizeLinear') ? node.output.uses[0]?.user : node;
  return last instanceof NodeClass && last.output.uses.some(({ user, index }) => user instanceof NodeClass && user.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul') && index < 2);
}

function weighted(node: Node, numbers: Target['numbers'], say: Say): void {
  const [data, weight, bias] = node.inputs;
  const dequantize = weight?.producer?.is('DequantizeLinear') ? weight.producer : undefined;
  const source = dequantize?.inputs[0];
  const constant = source?.constant ?? source?.producer?.inputs[0]?.constant;
  if (dequantize === undefined || constant === undefined) return;
  if (node.is('Gemm') && (node.float('alpha', 1) !== 1 || node.float('beta', 1) !== 1)) say('WGT-09', node, 'has alpha or beta');
  const stored = source?.constant === undefined ? 'float-q-dq' : 'int8-dq';
  if (stored !== numbers.weights.storage) say('WGT-01', node, `stores its weights as ${stored}`);
  const axis = dequantize.inputs[1]!.constant!.shape.length === 0 ? undefined : dequantize.int('axis');
  const wanted = node.is('Conv') ? 0 : node.is('Gemm') ? (node.int('transB', 0) === 0 ? 1 : 0) : node.is('MatMul') && constant.shape.length === 2 ? 1 : undefined;
  if (axis !== wanted && axis !== undefined) say(node.is('ConvTranspose') ? 'WGT-02d' : 'WGT-02', node, `has scales on axis ${axis}`);
  if (node.is('Conv', 'ConvTranspose') && String(node.ints('kernel_shape')) !== String(constant.shape.slice(2))) say('WGT-04', node, 'does not state its kernel_shape');
  if (node.inputs.length === 3 && bias === undefined) say('WGT-05', node, 'has an empty bias');
  if (bias?.producer?.is('DequantizeLinear') && numbers.bias === 'float') say('WGT-03', node, 'has a dequantized bias');
  if (node.is('Conv') && numbers.bias === 'float') {
    const group = node.int('group', 1);
    const perGroup = [constant.shape[0]! / group, constant.shape[1]!];
    if (group > 1 && perGroup.some((channels) => channels % 4 !== 0) && constant.shape[1] !== 1) say('WGT-07', node, `has ${perGroup.join(' and ')} channels in a group`);
    if (constant.shape.length === 3) say('WGT-08', node, 'is a quantized convolution of one dimension');
  }
  if (data?.producer?.is('DequantizeLinear') !== true && !readsThroughCopies(data)) say('WGT-10', node, 'reads float beside quantized weights');
}

const copies = ['Reshape', 'Transpose', 'Flatten', 'Squeeze', 'Unsqueeze', 'Concat', 'Slice', 'Split', 'MaxPool', 'DepthToSpace', 'SpaceToDepth', 'Pad', 'Gather', 'Resize', 'Identity', 'Expand', 'Tile'];

function readsThroughCopies(value: Value | undefined): boolean {
  let node = value?.producer;
  while (node?.is(...copies)) node = node.inputs[0]?.producer;
  return node?.is('DequantizeLinear') === true;
}
