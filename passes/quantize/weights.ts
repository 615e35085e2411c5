import { Tensor } from '../../ir/tensor.ts';
import { codesOf } from '../statistics/grid.ts';
import type { QuantizedFormat } from '../target.ts';
import { eachChannel } from './channels.ts';
import { codeOf, weightGrid } from './codes.ts';

/** Weights in codes: `codes · scale` of their channel is what the layer computes with. */
export interface QuantizedWeights {
  readonly codes: Int8Array;
  /** One for each channel along the axis, or a single one. */
  readonly scales: Float32Array;
  readonly axis: number | undefined;
  readonly shape: readonly number[];
  /** Channels whose weights are all zero, or so small beside the others that their scale was raised. */
  readonly dead: readonly number[];
  readonly raised: readonly number[];
}

/**
 * The smallest scale of a channel, as a share of the largest one: a channel with less is rounded as if it had that much. Its rounding error then is a
 * hundredth of what the largest channel makes, and scales stay within what half precision holds (method: NNCF, `fix_zero_filters`).
 */
const floorShare = 0.01;

/** Scales for weights from the largest magnitude of each channel, over ±127. A tensor of zeros has the scale 1. */
export function weightScales(weights: Tensor, axis: number | undefined, format: QuantizedFormat): Pick<QuantizedWeights, 'scales' | 'dead' | 'raised'> {
  const [, top] = codesOf(format);
  const elements = weights.floats();
  const largest = new Float64Array(axis === undefined ? 1 : weights.shape[axis]!);
  eachChannel(weights.shape, axis, (index, channel) => {
    const size = Math.abs(elements[index]!);
    if (size > largest[channel]!) largest[channel] = size;
  });
  const most = largest.reduce((a, b) => Math.max(a, b), 0);
  const floor = Math.max(most * floorShare, top * 2 ** -126);
  const channels = Array.from(largest.keys());
  return {
    scales: Float32Array.from(largest, (size) => (most === 0 ? 1 : Math.max(size, floor) / top)),
    dead: channels.filter((channel) => largest[channel] === 0),
    raised: most === 0 ? [] : channels.filter((channel) => largest[channel]! > 0 && largest[channel]! < floor),
  };
}

/** The weights rounded to nearest, halves to even, with the given scales. */
export function roundedToNearest(weights: Tensor, axis: number | undefined, scales: Float32Array, format: QuantizedFormat): Int8Array {
  const elements = weights.floats();
  const grids = Array.from(scales, (scale) => weightGrid(scale, format));
  const codes = new Int8Array(elements.length);
  eachChannel(weights.shape, axis, (index, channel) => { codes[index] = codeOf(elements[index]!, grids[channel]!); });
  return codes;
}

/** What the layer computes with: code · scale, in float32 as DequantizeLinear computes it. */
export function dequantized({ codes, scales, axis, shape }: Pick<QuantizedWeights, 'codes' | 'scales' | 'axis' | 'shape'>): Float32Array {
  const elements = new Float32Array(codes.length);
  eachChannel(shape, axis, (index, channel) => { elements[index] = codes[index]! * scales[channel]!; });
  return elements;
}
