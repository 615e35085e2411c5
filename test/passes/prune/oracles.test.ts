import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { randomFrom } from '../../../passes/random.ts';
import { checkPermutation, checkRemoval, followed, randomRemoval } from '../../../compiler/testing/pruning.ts';

/** float32 sums of a few hundred terms in another order. */
const tolerance = 1e-5;

/** Small models by name: the text of the graph, and how many channels can be removed. */
const cases: readonly (readonly [name: string, text: string, prunable: number])[] = [
  ['a chain of convolutions', '(float[N,3,8,8] x) => (float y) <float[6,3,3,3] w = "random 1", float[6] b = "random 2", float[5,6,3,3] v = "random 3"> { a = Conv <pads = [1,1,1,1]> (x, w, b)  r = Sigmoid (a)  y = Conv <pads = [1,1,1,1]> (r, v) }', 6],
  ['a residual block', '(float[N,3,8,8] x) => (float y) <float[6,3,1,1] w = "random 1", float[6,6,3,3] u = "random 2", float[6] b = "random 3", float[2,6,1,1] v = "random 4"> { a = Conv (x, w)  c = Conv <pads = [1,1,1,1]> (a, u, b)  s = Add (a, c)  r = Relu (s)  y = Conv (r, v) }', 6],
  ['a depthwise convolution', '(float[N,3,8,8] x) => (float y) <float[6,3,1,1] w = "random 1", float[6,1,3,3] u = "random 2", float[6] b = "random 3", float[2,6,1,1] v = "random 4"> { a = Conv (x, w)  c = Conv <group = 6> (a, u, b)  y = Conv (c, v) }', 6],
  ['a depthwise convolution with two outputs for each input', '(float[N,3,8,8] x) => (float y) <float[4,3,1,1] w = "random 1", float[8,1,3,3] u = "random 2", float[2,8,1,1] v = "random 4"> { a = Conv (x, w)  c = Conv <group = 4> (a, u)  y = Conv (c, v) }', 4],
  ['groups', '(float[N,3,8,8] x) => (float y) <float[8,3,1,1] w = "random 1", float[12,2,3,3] u = "random 2", float[2,12,1,1] v = "random 4"> { a = Conv (x, w)  c = Conv <group = 4> (a, u)  y = Conv (c, v) }', 4],
  ['a transposed convolution', '(float[N,3,8,8] x) => (float y) <float[3,6,2,2] w = "random 1", float[6] b = "random 2", float[6,2,3,3] v = "random 3"> { a = ConvTranspose (x, w, b)  r = Tanh (a)  y = ConvTranspose (r, v) }', 6],
  ['two matrix products', '(float[N,5,4] x) => (float y) <float[4,8] w = "random 1", float[8] b = "random 2", float[8,3] v = "random 3"> { a = MatMul (x, w)  c = Add (a, b)  r = Erf (c)  y = MatMul (r, v) }', 8],
  ['Gemm, both turned', '(float[4,N] x) => (float y) <float[8,4] w = "random 1", float[1,8] b = "random 2", float[3,8] v = "random 3"> { a = Gemm <transA = 1, transB = 1, alpha = 0.5> (x, w, b)  r = Relu (a)  y = Gemm <transB = 1> (r, v) }', 8],
  ['a gate of one channel', '(float[N,3,8,8] x) => (float y) <float[6,3,1,1] w = "random 1", float[1,3,1,1] u = "random 2", float[2,6,1,1] v = "random 4"> { a = Conv (x, w)  g = Conv (x, u)  m = Mul (a, g)  y = Conv (m, v) }', 6],
  ['shared weights', '(float[N,4,8,8] x) => (float y) <float[4,4,1,1] w = "random 1", float[2,4,1,1] v = "random 4"> { a = Conv (x, w)  c = Conv (a, w)  y = Conv (c, v) }', 0],
];

describe('structured pruning, held against oracles', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [name, text, prunable] of cases) {
    it(`${name}: the pruned model is the original with silent readers`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        const subject = await followed(modelOf(text), runtime);
        const free = subject.channels.groups.flatMap(({ channels }) => channels.filter(({ pin }) => pin === undefined));
        expect(free.length).to.equal(prunable);
        const removed = randomRemoval(subject, 0.2 + 0.6 * ((seed % 5) / 4), randomFrom(seed));
        const { exact, relative, output } = await checkRemoval(subject, removed, runtime, seed);
        expect(exact, 'exact').to.equal(true);
        expect(relative, output).to.be.below(tolerance);
      }
    });

    it(`${name}: another order of the channels changes nothing`, async () => {
      for (let seed = 1; seed <= 5; seed++) {
        const { relative, output } = await checkPermutation(await followed(modelOf(text), runtime), runtime, seed);
        expect(relative, output).to.be.below(tolerance);
      }
    });
  }
});

function modelOf(text: string): Model {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : 18]> g ${text}`, { name: 'case', fill: filled });
  normalizeModel(model, new Editor(model));
  return model;
}
