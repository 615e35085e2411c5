import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';

interface Case {
  readonly equation: string;
  /** Inputs and constants. */
  readonly operands: string;
  readonly weights?: string;
  readonly parts: Probe['parts'];
  readonly free: number;
  readonly removal?: NonNullable<Probe['removal']>;
  readonly heads?: NonNullable<Probe['heads']>;
}

const cases: readonly Case[] = [
  { equation: 'bij,jk->bik', operands: 'float[2,3,5] x', weights: 'float[5,4] w = "random 1"', parts: { x: [[2]] }, free: 9 },
  { equation: 'bij,jk', operands: 'float[2,3,5] x', weights: 'float[5,4] w = "random 1"', parts: { x: [[2]] }, free: 9 },
  { equation: 'b i j , k j -> k b i', operands: 'float[2,3,5] x', weights: 'float[4,5] w = "random 1"', parts: { x: [[2]] }, free: 9 },
  { equation: '...j,jk->...k', operands: 'float[2,3,5] x', weights: 'float[5,4] w = "random 1"', parts: { x: [[1], [2]] }, free: 12 },
  { equation: '...ij,...jk->...ik', operands: 'float[2,3,5] x, float[2,5,4] z', parts: { x: [[2]], z: [[1], [2]] }, free: 9 },
  { equation: 'j...,jk->k...', operands: 'float[5,2,3] x', weights: 'float[5,4] w = "random 1"', parts: { x: [[0], [2]] }, free: 12 },
  { equation: 'bhqd,bhkd->bhqk', operands: 'float[2,3,4,5] x, float[2,3,2,5] z', parts: { x: [[1, 3]], z: [[1, 3]] }, free: 3 },
  { equation: 'bhqd,bhkd->bhqk', operands: 'float[2,3,4,5] x, float[2,3,2,5] z', parts: { x: [[1, 3]], z: [[1, 3]] }, heads: 'features', free: 5 },
  { equation: 'bcl->blc', operands: 'float[2,5,3] x', parts: { x: [[1]] }, free: 5 },
  { equation: 'bcl->bl', operands: 'float[2,5,3] x', parts: { x: [[1]] }, free: 5, removal: 'zero' },
  { equation: 'bc,bc->bc', operands: 'float[2,5] x, float[2,5] z', parts: { x: [[1]], z: [[1]] }, free: 5 },
  { equation: 'ij,jk,kl->il', operands: 'float[2,5] x', weights: 'float[5,4] w = "random 1", float[4,3] v = "random 2"', parts: { x: [[1]] }, free: 12 },
];

const probes = cases.map(({ equation, operands, weights, ...rest }): Probe => ({
  name: equation, opset: 12, ...rest,
  graph: `(${operands}) => (y) ${weights === undefined ? '' : `<${weights}> `}{ y = Einsum <equation = "${equation}"> (${[...`${operands}, ${weights ?? ''}`.matchAll(/\] (\w)/g)].map(([, name]) => name).join(', ')}) }`,
}));

describe('channels at Einsum', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);

  for (const [equation, shape] of [['ii->i', '[5,5]'], ['...c->c', '[2,3,5]']] as const) {
    it(`stay where the equation is ${equation}`, async () => {
      const graph = `(float${shape} x) => (y) { y = Einsum <equation = "${equation}"> (x) }`;
      expect(reasonsOf(await probed({ name: 'pinned', opset: 12, parts: { x: [[1]] }, free: 0, graph }, runtime), 'x')).to.deep.equal(['is read by an Einsum whose equation is not understood']);
    });
  }

  it('stay where they are summed over with something that cannot shrink', async () => {
    const graph = '(float[2,5] x, float[5,3] z) => (y) { y = Einsum <equation = "ij,jk->ik"> (x, z) }';
    expect(reasonsOf(await probed({ name: 'pinned', opset: 12, parts: { x: [[1]] }, free: 0, graph }, runtime), 'x')).to.deep.equal(['is summed over with something that cannot shrink']);
  });

  it('begin and end at weights', async () => {
    const { channels: { flow } } = await probed(probes[0]!, runtime);
    expect(flow.members.map(({ role, value, axis }) => `${role} ${value.name} ${axis}`)).to.deep.equal(['consumer w 0', 'producer w 1']);
  });
});
