import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { Tensor } from '../../../../ir/tensor.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';

const channels = { x: [[1]] };
const image = 'float[2,6,8,8] x';
const boxes = new Map([['rois', Tensor.of('float', Float32Array.of(0, 0, 4, 4, 1, 2, 7, 6, 3, 0, 6, 7), [3, 4])]]);
const numbered = new Map([['rois', Tensor.of('float', Float32Array.of(0, 0, 0, 4, 4, 1, 1, 2, 7, 6), [2, 5])]]);

const probes: readonly Probe[] = [
  ...[7, 10, 11, 19, 22].map((opset): Probe => ({ name: 'AveragePool', opset, parts: channels, free: 6, graph: `(${image}) => (y) { y = AveragePool <kernel_shape = [3,2], strides = [2,1], pads = [1,0,1,0]> (x) }` })),
  ...[7, 8, 12, 22].map((opset): Probe => ({ name: 'MaxPool', opset, parts: channels, free: 6, graph: `(${image}) => (y) { y = MaxPool <kernel_shape = [3,3], strides = [2,2]> (x) }` })),
  ...[7, 18].map((opset): Probe => ({ name: 'LpPool', opset, parts: channels, free: 6, graph: `(${image}) => (y) { y = LpPool <kernel_shape = [2,2]> (x) }` })),
  ...['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].map((op): Probe => ({ name: op, opset: 17, parts: channels, free: 6, graph: `(${image}) => (y) { y = ${op} (x) }` })),
  { name: 'MaxPool along a part of a split axis', opset: 12, parts: { x: [[1, 2]] }, free: 6, graph: '(float[2,6,9] x) => (y) { y = MaxPool <kernel_shape = [3]> (x) }' },
  { name: 'GlobalAveragePool along a part of a split axis', opset: 12, parts: { x: [[1, 3]] }, free: 6, graph: `(${image}) => (y) { y = GlobalAveragePool (x) }` },
  { name: 'MaxPool of one axis', opset: 12, parts: channels, free: 6, graph: '(float[2,6,9] x) => (y) { y = MaxPool <kernel_shape = [3]> (x) }' },
  { name: 'MaxPool whose positions nobody reads', opset: 12, parts: channels, free: 6, graph: `(${image}) => (y) { y, i = MaxPool <kernel_shape = [2,2]> (x) }` },
  ...[10, 16].map((opset): Probe => ({ name: 'RoiAlign', opset, parts: channels, free: 6, feeds: boxes, graph: `(${image}, float[3,4] rois, int64[3] of) => (y) { y = RoiAlign <output_height = 3, output_width = 2> (x, rois, of) }` })),
  { name: 'MaxRoiPool', opset: 7, parts: channels, free: 6, feeds: numbered, graph: `(${image}, float[2,5] rois) => (y) { y = MaxRoiPool <pooled_shape = [3,2]> (x, rois) }` },
  ...[16, 20].map((opset): Probe => ({ name: 'GridSample', opset, parts: channels, free: 6, graph: `(${image}, float[2,5,4,2] grid) => (y) { y = GridSample (x, grid) }` })),
];

const pinned: readonly (readonly [probe: Pick<Probe, 'graph' | 'parts'>, reason: string])[] = [
  [{ parts: { x: [[3]] }, graph: `(${image}) => (y) { y = AveragePool <kernel_shape = [3,3]> (x) }` }, 'is an axis along which a window slides'],
  [{ parts: channels, graph: `(${image}) => (y, i) { y, i = MaxPool <kernel_shape = [2,2]> (x) }` }, 'is counted through by the positions that MaxPool gives'],
  [{ parts: channels, graph: `(float[2,6,4,4] x, int64[2,6,4,4] i) => (y) { y = MaxUnpool <kernel_shape = [2,2], strides = [2,2]> (x, i) }` }, 'is put where positions say that are counted through all channels'],
  [{ parts: { x: [[2]] }, graph: `(${image}, float[2,5,4,2] grid) => (y) { y = GridSample (x, grid) }` }, 'belongs to places of an image'],
  [{ parts: { x: [[0]] }, graph: '(float[2,2,3] x) => (y) <int64[4] size = {2, 6, 4, 4}> { y = AffineGrid (x, size) }' }, 'is a map of places'],
];

describe('channels at pools and samplers', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);

  for (const [probe, reason] of pinned) {
    it(`stay where one ${reason}`, async () => {
      expect(reasonsOf(await probed({ ...probe, name: 'pinned', opset: 20, free: 0 }, runtime), 'x')).to.deep.equal([reason]);
    });
  }
});
