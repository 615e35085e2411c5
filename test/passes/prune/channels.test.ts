import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { open } from './choosing.ts';

describe('channels that are followed', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  /** A state of a loop whose number of axes inference does not tell, and an operator that needs to know it. */
  const looped = (operator: string): string => `(float[2,4] x) => (float y) <float[4,8] w = "random 1", float[8,2] v = "random 4", int64 trips = {2}, bool go = {1}, int64[1] from = {0}, int64[1] to = {8}, int64[1] axis = {1}>
    { a = MatMul (x, w) h = Loop (trips, go, a) <body = l (i, c, s) => (d, n) { d = Identity (c) n = Tanh (s) }> ${operator} y = MatMul (m, v) }`;

  for (const operator of ['m = Slice (h, from, to, axis)', 'm = Transpose (h)', 'm = Flatten (h)']) {
    it(`stay where the number of axes is not known: ${operator}`, async () => {
      const { channels: { groups } } = await open(looped(operator), runtime);
      const pins = groups.flatMap(({ channels }) => channels.map(({ pin }) => pin?.reason));
      expect(pins).to.have.length.at.least(8);
      expect(pins).to.not.include(undefined);
    });
  }
});
