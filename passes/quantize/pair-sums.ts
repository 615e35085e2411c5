import type { Node } from '../../ir/model.ts';
import type { WeightMatrix } from './channels.ts';

/**
 * The largest sum of two weight codes of one sign whose products with unsigned bytes fit into 16 bits: 255 · 128 ≤ 32767. Kernels for x86 processors without VNNI add the
 * products of two neighbouring weights in 16 bits and saturate (vpmaddubsw).
 */
const largestSum = 128;

/** Two codes that are rounded to nearest grow by one together, at most. */
const largestScaledSum = largestSum - 1;

/** True for a convolution with one channel in each group, for which the runtime has kernels that add in 32 bits. */
function isDepthwise(node: Node, { outputs, groups, columns, taps }: WeightMatrix): boolean {
  return node.is('Conv') && groups === outputs && columns === taps && groups > 1;
}

/** The orders in which kernels may lay the columns of a row side by side: as they are stored, and with the channels of each kernel position together. */
function* orders({ columns, taps }: WeightMatrix): Iterable<(place: number) => number> {
  yield (place) => place;
  const channels = columns / taps;
  if (taps > 1 && channels > 1) yield (place) => (place % channels) * taps + Math.floor(place / channels);
}

/**
 * For each output channel, the smallest scale for which no pair of neighbouring codes, rounded to nearest, makes a sum of products that saturates 16 bits; 0 where any will do. `matrix` is absent for
 * weights that are no matrix: then any two of them may meet, and there is one number for all. Weights are mostly small beside a large one, so this costs a third of the range, not the half that
 * weights of seven bits cost.
 */
export function leastScales(weights: Float32Array | Float64Array, node: Node, matrix: WeightMatrix | undefined): Float64Array {
  if (matrix === undefined) {
    let most = 0;
    for (const weight of weights) most = Math.max(most, Math.abs(weight));
    return Float64Array.of(2 * most / largestScaledSum);
  }
  const { outputs, columns, rowStride, columnStride } = matrix;
  const least = new Float64Array(outputs);
  if (isDepthwise(node, matrix)) return least;
  for (const column of orders(matrix)) {
    for (let output = 0; output < outputs; output++) {
      let before = 0;
      for (let place = 0; place < columns; place++) {
        const weight = weights[output * rowStride + column(place) * columnStride]!;
        const sum = before * weight > 0 ? Math.abs(before + weight) : Math.abs(weight);
        if (sum > least[output]!) least[output] = sum;
        before = weight;
      }
    }
  }
  return least.map((sum) => sum / largestScaledSum);
}

/** Takes codes that were not rounded to nearest back towards zero, by as little as possible, where a pair of neighbours would saturate. Returns how many changed. */
export function limitPairs(codes: Int8Array, node: Node, matrix: WeightMatrix): number {
  if (isDepthwise(node, matrix)) return 0;
  const { outputs, columns, rowStride, columnStride } = matrix;
  let changed = 0;
  for (const column of orders(matrix)) {
    for (let output = 0; output < outputs; output++) {
      let before = -1;
      for (let place = 0; place < columns; place++) {
        const at = output * rowStride + column(place) * columnStride;
        const [a, b] = [before < 0 ? 0 : codes[before]!, codes[at]!];
        const excess = Math.abs(a + b) - largestSum;
        if (a * b > 0 && excess > 0) {
          // The larger one changes least in proportion.
          const [largest, code] = Math.abs(a) > Math.abs(b) ? [before, a] : [at, b];
          codes[largest] = code - Math.sign(code) * excess;
          changed++;
        }
        before = at;
      }
    }
  }
  return changed;
}
