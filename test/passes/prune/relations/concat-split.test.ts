import fc from 'fast-check';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { checkPlaces, checkRemoval, moveAll, type Move } from './moves.ts';

const moves: readonly Move[] = [
  { name: 'Concat along the channels', opset: 13, graph: '(float[2,4,3] x, float[2,5,3] z) => (float y) { y = Concat <axis = 1> (x, z) }', parts: { x: [[1]], z: [[1]] }, free: 9 },
  { name: 'Concat along another axis', opset: 11, graph: '(float[2,4,3] x, float[2,4,2] z) => (float y) { y = Concat <axis = -1> (x, z) }', parts: { x: [[1]], z: [[1]] }, free: 4 },
  { name: 'Concat of a tensor with itself', opset: 13, graph: '(float[2,4,3] x) => (float y) { y = Concat <axis = 1> (x, x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Concat with something that stays', opset: 13, graph: '(float[2,4,3] x, float[2,2,3] z) => (float y) { y = Concat <axis = 1> (x, z) }', parts: { x: [[1]], z: [] }, free: 4 },
  { name: 'Concat beside something that stays', opset: 13, graph: '(float[2,4,3] x, float[2,4,2] z) => (float y) { y = Concat <axis = 2> (x, z) }', parts: { x: [[1]], z: [] }, free: 0, held: /combined with something that cannot shrink/ },
  { name: 'Concat with a constant', opset: 13, graph: '(float[2,4,3] x) => (float y) <float[2,4,2] c = "random 1"> { y = Concat <axis = 2> (x, c) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Concat of heads along tokens', opset: 13, graph: '(float[2,3,4,5] x, float[2,3,6,5] z) => (float y) { y = Concat <axis = 2> (x, z) }', parts: { x: [[1, 3]], z: [[1, 3]] }, free: 15 },
  { name: 'Concat of features of heads: whole heads go', opset: 13, graph: '(float[2,3,4,5] x, float[2,3,4,2] z) => (float y) { y = Concat <axis = 3> (x, z) }', parts: { x: [[1, 3]], z: [[1, 3]] }, free: 3 },
  { name: 'Concat of features of heads: features go', opset: 13, graph: '(float[2,3,4,5] x, float[2,3,4,2] z) => (float y) { y = Concat <axis = 3> (x, z) }', parts: { x: [[1, 3]], z: [[1, 3]] }, heads: 'features', free: 7 },
  { name: 'Split in equal pieces', opset: 11, graph: '(float[2,6,3] x) => (float y, float z) { y, z = Split <axis = 1> (x) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Split by attribute', opset: 11, graph: '(float[2,6,3] x) => (float y, float z) { y, z = Split <axis = -2, split = [2, 4]> (x) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Split by input', opset: 13, graph: '(float[2,6,3] x) => (float y, float z) <int64[2] s = {2, 4}> { y, z = Split <axis = 1> (x, s) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Split in equal pieces without sizes', opset: 13, graph: '(float[2,6,3] x) => (float y, float z) { y, z = Split <axis = 1> (x) }', parts: { x: [[1]] }, free: 6 },
  { name: 'Split by a number of outputs, with a rest', opset: 18, graph: '(float[2,7,3] x) => (float y, float z, float w) { y, z, w = Split <axis = 1, num_outputs = 3> (x) }', parts: { x: [[1]] }, free: 6, held: /alone on its axis/ },
  { name: 'Split along another axis', opset: 18, graph: '(float[2,4,6] x) => (float y, float z) { y, z = Split <axis = 2, num_outputs = 2> (x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Split of queries, keys and values in heads', opset: 13, graph: '(float[2,3,6] x) => (float y, float z) <int64[2] s = {2, 4}> { y, z = Split <axis = 2> (x, s) }', parts: { x: [[1, 2]] }, free: 3 },
  { name: 'Split and Concat the other way round', opset: 13, graph: '(float[2,6,3] x) => (float y) <int64[2] s = {2, 4}> { a, b = Split <axis = 1> (x, s)  y = Concat <axis = 1> (b, a) }', parts: { x: [[1]] }, free: 6 },
];

describe('channels through Concat and Split', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  moveAll(moves, () => runtime);

  it('pieces in any order, some of them twice', () => fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }), fc.array(fc.nat({ max: 3 }), { minLength: 2, maxLength: 5 }), fc.integer({ min: 1, max: 1000 }),
    async (sizes, order, seed) => {
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const names = sizes.map((_, at) => `p${at}`);
      const picked = order.map((at) => names[at % names.length]!);
      const graph = `(float[2,${total},2] x) => (float y, float z) <int64[${sizes.length}] s = {${sizes.join()}}> { ${names.join(', ')} = Split <axis = 1> (x, s)  y = Concat <axis = 1> (${picked.join(', ')})  z = Relu (x) }`;
      const move: Move = { name: 'random', opset: 13, graph, parts: { x: [[1]] }, free: total - sizes.filter((size) => size === 1).length };
      await checkPlaces(move, runtime);
      await checkRemoval(move, runtime, seed);
    },
  ), { numRuns: 25, seed: 7 }));
});
