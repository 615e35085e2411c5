import type { Model, Node, Value } from '../../../ir/model.ts';
import type { Placement } from '../../../passes/placement/placement.ts';
import type { Feeds } from '../../../passes/runtime.ts';
import type { Statistics } from '../../../passes/statistics/statistics.ts';
import type { Target } from '../../../passes/target.ts';

/** Numbers in row-major order. */
interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** What a simulation came to, and how near to a half the nearest number was that it had to round: below about 1e-4, other arithmetic may round it the other way. */
export interface Simulated {
  readonly outputs: ReadonlyMap<string, Numbers>;
  readonly closest: number;
}

/**
 * Evaluates a float model in plain arithmetic as a quantized one ought to compute: where the placement has a pair, the reader reads what is left of the value on the grid of its range; weights are
 * rounded for each output channel; the bias takes back the mean of what that changes. Written from the formulas (reference: quantization.md §2.1, §2.7, §2.10), not from the pass.
 */
export function simulate(model: Model, feeds: Feeds, placement: Placement, statistics: Statistics, { numbers }: Target): Simulated {
  const values = new Map<Value, Numbers>();
  let closest = 0.5;
  for (const value of model.graph.values()) {
    const tensor = value.isInput ? feeds.get(value.name) : value.constant;
    if (tensor !== undefined && tensor.dtype === 'float') values.set(value, { shape: tensor.shape, data: Float64Array.from(tensor.floats()) });
  }

  const round = (x: number): number => {
    closest = Math.min(closest, Math.abs(x - Math.floor(x) - 0.5));
    const floor = Math.floor(x);
    return x - floor > 0.5 || (x - floor === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  };
  const grid = (value: Value): { scale: number; quantize: (x: number) => number } => {
    const pair = placement.pairs.find((each) => each.value === value)!;
    const seen = placement.classes[pair.scaleClass]!.observe.map(({ name }) => statistics.tensors.get(name)!);
    const [low, high] = [Math.min(0, ...seen.map(({ min }) => min)), Math.max(0, ...seen.map(({ max }) => max))];
    if (numbers.activations.symmetric) {
      const scale = Math.fround(Math.max(-low, high) / 127);
      return { scale, quantize: (x) => Math.max(-128, Math.min(127, round(x / scale))) * scale };
    }
    const scale = Math.fround((high - low) / 255);
    const zero = round(-low / scale);
    return { scale, quantize: (x) => (Math.max(0, Math.min(255, round(x / scale) + zero)) - zero) * scale };
  };
  const read = (node: Node, input: number): Numbers => {
    const value = node.inputs[input]!;
    const found = values.get(value)!;
    if (!placement.pairs.some((pair) => pair.consumers.some((consumer) => consumer.node === node && consumer.input === input))) return found;
    return { shape: found.shape, data: found.data.map(grid(value).quantize) };
  };
  /** Weights as rows of output channels, rounded; the bias of each row; and what it is divided by as an int32. */
  const layer = (node: Node, rows: Numbers, bias: Float64Array, taps: number): { weights: Float64Array; bias: Float64Array } => {
    const [outputs, columns] = [rows.shape[0]!, rows.data.length / rows.shape[0]!];
    if (!placement.weights.some((weight) => weight.node === node)) return { weights: rows.data, bias };
    const largest = Array.from({ length: outputs }, (_, row) => rows.data.subarray(row * columns, (row + 1) * columns).reduce((most, x) => Math.max(most, Math.abs(x)), 0));
    const floor = Math.max(...largest) / 100;
    const scales = largest.map((size) => Math.fround(Math.max(size, floor) / 127));
    const weights = rows.data.map((x, index) => round(x / scales[Math.floor(index / columns)]!) * scales[Math.floor(index / columns)]!);
    const input = node.inputs[0]!;
    const means = statistics.channels.get(input.name)?.mean;
    const group = node.int('group', 1);
    const corrected = bias.map((b, row) => {
      if (means === undefined) return b;
      const first = Math.floor(row / (outputs / group)) * (columns / taps);
      let sum = b;
      for (let k = 0; k < columns; k++) sum += (rows.data[row * columns + k]! - weights[row * columns + k]!) * means[first + Math.floor(k / taps)]!;
      return sum;
    });
    if (numbers.bias === 'float') return { weights, bias: corrected };
    const scale = grid(input).scale;
    return { weights, bias: corrected.map((b, row) => round(b / (scale * scales[row]!)) * scale * scales[row]!) };
  };

  for (const node of model.graph.nodes()) values.set(node.output, evaluate(node, (input) => read(node, input), layer.bind(undefined, node)));
  return { outputs: new Map(model.graph.outputs.map(({ name, value }) => [name, values.get(value)!])), closest };
}

type Layer = (rows: Numbers, bias: Float64Array, taps: number) => { weights: Float64Array; bias: Float64Array };

/** The operators that the cases have: convolutions of stride 1 without padding, matrix products, and arithmetic. */
function evaluate(node: Node, read: (input: number) => Numbers, layer: Layer): Numbers {
  const x = read(0);
  switch (node.op) {
    case 'Relu': return { shape: x.shape, data: x.data.map((item) => Math.max(0, item)) };
    case 'Add': {
      const y = read(1);
      return { shape: x.data.length >= y.data.length ? x.shape : y.shape, data: (x.data.length >= y.data.length ? x : y).data.map((_, at) => x.data[at % x.data.length]! + y.data[at % y.data.length]!) };
    }
    case 'Reshape': case 'Flatten': return { shape: [x.shape[0]!, x.data.length / x.shape[0]!], data: x.data };
    case 'Conv': return convolution(node, x, read(1), node.inputs[2] ? read(2).data : undefined, layer);
    case 'Gemm': case 'MatMul': {
      const w = read(1);
      const transposed = node.int('transB', 0) === 1;
      const [k, n] = transposed ? [w.shape[1]!, w.shape[0]!] : [w.shape[0]!, w.shape[1]!];
      const rows = { shape: [n, k], data: Float64Array.from({ length: n * k }, (_, at) => (transposed ? w.data[at]! : w.data[(at % k) * n + Math.floor(at / k)]!)) };
      const { weights, bias } = layer(rows, node.inputs[2] ? read(2).data : new Float64Array(n), 1);
      const correctable = node.op === 'Gemm';
      return {
        shape: [x.shape[0]!, n],
        data: Float64Array.from({ length: x.shape[0]! * n }, (_, at) => {
          const [row, column] = [Math.floor(at / n), at % n];
          let sum = correctable ? bias[column]! : 0;
          for (let i = 0; i < k; i++) sum += x.data[row * k + i]! * weights[column * k + i]!;
          return sum;
        }),
      };
    }
    default: throw new Error(`the simulation has no ${node.op}`);
  }
}

function convolution(node: Node, x: Numbers, w: Numbers, bias: Float64Array | undefined, layer: Layer): Numbers {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const [outputs, perGroup, kh, kw] = w.shape as [number, number, number, number];
  const group = node.int('group', 1);
  const { weights, bias: b } = layer(w, bias ?? new Float64Array(outputs), kh * kw);
  const [oh, ow] = [height - kh + 1, width - kw + 1];
  const data = new Float64Array(batch * outputs * oh * ow);
  for (let at = 0; at < data.length; at++) {
    const [column, row, o, n] = [at % ow, Math.floor(at / ow) % oh, Math.floor(at / (ow * oh)) % outputs, Math.floor(at / (ow * oh * outputs))];
    const first = Math.floor(o / (outputs / group)) * perGroup;
    let sum = b[o]!;
    for (let c = 0; c < perGroup; c++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) sum += x.data[((n * x.shape[1]! + first + c) * height + row + i) * width + column + j]! * weights[((o * perGroup + c) * kh + i) * kw + j]!;
      }
    }
    data[at] = sum;
  }
  return { shape: [batch, outputs, oh, ow], data };
}
