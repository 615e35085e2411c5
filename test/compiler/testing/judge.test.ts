import { expect } from 'chai';
import type { Model } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { staticShape } from '../../../ir/type.ts';
import type { Feeds } from '../../../passes/runtime.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { evaluateInFloat64 } from '../../../compiler/testing/float64.ts';
import { distance, judge } from '../../../compiler/testing/judge.ts';

/** Models of one operator each, or of one that has no float64 kernel, and what follows it: inputs and body. */
const bodies: Readonly<Record<string, string>> = {
  'Conv, strides and uneven pads': '(float[2,3,7,6] x) => (float[a,b,c,d] y) <float[4,3,3,2] w = "random 1", float[4] b = "random 2"> { y = Conv <strides = [2, 1], pads = [1, 0, 2, 1]> (x, w, b) }',
  'Conv, groups and dilations': '(float[2,4,9,8] x) => (float[a,b,c,d] y) <float[6,2,3,3] w = "random 1"> { y = Conv <group = 2, dilations = [2, 3], pads = [2, 3, 2, 3]> (x, w) }',
  'Conv, depthwise, SAME_LOWER': '(float[1,4,7,7] x) => (float[a,b,c,d] y) <float[4,1,4,4] w = "random 1"> { y = Conv <group = 4, auto_pad = "SAME_LOWER", strides = [2, 2]> (x, w) }',
  'Conv, SAME_UPPER': '(float[1,2,7,7] x) => (float[a,b,c,d] y) <float[3,2,4,3] w = "random 1"> { y = Conv <auto_pad = "SAME_UPPER", strides = [3, 1]> (x, w) }',
  'Conv, one axis, window beyond the input': '(float[1,2,3] x) => (float[a,b,c] y) <float[3,2,5] w = "random 1"> { y = Conv <pads = [4, 3]> (x, w) }',
  'Conv, three axes': '(float[1,2,4,5,3] x) => (float[a,b,c,d,e] y) <float[3,2,2,3,2] w = "random 1"> { y = Conv <strides = [1, 2, 1], pads = [0, 1, 1, 1, 0, 0]> (x, w) }',
  'ConvTranspose, groups, strides, output padding': '(float[2,4,3,4] x) => (float[a,b,c,d] y) <float[4,3,3,2] w = "random 1", float[6] b = "random 2"> { y = ConvTranspose <group = 2, strides = [2, 3], pads = [1, 0, 0, 1], output_padding = [1, 2]> (x, w, b) }',
  'ConvTranspose, dilations, one axis': '(float[1,2,5] x) => (float[a,b,c] y) <float[2,3,3] w = "random 1"> { y = ConvTranspose <dilations = [2], pads = [1, 3]> (x, w) }',
  'AveragePool, counting the padding': '(float[1,2,5,6] x) => (float[a,b,c,d] y) { y = AveragePool <kernel_shape = [3, 2], pads = [1, 1, 1, 0], strides = [2, 1], count_include_pad = 1> (x) }',
  'AveragePool, without the padding': '(float[1,2,5,6] x) => (float[a,b,c,d] y) { y = AveragePool <kernel_shape = [3, 2], pads = [1, 1, 1, 0]> (x) }',
  'AveragePool, rounded up, by ONNX Runtime': '(float[1,2,5,6] x) => (float[a,b,c,d] y) { y = AveragePool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x) }',
  'GlobalAveragePool': '(float[2,3,4,5] x) => (float[a,b,c,d] y) { y = GlobalAveragePool (x) }',
  'BatchNormalization': '(float[2,3,4] x) => (float[a,b,c] y) <float[3] s = "random 1", float[3] b = "random 2", float[3] m = "random 3", float[3] v = {0.5, 1, 2}> { y = BatchNormalization <epsilon = 0.01> (x, s, b, m, v) }',
  'MatMul, broadcast': '(float[2,1,3,4] x) => (float[a,b,c,d] y) <float[5,4,2] w = "random 1"> { y = MatMul (x, w) }',
  'MatMul of a vector, by ONNX Runtime': '(float[3,4] x) => (float[a] y) <float[4] w = "random 1"> { y = MatMul (x, w) }',
  'Gemm, transposed, with a row': '(float[4,3] x) => (float[a,b] y) <float[5,4] w = "random 1", float[5] b = "random 2"> { y = Gemm <transA = 1, transB = 1, alpha = 0.5, beta = 2.0> (x, w, b) }',
  'Gemm, with a column': '(float[3,4] x) => (float[a,b] y) <float[4,2] w = "random 1", float[3,1] b = "random 2"> { y = Gemm (x, w, b) }',
  'arithmetic, broadcast both ways': '(float[2,3,1] x) => (float[a,b,c] y) <float[1,4] w = "random 1", float[3,1] v = "random 2"> { p = Mul (x, w) q = Sub (v, p) r = Add (q, x) y = Div (r, w) }',
  'Relu and Clip': '(float[2,9] x) => (float[a,b] y) <float low = {0.1}, float high = {0.5}> { p = Relu (x) y = Clip (p, low, high) }',
  'others, in float64 and in float': '(float[1,2,3,4] x) => (float[a,b,c,d] y) <float[4] scales = {1, 1, 2, 2}> { p = Sigmoid (x) q = Transpose <perm = [0, 1, 3, 2]> (p) s = Shape (q) r = Resize <mode = "linear"> (q, , scales) t = Cast <to = 1> (r) y = Softmax (t) }',
};

