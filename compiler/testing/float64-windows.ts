import type { Node } from '../../ir/model.ts';

/** How a window slides over the last axes of a tensor: up to three, seen as depth, height, width. */
export interface Sliding {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
}

/** Sizes of the output, without the axes that `Sliding` adds. */
export function spatial({ output }: Sliding, rank: number): number[] {
  return output.slice(3 - rank);
}

/** The window of a Conv or pool over axes of these sizes; undefined for forms that are not covered (more than three axes, rounding up). */
export function slidingOver(node: Node, sizes: readonly number[], kernel: readonly number[]): Sliding | undefined {
  const auto = node.string('auto_pad', 'NOTSET');
  if (sizes.length === 0 || sizes.length > 3 || sizes.length !== kernel.length || node.int('ceil_mode', 0) !== 0) return undefined;
  const { strides, dilations, pads } = numbersOf(node, sizes.length);
  const extents = kernel.map((size, axis) => (size - 1) * dilations[axis]! + 1);
  const same = auto.startsWith('SAME');
  const output = sizes.map((size, axis) => {
    if (same) return Math.ceil(size / strides[axis]!);
    const padded = size + (auto === 'VALID' ? 0 : pads[axis]! + pads[axis + sizes.length]!);
    return Math.floor((padded - extents[axis]!) / strides[axis]!) + 1;
  });
  const before = sizes.map((size, axis) => {
    if (!same) return auto === 'VALID' ? 0 : pads[axis]!;
    const total = Math.max((output[axis]! - 1) * strides[axis]! + extents[axis]! - size, 0);
    return auto === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
  });
  return widened({ input: sizes, output, kernel, strides, dilations, before });
}

/** The window of a ConvTranspose, seen from its output, which it writes where a Conv reads. Undefined where the output's sizes are given instead of the pads. */
export function slidingBack(node: Node, sizes: readonly number[], kernel: readonly number[]): Sliding | undefined {
  if (sizes.length === 0 || sizes.length > 3 || node.attributes.has('output_shape') || node.string('auto_pad', 'NOTSET') !== 'NOTSET') return undefined;
  const { strides, dilations, pads } = numbersOf(node, sizes.length);
  const more = node.ints('output_padding', sizes.map(() => 0));
  const input = sizes.map((size, axis) => strides[axis]! * (size - 1) + more[axis]! + (kernel[axis]! - 1) * dilations[axis]! + 1 - pads[axis]! - pads[axis + sizes.length]!);
  return widened({ input, output: sizes, kernel, strides, dilations, before: pads.slice(0, sizes.length) });
}

/**
 * Calls `row` for each place of the window's kernel and each row of outputs, with the part of the row for which that place lies on the input: index of the
 * kernel's element, index of the first output and of the first input element in their planes, number of outputs. Input elements are `strides[2]` apart.
 */
export function eachRow({ input, output, kernel, strides, dilations, before }: Sliding, row: (tap: number, to: number, from: number, count: number) => void): void {
  const [, height, width] = input as [number, number, number];
  const at = (axis: number, out: number, tap: number): number => out * strides[axis]! - before[axis]! + tap * dilations[axis]!;
  for (let tap = 0; tap < kernel[0]! * kernel[1]! * kernel[2]!; tap++) {
    const places = [Math.floor(tap / (kernel[1]! * kernel[2]!)), Math.floor(tap / kernel[2]!) % kernel[1]!, tap % kernel[2]!] as const;
    const start = at(2, 0, places[2]);
    const first = Math.max(0, Math.ceil(-start / strides[2]!));
    const last = Math.min(output[2]! - 1, Math.floor((width - 1 - start) / strides[2]!));
    if (last < first) continue;
    for (let z = 0; z < output[0]!; z++) {
      const depth = at(0, z, places[0]);
      if (depth < 0 || depth >= input[0]!) continue;
      for (let y = 0; y < output[1]!; y++) {
        const line = at(1, y, places[1]);
        if (line < 0 || line >= height) continue;
        row(tap, (z * output[1]! + y) * output[2]! + first, (depth * height + line) * width + start + first * strides[2]!, last - first + 1);
      }
    }
  }
}

function numbersOf(node: Node, rank: number): { strides: readonly number[]; dilations: readonly number[]; pads: readonly number[] } {
  const ones = new Array<number>(rank).fill(1);
  return { strides: node.ints('strides', ones), dilations: node.ints('dilations', ones), pads: node.ints('pads', new Array<number>(2 * rank).fill(0)) };
}

function widened({ input, output, kernel, strides, dilations, before }: Sliding): Sliding {
  const to3 = (list: readonly number[], fill: number): number[] => [...new Array<number>(3 - list.length).fill(fill), ...list];
  return { input: to3(input, 1), output: to3(output, 1), kernel: to3(kernel, 1), strides: to3(strides, 1), dilations: to3(dilations, 1), before: to3(before, 0) };
}
