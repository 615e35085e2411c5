import type { Node } from '../../../ir/model.ts';

/** How the window of a convolution over an image slides: [rows, columns] each. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Zeros above and to the left. */
  readonly begin: readonly [number, number];
}

/** The window of a Conv with two spatial axes, for an input and output of these sizes. */
export function windowOf(node: Node, kernel: readonly [number, number], input: readonly [number, number], output: readonly [number, number]): Window {
  const pair = (name: string, fallback: readonly number[]): readonly [number, number] => node.ints(name, fallback) as readonly [number, number];
  const [strides, dilations] = [pair('strides', [1, 1]), pair('dilations', [1, 1])];
  const auto = node.string('auto_pad', 'NOTSET');
  if (!auto.startsWith('SAME')) return { kernel, strides, dilations, begin: auto === 'VALID' ? [0, 0] : pair('pads', [0, 0, 0, 0]) };
  const begin = ([0, 1] as const).map((axis) => {
    const total = Math.max(0, (output[axis] - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1 - input[axis]);
    return auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  }) as [number, number];
  return { kernel, strides, dilations, begin };
}

/** Writes what the window sees at one output place: channels from `first` on, each with its kernel positions, zeros outside of the image. `image` is [channels, height, width], beginning at `at`. */
export function readWindow(
  image: ArrayLike<number>, at: number, [height, width]: readonly [number, number], channels: number, { kernel, strides, dilations, begin }: Window, [y, x]: readonly [number, number], into: Float32Array, to: number,
): void {
  let place = to;
  for (let channel = 0; channel < channels; channel++) {
    const plane = at + channel * height * width;
    for (let r = 0; r < kernel[0]; r++) {
      const row = y * strides[0] - begin[0] + r * dilations[0];
      for (let s = 0; s < kernel[1]; s++) {
        const column = x * strides[1] - begin[1] + s * dilations[1];
        into[place++] = row >= 0 && row < height && column >= 0 && column < width ? image[plane + row * width + column]! : 0;
      }
    }
  }
}
