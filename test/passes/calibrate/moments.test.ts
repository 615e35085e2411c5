import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import type { Model } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { LayerMoments } from '../../../passes/statistics/statistics.ts';
import { activations, calibrated, typed } from './run.ts';
import { noise, TestSource } from './source.ts';

const weights = (seed: number, ...shape: readonly number[]): string => `{${Array.from(noise(seed, shape.reduce((product, size) => product * size, 1))).join(', ')}}`;
const model2d = (attributes: string, shape: string, weight: readonly number[]): string => `<ir_version: 8, opset_import: ["": 17]>
m (float[N,${shape}] x) => (float[N,A,B,C] y) < float[${weight.join(',')}] w = ${weights(7, ...weight)} > { r = Relu (x)  [layer] y = Conv <${attributes}> (r, w) }`;

/** Models with one layer named `layer` that reads r. */
const layers: Readonly<Record<string, string>> = {
  'a 1×1 convolution': model2d('kernel_shape = [1, 1]', '3,4,4', [2, 3, 1, 1]),
  'a padded 3×3 convolution': model2d('pads = [1, 1, 1, 1]', '2,5,4', [2, 2, 3, 3]),
  'one with strides, dilations and uneven pads': model2d('pads = [2, 0, 1, 3], strides = [2, 3], dilations = [2, 1]', '2,9,8', [3, 2, 3, 2]),
  'a strided 1×1 convolution': model2d('strides = [2, 2]', '3,5,4', [2, 3, 1, 1]),
  'one with SAME_UPPER': model2d('auto_pad = "SAME_UPPER", strides = [2, 2]', '2,6,5', [1, 2, 3, 2]),
  'one with SAME_LOWER': model2d('auto_pad = "SAME_LOWER", strides = [2, 2]', '2,6,5', [1, 2, 3, 2]),
  'a grouped convolution': model2d('group = 2, pads = [1, 1, 1, 1]', '4,4,4', [4, 2, 3, 3]),
  'a depthwise convolution': model2d('group = 3, pads = [1, 1, 1, 1]', '3,4,4', [3, 1, 3, 3]),
  'a convolution along one axis': `<ir_version: 8, opset_import: ["": 17]>
m (float[N,2,9] x) => (float[N,A,B] y) < float[1,2,4] w = ${weights(7, 1, 2, 4)} > { r = Relu (x)  [layer] y = Conv <strides = [2], pads = [1, 1]> (r, w) }`,
  'a Gemm': `<ir_version: 8, opset_import: ["": 17]>
m (float[N,5] x) => (float[N,2] y) < float[2,5] w = ${weights(7, 2, 5)} > { r = Relu (x)  [layer] y = Gemm <transB = 1> (r, w) }`,
  'a MatMul of sequences': `<ir_version: 8, opset_import: ["": 17]>
m (float[N,6,5] x) => (float[N,6,2] y) < float[5,2] w = ${weights(7, 5, 2)} > { r = Relu (x)  [layer] y = MatMul (r, w) }`,
  'a convolution of an older operator set': model2d('pads = [1, 1, 1, 1]', '2,5,4', [2, 2, 3, 3]).replace('"": 17', '"": 10'),
};

/** Every column that a layer reads of one sample: `groups` lists of columns, rows in the order of the weights. */
function columnsOf(model: Model, input: Tensor): number[][][] {
  const node = [...model.graph.nodes()].find(({ name }) => name === 'layer')!;
  const weight = node.inputs[1]!.constant!.shape;
  const x = input.floats();
  if (!node.is('Conv')) {
    const size = node.is('Gemm') ? weight[1]! : weight[0]!;
    return [Array.from({ length: x.length / size }, (_, row) => Array.from(x.subarray(row * size, (row + 1) * size)))];
  }
  const kernel = weight.slice(2);
  const rank = kernel.length;
  const spatial = input.shape.slice(2);
  const strides = node.ints('strides', kernel.map(() => 1));
  const dilations = node.ints('dilations', kernel.map(() => 1));
  const auto = node.string('auto_pad', 'NOTSET');
  const extent = (axis: number): number => (kernel[axis]! - 1) * dilations[axis]! + 1;
  const outputs = spatial.map((length, axis) => {
    if (auto.startsWith('SAME')) return Math.ceil(length / strides[axis]!);
    const pads = node.ints('pads', new Array<number>(2 * rank).fill(0));
    return Math.floor((length + pads[axis]! + pads[rank + axis]! - extent(axis)) / strides[axis]!) + 1;
  });
  const before = spatial.map((length, axis) => {
    if (!auto.startsWith('SAME')) return node.ints('pads', new Array<number>(2 * rank).fill(0))[axis]!;
    const total = Math.max(0, (outputs[axis]! - 1) * strides[axis]! + extent(axis) - length);
    return auto === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
  });
  const positions = (sizes: readonly number[]): number[][] => sizes.reduce<number[][]>((list, size) => list.flatMap((start) => Array.from({ length: size }, (_, at) => [...start, at])), [[]]);
  const groups = node.int('group', 1);
  return Array.from({ length: groups }, (_, group) => positions(outputs).map((output) => Array.from({ length: weight[1]! }, (_unused, channel) => channel).flatMap((channel) => positions(kernel).map((tap) => {
    let at = group * weight[1]! + channel;
    for (let axis = 0; axis < rank; axis++) {
      const place = output[axis]! * strides[axis]! - before[axis]! + tap[axis]! * dilations[axis]!;
      if (place < 0 || place >= spatial[axis]!) return 0;
      at = at * spatial[axis]! + place;
    }
    return x[at]!;
  }))));
}

