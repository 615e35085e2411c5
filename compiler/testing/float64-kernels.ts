import type { Node } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { eachRow, slidingBack, slidingOver, spatial } from './float64-windows.ts';

/**
 * What a node makes of float64 tensors (an input that is left out is undefined), by the operator's definition in the ONNX specification, all sums and
 * products in float64. Undefined where it has a form that is not covered.
 */
export type Kernel = (node: Node, inputs: readonly (Tensor | undefined)[]) => Tensor | undefined;

function elementsOf(tensor: Tensor): Float64Array {
  return tensor.floats() as Float64Array;
}

function real(shape: readonly number[], data: Float64Array): Tensor {
  return Tensor.of('double', data, shape);
}

function conv(node: Node, [x, w, bias]: readonly [Tensor, Tensor, Tensor?]): Tensor | undefined {
  const [batch, channels] = x.shape as [number, number];
  const [outputs, within] = w.shape as [number, number];
  const sliding = slidingOver(node, x.shape.slice(2), w.shape.slice(2));
  if (sliding === undefined) return undefined;
  const shape = [batch, outputs, ...spatial(sliding, x.shape.length - 2)];
  const [input, weights, result] = [elementsOf(x), elementsOf(w), new Float64Array(sizeOf(shape))];
  const [plane, taps, size, step] = [sizeOf(sliding.input), sizeOf(sliding.kernel), sizeOf(sliding.output), sliding.strides[2]!];
  const perGroup = outputs / (channels / within);
  const operands = { target: result, source: input, toStep: 1, fromStep: step };
  if (bias !== undefined) for (let at = 0; at < batch * outputs; at++) result.fill(bias.floats()[at % outputs]!, at * size, (at + 1) * size);
  eachRow(sliding, (tap, to, from, count) => {
    for (let at = 0; at < batch * outputs; at++) {
      const output = at % outputs;
      const start = (Math.floor(at / outputs) * channels + Math.floor(output / perGroup) * within) * plane + from;
      for (let c = 0; c < within; c++) accumulate(operands, at * size + to, start + c * plane, count, weights[(output * within + c) * taps + tap]!);
    }
  });
  return real(shape, result);
}

function convTranspose(node: Node, [x, w, bias]: readonly [Tensor, Tensor, Tensor?]): Tensor | undefined {
  const [batch, channels] = x.shape as [number, number];
  const [, within] = w.shape as [number, number];
  const groups = node.int('group', 1);
  const sliding = slidingBack(node, x.shape.slice(2), w.shape.slice(2));
  if (sliding === undefined) return undefined;
  const outputs = within * groups;
  const shape = [batch, outputs, ...sliding.input.slice(5 - x.shape.length)];
  const [input, weights, result] = [elementsOf(x), elementsOf(w), new Float64Array(sizeOf(shape))];
  const [plane, taps, size, step] = [sizeOf(sliding.input), sizeOf(sliding.kernel), sizeOf(sliding.output), sliding.strides[2]!];
  const operands = { target: result, source: input, toStep: step, fromStep: 1 };
  if (bias !== undefined) for (let at = 0; at < batch * outputs; at++) result.fill(bias.floats()[at % outputs]!, at * plane, (at + 1) * plane);
  eachRow(sliding, (tap, to, from, count) => {
    for (let at = 0; at < batch * channels; at++) {
      const channel = at % channels;
      const start = (Math.floor(at / channels) * outputs + Math.floor(channel / (channels / groups)) * within) * plane + from;
      for (let c = 0; c < within; c++) accumulate(operands, start + c * plane, at * size + to, count, weights[(channel * within + c) * taps + tap]!);
    }
  });
  return real(shape, result);
}

interface Operands {
  readonly target: Float64Array;
  readonly source: Float64Array;
  readonly toStep: number;
  readonly fromStep: number;
}

/** Adds `count` elements of the source, times a weight, to as many of the target. A function of its own, with whole numbers, so that it compiles to a tight loop. */
function accumulate({ target, source, toStep, fromStep }: Operands, to: number, from: number, count: number, weight: number): void {
  for (let i = 0, t = to | 0, s = from | 0; i < count; i++, t += toStep, s += fromStep) target[t]! += weight * source[s]!;
}

function averagePool(node: Node, [x]: readonly [Tensor]): Tensor | undefined {
  const kernel = node.op === 'GlobalAveragePool' ? x.shape.slice(2) : node.ints('kernel_shape', []);
  const sliding = slidingOver(node, x.shape.slice(2), kernel);
  if (sliding === undefined) return undefined;
  const planes = x.shape[0]! * x.shape[1]!;
  const shape = [x.shape[0]!, x.shape[1]!, ...spatial(sliding, kernel.length)];
  const [input, result] = [x.floats(), new Float64Array(sizeOf(shape))];
  const [plane, size, step] = [sizeOf(sliding.input), sizeOf(sliding.output), sliding.strides[2]!];
  const counts = new Float64Array(size);
  eachRow(sliding, (_, to, from, count) => {
    for (let i = 0; i < count; i++) counts[to + i]!++;
    for (let at = 0; at < planes; at++) for (let i = 0; i < count; i++) result[at * size + to + i]! += input[at * plane + from + i * step]!;
  });
  // Padding that a window counts is what lies within the pads; without rounding up, no window reaches beyond them.
  const whole = node.int('count_include_pad', 0) === 1 ? sizeOf(kernel) : undefined;
  return real(shape, result.map((sum, at) => sum / (whole ?? counts[at % size]!)));
}

