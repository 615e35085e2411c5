import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';
import { wholeAll, type Whole } from './whole.ts';

const image = 'float[N,3,4,4] x, bool c';
const first = 'float[8,3,1,1] w = "random 1"';
const last = 'float[2,8,1,1] v = "random 2"';

const branches: readonly Whole[] = [
  { name: 'If: branches read what is around', opset: 18, free: 8,
    graph: `(${image}) => (float y) <${first}, ${last}> { a = Conv (x, w) m = If (c) <then_branch = t () => (p) { p = Relu (a) }, else_branch = e () => (q) { q = Sigmoid (a) }> y = Conv (m, v) }` },
  { name: 'If: branches with weights', opset: 16, free: 16,
    graph: `(${image}) => (float y) <${first}, ${last}, float[8,8,1,1] u = "random 3"> { a = Conv (x, w) m = If (c) <then_branch = t () => (p) { p = Conv (a, u) }, else_branch = e () => (q) <float[8,8,3,3] k = "random 4"> { q = Conv <pads = [1,1,1,1]> (a, k) }> y = Conv (m, v) }` },
  { name: 'If: one branch gives a constant', opset: 18, free: 8,
    graph: `(${image}) => (float y) <${first}, ${last}> { a = Conv (x, w) g = GlobalMaxPool (a) m = If (c) <then_branch = t () => (p) { p = Sigmoid (g) }, else_branch = e () => (q) <float[1,8,1,1] k = "random 4", float[N,8,1,1] z> { b = Mul (g, k) q = Add (b, k) }> n = Mul (a, m) y = Conv (n, v) }`.replace(', float[N,8,1,1] z', '') },
  { name: 'If: a branch in a branch', opset: 21, free: 8,
    graph: `(${image}) => (float y) <${first}, ${last}> { a = Conv (x, w) m = If (c) <then_branch = t () => (p) { r = Relu (a) p = If (c) <then_branch = tt () => (pp) { pp = Neg (r) }, else_branch = ee () => (qq) { qq = Exp (a) }> }, else_branch = e () => (q) { q = Sigmoid (a) }> y = Conv (m, v) }` },
  { name: 'If: two outputs', opset: 18, free: 16,
    graph: `(${image}) => (float y, float z) <${first}, ${last}, float[8,3,1,1] u = "random 3"> { a = Conv (x, w) b = Conv (x, u) m, n = If (c) <then_branch = t () => (p, q) { p = Relu (a) q = Neg (b) }, else_branch = e () => (r, s) { r = Tanh (a) s = Identity (b) }> y = Conv (m, v) z = Conv (n, v2) }`.replace(last, `${last}, float[2,8,1,1] v2 = "random 9"`) },
  { name: 'If: one branch does not shrink', opset: 18, free: 0, held: /is the same thing as something that cannot shrink|is combined with something that cannot shrink/,
    graph: `(${image}, float[N,8,4,4] o) => (float y) <${first}, ${last}> { a = Conv (x, w) m = If (c) <then_branch = t () => (p) { p = Relu (a) }, else_branch = e () => (q) { q = Sigmoid (o) }> y = Conv (m, v) }` },
  { name: 'If: branches of different lengths', opset: 18, free: 0, held: /is the same thing as something that cannot shrink/,
    graph: `(${image}) => (float y) <${first}, float[6,3,1,1] u = "random 3"> { a = Conv (x, w) y = If (c) <then_branch = t () => (p) { p = Relu (a) }, else_branch = e () => (q) { q = Conv (x, u) }> }` },
];

const loop = 'int64 trips = {3}, bool go = {1}';
const loops: readonly Whole[] = [
  { name: 'Loop: the results of all rounds, of a state', opset: 18, free: 8,
    graph: `(float[N,4] x) => (float y) <float[4,8] w = "random 1", float[8,8] r = "random 2", float[8] b = "random 3", float[8,2] v = "random 4", ${loop}> { a = MatMul (x, w) h, hs = Loop (trips, go, a) <body = l (int64 i, bool c, float[N,8] s) => (bool d, float[N,8] n, float[N,8] o) { d = Identity (c) t = MatMul (s, r) u = Add (t, b) n = Tanh (u) o = Relu (n) }> y = MatMul (hs, v) }` },
  { name: 'Loop: a state that begins as a constant, in a body without shapes', opset: 13, free: 8,
    graph: `(float[2,4] x) => (float y) <float[4,8] w = "random 1", float[8,8] r = "random 2", float[2,8] zero = "random 3", float[8,2] v = "random 4", ${loop}> { a = MatMul (x, w) h, hs = Loop (trips, go, zero) <body = l (i, c, s) => (d, n, o) { d = Identity (c) t = MatMul (s, r) u = Add (t, a) n = Tanh (u) o = Neg (n) }> y = MatMul (hs, v) }` },
  { name: 'Loop: a product of the last state, whose shape inference does not tell', opset: 18, free: 0, held: /is multiplied with something whose shape is not known/,
    graph: `(float[2,4] x) => (float y) <float[4,8] w = "random 1", float[8,8] r = "random 2", float[8,2] v = "random 4", ${loop}> { a = MatMul (x, w) h = Loop (trips, go, a) <body = l (i, c, s) => (d, n) { d = Identity (c) n = MatMul (s, r) }> y = MatMul (h, v) }` },
  { name: 'Loop: a state that comes from outside', opset: 18, free: 0, held: /is (combined|summed over) with something that cannot shrink/,
    graph: `(float[2,8] x) => (float y) <float[8,8] r = "random 2", float[8,2] v = "random 4", ${loop}> { h, hs = Loop (trips, go, x) <body = l (i, c, s) => (d, n, o) { d = Identity (c) n = MatMul (s, r) o = Relu (n) }> y = MatMul (hs, v) }` },
];

