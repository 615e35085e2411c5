import { expect } from 'chai';
import { runSteps } from '../../../../compiler/manager.ts';
import { bindOptions } from '../../../../compiler/testing/declaration.ts';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../../compiler/targets.ts';
import { filled } from '../../../../compiler/testing/feeds.ts';
import { cloneModel } from '../../../../ir/clone.ts';
import { Editor } from '../../../../ir/edit.ts';
import type { Model } from '../../../../ir/model.ts';
import { normalizeModel } from '../../../../ir/normalize.ts';
import { parseModel } from '../../../../ir/text/index.ts';
import { Tensor } from '../../../../ir/tensor.ts';
import type { Batch, DataSource } from '../../../../passes/data.ts';
import type { PruningRecord } from '../../../../passes/prune/record.ts';
import { randomFrom } from '../../../../passes/random.ts';
import { structuredPrune } from '../../../../passes/structured-prune.ts';

const samples = 96;
const shape = [3, 8, 8];

/** Smooth images, whose neighbouring channels and places have much in common, as those of networks do. */
function images(from: number, count: number): Tensor {
  const random = randomFrom(from + 1);
  const data = new Float32Array(count * 192);
  for (let image = 0; image < count; image++) {
    const [a, b, c, d] = [random(), random(), random(), random()] as [number, number, number, number];
    for (let at = 0; at < 192; at++) data[image * 192 + at] = Math.sin(6 * a * (at % 8) / 8 + 6 * b) * Math.cos(6 * c * Math.floor((at % 64) / 8) / 8 + d * Math.floor(at / 64));
  }
  return Tensor.of('float', data, [count, ...shape]);
}

const source: DataSource = {
  name: 'calibration', count: samples, key: 'images', random: false, metric: undefined,
  async* batches({ last = samples } = {}): AsyncIterable<Batch> {
    for (let first = 0; first < last; first += 16) yield await Promise.resolve({ feeds: new Map([['x', images(first, Math.min(16, last - first))]]), size: Math.min(16, last - first), first });
  },
};

/** Two blocks, one of them residual. */
const block = '(float[N,3,8,8] x) => (float y) <float[8,3,3,3] w = "random 1", float[8] b = "random 2", float[12,8,3,3] u = "random 3", float[12] ub = "random 4", float[8,12,1,1] v = "random 5", float[512,5] last = "random 6", float[5] lb = "random 7"> '
  + '{ a = Conv <pads = [1,1,1,1]> (x, w, b)  r = Relu (a)  c = Conv <pads = [1,1,1,1]> (r, u, ub)  s = Relu (c)  d = Conv (s, v)  t = Add (d, r)  f = Flatten (t)  y = Gemm (f, last, lb) }';

const tokens = '(float[N,3,64] x0, float[N,3,8,8] x) => (float y) <float[64,20] w = "random 1", float[20] b = "random 2", float[20,10] v = "random 3"> { q = Reshape (x, s)  a = MatMul (q, w)  c = Add (a, b)  r = Relu (c)  y = MatMul (r, v) }'.replace('(float[N,3,64] x0, float[N,3,8,8] x)', '(float[N,3,8,8] x)').replace('<float[64,20]', '<int64[3] s = {0,3,64}, float[64,20]');

const grouped = '(float[N,3,8,8] x) => (float y) <float[8,3,1,1] w = "random 1", float[8,1,3,3] u = "random 3", float[6,8,1,1] v = "random 5"> { a = Conv (x, w)  r = Relu (a)  c = Conv <group = 8, pads = [1,1,1,1]> (r, u)  s = Relu (c)  y = Conv (s, v) }';

describe('recovery of pruned models', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  async function pruned(text: string, recover: string): Promise<{ readonly error: number; readonly record: PruningRecord }> {
    const model = modelOf(text);
    const original = cloneModel(model);
    const { options } = bindOptions(structuredPrune, { amount: 0.25, recover });
    const [result] = await runSteps(model, [{ id: 'prune', number: 1, pass: structuredPrune, options: options!, selected: undefined }], {
      runtime, target: loadTarget('portable'), signal: new AbortController().signal, instruments: [], data: () => Promise.resolve(source),
    });
    return { error: await errorOf(original, model), record: result!.records.get('pruning') as PruningRecord };
  }

  /** Noise over signal of the outputs, on images that recovery has not seen. */
  async function errorOf(original: Model, model: Model): Promise<number> {
    const feeds = new Map([['x', images(1000, 32)]]);
    const [a, b] = [await outputOf(original, feeds), await outputOf(model, feeds)];
    const square = (total: number, x: number): number => total + x ** 2;
    return a.map((x, at) => x - b[at]!).reduce(square, 0) / a.reduce(square, 0);
  }

  async function outputOf(model: Model, feeds: ReadonlyMap<string, Tensor>): Promise<Float64Array> {
    const session = await runtime.open(model, { threads: 1 });
    const outputs = await session.run(feeds);
    await session.release();
    return Float64Array.from([...outputs.values()][0]!.floats());
  }

  for (const [name, text, left] of [['a residual block', block, 0.2], ['matrix products', tokens, 0.2], ['a depthwise convolution', grouped, 0.5]] as const) {
    it(`takes most of the loss back: ${name}`, async () => {
      const [none, mean, fitted] = [await pruned(text, 'none'), await pruned(text, 'mean'), await pruned(text, 'least-squares')];
      expect(none.record.recovery).to.equal(undefined);
      expect(mean.error, 'means').to.be.at.most(none.error);
      expect(fitted.error, 'weights').to.be.below(left * none.error);
      for (const { node, dropped, repaired } of fitted.record.recovery!.layers) expect(repaired, node).to.be.at.most(dropped);
    });
  }

  it('gives the same twice', async () => {
    expect((await pruned(block, 'least-squares')).record).to.deep.equal((await pruned(block, 'least-squares')).record);
  });
});

function modelOf(text: string): Model {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 18]> g ${text}`, { name: 'case', fill: filled });
  normalizeModel(model, new Editor(model));
  return model;
}
