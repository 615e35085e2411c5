import fc from 'fast-check';
import { Tensor } from '../../../../ir/tensor.ts';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { checkPlaces, checkRemoval, moveAll, type Move } from './moves.ts';

const padded = (pads: string, more = ''): string => `(float[2,4,3] x) => (float y) <int64[${pads.split(',').length}] p = {${pads}}> { y = Pad${more} (x, p) }`;
const image = '(float[2,4,3,5] x)';

const moves: readonly Move[] = [
  { name: 'DepthToSpace', opset: 7, graph: '(float[2,12,2,3] x) => (float y) { y = DepthToSpace <blocksize = 2> (x) }', parts: { x: [[1]] }, free: 3 },
  { name: 'DepthToSpace DCR', opset: 11, graph: '(float[2,12,2,3] x) => (float y) { y = DepthToSpace <blocksize = 2, mode = "DCR"> (x) }', parts: { x: [[1], [2]] }, free: 3, held: /axis of space/ },
  { name: 'DepthToSpace CRD', opset: 13, graph: '(float[2,18,2,3] x) => (float y) { y = DepthToSpace <blocksize = 3, mode = "CRD"> (x) }', parts: { x: [[1]] }, free: 2 },
  { name: 'DepthToSpace to one channel', opset: 13, graph: '(float[2,4,2,3] x) => (float y) { y = DepthToSpace <blocksize = 2> (x) }', parts: { x: [[1]] }, free: 0, held: /alone/ },
  { name: 'SpaceToDepth', opset: 13, graph: '(float[2,3,4,6] x) => (float y) { y = SpaceToDepth <blocksize = 2> (x) }', parts: { x: [[1]] }, free: 3 },
  { name: 'Col2Im', opset: 18, graph: '(float[1,12,4] x) => (float y) <int64[2] image = {3, 3}, int64[2] block = {2, 2}> { y = Col2Im (x, image, block) }', parts: { x: [[1]] }, free: 3, opaque: true },
  { name: 'Pad around the channels', opset: 13, graph: padded('0,0,1, 0,0,2'), parts: { x: [[1]] }, free: 4 },
  { name: 'Pad of channels', opset: 13, graph: padded('0,1,0, 0,2,1'), parts: { x: [[1]] }, free: 4 + 3 },
  { name: 'Pad of channels by attribute', opset: 10, graph: '(float[2,4,3] x) => (float y) { y = Pad <pads = [0, 2, 0, 0, 1, 0]> (x) }', parts: { x: [[1]] }, free: 4 + 3 },
  { name: 'Pad that cuts channels off', opset: 13, graph: padded('0,-1,0, 0,-1,1'), parts: { x: [[1]] }, free: 4 },
  { name: 'Pad that moves channels', opset: 11, graph: padded('0,-1,0, 0,1,0'), parts: { x: [[1]] }, free: 4 + 1 },
  { name: 'Pad along axes that are named', opset: 18, graph: '(float[2,4,3] x) => (float y) <int64[4] p = {1, 2, 0, 1}, int64[2] a = {-1, 1}> { y = Pad (x, p, , a) }', parts: { x: [[1]] }, free: 4 + 3 },
  { name: 'Pad of channels, in the newest version', opset: 21, graph: padded('0,1,0, 0,2,1'), parts: { x: [[1]] }, free: 4 + 3 },
  { name: 'Pad with the edge of places', opset: 13, graph: padded('0,0,1, 0,0,2', ' <mode = "edge">'), parts: { x: [[1]] }, free: 4 },
  { name: 'Pad with the edge of channels', opset: 13, graph: padded('0,1,0, 0,0,0', ' <mode = "reflect">'), parts: { x: [[1]] }, free: 0, held: /padded with its own elements/ },
  { name: 'Pad of features of heads: whole heads go', opset: 13, graph: padded('0,0,1, 0,0,0'), parts: { x: [[1, 2]] }, free: 4 },
  { name: 'Pad by lengths that are computed', opset: 13, graph: '(float[2,4,3] x, int64[6] p) => (float y) { y = Pad (x, p) }', parts: { x: [[1]] }, free: 0, held: /only running the model tells/, feeds: new Map([['p', Tensor.of('int64', [0, 0, 1, 0, 0, 1])]]) },
  { name: 'Resize by scales', opset: 11, graph: `${image} => (float y) <float[0] r = {}, float[4] s = {1, 1, 2, 2}> { y = Resize (x, r, s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize by scales, linear', opset: 13, graph: `${image} => (float y) <float[4] s = {1, 1, 2, 2}> { y = Resize <mode = "linear"> (x, , s) }`, parts: { x: [[1], [3]] }, free: 4, held: /interpolated/ },
  { name: 'Resize by sizes', opset: 13, graph: `${image} => (float y) <int64[4] s = {2, 4, 6, 10}> { y = Resize (x, , , s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize by sizes of some axes', opset: 18, graph: `${image} => (float y) <int64[3] s = {6, 4, 10}> { y = Resize <axes = [2, 1, 3]> (x, , , s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize by sizes that keep the proportions', opset: 19, graph: `${image} => (float y) <int64[2] s = {6, 10}> { y = Resize <axes = [2, 3], keep_aspect_ratio_policy = "not_larger"> (x, , , s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize of places alone', opset: 18, graph: `${image} => (float y) <float[2] s = {2, 2}> { y = Resize <axes = [2, 3]> (x, , s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize by sizes that are computed from the shape', opset: 13, graph: `${image} => (float y) <int64[1] zero = {0}, int64[1] two = {2}, int64[2] s = {6, 10}> { l = Shape (x)  n = Slice (l, zero, two)  c = Concat <axis = 0> (n, s)  y = Resize (x, , , c) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize by sizes that are computed with', opset: 13, graph: `${image} => (float y) <int64[4] f = {1, 1, 2, 2}> { l = Shape (x)  c = Mul (l, f)  y = Resize (x, , , c) }`, parts: { x: [[1]] }, free: 0, held: /computed with|interpolated/ },
  { name: 'Resize of channels', opset: 13, graph: `${image} => (float y) <float[4] s = {1, 2, 1, 1}> { y = Resize <mode = "nearest", nearest_mode = "floor", coordinate_transformation_mode = "asymmetric"> (x, , s) }`, parts: { x: [[1], [3]] }, free: 5, held: /interpolated/ },
  { name: 'Resize of a region', opset: 13, graph: `${image} => (float y) <float[8] r = {0, 0, 0.1, 0.1, 1, 1, 0.9, 0.9}, float[4] s = {1, 1, 2, 2}> { y = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Resize of a region of the channels', opset: 13, graph: `${image} => (float y) <float[8] r = {0, 0.2, 0, 0, 1, 0.8, 1, 1}, float[4] s = {1, 1, 2, 2}> { y = Resize <mode = "nearest", coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, s) }`, parts: { x: [[1]] }, free: 0, held: /interpolated/, opaque: true },
  { name: 'Resize of the first version', opset: 10, graph: `${image} => (float y) <float[4] s = {1, 1, 2, 2}> { y = Resize (x, s) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Upsample by attribute', opset: 7, graph: `${image} => (float y) { y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x) }`, parts: { x: [[1]] }, free: 4 },
  { name: 'Upsample by input', opset: 9, graph: `${image} => (float y) <float[4] s = {1, 1, 2, 2}> { y = Upsample (x, s) }`, parts: { x: [[1], [2]] }, free: 4, held: /interpolated/ },
  { name: 'CenterCropPad', opset: 18, graph: `${image} => (float y) <int64[2] s = {2, 8}> { y = CenterCropPad <axes = [2, 3]> (x, s) }`, parts: { x: [[1], [3]] }, free: 4, held: /cropped or padded/ },
  { name: 'Expand of places', opset: 8, graph: '(float[2,4,1] x) => (float y) <int64[3] s = {2, 4, 5}> { y = Expand (x, s) }', parts: { x: [[1]] }, free: 4 + 5 },
  { name: 'Expand of channels, 1 in the shape', opset: 13, graph: '(float[4,1] x) => (float y) <int64[3] s = {3, 1, 5}> { y = Expand (x, s) }', parts: { x: [[0]] }, free: 4 + 3 + 5 },
  { name: 'Expand to a shorter shape', opset: 13, graph: '(float[2,4,1] x) => (float y) <int64[1] s = {3}> { y = Expand (x, s) }', parts: { x: [[1]] }, free: 4 + 3 },
  { name: 'Expand of heads', opset: 13, graph: '(float[2,3,1,4] x) => (float y) <int64[4] s = {2, 3, 2, 4}> { y = Expand (x, s) }', parts: { x: [[1, 3]] }, free: 12 + 2 },
  { name: 'Expand to the shape of another', opset: 13, graph: '(float[1,4,1] x, float[2,4,3] z) => (float y, float w) { s = Shape (z)  y = Expand (x, s)  w = Add (x, z) }', parts: { x: [[1]], z: [[1], [2]] }, free: 4 + 3, opaque: true },
  { name: 'Expand to a shape with which is computed', opset: 13, graph: '(float[1,4,1] x, int64[3] s) => (float y) { y = Expand (x, s) }', parts: { x: [[1]] }, free: 0, held: /computed while the model runs/, feeds: new Map([['s', Tensor.of('int64', [2, 4, 3])]]) },
  { name: 'Tile of channels', opset: 7, graph: '(float[2,4,3] x) => (float y) <int64[3] r = {1, 3, 2}> { y = Tile (x, r) }', parts: { x: [[1]] }, free: 4 },
  { name: 'Tile of heads', opset: 13, graph: '(float[2,3,4] x) => (float y) <int64[3] r = {1, 2, 2}> { y = Tile (x, r) }', parts: { x: [[1, 2]] }, free: 12 },
  { name: 'Tile of one channel', opset: 13, graph: '(float[2,1,3] x) => (float y) <int64[3] r = {1, 4, 1}> { y = Tile (x, r) }', parts: { x: [[2]] }, free: 3 + 4 },
  { name: 'ConstantOfShape', opset: 9, graph: '(float[2,4,3] x) => (float y) <int64[3] s = {2, 4, 1}> { c = ConstantOfShape <value = float[1] {1}> (s)  y = Mul (c, x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'ConstantOfShape of the shape of another', opset: 9, graph: '(float[2,4,3] x) => (float y) { s = Shape (x)  c = ConstantOfShape <value = float[1] {1}> (s)  y = Mul (c, x) }', parts: { x: [[1]] }, free: 4 },
  { name: 'RandomNormal', opset: 13, graph: '(float[2,4,3] x) => (float y) { c = RandomNormal <shape = [4, 1]> ()  y = Mul (c, x) }', parts: { x: [[1]] }, free: 0, held: /combined with something that cannot shrink/, opaque: true },
  { name: 'Range', opset: 13, graph: '(float[2,4,3] x) => (float y) <float zero = {0}, float end = {3}, float one = {1}> { c = Range (zero, end, one)  y = Mul (c, x) }', parts: { x: [[1], [2]] }, free: 4, held: /combined with something that cannot shrink/, opaque: true },
  { name: 'EyeLike', opset: 13, graph: '(float[4,3] x) => (float y) { y = EyeLike (x) }', parts: { x: [[0]] }, free: 0, held: /diagonal/, opaque: true },
];

describe('channels through operators of space and repetition', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  moveAll(moves, () => runtime);

  it('any padding', () => fc.assert(fc.asyncProperty(fc.integer({ min: -1, max: 3 }), fc.integer({ min: -1, max: 3 }), fc.integer({ min: 1, max: 1000 }), async (begin, end, seed) => {
    const move: Move = { name: 'random', opset: 13, graph: padded(`0,${begin},0, 0,${end},0`), parts: { x: [[1]] }, free: 4 + Math.max(0, begin) + Math.max(0, end) };
    await checkPlaces(move, runtime);
    await checkRemoval(move, runtime, seed);
  }), { numRuns: 20, seed: 7 }));
});
