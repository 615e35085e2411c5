import { expect } from 'chai';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { numericDifference } from '../../../compiler/testing/numbers.ts';
import { randomFrom } from '../../../passes/random.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { followChannels, type ChannelClasses } from '../../../passes/equalize/channels.ts';
import { rescale } from '../../../passes/equalize/rescale.ts';
import { channelRule } from '../../../passes/equalize/rules.ts';

/** Between two linear operators: text, and how many classes of channels may be scaled. The first operator makes 4 channels. */
const image = (middle: string, more = '', weights = 'float[3,4,1,1] v = "random 3"', last = 'y = Conv (m, v)'): string =>
  `(float[N,2,6,6] x) => (float y) <float[4,2,3,3] w = "random 1", float[4] b = "random 2", ${weights}${more}> { a = Conv (x, w, b)  ${middle}  ${last} }`;

/** `gates`: factors also pass activations that are gates. */
const cases: readonly (readonly [title: string, text: string, classes: number, gates?: boolean])[] = [
  ['Relu', image('m = Relu (a)'), 4],
  ['LeakyRelu and PRelu', image('l = LeakyRelu <alpha = 0.3> (a)  m = PRelu (l, s)', ', float[4,1,1] s = "random 4"'), 4],
  ['MaxPool and AveragePool with padding', image('p = MaxPool <kernel_shape = [2,2], pads = [0,0,1,1]> (a)  m = AveragePool <kernel_shape = [2,2]> (p)'), 4],
  ['a residual addition ties both branches', image('r = Relu (a)  d = Conv (r, u)  m = Add (d, r)', ', float[4,4,1,1] u = "random 4"'), 4],
  ['a constant that is added, for each channel', image('m = Add (a, s)', ', float[4,1,1] s = "random 4"'), 4],
  ['a scalar that is added', image('m = Add (s, a)', ', float s = {0.5}'), 4],
  ['a constant from which is subtracted', image('m = Sub (s, a)', ', float[1,4,1,1] s = "random 4"'), 4],
  ['a constant over places', image('m = Add (a, s)', ', float[4,4] s = "random 4"'), 4],
  ['products with constants', image('p = Mul (a, s)  m = Div (p, t)', ', float[4,1,1] s = "random 4", float t = {3.0}'), 4],
  ['a gate', image('g = Sigmoid (d)  d = Conv (a, u)  m = Mul (a, g)', ', float[4,4,1,1] u = "random 4"').replace('g = Sigmoid (d)  d = Conv (a, u)', 'd = Conv (a, u)  g = Sigmoid (d)'), 4],
  ['SiLU pins', image('g = Sigmoid (a)  m = Mul (a, g)'), 0],
  ['SiLU, whose gate reads the old channels', image('g = Sigmoid (a)  m = Mul (a, g)'), 4, true],
  ['HardSwish, the gate first, channels last', image('t = Transpose <perm = [0, 2, 3, 1]> (a)  g = HardSigmoid (t)  m = Mul (g, t)', '', 'float[4,3] v = "random 3"', 'y = MatMul (m, v)'), 4, true],
  ['a gate for something else pins', image('d = Conv (a, u)  g = Sigmoid (a)  m = Mul (d, g)', ', float[4,4,1,1] u = "random 4"'), 4, true],
  ['a gate of what others read pins', image('g = Sigmoid (a)  r = Relu (a)  p = Mul (a, g)  m = Add (p, r)'), 0, true],
  ['a gate that others read pins', image('g = Sigmoid (a)  p = Mul (a, g)  m = Concat <axis = 2> (p, g)'), 0, true],
  ['a Clip that ends at 6 pins', image('m = Clip (a, zero, six)', ', float zero = {0.0}, float six = {6.0}'), 0],
  ['a depthwise convolution has channels of its own', image('d = Conv <group = 4> (a, u)  m = Relu (d)', ', float[4,1,3,3] u = "random 4"'), 8],
  ['groups', image('d = Conv <group = 2> (a, u)  m = Relu (d)', ', float[4,2,1,1] u = "random 4"'), 8],
  ['ConvTranspose', image('d = ConvTranspose <strides = [2,2]> (a, u, c)  m = Relu (d)', ', float[4,4,2,2] u = "random 4", float[4] c = "random 5"'), 8],
  ['Concat and Slice along the channels', image('d = Conv (a, u)  c = Concat <axis = 1> (a, d)  m = Slice (c, from, to, one)', ', float[2,4,1,1] u = "random 4", int64[1] from = {1}, int64[1] to = {5}, int64[1] one = {1}'), 6],
  ['Concat along another axis ties', image('d = Conv (a, u)  m = Concat <axis = 2> (a, d)', ', float[4,4,1,1] u = "random 4"'), 4],
  ['Split', image('s, t = Split <axis = 1> (a, parts)  m = Concat <axis = 1> (t, s)', ', int64[2] parts = {1, 3}'), 4],
  ['zeros that are padded, along channels and places', image('m = Pad (a, pads)', ', int64[8] pads = {0,1,1,0, 0,1,0,0}', 'float[3,6,1,1] v = "random 3"'), 6],
  ['ones that are padded pin', image('m = Pad (a, pads, one)', ', int64[8] pads = {0,0,1,0, 0,0,0,0}, float one = {1.0}'), 0],
  ['flattened to a matrix product', image('r = Relu (a)  m = Flatten (r)', '', 'float[64,3] v = "random 3"', 'y = Gemm (m, v)'), 4],
  ['pooled, then flattened', image('g = GlobalAveragePool (a)  m = Flatten (g)', '', 'float[4,3] v = "random 3"', 'y = Gemm (m, v)'), 4],
  ['a mean over the places, without them', image('m = ReduceMean <axes = [2, 3], keepdims = 0> (a)', '', 'float[4,3] v = "random 3"', 'y = MatMul (m, v)'), 4],
  ['channels last', image('t = Transpose <perm = [0, 2, 3, 1]> (a)  m = Relu (t)', '', 'float[4,3] v = "random 3"', 'y = MatMul (m, v)'), 4],
  ['Resize', image('m = Resize <mode = "linear"> (a, , s)', ', float[4] s = {1, 1, 2, 2}'), 4],
  ['LayerNormalization gives factors and takes none', '(float[N,5,8] x) => (float y) <float[8,8] w = "random 1", float[8] s = "random 4", float[8] o = "random 5", float[8,3] v = "random 3"> { a = MatMul (x, w)  n = LayerNormalization (a, s, o)  y = MatMul (n, v) }', 8],
  ['a bias behind MatMul', '(float[N,8] x) => (float y) <float[8,8] w = "random 1", float[8] s = "random 4", float[8,3] v = "random 3"> { a = MatMul (x, w)  b = Add (a, s)  r = Relu (b)  y = MatMul (r, v) }', 8],
  ['Gemm, both ways, with a scalar for a bias', '(float[N,8] x) => (float y) <float[6,8] w = "random 1", float[1] s = "random 4", float[6,3] v = "random 3"> { a = Gemm <transB = 1, beta = 0.5, alpha = 2.0> (x, w, s)  r = Relu (a)  y = Gemm (r, v) }', 6],
  ['what a graph gives away is pinned', image('m = Relu (a)').replace('=> (float y)', '=> (float y, float m)'), 0],
  ['what a body reads is pinned', image('m = If <then_branch = g () => (float q) { q = Abs (a) }, else_branch = h () => (float p) { p = Neg (a) }> (c)', ', bool c = {1}'), 0],
  ['what a body inside a body reads is pinned', image('m = Relu (a)  r = If <then_branch = g () => (float q) { q = If <then_branch = g2 () => (float q2) { q2 = Abs (m) }, else_branch = h2 () => (float p2) { p2 = Neg (one) }> (c) }, else_branch = h () => (float p) { p = Neg (one) }> (c)', ', bool c = {1}, float one = {1.0}').replace('=> (float y)', '=> (float y, float r)'), 0],
  ['pools across the channels pin', image('t = Transpose <perm = [0, 2, 1, 3]> (a)  p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (t)  m = Transpose <perm = [0, 2, 1, 3]> (p)'), 0],
  ['a global pool across the channels pins', image('t = Transpose <perm = [0, 2, 1, 3]> (a)  p = GlobalAveragePool (t)  m = Mul (a, p)'), 0],
  ['Resize that cuts along the channels pins', image('m = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (a, roi, , z)', ', float[8] roi = {0, 0.4, 0, 0, 1, 0.9, 1, 1}, int64[4] z = {1, 4, 4, 4}').replaceAll('[N,2,6,6]', '[1,2,6,6]'), 0],
  ['Resize that stretches the channels pins', image('m = Resize <mode = "nearest"> (a, , s)', ', float[4] s = {1, 1.2, 1, 1}').replaceAll('[N,2,6,6]', '[1,2,6,6]'), 0],
  ['a pooled map of one axis', '(float[N,2,6] x) => (float y) <float[4,2,3] w = "random 1", float[4] b = "random 2", float[4,3] v = "random 3"> { a = Conv (x, w, b)  r = Relu (a)  g = GlobalAveragePool (r)  m = Flatten (g)  y = Gemm (m, v) }', 4],
  ['a reshape with symbolic leading axes', '(float[N,T,8] x) => (float y) <float[8,6] w = "random 1", float[8] s = "random 4", int64[2] flat = {-1, 6}, float[6,3] v = "random 3"> { a = MatMul (x, w)  r = Reshape (a, flat)  y = MatMul (r, v) }', 6],
  ['a sum that broadcasts a smaller rank pins', '(float[N,8] x, float[2,N,8] z) => (float y) <float[8,6] w = "random 1", float[8,6] u = "random 2", float[6,3] v = "random 3"> { a = MatMul (x, w)  b = MatMul (z, u)  m = Add (a, b)  y = MatMul (m, v) }', 0],
  ['a constant of higher rank pins', image('p = Add (a, s)  m = Squeeze (p, zero)', ', float[1,1,4,1,1] s = "random 4", int64[1] zero = {0}'), 0],
  ['padding that cuts channels off pins', image('m = Pad (a, pads)', ', int64[8] pads = {0,-1,0,0, 0,1,0,0}'), 0],
  ['LayerNormalization with an offset of more axes gives nothing', '(float[N,5,8] x) => (float y) <float[8,8] w = "random 1", float[8] s = "random 4", float[1,8] o = "random 5", float[8,3] v = "random 3"> { a = MatMul (x, w)  n = LayerNormalization (a, s, o)  y = MatMul (n, v) }', 0],
  ['PRelu with a slope for each place', image('m = PRelu (a, s)', ', float[4,4] s = "random 4"'), 4],
  ['a bias that two readers share is copied', image('d = Conv (a, u, b)  m = Relu (d)', ', float[4,4,1,1] u = "random 4"'), 8],
  ['a constant added twice', image('m = Sum (a, s, s)', ', float[4,1,1] s = "random 4"'), 4],
  ['double', '(double[N,8] x) => (double y) <double[8,6] w = "random 1", double[6] b = "random 2", double[6,3] v = "random 3"> { a = Gemm (x, w, b)  r = Relu (a)  y = MatMul (r, v) }', 6],
  ['a bias that is computed takes no factors', '(float[N,2,6,6] x, float[4] c) => (float y) <float[4,2,3,3] w = "random 1", float[3,4,1,1] v = "random 3"> { a = Conv (x, w, c)  r = Relu (a)  y = Conv (r, v) }', 0],
  ['a gate in double', '(double[N,8] x) => (double y) <double[8,6] w = "random 1", double[6,3] v = "random 3"> { a = MatMul (x, w)  g = Sigmoid (a)  m = Mul (a, g)  y = MatMul (m, v) }', 6, true],
  ['float16 is left alone', '(float16[N,8] x) => (float16 y) <float16[8,6] w = "random 1", float16[6,3] v = "random 3"> { a = MatMul (x, w)  r = Relu (a)  y = MatMul (r, v) }', 0],
  ['weights with another reader are copied', image('m = Relu (a)  z = Abs (v)').replace('=> (float y)', '=> (float y, float z)'), 4],
];

