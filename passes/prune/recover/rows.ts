import { sizeOf, type Tensor } from '../../../ir/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { FittedLayer } from './layers.ts';
import type { BatchPlace } from './piecewise.ts';
import { readWindow, windowOf } from './windows.ts';

/** What is looked at of one layer. */
export interface RowPlan {
  readonly layer: FittedLayer;
  /** Makes the choice of places differ from that of other layers. */
  readonly index: number;
  /** Places that are looked at of one sample. */
  readonly perSample: number;
}

/** The axis of the layer's outputs in a value of this rank. */
export const channelAxis = ({ node }: FittedLayer, rank: number): number => (node.is('Conv') ? 1 : rank - 1);

/** The places of a batch that become rows, in order: one from each of as many equal stretches. The same for the original and the pruned model. */
function placesOf({ index, perSample }: RowPlan, places: number, { first, size }: BatchPlace): Int32Array {
  const count = Math.min(places, perSample * size);
  if (count === places) return Int32Array.from({ length: places }, (_, at) => at);
  const random = randomFrom((Math.imul(first + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0);
  return Int32Array.from({ length: count }, (_, at) => Math.floor(((at + random()) * places) / count));
}

/** Rows of the judged value: [place, channel], all channels or those at some positions. */
export function judgedRows(plan: RowPlan, judge: Tensor, batch: BatchPlace, channels?: Int32Array): Float32Array {
  const data = judge.floats();
  const axis = channelAxis(plan.layer, judge.shape.length);
  const all = judge.shape[axis]!;
  const inner = sizeOf(judge.shape.slice(axis + 1));
  const places = placesOf(plan, judge.size / all, batch);
  const width = channels?.length ?? all;
  const rows = new Float32Array(places.length * width);
  places.forEach((place, row) => {
    const start = Math.floor(place / inner) * all * inner + (place % inner);
    for (let channel = 0; channel < width; channel++) rows[row * width + channel] = data[start + (channels?.[channel] ?? channel) * inner]!;
  });
  return rows;
}

/** Rows of what the layer reads at the same places: [place, group · columns], in the order of the weights' columns. */
export function inputRows(plan: RowPlan, input: Tensor, judge: Tensor, batch: BatchPlace): Float32Array {
  const { node, matrix: { columns, groups }, weight } = plan.layer;
  const data = input.floats();
  const width = columns * groups;
  const axis = channelAxis(plan.layer, judge.shape.length);
  const places = placesOf(plan, judge.size / judge.shape[axis]!, batch);
  const rows = new Float32Array(places.length * width);
  if (!node.is('Conv')) {
    places.forEach((place, row) => { rows.set(data.subarray(place * columns, (place + 1) * columns), row * columns); });
    return rows;
  }
  const [, channels, height, across] = input.shape as readonly [number, number, number, number];
  const [, , outHeight, outAcross] = judge.shape as readonly [number, number, number, number];
  const [, , ...kernel] = weight.constant!.shape as [number, number, number, number];
  const window = windowOf(node, kernel, [height, across], [outHeight, outAcross]);
  places.forEach((place, row) => {
    const [image, at] = [Math.floor(place / (outHeight * outAcross)), place % (outHeight * outAcross)];
    readWindow(data, image * channels * height * across, [height, across], channels, window, [Math.floor(at / outAcross), at % outAcross], rows, row * width);
  });
  return rows;
}
