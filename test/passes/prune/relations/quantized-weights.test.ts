import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { wholeAll, type Whole } from './whole.ts';

const steps = '0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08';

/** Codes, floats and biases that reach their readers through Q and DQ. */
const cases: readonly Whole[] = [
  { name: 'a convolution of codes with an int32 bias', opset: 13, free: 8,
    graph: `(float[N,3,4,4] x) => (float y) <int8[8,3,3,3] w = "random 1", float[8] s = {${steps}}, int8[8] z = {0,0,0,0,0,0,0,0}, int32[8] b = "random 2", int8[2,8,1,1] v = "random 3", float t = {0.1}> { k = DequantizeLinear <axis = 0> (w, s, z) o = DequantizeLinear <axis = 0> (b, s) a = Conv (x, k, o) m = Relu (a) l = DequantizeLinear (v, t) y = Conv (m, l) }` },
  { name: 'a convolution of floats through Q and DQ, and activations with one scale', opset: 19, free: 8,
    graph: `(float[N,3,4,4] x) => (float y) <float[8,3,3,3] w = "random 1", float[8] s = {${steps}}, float[8] b = "random 2", float[2,8,1,1] v = "random 3", float t = {0.02}, int8 zero = {0}> { q = QuantizeLinear <axis = 0> (w, s) k = DequantizeLinear <axis = 0> (q, s) a = Conv (x, k, b) r = Relu (a) qa = QuantizeLinear (r, t, zero) m = DequantizeLinear (qa, t, zero) l = QuantizeLinear (v, t, zero) ll = DequantizeLinear (l, t, zero) y = Conv (m, ll) }` },
  { name: 'a depthwise convolution of codes', opset: 13, free: 8,
    graph: `(float[N,3,4,4] x) => (float y) <float[8,3,1,1] w = "random 1", int8[8,1,3,3] d = "random 4", float[8] s = {${steps}}, float[2,8,1,1] v = "random 3"> { a = Conv (x, w) k = DequantizeLinear <axis = 0> (d, s) m = Conv <group = 8> (a, k) y = Conv (m, v) }` },
  { name: 'a product with columns of codes', opset: 13, free: 8,
    graph: `(float[N,3,4] x) => (float y) <int8[4,8] w = "random 1", float[8] s = {${steps}}, float[8] b = "random 2", int8[8,2] v = "random 3", float[2] t = {0.1, 0.2}> { k = DequantizeLinear <axis = 1> (w, s) a = MatMul (x, k) c = Add (a, b) m = Gelu (c) l = DequantizeLinear <axis = -1> (v, t) y = MatMul (m, l) }`.replace('Gelu', 'Erf') },
  { name: 'Gemm of rows of codes', opset: 13, free: 8,
    graph: `(float[N,4] x) => (float y) <int8[8,4] w = "random 1", float[8] s = {${steps}}, int32[8] b = "random 2", float[2,8] v = "random 3"> { k = DequantizeLinear <axis = 0> (w, s) o = DequantizeLinear <axis = 0> (b, s) a = Gemm <transB = 1> (x, k, o) m = Relu (a) y = Gemm <transB = 1> (m, v) }` },
  { name: 'a product with int4 codes in blocks', opset: 21, free: 2 + 6,
    graph: `(float[N,3,4] x) => (float y) <float[4,8] f = "random 5", int4[8,6] w = "random 1", float[2,6] s = "random 2", float[6,2] v = "random 3"> { e = MatMul (x, f) k = DequantizeLinear <axis = 0, block_size = 4> (w, s) a = MatMul (e, k) m = Tanh (a) y = MatMul (m, v) }` },
];

describe('channels of quantized weights', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  wholeAll(cases, () => runtime);
});
