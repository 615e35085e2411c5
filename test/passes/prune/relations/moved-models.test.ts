import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { wholeAll, type Whole } from './whole.ts';

let counter = 500;
const weights = (list: string): string => list.trim().split(/\s+/).map((each) => `float${/\[.*\]/.exec(each)![0]} ${each.replace(/\[.*/, '')} = "random ${++counter}"`).join(', ');

/** An image [N,3,8,8], a convolution to 8 channels `a`, something, and a convolution of `m` to the output. */
const image = (middle: string, list: string, more = ''): string =>
  `(float[N,3,8,8] x) => (float y) <${weights(`first[8,3,3,3] bias[8] ${list}`)}${more && `, ${more}`}> { a = Conv <pads = [1,1,1,1]> (x, first, bias)  ${middle}  y = Conv (m, last) }`;

/** Tokens [N,6,12], a product to features `a`, something, and a product of `m` to the output. */
const tokens = (middle: string, list: string, more = ''): string =>
  `(float[N,6,12] x) => (float y) <${weights(list)}${more && `, ${more}`}> { a = MatMul (x, first)  ${middle}  y = MatMul (m, last) }`;

const attention = 's = MatMul (q, kt)  p = Softmax <axis = -1> (s)  o = MatMul (p, v)  ot = Transpose <perm = [0,2,1,3]> (o)  m = Reshape (ot, merged)';

