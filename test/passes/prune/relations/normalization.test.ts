import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';
import { wholeAll, type Whole } from './whole.ts';

const channels = { x: [[1]] };
const image = 'float[2,6,4,3] x';
const vectors = (...lengths: readonly number[]): string => lengths.map((length, at) => `float[${length}] p${at} = "random ${at + 1}"`).join(', ');

const probes: readonly Probe[] = [
  ...[7, 9, 14, 15].map((opset): Probe => ({
    name: 'BatchNormalization', opset, parts: channels, free: 6,
    graph: `(${image}) => (y) <${vectors(6, 6, 6)}, float[6] v = {1, 2, 3, 4, 5, 6}> { y = BatchNormalization (x, p0, p1, p2, v) }`,
  })),
  { name: 'BatchNormalization of features', opset: 15, parts: channels, free: 6, graph: `(float[3,6] x) => (y) <${vectors(6, 6, 6)}, float[6] v = {1, 2, 3, 4, 5, 6}> { y = BatchNormalization (x, p0, p1, p2, v) }` },
  { name: 'BatchNormalization of a split axis', opset: 15, parts: { x: [[1, 2]] }, free: 3, graph: `(float[2,3,4] x) => (y) <${vectors(3, 3, 3)}, float[3] v = {1, 2, 3}> { y = BatchNormalization (x, p0, p1, p2, v) }` },
  { name: 'BatchNormalization with a parameter for each place', opset: 7, parts: channels, free: 3,
    graph: '(float[2,3,2,1] x) => (y) <float[3,2,1] a = "random 1", float[3,2,1] b = "random 2", float[3,2,1] m = "random 3", float[3,2,1] v = {1,2,3,4,5,6}> { y = BatchNormalization <spatial = 0> (x, a, b, m, v) }' },
  { name: 'BatchNormalization in training', opset: 15, parts: channels, free: 6, graph: `(${image}) => (y, m, v) <${vectors(6, 6, 6)}, float[6] w = {1, 2, 3, 4, 5, 6}> { y, m, v = BatchNormalization <training_mode = 1> (x, p0, p1, p2, w) }` },
  ...[7, 22].map((opset): Probe => ({ name: 'InstanceNormalization', opset, parts: channels, free: 6, graph: `(${image}) => (y) <${vectors(6, 6)}> { y = InstanceNormalization (x, p0, p1) }` })),
  { name: 'InstanceNormalization over a split axis', opset: 18, parts: { x: [[1, 2]] }, free: 3, graph: `(float[2,3,4] x) => (y) <${vectors(3, 3)}> { y = InstanceNormalization (x, p0, p1) }` },
  { name: 'GroupNormalization with a scale for each group', opset: 18, parts: channels, free: 3, graph: `(${image}) => (y) <${vectors(3, 3)}> { y = GroupNormalization <num_groups = 3> (x, p0, p1) }` },
  { name: 'GroupNormalization with a scale for each channel', opset: 21, parts: channels, free: 3, graph: `(${image}) => (y) <${vectors(6, 6)}> { y = GroupNormalization <num_groups = 3> (x, p0, p1) }` },
  { name: 'GroupNormalization with as many groups as channels', opset: 21, parts: channels, free: 6, graph: `(${image}) => (y) <${vectors(6, 6)}> { y = GroupNormalization <num_groups = 6> (x, p0, p1) }` },
  { name: 'GroupNormalization with one group', opset: 21, parts: channels, free: 6, removal: 'shape', graph: `(${image}) => (y) <${vectors(6, 6)}> { y = GroupNormalization <num_groups = 1> (x, p0, p1) }` },
  { name: 'LayerNormalization over the channels', opset: 17, parts: { x: [[2]] }, free: 6, removal: 'shape', graph: `(float[2,3,6] x) => (y, m, s) <${vectors(6, 6)}> { y, m, s = LayerNormalization (x, p0, p1) }` },
  { name: 'LayerNormalization behind the channels', opset: 17, parts: channels, free: 5, graph: `(float[2,5,6] x) => (y, m, s) <${vectors(6, 6)}> { y, m, s = LayerNormalization <axis = -1> (x, p0, p1) }` },
  { name: 'LayerNormalization over several axes', opset: 17, parts: channels, free: 6, removal: 'shape', graph: '(float[2,6,4] x) => (y) <float[6,4] a = "random 1", float[6,4] b = "random 2"> { y = LayerNormalization <axis = 1> (x, a, b) }' },
  { name: 'LayerNormalization within heads', opset: 17, parts: { x: [[2, 3]] }, free: 3, graph: `(float[2,2,3,4] x) => (y) <${vectors(4)}> { y = LayerNormalization (x, p0) }` },
  { name: 'LayerNormalization of features of heads', opset: 17, parts: { x: [[2, 3]] }, heads: 'features', free: 4, removal: 'shape', graph: `(float[2,2,3,4] x) => (y) <${vectors(4)}> { y = LayerNormalization (x, p0) }` },
  { name: 'RMSNormalization over the channels', opset: 23, parts: { x: [[2]] }, free: 6, removal: 'shape', graph: `(float[2,3,6] x) => (y) <${vectors(6)}> { y = RMSNormalization (x, p0) }` },
  { name: 'RMSNormalization behind the channels', opset: 23, parts: channels, free: 5, graph: `(float[2,5,6] x) => (y) <${vectors(6)}> { y = RMSNormalization (x, p0) }` },
  ...[9, 13].map((opset): Probe => ({ name: 'MeanVarianceNormalization', opset, parts: channels, free: 6, graph: `(${image}) => (y) { y = MeanVarianceNormalization (x) }` })),
  { name: 'MeanVarianceNormalization over channels', opset: 13, parts: channels, free: 6, removal: 'shape', graph: `(${image}) => (y) { y = MeanVarianceNormalization <axes = [0,1,2,3]> (x) }` },
  ...[7, 22].flatMap((opset): Probe[] => [
    { name: 'LpNormalization over channels', opset, parts: channels, free: 6, removal: 'zero', graph: `(${image}) => (y) { y = LpNormalization <axis = 1, p = 2> (x) }` },
    { name: 'LpNormalization behind the channels', opset, parts: channels, free: 6, graph: `(${image}) => (y) { y = LpNormalization <p = 1> (x) }` },
  ]),
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Probe[] => [
    { name: `${op} behind the channels`, opset: 13, parts: channels, free: 6, graph: `(${image}) => (y) { y = ${op} (x) }` },
    { name: `${op} over a part of a split axis`, opset: 13, parts: { x: [[1, 2]] }, free: 6, graph: `(${image}) => (y) { y = ${op} <axis = 2> (x) }` },
    { name: `${op} before the channels`, opset: 13, parts: { x: [[3]] }, free: 3, graph: `(${image}) => (y) { y = ${op} <axis = 1> (x) }` },
    { name: `${op} from an axis on, behind the channels`, opset: 11, parts: channels, free: 6, graph: `(${image}) => (y) { y = ${op} <axis = 2> (x) }` },
  ]),
];

