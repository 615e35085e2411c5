import type { Node, Value } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import type { MomentShape } from '../statistics/artefact.ts';
import type { ObserverGraph } from './graph.ts';

/** How the columns of what a layer reads are fetched. */
export interface MomentPlan extends MomentShape {
  /** What the layer reads. */
  readonly value: Value;
  /** The input, as float32, in the form [columns, groups, rows], with the columns of one sample together; any number of axes may count columns. */
  readonly unfold: (graph: ObserverGraph, input: Value) => Value;
  /** Columns that are fetched of one sample; 1 where it is not known. */
  readonly positions: number;
  /** Order of the rows: the one of row r of the weights is `order(r)` in the unfolded input. */
  readonly order: (row: number) => number;
}

/** Columns of the input that are gathered, over all samples: eight for each row, or this many if that is more. */
const enoughColumns = 4096;
const perRow = 8;

/** Samples that are expected where nobody knows how many there are. */
const fewSamples = 64;

/** Plans the observer of a layer, or says why there is none. `samples` is how many there will be, as far as it is known. */
export function planMoments(node: Node, samples: number = fewSamples): MomentPlan | string {
  const [input, weight] = node.inputs;
  const shape = weight?.constant?.shape;
  if (input === undefined || shape === undefined) return 'its second input is no constant';
  if (node.is('Gemm')) return gemmPlan(node.name, input, node.int('transA', 0) === 1, shape[node.int('transB', 0) === 1 ? 1 : 0]!);
  if (node.is('MatMul') && shape.length === 2) return rowsPlan(node.name, input, shape[0]!, samples);
  return node.is('Conv') ? convPlan(node, input, shape, samples) : `of ${node.op} none are gathered`;
}

function gemmPlan(name: string, input: Value, transposed: boolean, size: number): MomentPlan {
  return { name, value: input, groups: 1, size, positions: 1, order: (row) => row, unfold: (graph, value) => (transposed ? graph.transpose(value, [1, 0]) : value) };
}

function rowsPlan(name: string, input: Value, size: number, samples: number): MomentPlan {
  const shape = shapeOf(input.type) ?? [];
  const lengths = shape.slice(1, -1);
  const last = lengths.at(-1);
  const outer = productOf(lengths.slice(0, -1));
  const chosen = typeof last === 'number' && !Number.isNaN(outer) ? spread(last, Math.ceil(enoughOf(size, samples) / outer)) : undefined;
  const some = chosen !== undefined && chosen.length < (last as number);
  return {
    name, value: input, groups: 1, size, positions: chosen === undefined ? 1 : chosen.length * outer, order: (row) => row,
    unfold: (graph, value) => (some ? graph.gather(value, chosen, shape.length - 2) : value),
  };
}

/** Columns of one sample that are enough. */
function enoughOf(rows: number, samples: number): number {
  return Math.ceil(Math.max(perRow * rows, enoughColumns) / samples);
}

/** So many of `length` positions at most, evenly spread: steps of the golden ratio around a circle, which never meet the same position twice. */
function spread(length: number, enough: number): number[] {
  if (length <= enough) return Array.from({ length }, (_, position) => position);
  let step = Math.ceil(length * 0.618033988749895);
  while (greatestDivisor(step, length) > 1) step++;
  return Array.from({ length: enough }, (_, index) => index * step % length);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** NaN if a length is not known. */
function productOf(lengths: readonly Dim[]): number {
  return lengths.reduce<number>((product, length) => product * (typeof length === 'number' ? length : NaN), 1);
}

/** Columns of a convolution's input (im2col): what the positions of the kernel read at some output positions, gathered from the padded input. */
function convPlan(node: Node, input: Value, weight: readonly number[], samples: number): MomentPlan | string {
  const kernel = weight.slice(2);
  const spatial = shapeOf(input.type)?.slice(2) ?? [];
  if (Number.isNaN(productOf(spatial)) || spatial.length !== kernel.length) return 'the sizes of its input are not known';
  const groups = node.int('group', 1);
  const channels = weight[1]!;
  const strides = node.ints('strides', kernel.map(() => 1));
  const dilations = node.ints('dilations', kernel.map(() => 1));
  const extents = kernel.map((size, axis) => (size - 1) * dilations[axis]! + 1);
  const pads = padsOf(node, spatial as readonly number[], extents, strides);
  const padded = kernel.map((_, axis) => (spatial[axis] as number) + pads[axis]! + pads[kernel.length + axis]!);
  const outputs = padded.map((length, axis) => Math.floor((length - extents[axis]!) / strides[axis]!) + 1);
  const taps = productOf(kernel);
  const size = channels * taps;
  const chosen = spread(productOf(outputs), enoughOf(size, samples));
  const places = chosen.flatMap((position) => {
    const at = positionOf(position, outputs);
    return Array.from({ length: taps }, (_, tap) => positionOf(tap, kernel).reduce((place, step, axis) => place * padded[axis]! + at[axis]! * strides[axis]! + step * dilations[axis]!, 0));
  });
  return {
    name: node.name, value: input, groups, size, positions: chosen.length,
    order: (row) => (row % taps) * channels + Math.floor(row / taps),
    unfold: (graph, value) => {
      const flat = graph.reshape(pads.some((pad) => pad !== 0) ? graph.pad(value, pads) : value, [0, groups * channels, -1]);
      // Channels last, so that what is gathered are rows.
      const rows = graph.transpose(flat, [0, 2, 1]);
      const whole = places.length === productOf(padded) && places.every((place, index) => place === index);
      const columns = whole ? rows : graph.gather(rows, places, 1);
      return groups === 1 ? columns : graph.transpose(graph.reshape(columns, [0, chosen.length, taps, groups, channels]), [0, 1, 3, 2, 4]);
    },
  };
}

/** Position in the kernel of its tap number so-and-so, row by row. */
function positionOf(tap: number, kernel: readonly number[]): number[] {
  let rest = tap;
  return kernel.toReversed().map((size) => {
    const at = rest % size;
    rest = (rest - at) / size;
    return at;
  }).reverse();
}

/** Padding in ONNX's order: all beginnings, then all ends. */
function padsOf(node: Node, spatial: readonly number[], extents: readonly number[], strides: readonly number[]): readonly number[] {
  const none = spatial.flatMap(() => [0, 0]);
  const auto = node.string('auto_pad', 'NOTSET');
  if (auto === 'NOTSET') return node.ints('pads', none);
  if (auto === 'VALID') return none;
  const totals = spatial.map((length, axis) => Math.max(0, (Math.ceil(length / strides[axis]!) - 1) * strides[axis]! + extents[axis]! - length));
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, axis) => total - small[axis]!);
  return auto === 'SAME_LOWER' ? [...large, ...small] : [...small, ...large];
}
