import type { Editor } from '../../ir/edit.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { shapeOf } from '../../ir/type.ts';
import { replaceNode } from '../opset/converter.ts';
import type { QuantizedFormat } from '../target.ts';
import { dropUnused } from './bias.ts';
import { roundedToNearest, weightScales } from './weights.ts';

/** Rewrites a node with 8-bit weights, or says why it stays as it is. */
type Rewrite = (node: Node, edit: Editor, perChannel: boolean, made: MadeWeights) => string | undefined;

/** Codes, scales and zero points that replace a weight, by how they were made of it: nodes that share a weight share them. */
export type MadeWeights = Map<Value, Map<string, QuantizedParts>>;

interface QuantizedParts {
  readonly codes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

const domain = 'com.microsoft';

const format: QuantizedFormat = { type: 'int8', symmetric: true };

/**
 * Codes are stored unsigned, with this zero point: processors without VNNI add products of unsigned by signed bytes in 16 bits, which saturates; those of unsigned by
 * unsigned bytes never do.
 */
const middle = 128;

/** MatMul or Gemm with constant weights [K, N] becomes `DynamicQuantizeMatMul`, which adds the bias of a Gemm. */
export const rewriteProduct: Rewrite = (node, edit, perChannel, made) => {
  const [x, w, c] = node.inputs;
  const weights = w?.constant;
  if (x === undefined || weights?.dtype !== 'float' || weights.shape.length !== 2) return 'its second input is no constant float matrix';
  if ((shapeOf(x.type)?.length ?? 0) < 2) return 'what it reads is no matrix, or of unknown rank';
  const gemm = node.is('Gemm');
  const [alpha, beta] = gemm ? [node.float('alpha', 1), node.float('beta', 1)] : [1, 1];
  if (gemm && node.int('transA', 0) !== 0) return 'it transposes what it reads';
  const turned = gemm && node.int('transB', 0) !== 0;
  const outputs = weights.shape[turned ? 0 : 1]!;
  if (c !== undefined && (c.constant?.dtype !== 'float' || (c.constant.size !== outputs && c.constant.size !== 1) || (c.constant.size > 1 && c.constant.shape.at(-1) !== outputs))) return 'its bias is no constant row';
  const { graph } = node;
  const parts = once(made, w!, `${turned} ${alpha}`, () => {
    const { codes, scales, zeroPoints } = quantize(scaled(turned ? transposed(weights) : weights, alpha), perChannel ? 1 : undefined);
    return {
      codes: edit.constant(w!.graph, codes, `${w!.name}_quantized`), scale: edit.constant(w!.graph, scales, `${w!.name}_scale`),
      zeroPoint: edit.constant(w!.graph, zeroPoints, `${w!.name}_zero_point`),
    };
  });
  const bias = c && edit.constant(graph, scaled(row(c.constant!, outputs), beta), c.name);
  replaceNode(node, edit, { op: 'DynamicQuantizeMatMul', domain, inputs: [x, parts.codes, parts.scale, parts.zeroPoint, bias] });
  for (const value of [w, c]) dropUnused(edit, value);
  return undefined;
};

/** LSTM with constant weights becomes `DynamicQuantizeLSTM`, whose weights lie transposed: [directions, inputs, 4 · hidden]. */
export const rewriteLstm: Rewrite = (node, edit, perChannel, made) => {
  const [, w, r] = node.inputs;
  if (w?.constant?.dtype !== 'float' || r?.constant?.dtype !== 'float') return 'its weights are no float constants';
  if (node.int('layout', 0) !== 0) return 'the runtime has no quantized LSTM that takes batches first';
  const parts = [w, r].map((value) => once(made, value, 'LSTM', () => lstmWeights(value, edit, perChannel))) as [QuantizedParts, QuantizedParts];
  const inputs = Array.from({ length: 8 }, (_, index) => node.inputs[index]);
  inputs[1] = parts[0].codes;
  inputs[2] = parts[1].codes;
  const attributes = new Map(node.attributes);
  attributes.delete('layout');
  replaceNode(node, edit, { op: 'DynamicQuantizeLSTM', domain, attributes, inputs: [...inputs, ...parts.flatMap(({ scale, zeroPoint }) => [scale, zeroPoint])] });
  for (const value of [w, r]) dropUnused(edit, value);
  return undefined;
};

function once(made: MadeWeights, value: Value, way: string, make: () => QuantizedParts): QuantizedParts {
  const ways = made.get(value) ?? new Map<string, QuantizedParts>();
  const parts = ways.get(way) ?? make();
  made.set(value, ways.set(way, parts));
  return parts;
}

/** Each direction is quantized by itself, with one scale or one for each of its 4 · hidden gates. */
function lstmWeights(value: Value, edit: Editor, perChannel: boolean): QuantizedParts {
  const { graph } = value;
  const [directions, gates, inputs] = value.constant!.shape as [number, number, number];
  const elements = value.constant!.floats();
  const each = Array.from({ length: directions }, (_, index) => {
    const part = Tensor.of('float', elements.slice(index * gates * inputs, (index + 1) * gates * inputs), [gates, inputs]);
    return quantize(transposed(part), perChannel ? 1 : undefined);
  });
  const shape = perChannel ? [directions, gates] : [directions];
  const join = (tensors: readonly Tensor[]): number[] => tensors.flatMap((tensor) => Array.from(tensor.floats()));
  return {
    codes: edit.constant(graph, Tensor.of('uint8', join(each.map(({ codes }) => codes)), [directions, inputs, gates]), `${value.name}_quantized`),
    scale: edit.constant(graph, Tensor.of('float', join(each.map(({ scales }) => scales)), shape), `${value.name}_scale`),
    zeroPoint: edit.constant(graph, Tensor.of('uint8', join(each.map(({ zeroPoints }) => zeroPoints)), shape), `${value.name}_zero_point`),
  };
}

function quantize(matrix: Tensor, axis: number | undefined): { readonly codes: Tensor; readonly scales: Tensor; readonly zeroPoints: Tensor } {
  const { scales } = weightScales(matrix, axis, format);
  const shape = axis === undefined ? [] : [scales.length];
  return {
    codes: Tensor.of('uint8', Uint8Array.from(roundedToNearest(matrix, axis, scales, format), (code) => code + middle), matrix.shape),
    scales: Tensor.of('float', scales, shape),
    zeroPoints: Tensor.of('uint8', new Uint8Array(scales.length).fill(middle), shape),
  };
}

function transposed(matrix: Tensor): Tensor {
  const [rows, columns] = matrix.shape as [number, number];
  const elements = matrix.floats();
  return Tensor.of('float', Float32Array.from({ length: rows * columns }, (_, at) => elements[(at % rows) * columns + Math.floor(at / rows)]!), [columns, rows]);
}

function scaled(tensor: Tensor, factor: number): Tensor {
  return factor === 1 ? tensor : Tensor.of('float', tensor.floats().map((element) => element * factor), tensor.shape);
}

/** A bias as one number for each output. */
function row(tensor: Tensor, outputs: number): Tensor {
  return tensor.size === outputs ? tensor.reshaped([outputs]) : Tensor.of('float', new Float32Array(outputs).fill(tensor.floats()[0]!));
}
