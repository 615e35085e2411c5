import { expect } from 'chai';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { numericDifference } from '../../../compiler/testing/numbers.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { centre, centringOf, ChannelValues, linearInputs, look } from '../../../passes/equalize/inputs.ts';
import { rangeOf } from '../../../passes/statistics/range.ts';
import { gridOf } from '../../../passes/statistics/grid.ts';

const int8 = { type: 'int8', symmetric: true } as const;
const channelOf = (values: Iterable<number>): ChannelValues => {
  const channel = new ChannelValues();
  for (const value of values) channel.add(value);
  return channel;
};
const pixels = (of: (pixel: number) => number, from = 0, to = 255): ChannelValues => channelOf(Array.from({ length: to - from + 1 }, (_, index) => Math.fround(of(from + index))));

describe('what the values of a channel are multiples of', () => {
  const cases: readonly (readonly [title: string, channel: ChannelValues, step: number])[] = [
    ['pixels', pixels((pixel) => pixel), 1],
    ['pixels that do not reach white', pixels((pixel) => pixel, 3, 200), 1],
    ['normalised pixels', pixels((pixel) => (pixel / 255 - 0.485) / 0.229), 1 / 255 / 0.229],
    ['two values', channelOf([0, 1]), 1],
    ['more values than 8 bits hold', channelOf(Array.from({ length: 511 }, (_, index) => index)), 2],
    ['few values that are multiples of nothing', channelOf([0, 1, Math.SQRT2, 51]), 51 / 255],
    ['one value', channelOf([7]), 0],
  ];
  for (const [title, channel, step] of cases) it(`${title}: ${step}`, () => { expect(channel.step).to.be.closeTo(step, 1e-5 * step); });
});

describe('inputs that are centred', () => {
  it('pixels become all codes of a grid without zero point, none of them rounded', () => {
    const [offset, factor] = [centringOf([pixels((pixel) => pixel)])!.offsets[0]!, centringOf([pixels((pixel) => pixel)])!.factors[0]!];
    expect([offset, factor]).to.deep.equal([128, 1]);
    const { scale } = gridOf(rangeOf({ count: 256, samples: 1, min: -offset, max: 255 - offset, meanMin: 0, meanMax: 0, nan: 0, infinite: 0 }, 'min-max', int8), int8);
    expect(scale).to.equal(1);
  });

  it('colours that were normalised apart get one grid', () => {
    const { offsets, factors } = centringOf([0.229, 0.224, 0.225].map((deviation) => pixels((pixel) => (pixel / 255 - 0.4) / deviation)))!;
    for (const [channel, deviation] of [0.229, 0.224, 0.225].entries()) {
      // Steps of the coarsest channel: codes from −128 to 127.
      const step = 1 / 255 / 0.224;
      for (const pixel of [0, 100, 255]) expect(((pixel / 255 - 0.4) / deviation - offsets[channel]!) / factors[channel]! / step).to.be.closeTo(pixel - 128, 1e-3);
    }
  });

  it('leaves alone what is centred, constant, or was never seen', () => {
    for (const channels of [[pixels((pixel) => pixel - 127, 0, 254)], [channelOf([5, 5])], [new ChannelValues()]]) expect(centringOf(channels)).to.equal(undefined);
  });

  const image = (body: string, constants = 'float[4,2,3,3] w = "random 1", float[4] b = "random 2"', shape = 'N,2,6,6', result = 'N,4,6,6'): string => `(float[${shape}] x) => (float[${result}] y) <${constants}> { ${body} }`;
  const models: readonly (readonly [title: string, text: string, ops: readonly string[], opset?: number])[] = [
    ['Conv with padding', image('y = Conv <pads = [1,1,1,1]> (x, w, b)'), ['Pad', 'Sub', 'Div', 'Conv']],
    ['Conv with padding at opset 9', image('y = Conv <pads = [1,1,1,1]> (x, w, b)'), ['Pad', 'Sub', 'Div', 'Conv'], 9],
    ['Conv without padding or bias', image('y = Conv (x, w)', undefined, undefined, 'N,4,4,4'), ['Sub', 'Div', 'Conv']],
    ['depthwise', image('y = Conv <group = 2, pads = [0,1,0,1]> (x, w, b)', 'float[4,1,1,3] w = "random 1", float[4] b = "random 2"'), ['Pad', 'Sub', 'Div', 'Conv']],
    ['channels last', image('t = Transpose <perm = [0,3,1,2]> (x)  y = Conv <pads = [1,1,1,1]> (t, w, b)', undefined, 'N,6,6,2'), ['Transpose', 'Pad', 'Sub', 'Div', 'Conv']],
    ['Gemm', image('y = Gemm <transB = 1> (x, w, b)', 'float[4,2] w = "random 1", float[4] b = "random 2"', 'N,2', 'N,4'), ['Sub', 'Div', 'Gemm']],
    ['an input with another reader of what is transposed', image('t = Transpose <perm = [0,3,1,2]> (x)  a = Conv <pads = [1,1,1,1]> (t, w, b)  c = Abs (t)  r = ReduceSum <keepdims = 0> (c)  y = Add (a, r)', undefined, 'N,6,6,2'), []],
    ['padding by a rule', image('y = Conv <auto_pad = "SAME_UPPER"> (x, w, b)'), []],
    ['an input that is computed with first', image('a = Abs (x)  y = Conv <pads = [1,1,1,1]> (a, w, b)'), []],
  ];
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [title, text, ops, opset = 17] of models) {
    it(`${title}: ${ops.length === 0 ? 'left alone' : 'computes what it did'}`, async () => {
      const model = parseModel(`<ir_version: 8, opset_import: ["": ${opset}]> main ${text}`, { name: title, fill: filled });
      normalizeModel(model, new Editor(model));
      await inferTypes(model, runtime);
      const original = cloneModel(model);
      const [input] = linearInputs(model, () => true);
      if (ops.length === 0) {
        expect(input).to.equal(undefined);
        return;
      }
      const channels = Array.from({ length: input!.channels }, () => new ChannelValues());
      const shape = { Transpose: [1, 1, 256, 2], Gemm: [256, 2], Conv: [1, 2, 1, 256] }[ops[0] === 'Transpose' ? 'Transpose' : ops.at(-1) === 'Gemm' ? 'Gemm' : 'Conv'];
      const last = shape.at(-1) === 2;
      // Two channels of pixels, the second one in smaller steps.
      const elements = Float32Array.from({ length: 512 }, (_, index) => (last ? (index >> 1) / (index % 2 + 1) : (index % 256) / (Math.floor(index / 256) + 1)));
      look(new Map([['x', Tensor.of('float', elements, shape)]]), input!, channels);
      expect(channels.map(({ min, max }) => [min, max])).to.deep.equal([[0, 255], [0, 127.5]]);
      expect(centre(input!, centringOf(channels)!, model, new Editor(model))).to.equal(true);
      expect([...model.graph.nodes()].map(({ op }) => op)).to.deep.equal(ops);
      expect(verifyModel(model).map(String)).to.deep.equal([]);
      // Offsets of 128 beside elements of about 1 leave 2^-17 of their sums.
      expect(await numericDifference(original, model, { runtime, tolerance: 1e-3 })).to.equal(undefined);
    });
  }
});
