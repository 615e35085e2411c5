import { addTo, layoutOf, observedOf, triangle, type Artefact, type Layout, type MomentShape } from './artefact.ts';
import type { ChannelStatistics, LayerMoments, Statistics, TensorStatistics } from './statistics.ts';

/** Fewest columns of a held-out second moment: with fewer, it judges nothing. Its rank does not matter, since it only weighs errors. */
const fewestHeldOut = 8;

/** What steps read of an artefact: sums divided by what they are sums of. */
export function finish(artefact: Artefact): Statistics {
  const { key: { model, data, random, method, percentile }, sum, chunks } = artefact;
  const layout = layoutOf(observedOf(artefact));
  const total = sum.slice();
  for (const slab of chunks.values()) addTo(total, slab);
  const samples = total[layout.samples]!;
  return {
    model, data, random, samples, method, percentile,
    tensors: new Map(artefact.tensors.map(({ name, min, max, ...distribution }): [string, TensorStatistics] => {
      const at = layout.tensors.get(name)!;
      const mean = (sumOf: number): number => (samples === 0 ? 0 : total[sumOf]! / samples);
      const finite = distribution.count > 0;
      return [name, { ...distribution, samples, min: finite ? min : 0, max: finite ? max : 0, meanMin: mean(at), meanMax: mean(at + 1) }];
    })),
    channels: new Map(artefact.channels.map(({ name, axis, absMax }): [string, ChannelStatistics] => {
      const at = layout.channels.get(name)!;
      const count = Math.max(1, total[at]!);
      const means = (from: number): Float64Array => total.slice(from, from + absMax.length).map((each) => each / count);
      return [name, { axis, samples, mean: means(at + 1), meanSquare: means(at + 1 + absMax.length), absMax }];
    })),
    moments: new Map(artefact.moments.map((shape): [string, LayerMoments] => [shape.name, momentsOf(shape, total, layout)])),
  };
}

function momentsOf(shape: MomentShape, total: Float64Array, layout: Layout): LayerMoments {
  const { name, groups, size } = shape;
  const { at, half } = layout.moments.get(name)!;
  const used = means(total, at, shape);
  const heldOut = means(total, at + half, shape);
  return { groups, size, ...used, ...(heldOut.columns >= fewestHeldOut && { holdOut: heldOut }) };
}

/** Means from sums that begin with their number. */
function means(total: Float64Array, at: number, { groups, size }: MomentShape): { readonly columns: number; readonly mean: Float64Array; readonly gram: Float64Array } {
  const columns = total[at]!;
  const divisor = Math.max(1, columns);
  const gram = new Float64Array(groups * size * size);
  let from = at + 1 + groups * size;
  for (let group = 0; group < groups; group++) {
    const base = group * size * size;
    for (let row = 0; row < size; row++) {
      for (let column = row; column < size; column++) gram[base + row * size + column] = gram[base + column * size + row] = total[from++]! / divisor;
    }
  }
  return { columns, mean: total.slice(at + 1, at + 1 + groups * size).map((sum) => sum / divisor), gram };
}

/** Bytes of the sums of one layer. */
export function momentBytes({ groups, size }: MomentShape): number {
  return 16 * (1 + groups * (size + triangle(size)));
}