function batchNormalization(node: Node, [x, gamma, beta, mean, variance]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor]): Tensor | undefined {
  if (node.int('training_mode', 0) !== 0 || node.int('spatial', 1) === 0) return undefined;
  const epsilon = Math.fround(node.float('epsilon', 1e-5));
  const [g, b, m, v] = [gamma, beta, mean, variance].map((tensor) => tensor.floats()) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const size = sizeOf(x.shape.slice(2));
  return real(x.shape, elementsOf(x).map((value, at) => {
    const channel = Math.floor(at / size) % g.length;
    return (value - m[channel]!) / Math.sqrt(v[channel]! + epsilon) * g[channel]! + b[channel]!;
  }));
}

/** Products of the matrices in the last two axes; the axes before them broadcast. */
function matMul(_: Node, [a, b]: readonly [Tensor, Tensor]): Tensor | undefined {
  if (a.shape.length < 2 || b.shape.length < 2) return undefined;
  const [rows, inner, columns] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
  const shape = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [left, right] = [a, b].map(({ shape: own }) => placesOf(own.slice(0, -2), shape));
  const [x, y] = [a.floats(), b.floats()];
  const result = new Float64Array(sizeOf(shape) * rows * columns);
  for (let matrix = 0; matrix < left!.length; matrix++) {
    const [p, q, r] = [left![matrix]! * rows * inner, right![matrix]! * inner * columns, matrix * rows * columns];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < inner; k++) {
        const factor = x[p + row * inner + k]!;
        for (let column = 0; column < columns; column++) result[r + row * columns + column]! += factor * y[q + k * columns + column]!;
      }
    }
  }
  return real([...shape, rows, columns], result);
}

function gemm(node: Node, [a, b, c]: readonly [Tensor, Tensor, Tensor?]): Tensor | undefined {
  const [left, right] = [node.int('transA', 0) === 0 ? a : transposed(a), node.int('transB', 0) === 0 ? b : transposed(b)];
  const product = matMul(node, [left, right])!;
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const places = c && placesOf(c.shape, product.shape);
  return real(product.shape, elementsOf(product).map((value, at) => alpha * value + (places === undefined ? 0 : beta * c!.floats()[places[at]!]!)));
}

function transposed(matrix: Tensor): Tensor {
  const [rows, columns] = matrix.shape as [number, number];
  const elements = matrix.floats();
  return real([columns, rows], Float64Array.from({ length: rows * columns }, (_, at) => elements[(at % rows) * columns + Math.floor(at / rows)]!));
}

function elementwise(combine: (a: number, b: number) => number): Kernel {
  return (node, inputs) => {
    const [a, b] = inputs as readonly [Tensor, Tensor];
    if (node.attributes.has('axis')) return undefined;
    const shape = broadcast(a.shape, b.shape);
    const [left, right, x, y] = [placesOf(a.shape, shape), placesOf(b.shape, shape), a.floats(), b.floats()];
    return real(shape, Float64Array.from({ length: sizeOf(shape) }, (_, at) => combine(x[left[at]!]!, y[right[at]!]!)));
  };
}

function clip(node: Node, [x, low, high]: readonly [Tensor, Tensor?, Tensor?]): Tensor {
  const least = low?.floats()[0] ?? node.float('min', -Infinity);
  const most = high?.floats()[0] ?? node.float('max', Infinity);
  return real(x.shape, elementsOf(x).map((value) => Math.min(Math.max(value, least), most)));
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [a[axis + a.length - rank] ?? 1, b[axis + b.length - rank] ?? 1];
    return m === 1 ? n : m;
  });
}

/** For each element of a tensor of shape `to`, the place of the element of one of shape `from` that is broadcast there. */
function placesOf(from: readonly number[], to: readonly number[]): Int32Array {
  const places = new Int32Array(sizeOf(to));
  for (let axis = 0, step = 1, own = sizeOf(from); axis < to.length; axis++, step = 1) {
    const length = from[axis + from.length - to.length] ?? 1;
    if (axis + from.length - to.length >= 0 && length > 0) own /= length;
    for (const size of to.slice(axis + 1)) step *= size;
    if (length > 1) for (let at = 0; at < places.length; at++) places[at]! += (Math.floor(at / step) % to[axis]!) * own;
  }
  return places;
}

/** The operators of linear networks. The others of a network move elements, or look at one at a time: these go through ONNX Runtime. */
export const kernels: Readonly<Record<string, Kernel>> = {
  Conv: conv as Kernel,
  ConvTranspose: convTranspose as Kernel,
  MatMul: matMul as Kernel,
  Gemm: gemm as Kernel,
  BatchNormalization: batchNormalization as Kernel,
  AveragePool: averagePool as Kernel,
  GlobalAveragePool: averagePool as Kernel,
  Add: elementwise((a, b) => a + b),
  Sub: elementwise((a, b) => a - b),
  Mul: elementwise((a, b) => a * b),
  Div: elementwise((a, b) => a / b),
  Clip: clip as Kernel,
  Relu: ((_, [x]) => real(x!.shape, elementsOf(x!).map((value) => Math.max(value, 0)))) satisfies Kernel,
};
