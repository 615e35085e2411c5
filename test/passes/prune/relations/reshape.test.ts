import fc from 'fast-check';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { checkPlaces, checkRemoval, moveAll, type Move } from './moves.ts';
import { freeOf, probed } from './probe.ts';

const reshapeTo = (from: string, shape: string, more = ''): string => `(float[${from}] x) => (float y) <int64[${shape.split(',').length}] s = {${shape}}> { y = Reshape${more} (x, s) }`;

const moves: readonly Move[] = [
  { name: 'Reshape that splits channels', opset: 13, graph: reshapeTo('2,12,3', '2,3,4,3'), parts: { x: [[1]] }, free: 12 },
  { name: 'Reshape that splits channels, the rest by −1', opset: 5, graph: reshapeTo('2,12,3', '0,3,-1,3'), parts: { x: [[1]] }, free: 12 },
  { name: 'Reshape that splits channels, −1 first', opset: 14, graph: reshapeTo('2,12,3', '0,-1,4,3'), parts: { x: [[1]] }, free: 12 },
  { name: 'Reshape that splits channels', opset: 23, graph: reshapeTo('2,12,3', '2,3,-1,3'), parts: { x: [[1]] }, free: 12 },
  { name: 'Squeeze and Unsqueeze', opset: 23, graph: '(float[2,4,1] x) => (float y) <int64[1] last = {-1}, int64[1] first = {0}> { a = Squeeze (x, last)  b = Unsqueeze (a, first)  y = Transpose <perm = [2, 1, 0]> (b) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Reshape that merges places into channels', opset: 13, graph: reshapeTo('2,4,3,3', '2,36'), parts: { x: [[1]] }, free: 4 },
  { name: 'Reshape that merges places into channels, −1', opset: 13, graph: reshapeTo('2,4,3,3', '0,-1'), parts: { x: [[1]] }, free: 4 },
  { name: 'Reshape where 0 copies what shrinks alike', opset: 13, graph: reshapeTo('2,4,3,3', '0,0,9'), parts: { x: [[1]] }, free: 4 },
  { name: 'Reshape where 0 copies what does not shrink alike', opset: 13, graph: reshapeTo('6,6,2', '6,0,2'), parts: { x: [[1]] }, free: 6 },
  { name: 'Reshape where 0 copies the length of another axis', opset: 13, graph: reshapeTo('2,6,3,2', '0,2,0,6'), parts: { x: [[1]] }, free: 6 },
  { name: 'Reshape with allowzero', opset: 14, graph: reshapeTo('2,12,3', '2,3,4,3', ' <allowzero = 1>'), parts: { x: [[1]] }, free: 12 },
  { name: 'Reshape that merges heads and features again', opset: 13, graph: reshapeTo('2,5,3,4', '2,5,12'), parts: { x: [[2, 3]] }, free: 12 },
  { name: 'Reshape that moves axes of length 1', opset: 13, graph: reshapeTo('1,6,1,5', '6,1,1,5,1'), parts: { x: [[1], [3]] }, free: 11 },
  { name: 'Reshape of two axes into one: the outer one shrinks on', opset: 13, graph: reshapeTo('2,3,4', '2,12'), parts: { x: [[1], [2]] }, free: 3, held: /is merged by a reshape with others/ },
  { name: 'Reshape of 6 to (2,3) to (3,2)', opset: 13, graph: '(float[2,6] x) => (float y) <int64[3] s = {2,2,3}, int64[3] t = {2,3,2}> { a = Reshape (x, s)  y = Reshape (a, t) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Reshape between axes far apart that shrink together', opset: 13, graph: reshapeTo('2,4,3,6', '2,2,2,3,2,3'), parts: { x: [[1, 3]] }, free: 24 },
  { name: 'Reshape by a computed shape of lengths and numbers', opset: 13, parts: { x: [[1]] }, free: 12,
    graph: '(float[2,12,3] x) => (float y) <int64[1] zero = {0}, int64[2] mid = {3,4}, int64[1] last = {-1}> { l = Shape (x)  n = Gather (l, zero)  s = Concat <axis = 0> (n, mid, last)  y = Reshape (x, s) }' },
  { name: 'Reshape by a shape that others read, too', opset: 13, parts: { x: [[1]] }, free: 12,
    graph: '(float[2,12,3] x, float[2,12,3] z) => (float y, float w) <int64 zero = {0}, int64[1] axes = {0}, int64[3] rest = {3,4,3}> { l = Shape (x)  g = Gather (l, zero)  n = Unsqueeze (g, axes)  s = Concat <axis = 0> (n, rest)  y = Reshape (x, s)  w = Reshape (z, s) }' },
  { name: 'Reshape by the length of the axis that shrinks', opset: 13, parts: { x: [[1]] }, free: 4,
    graph: '(float[2,4,3,3] x) => (float y) <int64[1] zero = {0}, int64[1] two = {2}, int64[1] rest = {-1}> { l = Shape (x)  n = Slice (l, zero, two)  s = Concat <axis = 0> (n, rest)  y = Reshape (x, s) }' },
  { name: 'Reshape by a length that becomes that of another axis', opset: 13, parts: { x: [[1]] }, free: 0, held: /computed|read as a length/,
    graph: '(float[2,4,3,4] x) => (float y) <int64[1] at = {1}, int64[3] rest = {2,4,-1}> { l = Shape (x)  n = Gather (l, at)  s = Concat <axis = 0> (rest, n)  y = Reshape (x, s) }' },
  { name: 'Reshape by a length that is computed with', opset: 13, parts: { x: [[1]] }, free: 0, held: /computed/,
    graph: '(float[2,4,3,4] x) => (float y) <int64[1] at = {1}, int64[1] half = {2}, int64[1] batch = {2}, int64[1] rest = {-1}> { l = Shape (x)  n = Gather (l, at)  h = Div (n, half)  s = Concat <axis = 0> (batch, h, half, rest)  y = Reshape (x, s) }' },
  { name: 'Shape whose channels are counted', opset: 15, parts: { x: [[1], [2]] }, free: 3, held: /computed with/, opaque: true,
    graph: '(float[2,4,3] x) => (float y) { l = Shape <start = 1, end = 2> (x)  f = Cast <to = 1> (l)  r = Sqrt (f)  y = Div (x, r) }' },
  { name: 'Shape whose batch alone is counted', opset: 15, parts: { x: [[1]] }, free: 4, opaque: true,
    graph: '(float[2,4,3] x) => (float y) <int64 zero = {0}> { l = Shape (x)  n = Gather (l, zero)  f = Cast <to = 1> (n)  r = Sqrt (f)  y = Div (x, r) }' },
  { name: 'Shape that is an output', opset: 15, parts: { x: [[1]] }, free: 0, held: /computed with/, opaque: true, graph: '(float[2,4,3] x) => (int64 y) { y = Shape (x) }' },
  { name: 'Size', opset: 13, parts: { x: [[1]] }, free: 0, held: /counted/, opaque: true, graph: '(float[2,4,3] x) => (int64 y) { y = Size (x) }' },
  { name: 'Flatten', opset: 9, graph: '(float[2,4,3,3] x) => (float y) { y = Flatten (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Flatten behind the channels', opset: 13, graph: '(float[2,4,3,3] x) => (float y) { y = Flatten <axis = 2> (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Flatten of heads', opset: 13, graph: '(float[2,4,3] x) => (float y) { y = Flatten <axis = -2> (x) }', parts: { x: [[1, 2]] }, free: 12 },
  { name: 'Squeeze by attribute', opset: 11, graph: '(float[2,4,1,1] x) => (float y) { y = Squeeze <axes = [2, 3]> (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Squeeze by input', opset: 13, graph: '(float[1,4,3,1] x) => (float y) <int64[2] a = {0, -1}> { y = Squeeze (x, a) }', parts: { x: [[1], [2]] }, free: 7 },
  { name: 'Squeeze of all, attribute', opset: 11, graph: '(float[2,2,1] x) => (float y) { y = Squeeze (x) }', parts: { x: [[1]] }, free: 2 },
  { name: 'Squeeze of all, input', opset: 13, graph: '(float[2,2,1] x) => (float y) { y = Squeeze (x) }', parts: { x: [[1]] }, free: 2 },
  { name: 'Unsqueeze by attribute', opset: 11, graph: '(float[2,4] x) => (float y) { y = Unsqueeze <axes = [1, 3]> (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Unsqueeze by input', opset: 13, graph: '(float[2,4,3] x) => (float y) <int64[2] a = {-1, 1}> { y = Unsqueeze (x, a) }', parts: { x: [[1, 2]] }, free: 12 },
  { name: 'Transpose', opset: 13, graph: '(float[2,4,3,2] x) => (float y) { y = Transpose <perm = [0, 2, 3, 1]> (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Transpose backwards', opset: 13, graph: '(float[2,4,3] x) => (float y) { y = Transpose (x) }', parts: { x: [[0], [1], [2]] }, free: 9 },
  { name: 'Transpose of what shrinks together', opset: 13, graph: '(float[3,2,4] x) => (float y) { y = Transpose <perm = [1, 0, 2]> (x) }', parts: { x: [[0, 2]] }, free: 12 },
  { name: 'Transpose of what shrinks together into another order: columns go', opset: 13, graph: '(float[3,2,4] x) => (float y) { y = Transpose <perm = [2, 1, 0]> (x) }', parts: { x: [[0, 2]] }, free: 4 },
  { name: 'channel shuffle', opset: 13, parts: { x: [[1]] }, free: 12, after: { Reshape: 0, Transpose: 0, Gather: 1 },
    graph: '(float[2,12,2,2] x) => (float y) <int64[5] s = {2,3,4,2,2}, int64[4] t = {2,12,2,2}> { a = Reshape (x, s)  b = Transpose <perm = [0, 2, 1, 3, 4]> (a)  y = Reshape (b, t) }' },
  { name: 'channel shuffle that is read between, too: columns go', opset: 13, parts: { x: [[1]] }, free: 4,
    graph: '(float[2,12,2,2] x) => (float y, float z) <int64[5] s = {2,3,4,2,2}, int64[4] t = {2,12,2,2}> { a = Reshape (x, s)  b = Transpose <perm = [0, 2, 1, 3, 4]> (a)  y = Reshape (b, t)  z = Relu (b) }' },
  { name: 'channel shuffle by computed shapes', opset: 13, parts: { x: [[1]] }, free: 12,
    graph: '(float[2,12,2,2] x) => (float y) <int64[1] zero = {0}, int64[4] s = {3,4,2,2}, int64[3] t = {12,2,2}> { l = Shape (x)  n = Gather (l, zero)  p = Concat <axis = 0> (n, s)  q = Concat <axis = 0> (n, t)  a = Reshape (x, p)  b = Transpose <perm = [0, 2, 1, 3, 4]> (a)  y = Reshape (b, q) }' },
];