const models: readonly Whole[] = [
  { name: 'queries, keys and values packed behind the heads', opset: 18, free: 4, graph: tokens(
    `r = Reshape (a, s5)  t = Transpose <perm = [3,0,2,1,4]> (r)  q = Gather <axis = 0> (t, i0)  k = Gather <axis = 0> (t, i1)  v = Gather <axis = 0> (t, i2)  kt = Transpose <perm = [0,1,3,2]> (k)  ${attention}`,
    'first[12,24] last[8,5]', 'int64[5] s5 = {0,0,4,3,2}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {-1}, int64[3] merged = {0,0,8}') },
  { name: 'queries, keys and values split in each head', opset: 18, free: 4, graph: tokens(
    `r = Reshape (a, s4)  t = Transpose <perm = [0,2,1,3]> (r)  q, k, v = Split <axis = 3> (t, parts)  kt = Transpose <perm = [0,1,3,2]> (k)  ${attention}`,
    'first[12,24] last[8,5]', 'int64[4] s4 = {0,0,4,6}, int64[3] parts = {2,2,2}, int64[3] merged = {0,0,-1}') },
  { name: 'keys and values repeated for groups of queries', opset: 18, free: 2, graph: tokens(
    `k1 = MatMul (x, wk)  v1 = MatMul (x, wv)  q4 = Reshape (a, s4)  q = Transpose <perm = [0,2,1,3]> (q4)  k4 = Reshape (k1, g5)  ke = Expand (k4, e5)  kr = Reshape (ke, s4)  kt = Transpose <perm = [0,2,3,1]> (kr)
    v4 = Reshape (v1, g5)  ve = Expand (v4, e5)  vr = Reshape (ve, s4)  v = Transpose <perm = [0,2,1,3]> (vr)  ${attention}`,
    'first[12,12] wk[12,6] wv[12,6] last[12,5]', 'int64[4] s4 = {0,0,4,3}, int64[5] g5 = {0,0,2,1,3}, int64[5] e5 = {1,1,1,2,1}, int64[3] merged = {0,0,12}') },
  { name: 'positions turned by halves of heads', opset: 18, free: 4, graph: tokens(
    'k1 = MatMul (x, wk)  v1 = MatMul (x, wv)  q4 = Reshape (a, s4)  qt = Transpose <perm = [0,2,1,3]> (q4)  h1 = Slice (qt, zero, two, three)  h2 = Slice (qt, two, four, three)  n2 = Neg (h2)  rot = Concat <axis = 3> (n2, h1)  c1 = Mul (qt, cos)  c2 = Mul (rot, sin)  q = Add (c1, c2) '
    + `k4 = Reshape (k1, s4)  kt = Transpose <perm = [0,2,3,1]> (k4)  v4 = Reshape (v1, s4)  v = Transpose <perm = [0,2,1,3]> (v4)  ${attention}`,
    'first[12,16] wk[12,16] wv[12,16] cos[6,4] sin[6,4] last[16,5]', 'int64[4] s4 = {0,0,4,4}, int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}, int64[1] three = {3}, int64[3] merged = {0,0,16}') },
  { name: 'heads by computed shapes', opset: 18, free: 4, graph: tokens(
    `h = Shape (a)  n = Gather (h, i0)  l = Gather (h, i1)  n1 = Unsqueeze (n, zero)  l1 = Unsqueeze (l, zero)  s4 = Concat <axis = 0> (n1, l1, four, two)  merged = Concat <axis = 0> (n1, l1, eight)
    k1 = MatMul (x, wk)  v1 = MatMul (x, wv)  q4 = Reshape (a, s4)  q = Transpose <perm = [0,2,1,3]> (q4)  k4 = Reshape (k1, s4)  kt = Transpose <perm = [0,2,3,1]> (k4)  v4 = Reshape (v1, s4)  v = Transpose <perm = [0,2,1,3]> (v4)  ${attention}`,
    'first[12,8] wk[12,8] wv[12,8] last[8,5]', 'int64 i0 = {0}, int64 i1 = {1}, int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}, int64[1] eight = {8}') },
  { name: 'a token of its own before all others', opset: 18, free: 8, graph: tokens(
    'h = Shape (x)  n = Gather (h, zero)  s = Concat <axis = 0> (n, one, eight)  e = Expand (cls, s)  c = Concat <axis = 1> (e, a)  p = Add (c, positions)  f = Gather <axis = 1> (p, first0)  m = Relu (f)',
    'first[12,8] cls[1,1,8] positions[1,7,8] last[8,5]', 'int64[1] zero = {0}, int64[1] one = {1}, int64[1] eight = {8}, int64 first0 = {0}') },
  { name: 'places folded into channels by slices', opset: 13, free: 8, graph: image(
    'p = Slice (a, o00, end, sp, step)  q = Slice (a, o10, end, sp, step)  m = Concat <axis = 1> (p, q)', 'last[2,16,1,1]', 'int64[2] o00 = {0,0}, int64[2] o10 = {1,0}, int64[2] end = {9223372036854775807, 9223372036854775807}, int64[2] sp = {2,3}, int64[2] step = {2,2}') },
  { name: 'a shortcut padded with zeros', opset: 13, free: 12, graph: image(
    'c = Conv <pads = [1,1,1,1]> (a, u)  p = Pad (a, pads)  s = Add (c, p)  m = Relu (s)', 'u[12,8,3,3] last[2,12,1,1]', 'int64[8] pads = {0,2,0,0, 0,2,0,0}') },
  { name: 'halves swapped by slices', opset: 13, free: 8, graph: image(
    'p = Slice (a, zero, three, one)  q = Slice (a, three, end, one)  m = Concat <axis = 1> (q, p)', 'last[2,8,1,1]', 'int64[1] zero = {0}, int64[1] three = {3}, int64[1] end = {2147483647}, int64[1] one = {1}') },
  { name: 'places to channels by reshapes', opset: 13, free: 8, graph: image(
    'r = Reshape (a, s6)  t = Transpose <perm = [0,1,3,5,2,4]> (r)  m = Reshape (t, s4)', 'last[2,32,1,1]', 'int64[6] s6 = {0,8,4,2,4,2}, int64[4] s4 = {0,32,4,4}') },
  { name: 'channels to places by reshapes', opset: 13, free: 2, graph: image(
    'r = Reshape (a, s6)  t = Transpose <perm = [0,1,4,2,5,3]> (r)  m = Reshape (t, s4)', 'last[2,2,1,1]', 'int64[6] s6 = {0,2,2,2,8,8}, int64[4] s4 = {0,2,16,16}') },
  { name: 'resized to the size of another', opset: 13, free: 16, graph: image(
    'd = Conv <strides = [2,2]> (a, u)  h = Shape (d)  n = Slice (h, zero, two)  g = Shape (a)  w = Slice (g, two, four)  s = Concat <axis = 0> (n, w)  e = Resize <mode = "nearest"> (d, , , s)  m = Concat <axis = 1> (a, e)', 'u[8,8,2,2] last[2,16,1,1]', 'int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}') },
  { name: 'expanded to the shape of another', opset: 13, free: 8, graph: image(
    'g = GlobalAveragePool (a)  c = Conv (g, u)  h = Shape (a)  e = Expand (c, h)  m = Mul (a, e)', 'u[8,8,1,1] last[2,8,1,1]') },
  { name: 'a constant of a computed shape beside', opset: 13, free: 8, graph: image(
    'h = Shape (a)  z = ConstantOfShape <value = float[1] {0.5}> (h)  s = Add (a, z)  m = Relu (s)', 'last[2,8,1,1]') },
  { name: 'a scale made of a constant of a shape', opset: 13, free: 8, graph: image(
    'z = ConstantOfShape <value = float[1] {0.5}> (sh)  m = Mul (a, z)', 'last[2,8,1,1]', 'int64[3] sh = {8,1,1}') },
  { name: 'a scale by the number of channels', opset: 15, free: 0, held: /has a length that is computed with/, graph: image(
    'h = Shape <start = 1, end = 2> (a)  f = Cast <to = 1> (h)  r = Sqrt (f)  m = Div (a, r)', 'last[2,8,1,1]') },
  { name: 'words from a table', opset: 18, free: 8, graph: `(int64[N,5] x) => (float y) <${weights('table[9,8] last[8,3]')}> { e = Gather (table, x)  r = Tanh (e)  y = MatMul (r, last) }` },
  { name: 'channels tiled', opset: 13, free: 8, graph: image('m = Tile (a, r)', 'last[2,16,1,1]', 'int64[4] r = {1,2,1,1}') },
  { name: 'an axis squeezed that is longer than 1 at first', opset: 13, free: 10, graph: image('c = Conv (a, u)  p = GlobalAveragePool (c)  q = Squeeze (p)  s = Unsqueeze (q, back)  m = Mul (c, s)', 'u[2,8,1,1] last[2,2,1,1]', 'int64[2] back = {2,3}') },
  { name: 'two units of a shuffle net', opset: 13, free: 16, graph: image(
    'p, q = Split <axis = 1> (a)  c = Conv (q, u)  d = Concat <axis = 1> (p, c)  r = Reshape (d, s5)  t = Transpose <perm = [0,2,1,3,4]> (r)  e = Reshape (t, s4)  p2, q2 = Split <axis = 1> (e)  c2 = Conv (q2, u2)  d2 = Concat <axis = 1> (p2, c2)  r2 = Reshape (d2, s5)  t2 = Transpose <perm = [0,2,1,3,4]> (r2)  m = Reshape (t2, s4)',
    'u[4,4,1,1] u2[4,4,1,1] last[2,8,1,1]', 'int64[5] s5 = {0,2,4,8,8}, int64[4] s4 = {0,8,8,8}') },
  { name: 'every second channel, split again', opset: 13, free: 8, graph: image(
    's = Slice (a, one, end, one, two)  p, q = Split <axis = 1> (s)  t = Concat <axis = 1> (q, p)  m = Concat <axis = 1> (t, a)', 'last[2,12,1,1]', 'int64[1] one = {1}, int64[1] end = {8}, int64[1] two = {2}') },
  { name: 'features of heads', opset: 18, free: 2, heads: 'features', graph: tokens(
    `r = Reshape (a, s5)  t = Transpose <perm = [2,0,3,1,4]> (r)  q = Gather <axis = 0> (t, i0)  k = Gather <axis = 0> (t, i1)  v = Gather <axis = 0> (t, i2)  kt = Transpose <perm = [0,1,3,2]> (k)  ${attention}`,
    'first[12,24] last[8,5]', 'int64[5] s5 = {0,0,3,4,2}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}, int64[3] merged = {0,0,8}') },
];

describe('channels that are moved, held against oracles', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  wholeAll(models, () => runtime);
});
