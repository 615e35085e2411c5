import { expect } from 'chai';
import fc from 'fast-check';
import { Accumulator } from '../../../passes/statistics/accumulator.ts';
import { mergeArtefacts, triangle, type Artefact, type RunKey } from '../../../passes/statistics/artefact.ts';
import { readArtefact, writeArtefact } from '../../../passes/statistics/file.ts';
import { finish } from '../../../passes/statistics/finish.ts';

const key: RunKey = { model: 'm', data: 'd', random: false, method: 'auto', percentile: 99.99, limit: 0, batch: 1, chunk: 4 };
const observed = {
  tensors: [{ name: 'a', histogram: true }, { name: 'b', histogram: false }],
  channels: [{ name: 'a', axis: 1, size: 2 }],
  moments: [{ name: 'conv', groups: 2, size: 2 }],
};

/** One sample: elements of the two values, and numbers that stand for sums. */
interface Sample {
  readonly elements: readonly number[];
  readonly sums: readonly number[];
}

/** An artefact of some of the samples, by their positions. */
function gathered(samples: readonly Sample[], from: number, to: number): Artefact {
  const accumulator = new Accumulator(observed);
  for (let at = from; at < Math.min(to, samples.length); at++) {
    const { elements, sums } = samples[at]!;
    const slab = accumulator.slab(Math.floor(at / key.chunk));
    for (let index = 1; index < slab.length; index++) slab[index]! += sums[index % sums.length]!;
    slab[accumulator.layout.samples]!++;
    for (const builder of accumulator.tensors.values()) {
      const finite = Float32Array.from(elements.filter(Number.isFinite));
      builder.nan += elements.filter(Number.isNaN).length;
      builder.infinite += elements.length - finite.length - elements.filter(Number.isNaN).length;
      if (finite.length === 0) continue;
      const [min, max] = [Math.min(...finite), Math.max(...finite)];
      builder.extend(finite.length, min, max);
      builder.histogram?.add(finite, Math.max(-min, max));
    }
    const { absMax } = accumulator.channels.get('a')!;
    absMax.forEach((bound, channel) => { absMax[channel] = Math.max(bound, Math.abs(sums[channel]!)); });
  }
  return { key, ...accumulator.finish() };
}

const sample = fc.record({
  elements: fc.array(fc.oneof(fc.float({ noDefaultInfinity: true }), fc.constantFrom(Infinity, -Infinity, 0, 1, -2)), { maxLength: 8 }),
  sums: fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), { minLength: 5, maxLength: 5 }),
});
const bytes = (artefact: Artefact): string => Buffer.from(writeArtefact(artefact)).toString('latin1');

describe('statistics that are saved and merged', () => {
  it('come, merged in any order, to the bytes of one run', () => {
    fc.assert(fc.property(fc.array(sample, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), fc.infiniteStream(fc.nat()), (samples, shards, order) => {
      const chunks = Math.ceil(samples.length / key.chunk);
      const parts = Array.from({ length: shards }, (_, shard) => gathered(samples, Math.floor(shard * chunks / shards) * key.chunk, Math.floor((shard + 1) * chunks / shards) * key.chunk));
      const whole = bytes(gathered(samples, 0, samples.length));
      const shuffled = parts.map((part) => ({ part, rank: order.next().value as number })).sort((a, b) => a.rank - b.rank).map(({ part }) => part);
      expect(bytes(mergeArtefacts(shuffled))).to.equal(whole);
      // In pairs, as a tree, through files.
      const tree = (list: readonly Artefact[]): Artefact => (list.length === 1 ? list[0]! : mergeArtefacts([tree(list.slice(0, list.length >> 1)), tree(list.slice(list.length >> 1))].map((part) => readArtefact(writeArtefact(part), 'part'))));
      expect(bytes(tree(shuffled))).to.equal(whole);
    }), { numRuns: 100 });
  });

  it('are read as they were written', () => {
    fc.assert(fc.property(fc.array(sample, { maxLength: 12 }), fc.nat(8), (samples, from) => {
      const artefact = gathered(samples, from, samples.length);
      expect(readArtefact(writeArtefact(artefact), 'file')).to.deep.equal(artefact);
    }), { numRuns: 100 });
  });

  it('end in a diagnostic whatever is wrong with the file', () => {
    const samples: Sample[] = Array.from({ length: 9 }, (_, at) => ({ elements: [at, -1, 0.5], sums: [at, 1, 2, 3, 4] }));
    const good = writeArtefact(gathered(samples, 4, 9));
    const attempt = (file: Uint8Array): void => {
      try {
        mergeArtefacts([readArtefact(file, 'stats.bin')]);
      } catch (error) {
        expect(error).to.have.property('code', 'statistics/unreadable');
        expect(error).to.have.property('message').that.includes('stats.bin');
      }
    };
    for (let length = 0; length < good.length; length += 7) expect(() => readArtefact(good.subarray(0, length), 'stats.bin')).to.throw().with.property('code', 'statistics/unreadable');
    fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
      const damaged = good.slice();
      damaged[at] = value;
      attempt(damaged);
    }), { numRuns: 2000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => { attempt(Uint8Array.from([...good.subarray(0, 23), ...tail])); }), { numRuns: 200 });
  });

  const others: readonly (readonly [string, Partial<RunKey>, RegExp])[] = [
    ['another model', { model: 'n' }, /another model/], ['other data', { data: 'e' }, /other data/], ['another method', { method: 'mse' }, /another method/], ['another batch', { batch: 2 }, /batch size/],
  ];
  const four: Sample[] = Array.from({ length: 8 }, () => ({ elements: [1], sums: [1, 2, 3, 4, 5] }));
  for (const [what, change, message] of others) {
    it(`are not merged with those of ${what}`, () => {
      expect(() => mergeArtefacts([gathered(four, 0, 4), { ...gathered(four, 4, 8), key: { ...key, ...change } }])).to.throw(message).with.property('code', 'statistics/merge');
    });
  }

  it('are not merged twice', () => {
    expect(() => mergeArtefacts([gathered(four, 0, 4), gathered(four, 0, 4)])).to.throw(/in two of the statistics/);
    expect(() => mergeArtefacts([gathered(four, 0, 8), gathered(four, 4, 8)])).to.throw(/chunk 1/);
    expect(() => mergeArtefacts([gathered(four, 4, 8), gathered(four, 4, 8)])).to.throw(/chunk 1/);
    expect(() => mergeArtefacts([])).to.throw(/nothing to merge/);
  });

  it('finish to means', () => {
    const samples: Sample[] = Array.from({ length: 6 }, (_, at) => ({ elements: [at, -at], sums: [2, 2, 2, 2, 2] }));
    const { tensors, channels, moments, samples: count } = finish(gathered(samples, 0, 6));
    expect(count).to.equal(6);
    expect(tensors.get('a')).to.include({ count: 12, samples: 6, min: -5, max: 5, meanMin: 2, meanMax: 2 });
    // All sums are the same number here, and so is what they are divided by.
    expect(Array.from(channels.get('a')!.mean)).to.deep.equal([1, 1]);
    expect(moments.get('conv')).to.include({ groups: 2, size: 2, columns: 12 });
    expect(Array.from(moments.get('conv')!.gram)).to.deep.equal(new Array<number>(8).fill(1));
    expect(triangle(4)).to.equal(10);
  });
});
