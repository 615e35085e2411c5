import { expect } from 'chai';
import { fuzz } from './fuzz.ts';

describe('ONNX reader and writer: mutated models', () => {
  for (const seed of [1, 2]) {
    it(`are refused with a Diagnostic or keep all laws (seed ${seed})`, () => {
      const { refused, messages, models } = fuzz(1500, seed);
      expect(refused + messages).to.equal(1500);
      // Shares that show that mutants reach every layer.
      expect(Math.min(refused, messages, models)).to.be.above(200);
    });
  }
});
