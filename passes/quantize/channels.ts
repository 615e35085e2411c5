import type { Node } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';

/**
 * The constant weights of a layer as a matrix Y = W X: element (output channel o, column k) stands at `o · rowStride + k · columnStride`.
 * Columns count the input channels of one group, and the kernel positions of each; output channel o belongs to group ⌊o / (outputs / groups)⌋.
 */
export interface WeightMatrix {
  readonly outputs: number;
  readonly columns: number;
  readonly groups: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /** Kernel positions in one input channel. */
  readonly taps: number;
}

/** How the weights of Conv, Gemm and MatMul lie; undefined for weights that are no such matrix (ConvTranspose, MatMul with batches of weights). */
export function weightMatrix(node: Node, { shape }: Tensor): WeightMatrix | undefined {
  if (node.is('Conv') && shape.length >= 3) {
    const columns = shape.slice(1).reduce((product, dim) => product * dim, 1);
    const groups = node.int('group', 1);
    return { outputs: shape[0]!, columns, groups, rowStride: columns, columnStride: 1, taps: columns / Math.max(1, shape[1]!) };
  }
  if (!node.is('Gemm', 'MatMul') || shape.length !== 2) return undefined;
  const [rows, columns] = shape as readonly [number, number];
  return node.is('Gemm') && node.int('transB', 0) !== 0
    ? { outputs: rows, columns, groups: 1, rowStride: columns, columnStride: 1, taps: 1 }
    : { outputs: columns, columns: rows, groups: 1, rowStride: 1, columnStride: columns, taps: 1 };
}

/** The axis of the channels in what the layer reads: its input 0. Undefined where the rank that decides is not known. */
export function inputChannelAxis(node: Node, rank: number | undefined): number | undefined {
  if (node.is('Conv', 'ConvTranspose')) return 1;
  if (node.is('Gemm')) return node.int('transA', 0) === 0 ? 1 : 0;
  return node.is('MatMul') && rank !== undefined && rank > 0 ? rank - 1 : undefined;
}

/** Calls back for each element with the channel that it belongs to along an axis; channel 0 without axis. */
export function eachChannel(shape: readonly number[], axis: number | undefined, visit: (index: number, channel: number) => void): void {
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (axis === undefined) {
    for (let index = 0; index < size; index++) visit(index, 0);
    return;
  }
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let index = 0, outer = 0; index < size; outer++) {
    for (let channel = 0; channel < channels; channel++) for (const end = index + inner; index < end; index++) visit(index, channel);
  }
}