const wholes: readonly Whole[] = ([[18, 4], [21, 8]] as const).map(([opset, length]): Whole => ({
  name: 'GroupNormalization between convolutions', opset, free: 4,
  graph: `(float[N,3,4,4] x) => (float y) <float[8,3,3,3] w = "random 5", float[2,8,1,1] v = "random 6", ${vectors(length, length)}> { a = Conv (x, w) n = GroupNormalization <num_groups = 4> (a, p0, p1) y = Conv (n, v) }`,
}));

/** Cases where everything stays, and why. */
const pinned: readonly (readonly [probe: Omit<Probe, 'free' | 'name'>, reason: string])[] = [
  [{ opset: 13, parts: channels, graph: `(${image}) => (y) { y = LRN <size = 3> (x) }` }, 'is normalized with its neighbours'],
  [{ opset: 13, parts: channels, graph: `(${image}) => (y) { y = Softmax <axis = -3> (x) }` }, 'holds what Softmax chooses among'],
  [{ opset: 11, parts: { x: [[3]] }, graph: `(${image}) => (y) { y = Softmax <axis = 1> (x) }` }, 'holds what Softmax chooses among'],
  [{ opset: 11, parts: channels, graph: `(${image}) => (y) { y = Hardmax (x) }` }, 'holds what Hardmax chooses among'],
  [{ opset: 15, parts: { x: [[2]] }, graph: `(${image}) => (y, m, v) <${vectors(6, 6, 6)}, float[6] w = {1, 2, 3, 4, 5, 6}> { y, m, v = BatchNormalization <training_mode = 1> (x, p0, p1, p2, w) }` }, 'is averaged over in training'],
  [{ opset: 15, parts: channels, graph: `(${image}, float[6] s) => (y) <${vectors(6, 6)}, float[6] w = {1, 2, 3, 4, 5, 6}> { y = BatchNormalization (x, s, p0, p1, w) }` }, 'is combined with something that cannot shrink'],
  [{ opset: 21, parts: channels, graph: `(${image}, float[6] s) => (y) <${vectors(6)}> { y = GroupNormalization <num_groups = 3> (x, s, p0) }` }, 'goes along with something that cannot shrink'],
  [{ opset: 17, parts: { x: [[3]] }, graph: `(${image}) => (y) <${vectors(6, 6)}> { y = InstanceNormalization (x, p0, p1) }` }, 'is averaged over in each channel'],
];

describe('channels at normalizations', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);
  wholeAll(wholes, () => runtime);

  for (const [probe, reason] of pinned) {
    it(`stay where one ${reason}: ${probe.graph.slice(probe.graph.lastIndexOf('{'))}, opset ${probe.opset}`, async () => {
      expect(reasonsOf(await probed({ ...probe, name: 'pinned', free: 0 }, runtime), 'x')).to.deep.equal([reason]);
    });
  }
});
