import { Tensor } from '../../../../ir/tensor.ts';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { moveAll, type Move } from './moves.ts';

const mixes = /depends on the others/;
const whole = /read as a whole/;

const moves: readonly Move[] = [
  { name: 'TopK along places', opset: 10, graph: '(float[2,4,3] x) => (float y, int64 z) <int64[1] k = {2}> { y, z = TopK (x, k) }', parts: { x: [[1], [2]] }, free: 4, held: mixes, opaque: true },
  { name: 'TopK along the channels', opset: 11, graph: '(float[2,4,3] x) => (float y, int64 z) <int64[1] k = {2}> { y, z = TopK <axis = 1> (x, k) }', parts: { x: [[1]] }, free: 0, held: mixes, opaque: true },
  { name: 'CumSum along places', opset: 11, graph: '(float[2,4,3] x) => (float y) <int32 a = {-1}> { y = CumSum (x, a) }', parts: { x: [[1], [2]] }, free: 4, held: mixes, opaque: true },
  { name: 'CumSum along the channels', opset: 14, graph: '(float[2,4,3] x) => (float y) <int64 a = {1}> { y = CumSum (x, a) }', parts: { x: [[1]] }, free: 0, held: mixes, opaque: true },
  { name: 'CumSum along an axis that is computed', opset: 14, graph: '(float[2,4,3] x, int64 a) => (float y) { y = CumSum (x, a) }', parts: { x: [[1]] }, free: 0, held: mixes, opaque: true },
  { name: 'ReverseSequence', opset: 10, graph: '(float[3,2,4] x, int64[2] l) => (float y) { y = ReverseSequence (x, l) }', parts: { x: [[0], [1], [2]] }, free: 4, held: mixes, feeds: new Map([['l', Tensor.of('int64', [2, 3])]]) },
  { name: 'Trilu', opset: 14, graph: '(float[4,3,3] x) => (float y) { y = Trilu (x) }', parts: { x: [[0], [2]] }, free: 4, held: mixes },
  { name: 'Det', opset: 11, graph: '(float[4,3,3] x) => (float y) { y = Det (x) }', parts: { x: [[0], [2]] }, free: 4, held: mixes, opaque: true },
  { name: 'DFT', opset: 17, graph: '(float[2,4,6,1] x) => (float y) { y = DFT <axis = 2> (x) }', parts: { x: [[1], [2]] }, free: 4, held: mixes, opaque: true },
  { name: 'DFT with an axis as an input', opset: 20, graph: '(float[2,4,6,1] x) => (float y) <int64 a = {-2}> { y = DFT (x, , a) }', parts: { x: [[1], [2]] }, free: 4, held: mixes, opaque: true },
  { name: 'STFT', opset: 17, graph: '(float[2,16,1] x) => (float y) <int64 step = {4}, int64 length = {8}> { y = STFT (x, step, , length) }', parts: { x: [[1]] }, free: 0, held: whole, opaque: true },
  { name: 'OneHot', opset: 11, graph: '(int64[2,4] x) => (float y) <int64 d = {3}, float[2] v = {0, 1}> { y = OneHot <axis = 1> (x, d, v) }', parts: { x: [[1]] }, free: 4, opaque: true },
  { name: 'NonZero', opset: 13, graph: '(float[2,4] x) => (int64 y) { y = NonZero (x) }', parts: { x: [[1]] }, free: 0, held: whole, opaque: true },
  { name: 'Unique', opset: 11, graph: '(float[2,4] x) => (float y) { y = Unique <axis = 0> (x) }', parts: { x: [[1]] }, free: 0, held: whole, opaque: true },
  { name: 'NonMaxSuppression', opset: 11, graph: '(float[1,5,4] x, float[1,2,5] s) => (int64 y) { y = NonMaxSuppression (x, s) }', parts: { x: [[1]], s: [[1]] }, free: 0, held: whole, opaque: true },
  { name: 'Multinomial', opset: 7, graph: '(float[2,4] x) => (int32 y) { y = Multinomial (x) }', parts: { x: [[1]] }, free: 0, held: whole, opaque: true },
];

describe('channels at operators that mix along an axis', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  moveAll(moves, () => runtime);
});