describe('channels that are scaled together', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [title, text, count, gates = false] of cases) {
    it(`${title}: ${count} classes, and any factors leave the outputs as they were`, async () => {
      const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> main ${text}`, { name: title, fill: filled });
      normalizeModel(model, new Editor(model));
      await inferTypes(model, runtime);
      const original = cloneModel(model);
      const classes = followChannels(model, (node) => channelRule(node, gates));
      const roots = freeClasses(model, classes);
      expect(roots.length).to.equal(count);
      const random = randomFrom(7);
      const edit = new Editor(model);
      rescale(model, edit, classes, new Map(roots.map((root) => [root, 2 ** (4 * random() - 2)])));
      expect(edit.changes > 0).to.equal(count > 0);
      // Two roundings more for each weight, in sums of at most a hundred terms.
      expect(await numericDifference(original, model, { runtime, tolerance: 1e-5 })).to.equal(undefined);
    });
  }
});

/** Classes that may be scaled, of values that a node makes. */
function freeClasses(model: Model, classes: ChannelClasses): number[] {
  const ids = [...model.graph.nodes()].flatMap(({ outputs }) => outputs.flatMap((value) => [...classes.of(value)?.ids ?? []]));
  return [...new Set(ids.filter((id) => !classes.isPinned(id)).map((id) => classes.root(id)))];
}
