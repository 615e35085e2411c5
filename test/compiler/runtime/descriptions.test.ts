import { expect } from 'chai';
import { Refusal } from '../../../compiler/runtime/client.ts';
import { Descriptions } from '../../../compiler/runtime/descriptions.ts';

describe('compiler/runtime/descriptions', () => {
  /** Answers with as many outputs as the first byte says; 255 is refused, 254 ends in another error. */
  function counted(): { descriptions: Descriptions; asked: number[] } {
    const asked: number[] = [];
    const descriptions = new Descriptions((model) => {
      const [first = 0] = model;
      asked.push(first);
      if (first === 255) return Promise.reject(new Refusal('no'));
      if (first === 254) return Promise.reject(new Error('died'));
      return Promise.resolve(Array.from({ length: first * 1024 }, (_, index) => ({ name: `v#${index}`, type: 'float32', shape: [] } as const)));
    });
    return { descriptions, asked };
  }

  it('asks once for each model, told apart by bytes', async () => {
    const { descriptions, asked } = counted();
    const first = await descriptions.of(Uint8Array.of(1));
    expect(await descriptions.of(Uint8Array.of(1))).to.equal(first);
    expect(await descriptions.of(Uint8Array.of(2))).to.have.length(2048);
    expect(asked).to.deep.equal([1, 2]);
  });

  it('remembers refusals, and no other failures', async () => {
    const { descriptions, asked } = counted();
    for (const byte of [255, 255, 254, 254]) {
      const error: unknown = await descriptions.of(Uint8Array.of(byte)).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error).with.property('message', byte === 255 ? 'no' : 'died');
    }
    expect(asked).to.deep.equal([255, 254, 254]);
  });

  it('forgets the oldest answers when there are too many outputs', async () => {
    const { descriptions, asked } = counted();
    for (const byte of [100, 29, 29, 100]) await descriptions.of(Uint8Array.of(byte));
    expect(asked).to.deep.equal([100, 29, 100]);
  });
});