/** Means over columns, in float64. */
function direct(columns: readonly (readonly (readonly number[])[])[]): { readonly mean: number[]; readonly gram: number[] } {
  const size = columns[0]![0]!.length;
  const mean: number[] = [];
  const gram: number[] = [];
  for (const group of columns) {
    for (let k = 0; k < size; k++) mean.push(group.reduce((sum, column) => sum + column[k]!, 0) / group.length);
    for (let k = 0; k < size; k++) for (let l = 0; l < size; l++) gram.push(group.reduce((sum, column) => sum + column[k]! * column[l]!, 0) / group.length);
  }
  return { mean, gram };
}

function expectClose(found: Float64Array, expected: readonly number[], what: string): void {
  expect(found.length).to.equal(expected.length);
  // Sums of up to a few thousand products of numbers below one, in float32.
  found.forEach((number, index) => { expect(number, `${what} ${index}`).to.be.closeTo(expected[index]!, 2e-6); });
}

describe('calibrate: second moments and channels', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  async function momentsOf(text: string, count: number, batch: number): Promise<{ readonly model: Model; readonly moments: LayerMoments; readonly samples: number[][][][] }> {
    const model = await typed(text, runtime);
    const { statistics } = await calibrated(model, new TestSource(model, count), runtime, { request: { ranges: [], channels: [], moments: ['layer'] }, batch });
    const inputs = (await activations(model, new TestSource(model, count), ['r'], runtime)).get('r')!;
    return { model, moments: statistics.moments.get('layer')!, samples: inputs.map((input) => columnsOf(model, input)) };
  }

  const joined = (samples: readonly number[][][][]): number[][][] => samples[0]!.map((_, group) => samples.flatMap((sample) => sample[group]!));

  for (const [name, text] of Object.entries(layers)) {
    it(`are those of all columns of ${name}`, async () => {
      const { moments, samples } = await momentsOf(text, 6, 2);
      const columns = joined(samples.filter((_, sample) => sample % 8 !== 3));
      const { mean, gram } = direct(columns);
      expect(moments.groups).to.equal(columns.length);
      expect(moments.columns).to.equal(columns[0]!.length);
      expectClose(moments.mean, mean, 'mean');
      expectClose(moments.gram, gram, 'gram');
      const held = joined(samples.filter((_, sample) => sample % 8 === 3));
      if (held[0]!.length >= 8) expectClose(moments.holdOut!.gram, direct(held).gram, 'gram held out');
      else expect(moments.holdOut).to.equal(undefined);
    });
  }

  it('hold every eighth sample out', async () => {
    const { moments, samples } = await momentsOf(layers['a padded 3×3 convolution']!, 24, 2);
    const held = samples.filter((_, sample) => sample % 8 === 3);
    const used = samples.filter((_, sample) => sample % 8 !== 3);
    expect(held.length).to.equal(3);
    expectClose(moments.gram, direct(joined(used)).gram, 'gram');
    expectClose(moments.holdOut!.gram, direct(joined(held)).gram, 'gram held out');
    expectClose(moments.holdOut!.mean, direct(joined(held)).mean, 'mean held out');
  });

  it('take every few positions where there are more than enough', async () => {
    const { moments } = await momentsOf(`<ir_version: 8, opset_import: ["": 17]>
m (float[N,1,200,200] x) => (float[N,1,200,200] y) < float[1,1,3,3] w = ${weights(7, 9)} > { r = Relu (x)  [layer] y = Conv <pads = [1, 1, 1, 1]> (r, w) }`, 2, 1);
    // 40000 positions, 2048 wanted of each sample.
    expect(moments.columns).to.equal(2 * 2048);
  });

  it('say of which layers there are none', async () => {
    const model = await typed(`<ir_version: 8, opset_import: ["": 17]>
m (float[N,2,4] x, float[N,4,2] z) => (float[N,2,2] y) { [product] y = MatMul (x, z) }`, runtime);
    const { statistics, remarks } = await calibrated(model, new TestSource(model, 2), runtime, { request: { ranges: [], channels: [], moments: ['product', 'nowhere'] } });
    expect(statistics.moments.size).to.equal(0);
    expect(remarks.map(({ rule }) => rule)).to.deep.equal(['calibrate/no-moments', 'calibrate/no-moments']);
  });

  for (const [name, axis, batch] of [['channels first', 1, 4], ['channels last', 3, 4], ['one sample at a time', 1, 1]] as const) {
    it(`figures of channels are those of all elements, ${name}`, async () => {
      const model = await typed(`<ir_version: 8, opset_import: ["": 17]>
m (float[N,3,4,5] x) => (float[N,3,4,5] y) { r = LeakyRelu (x)  y = Neg (r) }`, runtime);
      const { statistics } = await calibrated(model, new TestSource(model, 7), runtime, { request: { ranges: [], channels: [{ value: 'r', axis }], moments: [] }, batch });
      const tensors = (await activations(model, new TestSource(model, 7), ['r'], runtime)).get('r')!;
      const shape = [3, 4, 5];
      const inner = shape.slice(axis).reduce((product, size) => product * size, 1);
      const size = shape[axis - 1]!;
      const channels = Array.from({ length: size }, (_, channel) => tensors.flatMap((tensor) => Array.from(tensor.floats()).filter((_element, index) => Math.floor(index / inner) % size === channel)));
      const mean = (list: readonly number[]): number => list.reduce((sum, item) => sum + item, 0) / list.length;
      const found = statistics.channels.get('r')!;
      expect(found.axis).to.equal(axis);
      expectClose(found.mean, channels.map(mean), 'mean');
      expectClose(found.meanSquare, channels.map((list) => mean(list.map((element) => element * element))), 'mean square');
      expect(Array.from(found.absMax)).to.deep.equal(channels.map((list) => Math.max(...list.map(Math.abs))));
    });
  }
});
