import type { Node } from '../../ir/model.ts';
import { shapeOf } from '../../ir/type.ts';
import type { Statistics } from '../statistics/statistics.ts';
import type { WeightMatrix } from './channels.ts';

/** Mean and mean square of each column of a layer's input, `groups · columns`, in the order of its weights. */
export interface InputMeans {
  readonly mean: Float64Array;
  readonly meanSquare: Float64Array;
}

/**
 * What a layer reads on average, column by column: from its second moments where they were gathered, else from the figures of its input
 * channels. Of a convolution's columns only a part of the positions read inside the input, and the rest reads zeros: the share is counted for
 * each kernel position. Undefined if nothing is known.
 */
export function inputMeans(node: Node, matrix: WeightMatrix, statistics: Statistics): InputMeans | undefined {
  const { groups, columns, taps } = matrix;
  const moments = statistics.moments.get(node.name);
  if (moments?.groups === groups && moments.size === columns) {
    return { mean: moments.mean, meanSquare: Float64Array.from(moments.mean, (_, at) => moments.gram[at * columns + (at % columns)]!) };
  }
  const channels = statistics.channels.get(node.inputs[0]?.name ?? '');
  if (channels === undefined || channels.mean.length * taps !== groups * columns) return undefined;
  const shares = node.is('Conv') ? tapShares(node, taps) : new Float64Array(taps).fill(1);
  const spread = (figures: Float64Array): Float64Array => Float64Array.from({ length: groups * columns }, (_, at) => figures[Math.floor(at / taps)]! * shares[at % taps]!);
  return { mean: spread(channels.mean), meanSquare: spread(channels.meanSquare) };
}

/** For each kernel position, the share of output positions at which it reads inside the input; 1 where the shapes do not tell. */
function tapShares(node: Node, taps: number): Float64Array {
  const kernel = node.inputs[1]?.constant?.shape.slice(2) ?? [];
  const lengths = [node.inputs[0], node.outputs[0]].map((value) => shapeOf(value?.type)?.slice(2));
  const [input, output] = lengths as [typeof lengths[number], typeof lengths[number]];
  const rank = kernel.length;
  const axes = kernel.map((size, axis) => {
    const [from, to] = [input?.[axis], output?.[axis]];
    const shares = new Float64Array(size).fill(1);
    if (typeof from !== 'number' || typeof to !== 'number' || to === 0) return shares;
    const stride = node.ints('strides', [])[axis] ?? 1;
    const dilation = node.ints('dilations', [])[axis] ?? 1;
    const start = padBefore(node, axis, rank, Math.max(0, (to - 1) * stride + (size - 1) * dilation + 1 - from));
    return shares.map((_, tap) => {
      let inside = 0;
      for (let position = 0; position < to; position++) {
        const at = position * stride + tap * dilation - start;
        if (at >= 0 && at < from) inside++;
      }
      return inside / to;
    });
  });
  return Float64Array.from({ length: taps }, (_, tap) => {
    let rest = tap;
    let share = 1;
    for (let axis = rank - 1; axis >= 0; axis--) {
      share *= axes[axis]![rest % kernel[axis]!]!;
      rest = Math.floor(rest / kernel[axis]!);
    }
    return share;
  });
}

/** Padding before the first element of an axis; `total` is what SAME needs on both sides. */
function padBefore(node: Node, axis: number, rank: number, total: number): number {
  switch (node.string('auto_pad', 'NOTSET')) {
    case 'VALID': return 0;
    case 'SAME_UPPER': return Math.floor(total / 2);
    case 'SAME_LOWER': return Math.ceil(total / 2);
    default: return node.ints('pads', new Array<number>(2 * rank).fill(0))[axis] ?? 0;
  }
}

/**
 * By how much the mean of each output changes when the weights become `rounded`: Σ over columns of (W − Ŵ) · E[x]. Adding it to the bias takes
 * the change back exactly (reference: algorithms, shared machinery; the closed form of NNCF's fast bias correction). Sums in float64.
 */
export function meanShift(weights: Float32Array | Float64Array, rounded: Float32Array, matrix: WeightMatrix, { mean }: InputMeans): Float64Array {
  return rowSums(matrix, (at, column) => (weights[at]! - rounded[at]!) * mean[column]!);
}

/** Power of the outputs' error from rounding the weights, and of the outputs, as if columns were uncorrelated: Σ (W − Ŵ)² E[x²] and Σ W² E[x²]. */
export function roundingNoise(weights: Float32Array | Float64Array, rounded: Float32Array, matrix: WeightMatrix, { meanSquare }: InputMeans): { readonly noise: number; readonly signal: number } {
  const total = (sums: Float64Array): number => sums.reduce((sum, item) => sum + item, 0);
  return {
    noise: total(rowSums(matrix, (at, column) => (weights[at]! - rounded[at]!) ** 2 * meanSquare[column]!)),
    signal: total(rowSums(matrix, (at, column) => weights[at]! ** 2 * meanSquare[column]!)),
  };
}

/**
 * How much of what the outputs of a layer tell drowns when its weights are rounded and its input is read in steps of `step`: the mean over the outputs of v / (v + s), where v = Σ W² step² / 12 + Σ (W − Ŵ)² E[x²]
 * is the variance of the error of one output and s = Σ W² Var[x] that of the output itself, as if columns were uncorrelated; 1 for an output that is all noise. Powers over all outputs hide the quiet ones, whose
 * noise the next layer may amplify as much as it does them; a mean of shares does not. Outputs that do not change count nothing.
 */
export function drownedShare(weights: Float32Array | Float64Array, rounded: Float32Array, matrix: WeightMatrix, { mean, meanSquare }: InputMeans, step: number): number {
  const noise = rowSums(matrix, (at, column) => weights[at]! ** 2 * step ** 2 / 12 + (weights[at]! - rounded[at]!) ** 2 * meanSquare[column]!);
  const signal = rowSums(matrix, (at, column) => weights[at]! ** 2 * Math.max(0, meanSquare[column]! - mean[column]! ** 2));
  let [total, outputs] = [0, 0];
  for (const [row, power] of signal.entries()) {
    if (!(power > 0)) continue;
    total += noise[row]! / (noise[row]! + power);
    outputs++;
  }
  return outputs === 0 ? 0 : total / outputs;
}

function rowSums({ outputs, columns, groups, rowStride, columnStride }: WeightMatrix, term: (at: number, column: number) => number): Float64Array {
  const perGroup = outputs / groups;
  return Float64Array.from({ length: outputs }, (_, row) => {
    const first = Math.floor(row / perGroup) * columns;
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += term(row * rowStride + k * columnStride, first + k);
    return sum;
  });
}
