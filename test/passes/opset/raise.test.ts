import { expect } from 'chai';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { difference, type Tolerance } from '../../../compiler/testing/compare.ts';
import { feedsFor } from '../../../compiler/testing/feeds.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { Editor } from '../../../ir/edit.ts';
import { hashModel } from '../../../ir/hash.ts';
import { Graph, type Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { opFacts } from '../../../ir/ops.ts';
import { sortModel } from '../../../ir/order.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { raiseOpset } from '../../../passes/opset/raise.ts';

/** A model of an old opset: its signature and body, and the opsets that it is taken to. */
interface Case {
  readonly opset: number;
  readonly text: string;
  readonly to?: readonly number[];
  /** From this opset on the runtime has another kernel, which sums in another order: 1e-6 of the largest output. */
  readonly reordered?: number;
}

/** Every conversion; each is run in ONNX Runtime before and after, at all opsets that it is taken to, and must give the same bits. */
const cases: Readonly<Record<string, Case>> = {
  'Upsample to nearest, scales as attribute': { opset: 7, text: '(float[1,2,3,4] x) => (float[1,2,6,12] y) { y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 3.0]> (x) }' },
  'Upsample to nearest by fractions': { opset: 8, text: '(float[1,2,5,4] x) => (float[1,2,7,10] y) { y = Upsample <scales = [1.0, 1.0, 1.5, 2.5]> (x) }' },
  'Upsample, linear': { opset: 7, text: '(float[1,2,3,4] x) => (float[1,2,6,12] y) { y = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 3.0]> (x) }' },
  'Upsample of opset 9': { opset: 9, text: '(float[1,2,3,4] x) => (float[1,2,6,8] y) <float[4] s = {1, 1, 2, 2}> { y = Upsample (x, s) }' },
  'Resize of opset 10 that shrinks': { opset: 10, text: '(float[1,2,7,9] x) => (float[1,2,4,5] y) <float[4] s = {1, 1, 0.6, 0.6}> { y = Resize (x, s) }' },
  'Resize of opset 10, linear, both ways': { opset: 10, text: '(float[1,2,7,9] x) => (float[1,2,4,18] y) <float[4] s = {1, 1, 0.6, 2}> { y = Resize <mode = "linear"> (x, s) }' },
  'Clip with both bounds': { opset: 7, text: '(float[N,3] x) => (float[N,3] y) { y = Clip <min = -0.5, max = 6.0> (x) }' },
  'Clip without bounds': { opset: 10, text: '(float[N,3] x) => (float[N,3] y) { y = Clip (x) }' },
  'Clip with one bound': { opset: 8, text: '(float[N,3] x) => (float[N,3] y) { y = Clip <min = 0.0> (x) }' },
  'Pad with a constant': { opset: 7, text: '(float[N,3] x) => (float[N,6] y) { y = Pad <pads = [0, 1, 0, 2], value = 1.5> (x) }' },
  'Pad by reflection, and cropping': { opset: 10, text: '(float[2,5] x) => (float[2,7] y) { a = Pad <mode = "reflect", pads = [0, 2, 0, 1]> (x)  y = Pad <pads = [0, -1, 0, 0]> (a) }' },
  'Slice': { opset: 7, text: '(float[4,6] x) => (float[?,?] y) { y = Slice <axes = [1], starts = [-5], ends = [9223372036854775807]> (x) }' },
  'Slice without axes': { opset: 9, text: '(float[4,6] x) => (float[2,3] y) { y = Slice <starts = [1, 2], ends = [3, 5]> (x) }' },
  'TopK': { opset: 7, text: '(float[4,6] x) => (float[4,2] y, int64[4,2] i) { y, i = TopK <k = 2, axis = 1> (x) }' },
  'Dropout': { opset: 7, text: '(float[N,6] x) => (float[N,6] y) { y = Dropout <ratio = 0.3> (x) }' },
  'Dropout with a mask that nobody reads': { opset: 10, text: '(float[N,6] x) => (float[N,6] y) { y, m = Dropout (x) }' },
  'BatchNormalization': { opset: 7, text: '(float[N,2,3] x) => (float[N,2,3] y) <float[2] a = {1, 2}, float[2] b = {0.5, -1}, float[2] m = {0.1, 0.2}, float[2] v = {1, 0.5}> { y = BatchNormalization <epsilon = 0.001, spatial = 1> (x, a, b, m, v) }' },
  'Squeeze and Unsqueeze': { opset: 7, text: '(float[1,3,1] x) => (float[1,3,1,1] y) { a = Squeeze <axes = [0, 2]> (x)  y = Unsqueeze <axes = [0, 2, 3]> (a) }' },
  'Squeeze of all': { opset: 11, text: '(float[1,3,1] x) => (float[3] y) { y = Squeeze (x) }' },
  'ReduceSum': { opset: 7, text: '(float[2,3,4] x) => (float[2,4] y) { y = ReduceSum <axes = [1], keepdims = 0> (x) }' },
  'ReduceSum over everything': { opset: 11, text: '(float[2,3,4] x) => (float[1,1,1] y) { y = ReduceSum (x) }' },
  'other reductions': { opset: 7, text: `(float[2,3,4] x) => (float[2,1,4] y) {
    a = ReduceMean <axes = [1]> (x)  b = ReduceMax <axes = [1]> (x)  c = ReduceMin <axes = [1]> (x)  d = ReduceL2 <axes = [1]> (x)  e = ReduceProd <axes = [1]> (x)
    f = ReduceL1 <axes = [1]> (x)  g = ReduceSumSquare <axes = [1]> (x)  h = ReduceLogSumExp <axes = [1]> (x)  y = Sum (a, b, c, d, e, f, g, h) }` },
  'a reduction over everything': { opset: 11, text: '(float[2,3,4] x) => (float[1,1,1] y) { y = ReduceMean (x) }' },
  'Split in given parts': { opset: 7, text: '(float[2,5] x) => (float[2,2] a, float[2,3] b) { a, b = Split <axis = 1, split = [2, 3]> (x) }' },
  'Split in equal parts': { opset: 11, text: '(float[2,6] x) => (float[2,3] a, float[2,3] b) { a, b = Split <axis = 1> (x) }' },
  'Softmax over the last axis': { opset: 7, text: '(float[N,6] x) => (float[N,6] y) { y = Softmax (x) }' },
  'Softmax over a flattened rest': { opset: 9, text: '(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = 1> (x) }' },
  'Softmax over a rest of symbolic shape': { opset: 11, text: '(float[N,3,M] x) => (float[N,3,M] y) { a = Softmax <axis = 1> (x)  y = Identity (a) }' },
  'Softmax over an axis with nothing behind it': { opset: 11, text: '(float[N,3,1,1] x) => (float[N,3,1,1] y) { y = Softmax <axis = 1> (x) }' },
  'Softmax of everything': { opset: 11, text: '(float[2,3] x) => (float[2,3] y) { y = Softmax <axis = 0> (x) }' },
  'Softmax over a negative axis': { opset: 11, text: '(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax <axis = -2> (x) }' },
  'LogSoftmax and Hardmax': { opset: 9, text: '(float[2,3,4] x) => (float[2,3,4] y) { a = LogSoftmax (x)  b = Hardmax (x)  y = Add (a, b) }' },
  'Scatter': { opset: 9, text: '(float[2,3] x, float[1,3] u) => (float[2,3] y) <int64[1,3] i = {0, 1, 0}> { y = Scatter <axis = 0> (x, i, u) }' },
  'RoiAlign': { opset: 10, text: '(float[1,2,6,6] x) => (float[1,2,2,2] y) <float[1,4] r = {0.5, 0.5, 4, 5}, int64[1] b = {0}> { y = RoiAlign <output_height = 2, output_width = 2, sampling_ratio = 2> (x, r, b) }' },
  'LSTM, GRU and pools': { opset: 7, text: `(float[3,1,2] x) => (float[3,1,1,2] y, float[3,1,1,2] z)
    <float[1,8,2] w = "random 1", float[1,8,2] r = "random 2", float[1,6,2] v = "random 3", float[1,6,2] s = "random 4"> { y = LSTM <hidden_size = 2> (x, w, r)  z = GRU <hidden_size = 2> (x, v, s) }` },
  'pools and a convolution': { opset: 7, reordered: 19, text: `(float[1,2,6,6] x) => (float[1,3,2,2] y) <float[3,2,3,3] w = "random 1"> {
    a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w)  b = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)  y = AveragePool <kernel_shape = [2, 2], pads = [0, 0, 1, 1], strides = [2, 2]> (b) }` },
  'arithmetic and shapes': { opset: 7, text: `(float[N,4] x) => (float[N,4] y) <float[4] c = {1, 2, 3, 4}, int64[2] s = {-1, 4}> {
    a = Mul (x, c)  b = Sum (a, x)  d = Max (b, x)  e = Flatten (d)  f = Reshape (e, s)  g = Concat <axis = 1> (f, x)  h = Transpose <perm = [1, 0]> (g)  i = Cast <to = 1> (h)  t = Transpose <perm = [1, 0]> (i)
    j, k = Split <axis = 1, split = [4, 4]> (t)  y = Sub (j, k) }` },
  'GridSample, whose modes got other names': { opset: 16, to: [17, 19, 20, 21], text: `(float[1,2,4,5] x, float[1,3,3,2] g) => (float[1,2,3,3] a, float[1,2,3,3] b, float[1,2,3,3] c, float[1,2,3,3] d) {
    a = GridSample <mode = "bilinear", padding_mode = "border"> (x, g)  b = GridSample <mode = "bicubic", align_corners = 1> (x, g)  c = GridSample <mode = "nearest"> (x, g)  d = GridSample (x, g) }` },
  'negative axes': { opset: 11, text: `(float[2,1,4] x) => (float[2,4] a, float[2,1,4,1] b, float[2,1] c, float[2,1,1] d, float[2,4] e, float[2,1,2] f, float[2,1,4] g) {
    a = Squeeze <axes = [-2]> (x)  b = Unsqueeze <axes = [-1]> (x)  c = ReduceSum <axes = [-1], keepdims = 0> (x)  d = ReduceMean <axes = [-1]> (x)  e = Flatten <axis = -2> (x)
    f, r = Split <axis = -1> (x)  g = Hardmax <axis = -1> (x) }` },
  'Softmax of one axis': { opset: 11, text: '(float[5] x) => (float[5] y) { y = Softmax <axis = 0> (x) }' },
  'Softmax of the default axis, of four': { opset: 12, text: '(float[2,3,2,2] x) => (float[2,3,2,2] y) { y = Softmax (x) }' },
  'Hardmax where elements are equal': { opset: 9, text: '(float[2,3,4] x) => (float[2,3,4] y) <float z = {0.0}> { a = Mul (x, z)  y = Hardmax <axis = 1> (a) }' },
  'pools that round up, and say where': { opset: 10, text: '(float[1,2,5,5] x) => (float[1,2,3,3] y, int64[1,2,3,3] i) { y, i = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1, storage_order = 1> (x) }' },
  'an average that counts its padding': { opset: 10, reordered: 19, text: '(float[1,2,4,4] x) => (float[1,2,3,3] y) { y = AveragePool <kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1> (x) }' },
  'OneHot': { opset: 9, text: '(int64[4] x) => (float[4,3] y) <int64 d = {3}, float[2] v = {0, 1}, int64 three = {3}, int64 zero = {0}> { a = Mul (x, zero)  y = OneHot (a, d, v) }' },
  'Resize of opset 11 by sizes': { opset: 11, text: '(float[1,2,3,4] x) => (float[1,2,6,7] y) <float[0] none = {}, int64[4] s = {1, 2, 6, 7}> { y = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (x, none, none, s) }' },
  'TopK along a negative axis': { opset: 10, text: '(float[4,6] x) => (float[2,6] y, int64[2,6] i) <int64[1] k = {2}> { y, i = TopK <axis = -2> (x, k) }' },
  'DepthToSpace': { opset: 10, text: '(float[1,8,2,2] x) => (float[1,2,4,4] y) { y = DepthToSpace <blocksize = 2> (x) }' },
  'Mod, Gather and Scatter with negative indices': { opset: 11, text: '(float[3,4] x) => (float[2,4] y, float[3,4] z) <int64[2] i = {-1, 0}, int64[1,4] j = {-1, 0, -2, 1}, float[1,4] u = {1, 2, 3, 4}> { y = Gather (x, i)  a = ScatterElements (x, j, u)  z = Mod <fmod = 1> (a, a) }' },
  'bodies': { opset: 11, text: `(float[2,3] x, bool p) => (float[2,3] y) { y = If <then_branch = then () => (float[2,3] a) { s = ReduceSum <axes = [1], keepdims = 0> (x)  t = Unsqueeze <axes = [1]> (s)  a = Mul (x, t) },
    else_branch = other () => (float[2,3] b) { b = Softmax <axis = 0> (x) }> (p) }` },
};

const refusals: Readonly<Record<string, Case>> = {
  'BatchNormalization that is not spatial': { opset: 7, text: '(float[1,2,3] x) => (float[1,2,3] y) <float[2,3] a = "random 1", float[2,3] b = "random 2", float[2,3] m = "random 3", float[2,3] v = "random 4"> { y = BatchNormalization <spatial = 0> (x, a, b, m, v) }' },
  'a mask that is used': { opset: 7, text: '(float[2] x) => (float[2] y, float[2] m) { y, m = Dropout (x) }' },
  'scales that are computed': { opset: 10, text: '(float[1,2] x, float[2] s) => (float[?,?] y) { y = Resize (x, s) }' },
  'a scale below 1 beside one above': { opset: 10, text: '(float[4,2] x) => (float[2,4] y) <float[2] s = {0.5, 2}> { y = Resize (x, s) }' },
  'an opset before 7': { opset: 6, text: '(float[2] x) => (float[2] y) { y = Relu (x) }' },
};

const reached = [13, 17, 19, 21];

const versioned = ({ opset, text }: Case): string => `<ir_version: 8, opset_import: ["": ${opset}]> main ${text}`;

describe('raising the opset', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const read = async (golden: Case, name: string): Promise<Model> => {
    const model = parseModel(versioned(golden), { name, fill });
    normalizeModel(model, new Editor(model));
    await inferTypes(model, runtime);
    return model;
  };

  for (const [name, golden] of Object.entries(cases)) {
    it(name, async () => {
      const before = await read(golden, name);
      for (const to of golden.to ?? reached) {
        const after = cloneModel(before);
        expect(raiseOpset(after, new Editor(after), to)).to.be.a('number');
        sortModel(after);
        expect(verifyModel(after).map(String)).to.deep.equal([]);
        expect(after.opset()).to.equal(to);
        for (const node of after.graph.walk()) for (const attribute of node.attributes.keys()) expect([...opFacts('', node.op, to)!.attributes.keys()], `${node.op} in opset ${to}`).to.include(attribute);
        expect([...after.graph.values()].map((value) => value.name)).to.include.members([...before.graph.values()].filter(({ producer, uses }) => producer !== undefined && uses.every(({ user }) => !(user instanceof Graph)) && producer.op !== 'Dropout').map((value) => value.name));
        await same(before, after, runtime, to >= (golden.reordered ?? Infinity) ? 1e-6 : 'exact');
      }
    });
  }

  for (const [name, golden] of Object.entries(refusals)) {
    it(`refuses ${name}, and changes nothing`, () => {
      const model = parseModel(versioned(golden), { name, fill });
      const hash = hashModel(model, { exact: true });
      expect(() => raiseOpset(model, new Editor(model), 17)).to.throw(Diagnostic).with.property('code', 'opset/no-conversion');
      expect(hashModel(model, { exact: true })).to.equal(hash);
    });
  }
});

function fill(words: string, dtype: Tensor['dtype'], shape: readonly number[]): Tensor | undefined {
  const seed = Number(/^random (\d)$/.exec(words)?.[1] ?? Number.NaN);
  if (Number.isNaN(seed)) return undefined;
  const size = shape.reduce((product, dim) => product * dim, 1);
  return Tensor.of(dtype, Array.from({ length: size }, (_, index) => Math.sin(seed * 1000 + index * 7) * 0.9), shape);
}

async function same(before: Model, after: Model, runtime: OrtRuntime, tolerance: Tolerance): Promise<void> {
  const [one, other] = [await runtime.open(before, { threads: 1 }), await runtime.open(after, { threads: 1 })];
  try {
    for (const { name, feeds } of feedsFor(before.graph, true)!) {
      if ([...feeds.values()].some(({ size }) => size === 0)) continue;
      const [wanted, found] = [await one.run(feeds), await other.run(feeds)];
      for (const [output, tensor] of wanted) expect(difference(tensor, found.get(output)!, tolerance), `${output} on ${name}, opset ${after.opset()!}`).to.equal(undefined);
    }
  } finally {
    await one.release();
    await other.release();
  }
}
