/** A structure that pruning must understand: the text of a graph, and how many channels of it can be removed. */
export interface StructureCase {
  /** Number in the acceptance list of the reference, and what it is. */
  readonly title: string;
  readonly text: string;
  /** Channels that can be removed; the others are pinned. */
  readonly free: number;
  /** Opsets at which the text is valid; 18 if absent. */
  readonly opsets?: readonly number[];
  /** Part of the reason why channels stay, where some do. */
  readonly held?: RegExp;
  /** Removal has no equal with silent readers: reductions without weights stand between. Only the order of channels is tested. */
  readonly inexact?: true;
  readonly heads?: 'features';
}

let counter = 100;
const random = (): string => `"random ${++counter}"`;

/** Constants: `name[dims]` in a row, floats. */
const weights = (list: string): string => list.trim().split(/\s+/).filter((each) => each !== '').map((each) => {
  const [, name, dims] = /^(\w+)(\[.*\])?$/.exec(each)!;
  return `float${dims ?? ''} ${name!} = ${random()}`;
}).join(', ');

/** An image [N,3,8,8], a convolution to 8 channels `a`, something, and a convolution of `m` (of `channels` channels) to the output. */
const image = (middle: string, list = '', { channels = 8, more = '', last = 'y = Conv (m, last)' } = {}): string =>
  `(float[N,3,8,8] x) => (float y) <${[weights(`first[8,3,3,3] bias[8] last[2,${channels},1,1] ${list}`), more].filter((each) => each !== '').join(', ')}> { a = Conv <pads = [1,1,1,1]> (x, first, bias)  ${middle}  ${last} }`;

/** Tokens [N,6,12], a product to 8 features `a`, something, and a product of `m` to the output. */
const tokens = (middle: string, list = '', { features = 8, more = '', last = 'y = MatMul (m, last)' } = {}): string =>
  `(float[N,6,12] x) => (float y) <${[weights(`first[12,8] last[${features},5] ${list}`), more].filter((each) => each !== '').join(', ')}> { a = MatMul (x, first)  ${middle}  ${last} }`;

const flattened = (list: string, middle: string, more = ''): string =>
  `(float[N,3,8,8] x) => (float y) <${[weights(`first[8,3,3,3] bias[8] ${list}`), more].filter((each) => each !== '').join(', ')}> { a = Conv <pads = [1,1,1,1]> (x, first, bias)  ${middle} }`;

const activations = ['Relu (a)', 'Sigmoid (a)', 'HardSigmoid (a)', 'Softplus (a)', 'Exp (a)', 'LeakyRelu (a)', 'Tanh (a)', 'Elu (a)'];

