import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';

/** 6 channels of 4 × 4 through windows of 2 × 2, so 8 offsets for each place and group of offsets. */
const operands = (groups: number): string => `float[1,6,4,4] x, float[1,${8 * groups},3,3] o, float[1,${4 * groups},3,3] m`;
const weights = (perGroup: number): string => `float[4,${perGroup},2,2] w = "random 1", float[4] b = "random 2"`;
const parts = { x: [[1]] };

const probes: readonly Probe[] = [19, 22].flatMap((opset): Probe[] => [
  { name: 'DeformConv', opset, parts, free: 6 + 4, graph: `(${operands(1)}) => (y) <${weights(6)}> { y = DeformConv (x, w, o, b, m) }` },
  { name: 'DeformConv of groups', opset, parts, free: 2, graph: `(${operands(1)}) => (y) <${weights(3)}> { y = DeformConv <group = 2> (x, w, o, b, m) }` },
  { name: 'DeformConv of groups of offsets', opset, parts, free: 4, graph: `(${operands(2)}) => (y) <${weights(6)}> { y = DeformConv <offset_group = 2> (x, w, o, b, m) }` },
]);

describe('channels at DeformConv', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);

  it('stay where groups of offsets divide them, and where they are offsets', async () => {
    const graph = `(${operands(2)}) => (y) <${weights(6)}> { y = DeformConv <offset_group = 2> (x, w, o, b, m) }`;
    const subject = await probed({ name: 'pinned', opset: 19, parts: { x: [[1]], o: [[1]] }, free: 4, graph }, runtime);
    expect(reasonsOf(subject, 'x')).to.deep.equal(['is divided among groups of offsets']);
    expect(reasonsOf(subject, 'o')).to.deep.equal(['says where an image is sampled']);
  });
});