const states: readonly Probe[] = [
  { name: 'Loop: two states that change places', opset: 16, parts: { x: [[1]], z: [[1]] }, free: 5,
    graph: `(float[2,5] x, float[2,5] z) => (y, w) <float[5] k = "random 1", ${loop}> { y, w = Loop (trips, go, x, z) <body = l (i, c, s, q) => (d, m, n) { d = Identity (c) m = Sigmoid (q) n = Mul (s, k) }> }` },
  { name: 'Loop: a state and a captured value', opset: 11, parts: { x: [[1]], z: [[1]] }, free: 5,
    graph: `(float[2,5] x, float[2,5] z) => (y, w) <${loop}> { y, w = Loop (trips, go, x) <body = l (i, c, s) => (d, m, o) { d = Identity (c) m = Add (s, z) o = ReduceSum <axes = [0], keepdims = 0> (m) }> }` },
  { name: 'Scan: what goes in piece by piece comes out so', opset: 9, parts: { x: [[2]] }, free: 5,
    graph: '(float[2,3,5] x) => (y) { y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [-1], scan_output_directions = [1], body = l (float[2,5] s) => (float[2,5] o) { o = Exp (s) }> (x) }' },
];

const scans: readonly Whole[] = [
  { name: 'Scan: a recurrent layer', opset: 11, free: 6 + 5,
    graph: `(float[4,2,3] x) => (float y) <float[3,5] f = "random 5", float[5,6] w = "random 1", float[6,6] r = "random 2", float[2,6] zero = "random 3", float[6,2] v = "random 4"> { e = MatMul (x, f) h, hs = Scan <num_scan_inputs = 1, body = l (float[2,6] s, float[2,5] g) => (float[2,6] n, float[2,6] o) { p = MatMul (g, w) q = MatMul (s, r) u = Add (p, q) n = Tanh (u) o = Relu (n) }> (zero, e) y = MatMul (hs, v) }` },
  { name: 'Scan: along another axis, behind itself', opset: 16, free: 6 + 5,
    graph: `(float[2,4,3] x) => (float y) <float[3,5] f = "random 5", float[5,6] w = "random 1", float[6,6] r = "random 2", float[2,6] zero = "random 3", float[6,2] v = "random 4"> { e = MatMul (x, f) h, hs = Scan <num_scan_inputs = 1, scan_input_axes = [-2], scan_output_axes = [1], body = l (float[2,6] s, float[2,5] g) => (float[2,6] n, float[2,6] o) { p = MatMul (g, w) q = MatMul (s, r) u = Add (p, q) n = Tanh (u) o = Relu (n) }> (zero, e) y = MatMul (hs, v) }` },
];

describe('channels at bodies', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  wholeAll([...branches, ...loops, ...scans], () => runtime);
  probeAll(states, () => runtime);

  it('stay where they go in piece by piece, and in a Scan over samples', async () => {
    const along = '(float[2,3,5] x) => (y) { y = Scan <num_scan_inputs = 1, body = l (float[3,5] s) => (float[3,5] o) { o = Exp (s) }> (x) }';
    expect(reasonsOf(await probed({ name: 'along', opset: 11, parts: { x: [[0]] }, free: 0, graph: along }, runtime), 'x')).to.deep.equal(['goes into a body piece by piece']);
    const samples = '(float[2,3,5] x) => (y) { y = Scan <num_scan_inputs = 1, body = l (float[5] s) => (float[5] o) { o = Exp (s) }> (, x) }';
    expect(reasonsOf(await probed({ name: 'samples', opset: 8, parts: { x: [[2]] }, free: 0, graph: samples }, runtime), 'x')).to.deep.equal(['goes through a Scan over samples']);
  });
});