export const structureCases: readonly StructureCase[] = [
  ...activations.map((activation): StructureCase => ({
    title: `A01 conv, batch norm, ${activation}`, free: 8, opsets: [9, 14, 15, 18],
    text: image(`n = BatchNormalization (a, s, o, mean, v)  m = ${activation.replace('(a)', '(n)')}`, 's[8] o[8] mean[8]', { more: 'float[8] v = {1, 2, 0.5, 1, 1, 3, 1, 0.25}' }),
  })),
  { title: 'A01 SiLU', text: image('g = Sigmoid (a)  m = Mul (a, g)'), free: 8 },
  { title: 'A02 ones padded around', text: image('r = Relu (a)  m = Pad (r, pads, one)', '', { more: 'int64[8] pads = {0,0,1,1, 0,0,1,1}, float one = {1.0}' }), free: 8, opsets: [11, 13, 18] },
  { title: 'A07 a chain of residual blocks with a projection', free: 24, text: image('c = Conv <pads = [1,1,1,1]> (a, u1)  s = Add (a, c)  d = Conv <strides = [2,2], pads = [1,1,1,1]> (s, u2)  p = Conv <strides = [2,2]> (s, u3)  t = Add (d, p)  e = Conv <pads = [1,1,1,1]> (t, u4)  m = Add (e, t)', 'u1[8,8,3,3] u2[16,8,3,3] u3[16,8,1,1] u4[16,16,3,3]', { channels: 16 }) },
  { title: 'A08 a constant for each channel added', text: image('m = Add (a, c)', 'c[1,8,1,1]'), free: 8 },
  { title: 'A08 a constant along the last axis', text: tokens('m = Mul (a, c)', 'c[8]'), free: 8 },
  { title: 'A08 a constant over channels and places', text: image('m = Add (a, c)', 'c[8,8,8]'), free: 8 },
  { title: 'A09 a mask of one channel', text: image('m = Mul (a, mask)').replace('=> (float y)', '=> (float y)').replace('(float[N,3,8,8] x)', '(float[N,3,8,8] x, float[N,1,8,8] mask)'), free: 8 },
  { title: 'A09 a mask of all channels from outside', text: image('m = Mul (a, mask)').replace('(float[N,3,8,8] x)', '(float[N,3,8,8] x, float[N,8,8,8] mask)'), free: 0, held: /combined with something that cannot shrink/ },
  { title: 'A10 squeeze and excitation', free: 12, text: image('g = GlobalAveragePool (a)  h = Conv (g, u1, b1)  r = Relu (h)  e = Conv (r, u2, b2)  k = Sigmoid (e)  m = Mul (a, k)', 'u1[4,8,1,1] b1[4] u2[8,4,1,1] b2[8]') },
  { title: 'A10 attention over channels by a convolution along them', free: 0, held: /window/, text: image('g = GlobalAveragePool (a)  t = Reshape (g, flat)  c = Conv <pads = [1,1]> (t, u)  b = Reshape (c, back)  k = Sigmoid (b)  m = Mul (a, k)', 'u[1,1,3]', { more: 'int64[3] flat = {-1,1,8}, int64[4] back = {-1,8,1,1}' }) },
  { title: 'A11 weighted sums', free: 8, text: image('c = Conv (a, u)  p = Mul (a, f)  q = Mul (c, f2)  m = Add (p, q)', 'u[8,8,1,1]', { more: 'float f = {0.3}, float[1] f2 = {0.7}' }) },
  { title: 'A12 a tensor beside itself', text: image('m = Concat <axis = 1> (a, a)', '', { channels: 16 }), free: 8, opsets: [7, 11, 13, 18] },
  { title: 'A12 beside itself, and added', text: image('c = Concat <axis = 1> (a, a)  d = Conv (c, u)  s = Add (d, c)  m = Relu (s)', 'u[16,16,1,1]', { channels: 16 }), free: 8 },
  { title: 'A13 sums of concatenations, aligned', free: 16, text: image('c = Conv (a, u)  d = Conv (a, u2)  e = Concat <axis = 1> (a, c)  f = Concat <axis = 1> (d, c)  m = Add (e, f)', 'u[8,8,1,1] u2[8,8,1,1]', { channels: 16 }) },
  { title: 'A13 sums of concatenations, not aligned', free: 12, text: image('c = Conv (a, u)  d = Conv (a, u2)  e = Concat <axis = 1> (c, a)  f = Concat <axis = 1> (d, k)  k = Conv (a, u3)  m = Add (e, f)'.replace('f = Concat <axis = 1> (d, k)  k = Conv (a, u3)', 'k = Conv (a, u3)  f = Concat <axis = 1> (d, k)'), 'u[4,8,1,1] u2[6,8,1,1] u3[6,8,1,1]', { channels: 12 }).replaceAll('unused', '') },
  { title: 'A14 dense connections', free: 20, text: image('c = Conv (a, u)  e = Concat <axis = 1> (a, c)  d = Conv (e, u2)  m = Concat <axis = 1> (e, d)', 'u[6,8,1,1] u2[6,14,1,1]', { channels: 20 }) },
  { title: 'A15 halves swapped', free: 8, text: image('p, q = Split <axis = 1> (a, parts)  m = Concat <axis = 1> (q, p)', '', { more: 'int64[2] parts = {3, 5}' }), opsets: [13, 18] },
  { title: 'A16 unequal parts, two of which are tied', free: 5, text: image('p, q, r = Split <axis = 1> (a, parts)  s = Add (p, r)  m = Concat <axis = 1> (s, q)', '', { channels: 5, more: 'int64[3] parts = {3, 2, 3}' }), opsets: [13, 18] },
  { title: 'A16 as many outputs as there are, the last one shorter', free: 8, text: image('p, q, r = Split <axis = 1, num_outputs = 3> (a)  m = Concat <axis = 1> (r, p, q)') },
  { title: 'A16 sizes as an attribute', free: 8, opsets: [7, 11], text: image('p, q = Split <axis = 1, split = [3, 5]> (a)  m = Concat <axis = 1> (q, p)') },
  { title: 'A17 halves, one of which goes on, both are read', free: 12, text: image('p, q = Split <axis = 1> (a, parts)  c = Conv <pads = [1,1,1,1]> (q, u)  m = Concat <axis = 1> (p, q, c)', 'u[4,4,3,3]', { channels: 12, more: 'int64[2] parts = {4, 4}' }) },
  { title: 'A18 the first channels', free: 8, text: image('m = Slice (a, from, to, axis)', '', { channels: 5, more: 'int64[1] from = {0}, int64[1] to = {5}, int64[1] axis = {1}' }), opsets: [10, 11, 13] },
  { title: 'A18 every second channel', free: 8, text: image('m = Slice (a, from, to, axis, step)', '', { channels: 4, more: 'int64[1] from = {0}, int64[1] to = {9223372036854775807}, int64[1] axis = {1}, int64[1] step = {2}' }) },
  { title: 'A18 channels in the other direction', free: 8, text: image('m = Slice (a, from, to, axis, step)', '', { more: 'int64[1] from = {-1}, int64[1] to = {-9223372036854775807}, int64[1] axis = {1}, int64[1] step = {-1}' }) },
  { title: 'A18 attributes', free: 8, opsets: [7, 9], text: image('m = Slice <axes = [1], starts = [2], ends = [7]> (a)', '', { channels: 5 }) },
  { title: 'A19 channels in an order of their own', free: 8, text: image('m = Gather <axis = 1> (a, order)', '', { more: 'int64[8] order = {3,1,0,2,7,6,5,4}' }) },
  { title: 'A19 channels repeated', free: 8, text: image('m = Gather <axis = 1> (a, order)', '', { channels: 10, more: 'int64[10] order = {3,1,0,2,7,6,5,4,0,0}' }) },
  { title: 'A20 flattened with places', free: 8, opsets: [9, 11, 13], text: flattened('last[512,5] c[5]', 'r = Relu (a)  f = Flatten (r)  y = Gemm (f, last, c)') },
  { title: 'A20 flattened with places, weights turned', free: 8, text: flattened('last[5,512] c[5]', 'r = Relu (a)  f = Flatten (r)  y = Gemm <transB = 1> (f, last, c)') },
  { title: 'A21 flattened with the channels last', free: 8, text: flattened('last[512,5] c[5]', 't = Transpose <perm = [0,2,3,1]> (a)  f = Flatten (t)  y = Gemm (f, last, c)') },
  { title: 'A22 features unfolded to an image', free: 4 + 3, text: `(float[N,6] x) => (float y) <${weights('w[6,64] b[64] u[4,3,2,2] last[2,3,1,1]')}, int64[4] s = {-1,4,4,4}> { a = Gemm (x, w, b)  r = Relu (a)  i = Reshape (r, s)  c = ConvTranspose <strides = [2,2]> (i, u)  y = Conv (c, last) }` },
  ...[['{1,512}', '1'], ['{0,512}', 'N'], ['{-1,512}', 'N'], ['{0,-1}', 'N']].map(([shape, batch]): StructureCase => ({
    title: `A23 reshaped to ${shape!}`, free: 8, opsets: [7, 13, 14], text: flattened('last[512,5] c[5]', 'f = Reshape (a, s)  y = Gemm (f, last, c)', `int64[2] s = ${shape!}`).replace('[N,3', `[${batch!},3`),
  })),
  { title: 'A23 reshaped to a computed shape', free: 8, text: flattened('last[512,5] c[5]', 'h = Shape (a)  n = Gather <axis = 0> (h, zero)  k = Concat <axis = 0> (n, rest)  f = Reshape (a, k)  y = Gemm (f, last, c)', 'int64[1] zero = {0}, int64[1] rest = {512}') },
  { title: 'A25 regrouped without a common divisor', free: 3, text: tokens('p = Reshape (a, s1)  q = Reshape (p, s2)  t = Transpose <perm = [0,1,3,2]> (q)  m = Reshape (t, s3)', '', { more: 'int64[4] s1 = {0,0,2,3}, int64[4] s2 = {0,0,3,2}, int64[3] s3 = {0,0,6}', features: 6 }).replace('float[12,8] first', 'float[12,6] first') },
  { title: 'A26 a shuffle of channels', free: 8, text: image('p = Reshape (a, s1)  t = Transpose <perm = [0,2,1,3,4]> (p)  m = Reshape (t, s2)', '', { more: 'int64[5] s1 = {0,2,4,8,8}, int64[4] s2 = {0,8,8,8}' }) },
  { title: 'A27 channels to places, columns and rows last', free: 2, opsets: [11, 13], text: image('d = DepthToSpace <blocksize = 2, mode = "CRD"> (a)  m = Relu (d)', '', { channels: 2 }) },
  { title: 'A27 channels to places, depth last', free: 2, opsets: [7, 11, 13], text: image('d = DepthToSpace <blocksize = 2> (a)  m = Relu (d)', '', { channels: 2 }) },
  { title: 'A27 places to channels', free: 8, text: image('d = SpaceToDepth <blocksize = 2> (a)  m = Relu (d)', '', { channels: 32 }) },
  { title: 'A29 depthwise', free: 8, text: image('m = Conv <group = 8, pads = [1,1,1,1]> (a, u, b)', 'u[8,1,3,3] b[8]') },
  { title: 'A29 depthwise with two outputs each', free: 8, text: image('m = Conv <group = 8> (a, u)', 'u[16,1,3,3]', { channels: 16 }) },
  { title: 'A29 one channel', free: 8, text: image('c = Conv (a, u)  m = Sigmoid (c)', 'u[1,8,1,1]', { channels: 1 }) },
  { title: 'A30 groups', free: 4, text: image('m = Conv <group = 4, pads = [1,1,1,1]> (a, u)', 'u[8,2,3,3]') },
  { title: 'A30 groups of other sizes behind groups', free: 2, text: image('c = Conv <group = 4, pads = [1,1,1,1]> (a, u)  m = Conv <group = 2> (c, u2)', 'u[8,2,3,3] u2[6,4,1,1]', { channels: 6 }) },
  { title: 'A31 groups, transposed', free: 4, text: image('m = ConvTranspose <group = 4, strides = [2,2], output_padding = [1,1]> (a, u, b)', 'u[8,3,3,3] b[12]', { channels: 12 }) },
  { title: 'A32 one axis', free: 6, text: `(float[N,3,20] x) => (float y) <${weights('w[6,3,3] last[2,6,3]')}> { a = Conv (x, w)  r = Relu (a)  y = Conv (r, last) }` },
  { title: 'A32 three axes', free: 6, text: `(float[N,3,6,6,6] x) => (float y) <${weights('w[6,3,3,3,3] last[2,6,1,1,1]')}> { a = Conv (x, w)  r = Relu (a)  y = Conv (r, last) }` },
  { title: 'A34 group normalization with a scale for each channel', free: 4, opsets: [21], text: image('m = GroupNormalization <num_groups = 4> (a, s, o)', 's[8] o[8]') },
  { title: 'A34 group normalization with a scale for each group', free: 4, opsets: [18, 20], text: image('m = GroupNormalization <num_groups = 4> (a, s, o)', 's[4] o[4]') },
  { title: 'A34 group normalization as older exporters write it', free: 4, text: image('p = Reshape (a, s1)  n = InstanceNormalization (p, s, o)  q = Reshape (n, s2)  k = Mul (q, g)  m = Add (k, b)', 's[4] o[4] g[8,1,1] b[8,1,1]', { more: 'int64[3] s1 = {0,4,-1}, int64[4] s2 = {0,8,8,8}' }) },
  { title: 'A35 instance normalization', free: 8, text: image('m = InstanceNormalization (a, s, o)', 's[8] o[8]') },
  { title: 'A35 layer normalization', free: 8, inexact: true, opsets: [17, 18], text: tokens('m = LayerNormalization (a, s, o)', 's[8] o[8]') },
  { title: 'A35 layer normalization on a residual stream', free: 8 + 10, inexact: true, text: tokens('n = LayerNormalization (a, s, o)  h = MatMul (n, u)  g = Erf (h)  k = MatMul (g, u2)  m = Add (a, k)', 's[8] o[8] u[8,10] u2[10,8]') },
  { title: 'A35 layer normalization in pieces', free: 8, inexact: true, text: tokens('e = ReduceMean <axes = [-1]> (a)  d = Sub (a, e)  p = Pow (d, two)  q = ReduceMean <axes = [-1]> (p)  z = Add (q, tiny)  r = Sqrt (z)  n = Div (d, r)  k = Mul (n, s)  m = Add (k, o)', 's[8] o[8]', { more: 'float two = {2.0}, float tiny = {0.00001}' }), opsets: [13] },
  { title: 'A36 softmax over all axes from the channels on', free: 0, opsets: [11], held: /./, text: image('m = Softmax <axis = 1> (a)') },
  { title: 'A37 normalization over neighbouring channels', free: 0, held: /./, text: image('m = LRN <size = 3> (a)') },
  { title: 'A38 a mean over places', free: 8, opsets: [13], text: flattened('last[8,5] c[5]', 'p = ReduceMean <axes = [2,3], keepdims = 0> (a)  y = Gemm (p, last, c)') },
  {
    title: 'A39 attention, queries, keys and values apart', free: 4,
    text: tokens('k = MatMul (x, wk)  v = MatMul (x, wv)  q4 = Reshape (a, s)  k4 = Reshape (k, s)  v4 = Reshape (v, s)  qt = Transpose <perm = [0,2,1,3]> (q4)  kt = Transpose <perm = [0,2,3,1]> (k4)  vt = Transpose <perm = [0,2,1,3]> (v4)  e = MatMul (qt, kt)  f = Mul (e, half)  p = Softmax <axis = -1> (f)  z = MatMul (p, vt)  zt = Transpose <perm = [0,2,1,3]> (z)  m = Reshape (zt, back)', 'wk[12,8] wv[12,8]', { more: 'int64[4] s = {0,0,4,2}, int64[3] back = {0,0,8}, float half = {0.7}' }),
  },
  {
    title: 'A39 attention, features of heads', free: 2 + 2, heads: 'features',
    text: tokens('k = MatMul (x, wk)  v = MatMul (x, wv)  q4 = Reshape (a, s)  k4 = Reshape (k, s)  v4 = Reshape (v, s)  qt = Transpose <perm = [0,2,1,3]> (q4)  kt = Transpose <perm = [0,2,3,1]> (k4)  vt = Transpose <perm = [0,2,1,3]> (v4)  e = MatMul (qt, kt)  f = Mul (e, half)  p = Softmax <axis = -1> (f)  z = MatMul (p, vt)  zt = Transpose <perm = [0,2,1,3]> (z)  m = Reshape (zt, back)', 'wk[12,8] wv[12,8]', { more: 'int64[4] s = {0,0,4,2}, int64[3] back = {0,0,8}, float half = {0.7}' }),
  },
  {
    title: 'A39 attention, packed', free: 4,
    text: tokens('b = MatMul (x, w)  r = Reshape (b, s)  t = Transpose <perm = [2,0,3,1,4]> (r)  q = Gather <axis = 0> (t, i0)  k = Gather <axis = 0> (t, i1)  v = Gather <axis = 0> (t, i2)  kt = Transpose <perm = [0,1,3,2]> (k)  e = MatMul (q, kt)  p = Softmax <axis = -1> (e)  z = MatMul (p, v)  zt = Transpose <perm = [0,2,1,3]> (z)  m = Reshape (zt, back)', 'w[12,24]', { more: 'int64[5] s = {0,0,3,4,2}, int64[3] back = {0,0,8}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}' }).replace('a = MatMul (x, first)  ', '').replace(/float\[12,8\] first = "random \d+", /, ''),
  },
  { title: 'A44 a gated product', free: 8, text: tokens('g = MatMul (x, w)  s = Sigmoid (g)  h = Mul (g, s)  m = Mul (a, h)', 'w[12,8]') },
  { title: 'A44 a gated product from one matrix', free: 4, text: tokens('g, u = Split <axis = 2> (a, parts)  s = Sigmoid (g)  h = Mul (g, s)  m = Mul (h, u)', '', { features: 4, more: 'int64[2] parts = {4,4}' }) },
  { title: 'A45 a scale of the layer', free: 8, text: image('c = Conv (a, u)  k = Mul (c, s)  m = Add (a, k)', 'u[8,8,1,1] s[8,1,1]') },
  ...['LSTM', 'GRU', 'RNN'].map((op): StructureCase => {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op]!;
    return {
      title: `A46 ${op}, both directions`, free: 5, opsets: [7, 14],
      text: `(float[7,N,3] x) => (float y) <${weights(`w[2,${5 * gates},3] r[2,${5 * gates},5] b[2,${10 * gates}] last[10,4]`)}, int64[3] s = {0,0,-1}> { h = ${op} <hidden_size = 5, direction = "bidirectional"> (x, w, r, b)  t = Transpose <perm = [0,2,1,3]> (h)  f = Reshape (t, s)  y = MatMul (f, last) }`,
    };
  }),
  { title: 'A47 weights that two convolutions share', free: 8, text: image('c = Conv <pads = [1,1,1,1]> (x, first, bias)  m = Add (a, c)') },
  { title: 'A48 an output that is read inside as well', free: 0, held: /output 'r'/, text: image('r = Relu (a)  m = Abs (r)').replace('=> (float y)', '=> (float y, float r)') },
  { title: 'A49 something that nobody reads', free: 8, text: image('m = Relu (a)  unused = Abs (a)') },
  { title: 'A51 resized by scales', free: 8, opsets: [13, 18], text: image('m = Resize <mode = "nearest"> (a, , scales)', '', { more: 'float[4] scales = {1, 1, 2, 2}' }) },
  { title: 'A51 resized to sizes', free: 8, opsets: [13, 18], text: image('m = Resize <mode = "nearest"> (a, , , sizes)', '', { more: 'int64[4] sizes = {1, 8, 16, 16}' }).replace('[N,3', '[1,3') },
  { title: 'A51 the older way', free: 8, opsets: [9], text: image('m = Upsample <mode = "nearest"> (a, scales)', '', { more: 'float[4] scales = {1, 1, 2, 2}' }) },
  { title: 'A57 an operator that nobody knows', free: 0, held: /NonMaxSuppression|Unique|cannot be followed|./, text: image('t = TopK <axis = 1> (a, k)'.replace('t =', 'm, i ='), '', { more: 'int64[1] k = {8}' }) },
  { title: 'a pool', free: 8, text: image('p = MaxPool <kernel_shape = [2,2]> (a)  m = AveragePool <kernel_shape = [2,2]> (p)') },
  { title: 'a slope for each channel', free: 8, text: image('m = PRelu (a, s)', 's[8,1,1]') },
];