describe('channels through Reshape and its like', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  moveAll(moves, () => runtime);

  it('any reshape, and one after another through a transposition', () => fc.assert(fc.asyncProperty(
    fc.array(fc.constantFrom(2, 3, 4), { minLength: 1, maxLength: 4 }), fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), fc.integer({ min: 1, max: 1000 }),
    async (shape, picks, seed) => {
      const size = shape.reduce((total, length) => total * length, 1);
      const axis = picks[0]! % shape.length;
      const [one, other] = [factored(size, picks.slice(1, 6)), factored(size, picks.slice(6, 11))];
      const perm = one.map((_, at) => at).sort((a, b) => (picks[11]! >> a) % 3 - (picks[11]! >> b) % 3 || b - a);
      const graph = `(float[${shape.join()}] x) => (float y) <int64[${one.length}] s = {${one.join()}}, int64[${other.length}] t = {${other.join()}}> { a = Reshape (x, s)  b = Transpose <perm = [${perm.join()}]> (a)  y = Reshape (b, t) }`;
      const move: Move = { name: 'random', opset: 13, graph, parts: { x: [[axis]] }, free: shape[axis]! };
      await checkPlaces({ ...move, free: freeOf(await probed(move, runtime)).length }, runtime);
      await checkRemoval(move, runtime, seed);
    },
  ), { numRuns: 60, seed: 7 }));
});

/** A shape with this many elements. */
function factored(size: number, picks: readonly number[]): number[] {
  const shape: number[] = [];
  let left = size;
  for (const pick of picks) {
    const divisors = Array.from({ length: left }, (_, at) => at + 1).filter((divisor) => left % divisor === 0);
    const length = divisors[pick % divisors.length]!;
    shape.push(length);
    left /= length;
  }
  return [...shape, left];
}
