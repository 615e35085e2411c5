import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';

const channels = { x: [[1]] };
const image = 'float[2,6,4] x';
const scales = 'float[6] s = {0.01, 0.02, 0.03, 0.04, 0.05, 0.06}, int8[6] z = {0, 1, 2, -1, -2, 3}';

const probes: readonly Probe[] = [
  ...[10, 13, 19, 21, 23].map((opset): Probe => ({
    name: 'one scale', opset, parts: channels, free: 6, graph: `(${image}) => (y) <float s = {0.02}, uint8 z = {100}> { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }`,
  })),
  ...[13, 19, 21].map((opset): Probe => ({
    name: 'a scale for each channel', opset, parts: channels, free: 6, graph: `(${image}) => (y) <${scales}> { q = QuantizeLinear (x, s, z) y = DequantizeLinear <axis = -2> (q, s, z) }`,
  })),
  { name: 'a scale for each channel of a split axis', opset: 13, parts: { x: [[1, 2]] }, free: 6, graph: `(${image}) => (y) <${scales}> { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }` },
  { name: 'one scale for a split axis', opset: 13, parts: { x: [[1, 2]] }, free: 24, graph: `(${image}) => (y) <float s = {0.02}> { q = QuantizeLinear (x, s) y = DequantizeLinear (q, s) }` },
  { name: 'a scale for each place beside the channels', opset: 13, parts: channels, free: 6, graph: `(${image}) => (y) <float[4] s = {0.01, 0.02, 0.03, 0.04}> { q = QuantizeLinear <axis = 2> (x, s) y = DequantizeLinear <axis = 2> (q, s) }` },
  { name: 'scales of blocks of channels', opset: 21, parts: channels, free: 3,
    graph: '(float[2,6,4] x) => (y) <float[2,3,4] s = "random 1"> { p = Abs (s) q = QuantizeLinear <axis = 1, block_size = 2> (x, p) y = DequantizeLinear <axis = 1, block_size = 2> (q, p) }' },
  { name: 'scales of blocks beside the channels', opset: 21, parts: channels, free: 6,
    graph: '(float[2,6,4] x) => (y) <float[2,6,2] s = "random 1"> { p = Abs (s) q = QuantizeLinear <axis = 2, block_size = 2> (x, p) y = DequantizeLinear <axis = 2, block_size = 2> (q, p) }' },
  { name: 'DynamicQuantizeLinear', opset: 11, parts: channels, free: 6, removal: 'shape', graph: `(${image}) => (y) { q, s, z = DynamicQuantizeLinear (x) y = DequantizeLinear (q, s, z) }` },
];

const pinned: readonly (readonly [graph: string, reason: string])[] = [
  [`(${image}, float[6] s) => (y) { y = QuantizeLinear (x, s) }`, 'is combined with something that cannot shrink'],
  [`(${image}, float[2,3,4] s) => (y) { y = QuantizeLinear <block_size = 2> (x, s) }`, 'is scaled in blocks by something that cannot shrink'],
  [`(${image}) => (y) <float[2,1,4] s = "random 1"> { y = QuantizeLinear <block_size = 6> (x, s) }`, 'is scaled in blocks by something that cannot shrink'],
];

describe('channels at QuantizeLinear and DequantizeLinear', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);

  for (const [graph, reason] of pinned) {
    it(`stay where one ${reason}: ${graph.slice(graph.lastIndexOf('{'))}`, async () => {
      expect(reasonsOf(await probed({ name: 'pinned', opset: 21, parts: channels, free: 0, graph }, runtime), 'x')).to.deep.equal([reason]);
    });
  }
});
