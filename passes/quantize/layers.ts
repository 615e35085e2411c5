import type { Editor } from '../../ir/edit.ts';
import type { Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import type { PlacedWeight } from '../placement/placement.ts';
import { roundLayer, type Rounding } from '../rounding/rounding.ts';
import { codesOf } from '../statistics/grid.ts';
import type { Statistics } from '../statistics/statistics.ts';
import type { QuantizedFormat, Target } from '../target.ts';
import { biasCodes, biasSlot, dropUnused, setFloatBias, setIntegerBias, type BiasSlot } from './bias.ts';
import { weightMatrix, type WeightMatrix } from './channels.ts';
import { drownedShare, inputMeans, meanShift, roundingNoise } from './input-means.ts';
import { leastScales, limitPairs } from './pair-sums.ts';
import { dequantized, roundedToNearest, weightScales, type QuantizedWeights } from './weights.ts';

export interface LayerOptions {
  readonly biasCorrection: boolean;
  readonly rounding: 'nearest' | 'gptq';
  /** For kernels that saturate sums of two products: smaller codes, unsigned codes, or nothing. */
  readonly saturation: 'avoid' | 'unsigned' | 'ignore';
  /** Rounded weights by node name: those that are there are used, others are added. */
  readonly roundings: Map<string, Rounding>;
}

/** What became of the weights of one layer. */
export interface LayerResult {
  readonly node: Node;
  readonly weights: QuantizedWeights;
  readonly rounding: Rounding['method'];
  /** Error power over output power from rounding the weights; undefined where the inputs' figures are not known. */
  readonly noise: number | undefined;
  /** Share of what its outputs tell that drowns in rounding weights and input (see `drownedShare`); undefined where the inputs' figures are not known. */
  readonly drowned: number | undefined;
  /** Largest change that bias correction made; undefined where it was not applied. */
  readonly corrected: number | undefined;
  /** The bias is too large for int32 and stays float. */
  readonly biasOverflow: boolean;
}

/** Writes the weights and biases of layers, each with the scale of what it reads. */
export class LayerWriter {
  private readonly edit: Editor;
  private readonly target: Target;
  private readonly statistics: Statistics;
  private readonly options: LayerOptions;
  private readonly format: Target['numbers']['weights'];
  /** What reads a weight that is quantized along an axis: shared by layers that would quantize it alike. */
  private readonly written: Map<string, { readonly value: Value; readonly weights: QuantizedWeights }> = new Map();

  constructor(edit: Editor, target: Target, statistics: Statistics, options: LayerOptions) {
    this.edit = edit;
    this.target = target;
    this.statistics = statistics;
    this.options = options;
    this.format = target.numbers.weights;
  }

  /** Codes are kept small enough for kernels that saturate. */
  private get limited(): boolean {
    return this.format.saturates === true && this.options.saturation === 'avoid';
  }

  /** Codes are stored with 128 added. */
  private get unsigned(): boolean {
    return this.format.saturates === true && this.options.saturation === 'unsigned';
  }

  /** Quantizes the weights of a layer, and corrects and stores its bias. `inputScale` is that of the activation it multiplies. */
  write({ node, input, axis }: PlacedWeight, inputScale: number): LayerResult {
    foldFactors(this.edit, node);
    if (node.is('Conv', 'ConvTranspose')) this.edit.setAttribute(node, 'kernel_shape', node.inputs[input]!.constant!.shape.slice(2));
    const value = node.inputs[input]!;
    const tensor = value.constant!;
    const matrix = input === 1 ? weightMatrix(node, tensor) : undefined;
    const slot = matrix && biasSlot(node, matrix.outputs);
    const integer = this.target.numbers.bias === 'int32' && slot?.node === node;
    const { weights, rounding } = this.quantize(node, value, axis, matrix, slot, integer ? inputScale : undefined);
    const original = tensor.floats();
    const rounded = dequantized(weights);
    const means = matrix && inputMeans(node, matrix, this.statistics);
    const shift = matrix && means && this.options.biasCorrection && slot !== undefined ? meanShift(original, rounded, matrix, means) : undefined;
    const power = matrix && means && roundingNoise(original, rounded, matrix, means);
    const drowned = matrix && means && drownedShare(original, rounded, matrix, means, inputScale);
    this.edit.setInput(node, input, this.store(node, value, weights));
    dropUnused(this.edit, value);
    const bias = this.bias(slot, shift);
    const biasOverflow = bias !== undefined && !this.storeBias(slot!, bias, integer ? weights.scales.map((scale) => scale * inputScale) : undefined);
    return {
      node, weights, rounding, biasOverflow, drowned,
      noise: power && (power.signal > 0 ? power.noise / power.signal : 0),
      corrected: shift && shift.reduce((most, item) => Math.max(most, Math.abs(item)), 0),
    };
  }

  private quantize(node: Node, value: Value, axis: number | undefined, matrix: WeightMatrix | undefined, slot: BiasSlot | undefined, inputScale: number | undefined): { readonly weights: QuantizedWeights; readonly rounding: Rounding['method'] } {
    const tensor = value.constant!;
    const known = this.written.get(keyOf(value, axis));
    if (known !== undefined) return { weights: known.weights, rounding: 'nearest' };
    const { scales, dead, raised } = weightScales(tensor, axis, this.format);
    if (this.limited) raise(scales, leastScales(tensor.floats(), node, matrix));
    // The scale of a channel without weights is free: take one in which its bias fits an int32.
    if (inputScale !== undefined && slot?.elements !== undefined && axis !== undefined) {
      for (const channel of dead) scales[channel] = Math.max(scales[channel]!, Math.abs(slot.elements[channel]!) / inputScale / 2 ** 29);
    }
    const base = { scales, axis, shape: tensor.shape, dead, raised };
    const moments = this.options.rounding === 'gptq' && value.uses.length === 1 ? this.statistics.moments.get(node.name) : undefined;
    if (moments === undefined || matrix === undefined || moments.size !== matrix.columns || moments.groups !== matrix.groups) {
      return { weights: { ...base, codes: roundedToNearest(tensor, axis, scales, this.format) }, rounding: 'nearest' };
    }
    const { roundings } = this.options;
    const result = roundings.get(node.name) ?? roundLayer(problems(tensor, axis, matrix, scales, this.format), moments, slot !== undefined && this.options.biasCorrection);
    roundings.set(node.name, result);
    const codes = placed(result.codes, matrix);
    if (this.limited) limitPairs(codes, node, matrix);
    return { weights: { ...base, codes }, rounding: result.method };
  }

  /** The value that the layer reads instead of its float weights. */
  private store(node: Node, value: Value, weights: QuantizedWeights): Value {
    const { edit, written } = this;
    const { graph, name } = value;
    const { scales, axis, shape, codes } = weights;
    const key = keyOf(value, axis);
    const known = written.get(key);
    if (known !== undefined) return known.value;
    const channels = axis === undefined ? [] : [scales.length];
    const scale = edit.constant(graph, Tensor.of('float', scales, channels), `${name}_scale`);
    const [type, middle] = this.unsigned ? ['uint8', 128] as const : [this.format.type, 0] as const;
    const zeroPoint = edit.constant(graph, Tensor.of(type, new Uint8Array(scales.length).fill(middle), channels), `${name}_zero_point`);
    const attributes = axis === undefined ? {} : { axis };
    const from = [node];
    const place = { before: node };
    let quantized: Value;
    if (this.target.numbers.weights.storage === 'int8-dq') {
      quantized = edit.constant(graph, Tensor.of(type, this.unsigned ? Uint8Array.from(codes, (code) => code + middle) : codes, shape), `${name}_quantized`);
    } else {
      // With fitted codes the float weights are exactly what they stand for, so that nothing rounds them anew.
      const source = this.fitted(value, weights) ? edit.constant(graph, Tensor.of('float', dequantized(weights), shape), `${name}_rounded`) : value;
      quantized = edit.insert({ op: 'QuantizeLinear', inputs: [source, scale, zeroPoint], attributes, name: `${name}_QuantizeLinear`, from, outputs: [tensorType(this.format.type, shape)] }, place).output;
    }
    const dequantize = edit.insert({ op: 'DequantizeLinear', inputs: [quantized, scale, zeroPoint], attributes, name: `${name}_DequantizeLinear`, from, outputs: [value.type] }, place);
    written.set(key, { value: dequantize.output, weights });
    return dequantize.output;
  }

  private fitted(value: Value, { axis, scales, codes }: QuantizedWeights): boolean {
    const nearest = roundedToNearest(value.constant!, axis, scales, this.format);
    return codes.some((code, index) => code !== nearest[index]);
  }

  /** The bias with its correction; undefined where there is neither. */
  private bias(slot: BiasSlot | undefined, shift: Float64Array | undefined): Float64Array | undefined {
    if (slot === undefined || (slot.elements === undefined && shift === undefined)) return undefined;
    if (shift === undefined) return slot.elements;
    return slot.elements?.map((element, channel) => element + shift[channel]!) ?? shift;
  }

  /** False if the bias had to stay float where the target wants int32. */
  private storeBias(slot: BiasSlot, elements: Float64Array, scales: Float32Array | undefined): boolean {
    const codes = scales && biasCodes(elements, scales);
    if (codes !== undefined) setIntegerBias(this.edit, slot, codes, scales!);
    else setFloatBias(this.edit, slot, elements);
    return scales === undefined || codes !== undefined;
  }
}

const keyOf = (value: Value, axis: number | undefined): string => `${axis ?? ''} ${value.name}`;

/** Makes scales at least as large as these: one for each channel; where either has one for all, the largest counts. */
function raise(scales: Float32Array, least: Float64Array): void {
  const most = scales.length === least.length ? undefined : least.reduce((a, b) => Math.max(a, b), 0);
  scales.forEach((scale, channel) => { scales[channel] = Math.max(scale, most ?? least[channel]!); });
}

/** Multiplies alpha and beta of a Gemm into its constants: kernels have no place for them. */
function foldFactors(edit: Editor, node: Node): void {
  if (!node.is('Gemm')) return;
  for (const [name, input] of [['alpha', 1], ['beta', 2]] as const) {
    const factor = node.float(name, 1);
    const value = node.inputs[input];
    if (factor === 1 || (value !== undefined && value.constant === undefined)) continue;
    if (value !== undefined) {
      const { constant } = value;
      const scaled = Tensor.of(constant!.dtype, Float64Array.from(constant!.floats(), (element) => element * factor), constant!.shape);
      edit.setInput(node, input, edit.constant(node.graph, scaled, value.name));
      dropUnused(edit, value);
    }
    edit.setAttribute(node, name, undefined);
  }
}

/** The layer as rounding problems, one for each group. */
export function problems(weights: Tensor, axis: number | undefined, { outputs, columns, groups, rowStride, columnStride }: WeightMatrix, scales: Float32Array, format: QuantizedFormat): Parameters<typeof roundLayer>[0] {
  const [, max] = codesOf(format);
  const elements = weights.floats();
  const rows = outputs / groups;
  return Array.from({ length: groups }, (_, group) => {
    const matrix = new Float64Array(rows * columns);
    for (let row = 0, at = 0; row < rows; row++) {
      for (let k = 0; k < columns; k++, at++) matrix[at] = elements[(group * rows + row) * rowStride + k * columnStride]!;
    }
    return { rows, columns, weights: matrix, scales: Float64Array.from({ length: rows }, (__, row) => scales[axis === undefined ? 0 : group * rows + row]!), min: -max, max };
  });
}

/** Codes that stand row by row, in the order of the weights. */
function placed(codes: Int8Array, { outputs, columns, rowStride, columnStride }: WeightMatrix): Int8Array {
  const result = new Int8Array(codes.length);
  for (let row = 0, at = 0; row < outputs; row++) for (let k = 0; k < columns; k++, at++) result[row * rowStride + k * columnStride] = codes[at]!;
  return result;
}
