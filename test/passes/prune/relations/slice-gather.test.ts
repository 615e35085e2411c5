import fc from 'fast-check';
import { Tensor } from '../../../../ir/tensor.ts';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { checkPlaces, checkRemoval, moveAll, type Move } from './moves.ts';
import { freeOf, probed } from './probe.ts';

const sliced = (starts: string, ends: string, axes: string, steps = '1', from = '2,8,3'): string => {
  const count = starts.split(',').length;
  return `(float[${from}] x) => (float y, float z) <int64[${count}] s = {${starts}}, int64[${count}] e = {${ends}}, int64[${count}] a = {${axes}}, int64[${count}] p = {${steps}}> { y = Slice (x, s, e, a, p)  z = Relu (x) }`;
};

const moves: readonly Move[] = [
  { name: 'Slice of the first channels', opset: 13, graph: sliced('0', '3', '1'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice of the last channels', opset: 13, graph: sliced('-3', '9223372036854775807', '-2'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice with a step', opset: 11, graph: sliced('1', '8', '1', '3'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice backwards', opset: 13, graph: sliced('-1', '-9223372036854775807', '1', '-1'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice backwards with a step', opset: 13, graph: sliced('6', '0', '1', '-2'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice along two axes', opset: 13, graph: sliced('2,1', '7,5', '1,2', '2,1', '2,8,6'), parts: { x: [[1], [2]] }, free: 14 },
  { name: 'Slice along another axis', opset: 13, graph: sliced('1', '3', '2'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice of all', opset: 13, graph: sliced('0', '8', '1'), parts: { x: [[1]] }, free: 8 },
  { name: 'Slice of all heads', opset: 13, graph: sliced('-8', '100', '1'), parts: { x: [[1, 2]] }, free: 24 },
  { name: 'Slice of features of heads: whole heads go', opset: 13, graph: sliced('0', '2', '2', '1', '2,3,4'), parts: { x: [[1, 2]] }, free: 3 },
  { name: 'Slice of features of heads: features go', opset: 13, graph: sliced('0', '2', '2', '1', '2,3,4'), parts: { x: [[1, 2]] }, heads: 'features', free: 4 },
  { name: 'Slice without axes and steps', opset: 13, graph: '(float[2,8,3] x) => (float y) <int64[2] s = {0, 2}, int64[2] e = {2, 7}> { y = Slice (x, s, e) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Slice with bounds of 32 bits', opset: 11, graph: '(float[2,8,3] x) => (float y) <int32[1] s = {2}, int32[1] e = {2147483647}, int32[1] a = {1}> { y = Slice (x, s, e, a) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Slice by attributes', opset: 9, graph: '(float[2,8,3] x) => (float y) { y = Slice <axes = [1], starts = [2], ends = [9223372036854775807]> (x) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Slice by attributes, two axes', opset: 7, graph: '(float[2,8,3] x) => (float y) { y = Slice <axes = [2, 1], starts = [0, -5], ends = [2, -1]> (x) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Slice at bounds that are computed', opset: 13, graph: '(float[2,8,3] x, int64[1] e) => (float y) <int64[1] s = {0}, int64[1] a = {1}> { y = Slice (x, s, e, a) }', parts: { x: [[1], [2]] }, free: 3, held: /only running the model tells/, feeds: new Map([['e', Tensor.of('int64', [3])]]) },
  { name: 'Slice at bounds some of which are computed', opset: 13, graph: '(float[2,8,3] x, int64[1] e) => (float y) <int64[2] s = {0, 1}, int64[1] k = {5}, int64[2] a = {2, 1}> { b = Concat <axis = 0> (e, k)  y = Slice (x, s, b, a) }', parts: { x: [[1]] }, free: 8, feeds: new Map([['e', Tensor.of('int64', [2])]]) },
  { name: 'Slice up to the length of the axis', opset: 15, parts: { x: [[1]] }, free: 0, held: /only running the model tells|computed with/,
    graph: '(float[2,8,3] x) => (float y) <int64[1] s = {2}, int64[1] a = {1}> { e = Shape <start = 1, end = 2> (x)  y = Slice (x, s, e, a) }' },
  { name: 'Gather of some channels', opset: 13, graph: '(float[2,8,3] x) => (float y, float z) <int64[4] i = {5, -1, 0, 5}> { y = Gather <axis = 1> (x, i)  z = Relu (x) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Gather of one channel', opset: 11, graph: '(float[2,8,3] x) => (float y, float z) <int64 i = {3}> { y = Gather <axis = 1> (x, i)  z = Relu (x) }', parts: { x: [[1], [2]] }, free: 10, held: /picked by itself/ },
  { name: 'Gather of one channel that stays an axis', opset: 11, graph: '(float[2,8,3] x) => (float y, float z) <int64[1] i = {-2}> { y = Gather <axis = 1> (x, i)  z = Relu (x) }', parts: { x: [[1]] }, free: 7, held: /alone on its axis/ },
  { name: 'Gather of channels in rows', opset: 13, graph: '(float[2,8,3] x) => (float y) <int32[2,4] i = {7, 6, 5, 4, 3, 2, 1, 0}> { y = Gather <axis = -2> (x, i) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Gather along another axis', opset: 7, graph: '(float[2,8,3] x) => (float y) <int64[2] i = {2, 0}> { y = Gather <axis = 2> (x, i) }', parts: { x: [[1]] }, free: 8 },
  { name: 'Gather of queries of three', opset: 13, graph: '(float[3,2,4,5] x) => (float y, float z) <int64 q = {0}, int64 v = {2}> { y = Gather <axis = 0> (x, q)  z = Gather <axis = 0> (x, v) }', parts: { x: [[0, 2, 3]] }, free: 20 },
  { name: 'Gather at computed places', opset: 13, graph: '(float[2,8,3] x, int64[2] i) => (float y) { y = Gather <axis = 1> (x, i) }', parts: { x: [[1], [2]] }, free: 3, held: /only running the model tells/ },
  { name: 'Gather at channels of indices', opset: 13, graph: '(float[2,3] x, int64[2,4] i) => (float y) { y = Gather <axis = 0> (x, i) }', parts: { x: [[1]], i: [[1]] }, free: 7 },
  { name: 'Gather from a table', opset: 13, graph: '(int64[2,5] i) => (float y) <float[9,4] w = "random 3"> { y = Gather (w, i) }', parts: { i: [] }, free: 4 },
  { name: 'Compress', opset: 11, graph: '(float[2,6,3] x) => (float y, float z) <bool[5] c = {1, 0, 1, 1, 0}> { y = Compress <axis = 1> (x, c)  z = Relu (x) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Compress of all elements', opset: 11, graph: '(float[2,6] x) => (float y) <bool[5] c = {1, 0, 1, 1, 0}> { y = Compress (x, c) }', parts: { x: [[1]] }, free: 0, held: /flattened/ },
  { name: 'Compress by a condition that is computed', opset: 11, graph: '(float[2,6,3] x, bool[6] c) => (float y) { y = Compress <axis = 1> (x, c) }', parts: { x: [[1], [2]] }, free: 3, held: /only running the model tells/, feeds: new Map([['c', Tensor.of('bool', [1, 0, 1, 1, 0, 1])]]) },
  { name: 'GatherElements along another axis', opset: 13, graph: '(float[2,4,3] x, int64[2,4,5] i) => (float y) { y = GatherElements <axis = 2> (x, i) }', parts: { x: [[1]], i: [[1]] }, free: 4 },
  { name: 'GatherElements with constant indices', opset: 11, graph: '(float[2,4,3] x) => (float y) <int64[2,4,1] i = {0,1,2,0,2,1,0,1}> { y = GatherElements <axis = -1> (x, i) }', parts: { x: [[1]] }, free: 4 },
  { name: 'GatherElements of some channels', opset: 13, graph: '(float[2,4,3] x, int64[2,2,5] i) => (float y) { y = GatherElements <axis = 2> (x, i) }', parts: { x: [[1]] }, free: 0, held: /places that only the elements/ },
  { name: 'GatherND', opset: 13, graph: '(float[2,3,4] x, int64[5,1] i) => (float y) { y = GatherND (x, i) }', parts: { x: [[0], [1], [2]] }, free: 7, held: /places that only the elements/ },
  { name: 'GatherND in batches', opset: 12, graph: '(float[2,3,4] x, int64[2,5,1] i) => (float y) { y = GatherND <batch_dims = 1> (x, i) }', parts: { x: [[1], [2]] }, free: 4 },
  { name: 'Scatter', opset: 10, graph: '(float[2,4,3] x, int64[2,4,2] i, float[2,4,2] u) => (float y) { y = Scatter <axis = 2> (x, i, u) }', parts: { x: [[1]], i: [[1]], u: [[1]] }, free: 4, feeds: new Map([['i', Tensor.of('int64', [0, 1, 1, 2, 0, 2, 2, 1, 0, 1, 1, 2, 0, 2, 2, 1], [2, 4, 2])]]) },
  { name: 'ScatterElements along the channels', opset: 16, graph: '(float[2,4,3] x, int64[2,2,3] i, float[2,2,3] u) => (float y) { y = ScatterElements <axis = 1, reduction = "add"> (x, i, u) }', parts: { x: [[1], [2]], i: [[2]], u: [[2]] }, free: 3, held: /places that only the elements/, feeds: new Map([['i', Tensor.of('int64', [0, 1, 2, 3, 2, 1, 1, 0, 3, 0, 3, 2], [2, 2, 3])]]) },
  { name: 'ScatterND', opset: 16, graph: '(float[5,4,3] x, float[2,4,3] u) => (float y) <int64[2,1] i = {3, 1}> { y = ScatterND (x, i, u) }', parts: { x: [[1]], u: [[1]] }, free: 4 },
  { name: 'ScatterND of a constant', opset: 11, graph: '(float[5,4,3] x) => (float y) <int64[2,1] i = {3, 1}, float[2,4,3] u = "random 3"> { y = ScatterND (x, i, u) }', parts: { x: [[1]] }, free: 4 },
];

describe('channels through Slice, Gather and Scatter', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  moveAll(moves, () => runtime);

  it('any bounds', () => fc.assert(fc.asyncProperty(fc.integer({ min: 2, max: 9 }), fc.integer({ min: -12, max: 12 }), fc.integer({ min: -12, max: 12 }), fc.constantFrom(1, 2, 3, -1, -2), fc.integer({ min: 1, max: 1000 }), async (length, start, end, step, seed) => {
    const move: Move = { name: 'random', opset: 13, graph: sliced(String(start), String(end), '1', String(step), `2,${length},3`), parts: { x: [[1]] }, free: length };
    await checkPlaces({ ...move, free: freeOf(await probed(move, runtime)).length }, runtime);
    await checkRemoval(move, runtime, seed);
  }), { numRuns: 40, seed: 7 }));
});