function model(body: string): Model {
  return parseModel(`<ir_version: 10, opset_import: ["": 21]>\nmain ${body}`, { fill: filled });
}

describe('testing: float64 results', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const outputs = async (of: Model, feeds: Feeds): Promise<Map<string, Tensor>> => {
    const session = await runtime.open(of);
    try {
      return await session.run(feeds);
    } finally {
      await session.release();
    }
  };
  const feedsOf = (of: Model): Feeds => new Map(of.graph.inputs.map(({ name, type }) => [name, filled('random 7', 'float', staticShape(type)!)!]));

  for (const [title, body] of Object.entries(bodies)) {
    it(`are ONNX Runtime's up to float rounding: ${title}`, async () => {
      const tried = model(body);
      const truth = await evaluateInFloat64(tried, feedsOf(tried), runtime);
      if (typeof truth === 'string') throw new Error(truth);
      const found = (await outputs(tried, feedsOf(tried))).get('y')!;
      expect([truth.get('y')!.dtype, truth.get('y')!.shape]).to.deep.equal(['double', found.shape]);
      // A few dozen products of numbers below 1, each rounded to 24 bits.
      expect(distance(truth.get('y')!, found)).to.be.below(1e-6);
    });
  }

  it('are not there for a body, which is said', async () => {
    const tried = model('(float[2] x, bool c) => (float[2] y) { y = If (c) <then_branch = a () => (float[2] p) { p = Relu (x) }, else_branch = b () => (float[2] q) { q = Neg (x) }> }');
    const feeds = new Map([...feedsOf(model('(float[2] x) => (float[2] y) { y = Relu (x) }')), ['c', Tensor.scalar('bool', 1)]]);
    expect(await evaluateInFloat64(tried, feeds, runtime)).to.match(/^If '.*': it has a body$/);
  });

  describe('judge sums that are taken in another order', () => {
    // 4096 and a little, less 4096: in float32 the little is rounded to a multiple of 2^-11 on the way.
    const far = '(float[1,2] x) => (float[1,1] y) <float[2,1] w = {4096, 1}, float c = {4096}> { p = MatMul (x, w) y = Sub (p, c) }';
    // The same without the detour: x0 is 1.
    const near = '(float[1,2] x) => (float[1,1] y) <float[2,1] w = {0, 1}> { y = MatMul (x, w) }';
    const feeds: Feeds = new Map([['x', Tensor.of('float', [1, 0.3], [1, 2])]]);
    const verdict = async (before: string, after: string): Promise<string | undefined> => (
      judge({ model: model(before), feeds, before: await outputs(model(before), feeds), after: await outputs(model(after), feeds) }, 1e-5, runtime)
    );

    it('for what is nearer, against what is farther away', async () => {
      expect(await verdict(far, near)).to.equal(undefined);
      expect(await verdict(near, far)).to.match(/^'y' has 0\.2998\d* at 0, not 0\.3000\d*; the tolerance is \S+; it is 0\.0006\d* of the largest output away from the result in float64, the one before 0$/);
    });

    it('against a wrong weight, also where the original is far off', async () => {
      expect(await verdict(far, near.replace('{0, 1}', '{0, 1.001}'))).to.contain('of the largest output away');
    });

    it('without float64 where they agree', async () => {
      const agreed = new Map([['y', Tensor.of('float', [1])]]);
      const never = { ...runtime, evaluate: () => { throw new Error('not to be asked'); } };
      expect(await judge({ model: model(far), feeds: new Map(), before: agreed, after: agreed }, 1e-5, never)).to.equal(undefined);
    });

    it('not where types, shapes or outputs differ', async () => {
      const before = new Map([['y', Tensor.of('float', [1])]]);
      for (const [after, what] of [[Tensor.of('float', [1, 2]), 'is float[2], not float[1]'], [Tensor.of('double', [1]), 'is double[1], not float[1]']] as const) {
        expect(await judge({ model: model(far), feeds, before, after: new Map([['y', after]]) }, 1e-5, runtime)).to.equal(`'y' ${what}`);
      }
      expect(await judge({ model: model(far), feeds, before, after: new Map() }, 1e-5, runtime)).to.equal(`'y' is missing`);
    });
  });
});
