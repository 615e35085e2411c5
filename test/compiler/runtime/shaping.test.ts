import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import type { Model } from '../../../ir/model.ts';
import { sizeOf, Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { printType, shapeOf, type Dim } from '../../../ir/type.ts';

/** What is computed from the shape of x: [N, 2, 6], H: the heading, up to the shape operand; then the node that makes y, and the type that y must have. */
const cases: readonly (readonly [what: string, body: string, expected: string, opset?: number])[] = [
  ['Reshape to computed lengths', 't = Concat <axis = 0> (n, twelve) y = Reshape (x, t)', 'float[N,12]'],
  ['Reshape with a −1 that a symbol cancels out of', 't = Concat <axis = 0> (n, rest, three) y = Reshape (x, t)', 'float[N,4,3]'],
  ['Reshape that copies an axis', 't = Concat <axis = 0> (zero, twelve) y = Reshape (x, t)', 'float[N,12]'],
  ['Reshape whose −1 is a multiple of a symbol', 't = Concat <axis = 0> (rest, six) y = Reshape (x, t)', 'float[?,6]'],
  ['Reshape to lengths multiplied and divided', 'm = Mul (two, six) d = Div (m, three) t = Concat <axis = 0> (n, d, three) y = Reshape (x, t)', 'float[N,4,3]'],
  ['Reshape to a shape out of a Where', 's3 = Shape (x) c = Equal (s3, minus) t = Where (c, minus, s3) y = Reshape (x, t)', 'float[N,2,6]'],
  ['Expand of a 1', 'r = ReduceSum <keepdims = 1> (x, two1) s3 = Shape (x) y = Expand (r, s3)', 'float[N,2,6]'],
  ['ConstantOfShape', 't = Concat <axis = 0> (n, three) y = ConstantOfShape (t)', 'float[N,3]'],
  ['Tile', 't = Concat <axis = 0> (one, three, one) y = Tile (x, t)', 'float[N,6,6]'],
  ['Range up to a symbol', 'l = Squeeze (n) a = Constant <value = int64 {0}> () b = Constant <value = int64 {1}> () k = Range (a, l, b) y = Cast <to = 1> (k)', 'float[N]'],
  ['Range of numbers', 'l = Squeeze (six) a = Constant <value = int64 {1}> () b = Constant <value = int64 {2}> () k = Range (a, l, b) y = Cast <to = 1> (k)', 'float[3]'],
  ['Slice by computed numbers', 'e = Div (six, two) y = Slice (x, one, e, two1)', 'float[N,2,2]'],
  ['Slice to the end of a symbol', 'y = Slice (x, zero, n, zero)', 'float[N,2,6]'],
  ['Slice backwards from a computed place', 'e = Sub (six, three) y = Slice (x, e, zero, two1, rest)', 'float[N,2,3]'],
  ['Pad by computed amounts', 'q = Mod (twelve, five) t = Concat <axis = 0> (zero, zero, q, zero, zero, zero) y = Pad (x, t)', 'float[N,2,8]'],
  ['Pad in the order of PyTorch', 't = Concat <axis = 0> (zero, three, zero, zero, zero, zero) m = Reshape (t, pairs) k = Slice (m, rest, least, zero, rest) u = Transpose (k) p = Reshape (u, rest) y = Pad (x, p)', 'float[N,2,9]'],
  ['Resize to computed sizes', 'm = Mul (six, two) t = Concat <axis = 0> (n, two, m) y = Resize <mode = "nearest"> (x, , , t)', 'float[N,2,12]'],
  ['Resize by 1 along a symbol', 'y = Resize <mode = "nearest"> (x, , factors)', 'float[N,4,12]'],
  ['TopK', 'q = Div (six, two) y, i = TopK (x, q)', 'float[N,2,3]'],
  ['Split', 't = Concat <axis = 0> (two, four) y, z = Split <axis = 2> (x, t)', 'float[N,2,2]'],
  ['what follows', 't = Concat <axis = 0> (n, twelve) r = Reshape (x, t) a = Relu (r) s2 = Shape (a) g = Gather (s2, one) u = Concat <axis = 0> (n, two, three, two) v = Reshape (a, u) w = Transpose <perm = [1, 3, 0, 2]> (v) '
    + 'c = Concat <axis = 0> (g, n) k = Reshape (w, c) y = Transpose (k)', 'float[N,12]'],
  ['both sides of an Add', 't = Concat <axis = 0> (n, twelve) r = Reshape (x, t) u = Reshape (r, s) y = Add (x, u)', 'float[N,2,6]'],
  ['convolutions one after the other', 'i = Reshape (x, square) s4 = Shape (i) e = Gather (s4, two1) t = Concat <axis = 0> (n, two, e, e) o = Expand (i, t) '
    + 'c = Conv <kernel_shape = [1, 1]> (o, kernel) s5 = Shape (c) h = Gather (s5, two1) q = Concat <axis = 0> (n, two, h, h) y = Reshape (c, q)', 'float[N,2,6,6]'],
];

const heading = `<int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3}, int64[1] five = {5}, int64[1] six = {6}, int64[1] twelve = {12}, int64[1] rest = {-1},
  int64[1] four = {4}, int64[1] minus = {-1}, int64[1] least = {-9223372036854775807}, int64[1] two1 = {2}, int64[2] pairs = {-1, 2}, int64[4] square = {0, 2, 6, 1}, float[3] factors = {1, 2, 2},
  float[2,2,1,1] kernel = {1, 0, 0, 1}>`;

function modelOf(body: string, opset: number): Model {
  return parseModel(`<ir_version: 8, opset_import: ["": ${opset}]> main (float[N,2,6] x) => (float[] y) ${heading} { s = Shape (x) n = Gather (s, zero) ${body} }`);
}

describe('compiler/runtime/shaping', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  for (const [what, body, expected, opset = 18] of cases) {
    it(`${what}: ${expected}, which is what a run gives`, async () => {
      const model = modelOf(body, opset);
      const declined: string[] = [];
      const types = await runtime.infer(model, (node, reason) => { declined.push(`${node.name}: ${reason}`); });
      expect(declined).to.deep.equal([]);
      const type = types.get(model.graph.outputs[0]!.value);
      expect(printType(type)).to.equal(expected);
      const session = await runtime.open(model);
      try {
        for (const N of [1, 4]) {
          const shape = [N, 2, 6];
          const { shape: found } = (await session.run(new Map([['x', Tensor.of('float', new Float32Array(sizeOf(shape)), shape)]]))).get('y')!;
          const wanted = shapeOf(type)!.map((dim: Dim, axis) => (dim === 'N' ? N : dim ?? found[axis]));
          expect(found).to.deep.equal(wanted);
        }
      } finally {
        await session.release();
      }
    });
  }

  it('says nothing of lengths that it cannot know, and invents no symbols', async () => {
    const model = modelOf('z = NonZero (x) t = Shape (z) u = ConstantOfShape (t) a = Relu (u) y = Add (a, a)', 18);
    for (const [value, type] of await runtime.infer(model)) {
      for (const dim of shapeOf(type) ?? []) expect(['N', 'undefined', 'number'], value.name).to.include(typeof dim === 'string' ? dim : typeof dim);
    }
  });

  it('ends with shapes that contradict each other, and keeps what was told before', async () => {
    const model = modelOf('t = Concat <axis = 0> (n, five) r = Reshape (x, t) b = Concat <axis = 0> (n, six) q = Reshape (x, b) v = MatMul (r, q) y = Relu (v)', 18);
    const types = await runtime.infer(model);
    expect(printType(types.get(model.graph.outputs[0]!.value))).to.match(/^float\[/);
  });
});
