import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { checkRemoval } from '../../../compiler/testing/pruning.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { graphCost } from '../../../passes/cost.ts';
import { choose, slabs, weights, type Choice } from './choosing.ts';

const norms = (count: number, at: (channel: number) => number): number[] => Array.from({ length: count }, (_, channel) => at(channel));

/** Two convolutions of 8 and 16 channels in a row, whose channels matter more and more, and one to the output. */
const chain = `(float[N,3,8,8] x) => (float y) <${slabs('u', [8, 3, 1, 1], norms(8, (c) => 1 + c))}, ${slabs('v', [16, 8, 3, 3], norms(16, (c) => 2 + c))}, ${weights('w[4,16,1,1]')}>
  { a = Conv (x, u)  r = Relu (a)  b = Conv (r, v)  s = Relu (b)  y = Conv (s, w) }`;

/** A residual block: `a` and `c` are one group, `b` is inside. */
const residual = `(float[N,3,8,8] x) => (float y) <${slabs('u', [8, 3, 1, 1], norms(8, (c) => 1 + c))}, ${weights('v[16,8,1,1]')}, ${slabs('t', [8, 16, 1, 1], norms(8, (c) => 9 - c))}, ${weights('w[4,8,1,1]')}>
  { a = Conv (x, u)  b = Conv (a, v)  q = Relu (b)  c = Conv (q, t)  s = Add (a, c)  y = Conv (s, w) }`;

describe('selection of channels', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const refused = async (work: Promise<unknown>, code: string): Promise<Diagnostic> => {
    const error = await work.then(() => undefined, (thrown: unknown) => thrown);
    if (!(error instanceof Diagnostic)) throw error instanceof Error ? error : new Error('nothing was refused');
    expect(error.code).to.equal(code);
    return error;
  };

  /** Cuts the model for real, proves it, and compares what was counted. */
  const prove = async (choice: Choice): Promise<void> => {
    const { exact, relative, pruned } = await checkRemoval(choice, choice.removal.removed, runtime);
    expect(exact).to.equal(true);
    expect(relative, 'float32 sums in another order').to.be.below(2e-5);
    const { macs, parameters, bytes } = graphCost(pruned.graph);
    const counted = choice.removal.cost.after;
    expect({ macs: counted.macs, parameters: counted.parameters, bytes: counted.bytes }).to.deep.equal({ macs, parameters, bytes });
  };

  describe('by an amount', () => {
    it('takes the worst of each group, rounded as PyTorch does', async () => {
      const text = `(float[N,3,4,4] x) => (float y) <${slabs('u', [64, 3, 1, 1], norms(64, (c) => 1 + ((c * 37) % 64)))}, ${weights('w[2,64,1,1]')}> { a = Conv (x, u)  y = Conv (a, w) }`;
      const { group, gone } = await choose(text, { amount: 0.4 }, runtime);
      expect(group('a').kept.filter(Boolean).length).to.equal(38);
      expect(gone('a')).to.deep.equal(norms(64, (c) => c).filter((c) => (c * 37) % 64 < 26));
    });

    it('rounds halves to even', async () => {
      const choice = await choose(chain, { amount: 0.3125 }, runtime);
      // 2.5 of 8, and 5 of 16.
      expect([choice.gone('a'), choice.gone('b')]).to.deep.equal([[0, 1], [0, 1, 2, 3, 4]]);
      await prove(choice);
    });

    it('takes exactly as many among equals, the first ones', async () => {
      const text = chain.replace(slabs('u', [8, 3, 1, 1], norms(8, (c) => 1 + c)), slabs('u', [8, 3, 1, 1], norms(8, () => 1)));
      expect((await choose(text, { amount: 0.5 }, runtime)).gone('a')).to.deep.equal([0, 1, 2, 3]);
    });

    it('scores coupled channels by all their producers', async () => {
      // Norms √3 (1 + c) and 4 (9 − c): by the mean the second decides, by the first producer the first.
      expect((await choose(residual, { amount: 0.25, normalize: 'none' }, runtime)).gone('a')).to.deep.equal([6, 7]);
      expect((await choose(residual, { amount: 0.25, aggregate: 'first' }, runtime)).gone('a')).to.deep.equal([0, 1]);
      // The larger one is least where they cross: 12.1 and 12 at channel 6.
      expect((await choose(residual, { amount: 0.125, aggregate: 'max' }, runtime)).gone('a')).to.deep.equal([6]);
      expect((await choose(residual, { amount: 0.125, aggregate: 'sum' }, runtime)).gone('a')).to.deep.equal([7]);
      await prove(await choose(residual, { amount: 0.25 }, runtime));
    });

    it('leaves sums of layers alone where `residual` is off', async () => {
      const choice = await choose(residual, { amount: 0.5, residual: false }, runtime);
      expect([choice.gone('a').length, choice.gone('b').length]).to.deep.equal([0, 8]);
      expect(choice.group('a').spared).to.match(/sum of layers/);
      await prove(choice);
    });

    it('loses less and less as the amount falls', async () => {
      let last = Infinity;
      for (const amount of [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9]) {
        const { removal } = await choose(residual, { amount }, runtime);
        expect(removal.cost.after.macs).to.be.below(last);
        last = removal.cost.after.macs;
      }
    });

    it('gives the same twice', async () => {
      for (const importance of ['l2', 'random'] as const) {
        const [one, two] = [await choose(residual, { amount: 0.5, importance, seed: 3 }, runtime), await choose(residual, { amount: 0.5, importance, seed: 3 }, runtime)];
        expect([...one.removal.removed]).to.deep.equal([...two.removal.removed]);
      }
    });

    it('takes others with another seed', async () => {
      const [one, two] = [await choose(chain, { amount: 0.5, importance: 'random', seed: 1 }, runtime), await choose(chain, { amount: 0.5, importance: 'random', seed: 2 }, runtime)];
      expect(one.gone('b')).not.to.deep.equal(two.gone('b'));
    });
  });

  describe('over several groups', () => {
    it('ranks all channels, by scores that can be compared', async () => {
      const { removal, gone } = await choose(chain, { amount: 0.25, scope: 'global', normalize: 'none' }, runtime);
      // 6 of 24; norms of u are (1 + c) √3 and those of v (2 + c) √72, of which the least is 17.
      expect(removal.removed.size).to.equal(6);
      expect([gone('a'), gone('b')]).to.deep.equal([[0, 1, 2, 3, 4, 5], []]);
      const divided = await choose(chain, { amount: 0.25, scope: 'global', normalize: 'max' }, runtime);
      // 1/8, 2/8, … and 2/17, 3/17, …
      expect([divided.gone('a'), divided.gone('b')]).to.deep.equal([[0, 1], [0, 1, 2, 3]]);
      expect(divided.group('b').spared).to.equal(undefined);
    });

    it('says of a group that lost nothing that it matters more', async () => {
      expect((await choose(chain, { amount: 0.25, scope: 'global', normalize: 'none' }, runtime)).group('b').spared).to.equal('has only channels that matter more than those that went');
    });

    it('stops at `maxRatio` in one step, and takes from the others', async () => {
      const { gone, group } = await choose(chain, { amount: 0.5, scope: 'global', normalize: 'none', maxRatio: 0.5 }, runtime);
      expect([gone('a').length, gone('b').length]).to.deep.equal([4, 8]);
      expect(group('a').limit).to.equal('`maxRatio` 0.5 allows no more than 4 of 8 to go');
    });

    it('keeps one channel of a group that matters least by far', async () => {
      const { gone, removal } = await choose(chain, { amount: 0.5, scope: 'global', normalize: 'none', maxRatio: 1 }, runtime);
      expect([gone('a').length, gone('b').length, removal.removed.size]).to.deep.equal([7, 5, 12]);
    });

    it('refuses what cannot go, with numbers', async () => {
      const { message, notes } = await refused(choose(chain, { amount: 0.6, scope: 'global', layers: [{ nodes: ['Conv_*'], maxRatio: 0.5 }, { ops: ['Conv'], maxRatio: 0.5 }].slice(1) }, runtime), 'prune/unreachable');
      expect(message).to.equal('14 of the 24 channels of all groups are to be removed, but at most 12 can go (amount 0.5)');
      expect(notes?.map((note) => note.message).join()).to.include('`maxRatio` 0.5 allows no more than 4 of 8 to go');
    });

    it('ranks groups together that the same operators make and read', async () => {
      const text = `(float[N,3,8,8] x) => (float y) <${slabs('u', [8, 3, 1, 1], norms(8, (c) => 1 + c))}, ${slabs('v', [8, 8, 1, 1], norms(8, (c) => 10 + c))}, ${slabs('k', [16, 8], norms(16, (c) => 100 + c))}, ${weights('l[16,4]')}>
        { a = Conv (x, u)  b = Conv (a, v)  c = Conv (b, v2)  g = GlobalAveragePool (c)  f = Flatten (g)  d = Gemm <transB = 1> (f, k)  y = Gemm (d, l) }`.replace('y) <', `y) <${slabs('v2', [8, 8, 1, 1], norms(8, (c) => 20 + c))}, `);
      const { gone } = await choose(text, { amount: 0.25, scope: 'isomorphic', normalize: 'none' }, runtime);
      // a and b are made by one Conv and read by one; c is read by a Gemm, d made by one.
      expect(['a', 'b', 'c', 'd'].map((name) => gone(name).length)).to.deep.equal([4, 0, 2, 4]);
    });
  });

  describe('within limits', () => {
    it('rounds widths up, and keeps the best of what would be lost', async () => {
      const choice = await choose(chain, { amount: 0.4, roundTo: 4 }, runtime);
      // 3 of 8 would go and leave 5: none goes but four are kept at 8; 6 of 16 leave 10, so 4 go.
      expect([choice.gone('a'), choice.gone('b')]).to.deep.equal([[], [0, 1, 2, 3]]);
      expect(choice.group('a').spared).to.equal('keeps all of its width when that is rounded up to a multiple of 4');
      await prove(choice);
    });

    it('keeps as many as `minKeep` says', async () => {
      const { gone, group } = await choose(chain, { amount: 0.5, minKeep: 6 }, runtime);
      expect([gone('a').length, gone('b').length]).to.deep.equal([2, 8]);
      expect(group('a').limit).to.equal('`minKeep` keeps 6 of 8');
      expect(group('b').limit).to.equal(undefined);
      expect((await choose(chain, { amount: 0.25, minKeep: 6 }, runtime)).group('a').limit, 'just as many').to.equal(undefined);
    });

    it('refuses an amount beyond `maxRatio`, and one that leaves nothing', async () => {
      expect((await refused(choose(chain, { amount: 0.5, maxRatio: 0.3 }, runtime), 'prune/amount')).message).to.include('`maxRatio` 0.3');
      expect((await refused(choose(chain, { amount: 1, maxRatio: 1 }, runtime), 'prune/unreachable')).message).to.equal('8 of the 8 channels of \'/Conv\' are to be removed, but at most 7 can go (amount 0.875)'.replace('/Conv', (await choose(chain, { amount: 0 }, runtime)).group('a').group.name));
    });

    it('wants to be told how much, once', async () => {
      await refused(choose(chain, {}, runtime), 'prune/amount');
      await refused(choose(chain, { budget: {} }, runtime), 'prune/amount');
      await refused(choose(chain, { amount: 0.1, budget: { macs: 0.5 } }, runtime), 'prune/amount');
    });

    it('keeps `maxRatio` and the amount over several steps', async () => {
      for (const steps of [1, 2, 3, 7]) {
        const { gone } = await choose(chain, { amount: 0.5, steps }, runtime);
        expect([gone('a').length, gone('b').length], `${steps} steps`).to.deep.equal([4, 8]);
        const limited = await choose(chain, { amount: 0.5, scope: 'global', normalize: 'none', maxRatio: 0.5, steps }, runtime);
        expect([limited.gone('a').length, limited.gone('b').length], `${steps} steps, global`).to.deep.equal([4, 8]);
      }
    });

    it('scores anew what is left after each step', async () => {
      // Of b, channel 0 has nearly all its weight on channel 0 of a, which goes in the first step.
      const v = [[90, 1, 1, 1], [3, 3, 3, 3], [4, 4, 4, 4], [5, 5, 5, 5]].flat().map((x) => x.toFixed(1)).join();
      const text = `(float[N,3,4,4] x) => (float y) <${slabs('u', [4, 3, 1, 1], [1, 2, 3, 4])}, float[4,4,1,1] v = {${v}}, ${weights('w[2,4,1,1]')}> { a = Conv (x, u)  b = Conv (a, v)  y = Conv (b, w) }`;
      expect((await choose(text, { amount: 0.5 }, runtime)).gone('b')).to.deep.equal([1, 2]);
      expect((await choose(text, { amount: 0.5, steps: 2 }, runtime)).gone('b')).to.deep.equal([0, 1]);
    });

    it('never empties a part of a split', async () => {
      const text = `(float[N,3,4,4] x) => (float y) <${slabs('u', [8, 3, 1, 1], norms(8, (c) => 1 + c))}, ${weights('v[4,3,1,1] w[4,5,1,1]')}, int64[2] parts = {3, 5}> { a = Conv (x, u)  p, q = Split <axis = 1> (a, parts)  b = Conv (p, v)  c = Conv (q, w)  y = Add (b, c) }`;
      const choice = await choose(text, { amount: 0.5 }, runtime);
      expect(choice.gone('a')).to.deep.equal([0, 1, 3, 4]);
      await prove(choice);
    });

    it('takes as many of two groups that are the rows of one arrangement', async () => {
      const text = `(float[N,3,8,8] x) => (float y) <${slabs('u', [4, 3, 1, 1], [1, 4, 2, 3])}, ${slabs('v', [4, 3, 1, 1], [9, 6, 8, 7])}, ${weights('w[2,8,1,1]')}, int64[5] rows = {0,2,4,8,8}, int64[4] flat = {0,8,8,8}>
        { a = Conv (x, u)  b = Conv (x, v)  c = Concat <axis = 1> (a, b)  r = Reshape (c, rows)  s = Relu (r)  m = Reshape (s, flat)  y = Conv (m, w) }`;
      for (const scope of ['layer', 'global'] as const) {
        const choice = await choose(text, { amount: 0.5, scope, normalize: 'none' }, runtime);
        expect([choice.gone('a'), choice.gone('b')]).to.deep.equal([[0, 2], [1, 3]]);
        await prove(choice);
      }
      const limited = await choose(text, { amount: 0.75, layers: [{ nodes: [(await choose(text, { amount: 0 }, runtime)).group('b').group.name], maxRatio: 0.25 }] }, runtime);
      expect([limited.gone('a'), limited.gone('b')], 'the other has to follow').to.deep.equal([[0], [1]]);
      const half = await choose(text, { amount: 0.5 }, runtime, { selected: ({ outputs }) => outputs[0]!.name !== 'b' });
      expect(half.removal.removed.size).to.equal(0);
      expect(half.group('a').spared).to.match(/^has channels in an arrangement of 2×4/);
    });

    it('takes whole groups of a grouped convolution', async () => {
      const text = `(float[N,3,4,4] x) => (float y) <${weights('u[8,3,1,1] v[8,2,3,3] w[4,8,1,1]')}> { a = Conv (x, u)  b = Conv <group = 4> (a, v)  y = Conv (b, w) }`;
      const choice = await choose(text, { amount: 0.5 }, runtime);
      expect(choice.removal.removed.size).to.equal(2);
      expect(choice.removal.cost.after.parameters).to.equal(4 * 3 + 4 * 2 * 9 + 4 * 4);
      await prove(choice);
    });

    it('leaves a layer of one channel alone', async () => {
      const text = `(float[N,3,4,4] x) => (float y) <${weights('u[1,3,1,1] v[1,1,3,3] w[4,1,1,1]')}> { a = Conv (x, u)  b = Conv <group = 1> (a, v)  y = Conv (b, w) }`;
      for (const scope of ['layer', 'global'] as const) expect((await choose(text, { amount: 0.9, scope }, runtime)).removal.removed.size).to.equal(0);
    });
  });

  describe('of some layers', () => {
    it('takes a group only if all that make it are selected', async () => {
      const { gone, group, model } = await choose(residual, { amount: 0.5 }, runtime, { selected: ({ outputs }) => outputs[0]!.name !== 'c' });
      expect([gone('a'), gone('b').length]).to.deep.equal([[], 8]);
      const name = [...model.graph.nodes()].find(({ outputs }) => outputs[0]!.name === 'c')!.name;
      expect(group('a').spared).to.equal(`is made by '${name}' too, which is not selected`);
      expect((await choose(residual, { amount: 0.5 }, runtime, { selected: () => false })).removal.removed.size).to.equal(0);
    });

    it('by amounts of their own, beside `scope` and `budget`', async () => {
      const base = await choose(chain, { amount: 0 }, runtime);
      const [a, b] = ['a', 'b'].map((name) => base.group(name).group.name) as [string, string];
      const own = await choose(chain, { layers: [{ nodes: [a], amount: 0.5 }] }, runtime);
      expect([own.gone('a').length, own.gone('b').length]).to.deep.equal([4, 0]);
      const later = await choose(chain, { amount: 0.25, scope: 'global', layers: [{ ops: ['Conv'], amount: 0.25 }, { nodes: [b], amount: 0.75 }] }, runtime);
      expect([later.gone('a').length, later.gone('b').length]).to.deep.equal([2, 12]);
      const capped = await choose(chain, { amount: 0.5, layers: [{ nodes: [b], maxRatio: 0.2 }] }, runtime);
      expect([capped.gone('a').length, capped.gone('b').length]).to.deep.equal([4, 3]);
      const budget = await choose(chain, { budget: { macs: 0.5 }, layers: [{ nodes: [a], amount: 0 }] }, runtime);
      expect(budget.gone('a')).to.deep.equal([]);
      expect(budget.removal.cost.after.macs / budget.removal.cost.before.macs).to.be.within(0.4, 0.5);
    });

    it('refuses entries that mean nothing', async () => {
      await refused(choose(chain, { layers: [{ amount: 0.5 }] }, runtime), 'prune/layers');
      await refused(choose(chain, { amount: 0.1, layers: [{ ops: ['Conv'] }] }, runtime), 'prune/layers');
      await refused(choose(chain, { layers: [{ nodes: ['nowhere'], amount: 0.5 }] }, runtime), 'prune/layers');
      await refused(choose(chain, { layers: [{ nodes: ['[a'], amount: 0.5 }] }, runtime), 'prune/layers');
    });
  });

  describe('by importances', () => {
    const folded = (scales: string): string => `(float[N,3,8,8] x) => (float y) <${weights('u[4,3,1,1] w[2,4,1,1]')}, float[4] s = {${scales}}, float[4] o = {0.0,0.0,0.0,0.0}, float[4] v = {1.0,1.0,1.0,1.0}> { a = Conv (x, u)  n = BatchNormalization (a, s, o, o, v)  y = Conv (n, w) }`;

    it('bn-scale, whose sign does not count', async () => {
      const choice = await choose(folded('-3.0, 0.5, -0.1, 2.0'), { amount: 0.5, importance: 'bn-scale' }, runtime, { opset: 15 });
      expect(choice.gone('a')).to.deep.equal([1, 2]);
    });

    it('bn-scale says what is missing', async () => {
      expect((await refused(choose(chain, { amount: 0.5, importance: 'bn-scale' }, runtime), 'prune/no-scores')).message).to.match(/can score no channel: '.*' has no BatchNormalization/);
    });

    it('weights behind DequantizeLinear and Transpose, as numbers', async () => {
      // Codes fall where what they stand for rises.
      const text = `(float[N,2] x) => (float y) <int8[3,2] q = {90,90, 80,80, 70,70}, float[3] scale = {0.01, 0.1, 1.0}, int8[3] zero = {0,0,0}, ${weights('w[3,2]')}> { d = DequantizeLinear <axis = 0> (q, scale, zero)  t = Transpose <perm = [1,0]> (d)  a = MatMul (x, t)  y = MatMul (a, w) }`;
      const { group, gone } = await choose(text, { amount: 0.34, normalize: 'none' }, runtime);
      if (group('a').spared !== undefined) throw new Error(group('a').spared);
      expect(gone('a')).to.deep.equal([0]);
      group('a').norms.forEach((norm, at) => { expect(norm / Math.SQRT2).to.be.closeTo([0.9, 8, 70][at]!, 1e-5); });
    });

    it('weights of quantized operators, by their scales and zero points', async () => {
      const text = `(uint8[N,2,4,4] x) => (uint8 y) <float s = {0.1}, uint8 z = {128}, int8[3,2,1,1] u = {90,90, 80,80, 70,70}, float[3] scales = {0.01, 0.1, 1.0}, int8[3] zeros = {10,0,0}, int8[2,3,1,1] w = {1,2,3,4,5,6}, float one = {1.0}, int8 none = {0}>
        { a = QLinearConv (x, s, z, u, scales, zeros, s, z)  y = QLinearConv (a, s, z, w, one, none, s, z) }`;
      const { group, gone } = await choose(text, { amount: 0.34 }, runtime);
      expect(gone('a')).to.deep.equal([0]);
      // Scales are float32 numbers.
      group('a').norms.forEach((norm, at) => { expect(norm / Math.SQRT2 / [0.8, 8, 70][at]!).to.be.closeTo(1, 1e-7); });
    });

    it('activation, by what was seen of each position', async () => {
      const text = `(float[N,3] x) => (float y) <${weights('u[3,4]')}, float[4,2] w = {1.0,1.0, 1.0,1.0, 2.0,2.0, 1.0,0.0}> { a = MatMul (x, u)  r = Relu (a)  y = MatMul (r, w) }`;
      const seen = { axis: 1, samples: 1, mean: new Float64Array(4), absMax: new Float64Array(4), meanAbsMax: new Float64Array(4), meanSquare: Float64Array.of(4, 1, 1, 9) };
      const { group, gone } = await choose(text, { amount: 0.25, importance: 'activation', normalize: 'none' }, runtime, { statistics: { channels: new Map([['r', seen]]), moments: new Map() } });
      expect([...group('a').scores!].map((score) => score ** 2)).to.deep.equal([8, 2, 8, 9].map((each) => Math.sqrt(each) ** 2));
      expect(gone('a')).to.deep.equal([1]);
      const gram = new Float64Array(16);
      [4, 1, 1, 0.1].forEach((square, at) => { gram[at * 5] = square; });
      const node = group('a').group.consumers[0]!.node.name;
      const moments = new Map([[node, { groups: 1, size: 4, columns: 9, mean: new Float64Array(4), gram }]]);
      expect((await choose(text, { amount: 0.25, importance: 'activation' }, runtime, { statistics: { channels: new Map(), moments } })).gone('a')).to.deep.equal([3]);
      expect((await refused(choose(text, { amount: 0.25, importance: 'activation' }, runtime), 'prune/no-scores')).suggestion).to.include('calibrate');
    });

    it('reconstruction, which sees what another channel can stand in for', async () => {
      const text = `(float[N,3] x) => (float y) <${weights('u[3,3]')}, float[3,2] w = {9.0,9.0, 9.0,9.0, 1.0,1.0}> { a = MatMul (x, u)  r = Relu (a)  y = MatMul (r, w) }`;
      // Channels 0 and 1 go up and down together: either can go; channel 2 is small, but nothing stands in for it.
      const gram = Float64Array.of(1, 0.999, 0, 0.999, 1, 0, 0, 0, 1);
      const node = (await choose(text, { amount: 0 }, runtime)).group('a').group.consumers[0]!.node.name;
      const statistics = { channels: new Map(), moments: new Map([[node, { groups: 1, size: 3, columns: 9, mean: new Float64Array(3), gram }]]) };
      const one = await choose(text, { amount: 0.34, importance: 'reconstruction' }, runtime, { statistics });
      expect(one.gone('a')).to.deep.equal([2]);
      const scores = one.group('a').scores!;
      // 2 · 81 · (1.01 − 0.999² / 1.01) of the power 2 (81 (1.01 + 1.01 + 2 · 0.999) + 1.01), damped by 0.01.
      expect(scores[0]!).to.be.closeTo((81 * (1.01 - 0.999 ** 2 / 1.01)) / (81 * (2.02 + 1.998) + 1.01), 1e-12);
      expect(scores[2]!).to.be.closeTo(1.01 / (81 * (2.02 + 1.998) + 1.01), 1e-12);
      // When one of the pair has gone, nothing stands in for the other.
      const two = await choose(text, { amount: 0.67, importance: 'reconstruction', steps: 2 }, runtime, { statistics });
      expect(two.gone('a')).to.deep.equal([0, 2]);
      expect((await refused(choose(text, { amount: 0.3, importance: 'reconstruction' }, runtime), 'prune/no-scores')).message).to.include('second moments');
    });
  });

  describe('under a budget', () => {
    const nets: readonly (readonly [string, string])[] = [['a chain', chain], ['a residual block', residual], ['connections by Concat', `(float[N,3,8,8] x) => (float y) <${weights('u[12,3,3,3] v[10,12,3,3] t[8,22,3,3] w[4,30,1,1]')}> { a = Conv (x, u)  b = Conv <pads = [1,1,1,1]> (a, v)  e = Concat <axis = 1> (a, b)  c = Conv <pads = [1,1,1,1]> (e, t)  f = Concat <axis = 1> (e, c)  y = Conv (f, w) }`]];
    for (const [name, text] of nets) {
      for (const scope of ['layer', 'global', 'isomorphic'] as const) {
        for (const [kind, keep] of [['macs', 0.5], ['parameters', 0.6], ['bytes', 0.7], ['macs', 0.9]] as const) {
          it(`${name}, ${scope}: ${kind} ${keep} are met within one channel`, async () => {
            const choice = await choose(text, { budget: { [kind]: keep }, scope }, runtime);
            const { removal } = choice;
            const [before, after] = [removal.cost.before[kind], removal.cost.after[kind]];
            expect(after).to.be.at.most(keep * before);
            // Some channel put back breaks the budget.
            const counts = await Promise.all([...removal.removed].map(async (root) => {
              const { channels, model } = await choose(text, { amount: 0 }, runtime);
              const { Widths } = await import('../../../passes/prune/widths.ts');
              const { Recount } = await import('../../../passes/prune/recount.ts');
              const widths = new Widths(channels.flow);
              widths.become(new Set([...removal.removed].filter((other) => other !== root)));
              return new Recount(model, widths, new Map()).now()[kind];
            }));
            expect(Math.max(...counts)).to.be.above(keep * before);
            await prove(choice);
          });
        }
      }
    }

    it('meets several figures, also in steps and with rounded widths', async () => {
      const choice = await choose(chain, { budget: { macs: 0.8, parameters: 0.4 }, steps: 3, roundTo: 2, scope: 'global' }, runtime);
      const { before, after } = choice.removal.cost;
      expect(after.macs).to.be.at.most(0.8 * before.macs);
      expect(after.parameters).to.be.at.most(0.4 * before.parameters);
      for (const name of ['a', 'b']) expect(choice.group(name).kept.filter(Boolean).length % 2).to.equal(0);
      await prove(choice);
    });

    it('removes nothing where nothing has to go', async () => {
      expect((await choose(chain, { budget: { macs: 1 } }, runtime)).removal.removed.size).to.equal(0);
    });

    it('refuses what cannot be reached, and says how far it comes', async () => {
      const { message, notes } = await refused(choose(chain, { budget: { macs: 0.01 }, maxRatio: 0.5 }, runtime), 'prune/unreachable');
      expect(message).to.match(/^the budget cannot be met: with all removed that may go, \d+\.\d % of the multiply-accumulates stay where 1\.0 % may$/);
      expect(notes?.length).to.be.greaterThan(0);
    });

    it('refuses a budget of what cannot be counted', async () => {
      const text = chain.replace('float[N,3,8,8]', 'float[N,3,H,W]');
      expect((await refused(choose(text, { budget: { macs: 0.5 } }, runtime), 'prune/budget')).suggestion).to.include('`inputs`');
      expect((await choose(text, { budget: { parameters: 0.5 } }, runtime)).removal.removed.size).to.be.greaterThan(0);
    });

    it('weighs losses against what is gained', async () => {
      const ones = (name: string, rows: number, columns: number): string => `float[${rows},${columns}] ${name} = {${Array<string>(rows * columns).fill('1.0').join()}}`;
      const text = `(float[N,30] x) => (float y) <${ones('u', 30, 4)}, ${ones('v', 4, 10)}, ${ones('w', 10, 2)}> { a = MatMul (x, u)  r = Relu (a)  b = MatMul (r, v)  s = Relu (b)  y = MatMul (s, w) }`;
      const [b, y] = (await choose(text, { amount: 0 }, runtime)).removal.groups.flatMap(({ group: { consumers } }) => consumers.map(({ node }) => node.name));
      const identity = (size: number) => ({ groups: 1, size, columns: 9, mean: new Float64Array(size), gram: Float64Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0)) });
      const statistics = { channels: new Map(), moments: new Map([[b!, identity(4)], [y!, identity(10)]]) };
      // A channel of a is a quarter of what its reader gives, and saves 40 of 180; one of b is a tenth, and saves 6.
      const weighed = await choose(text, { budget: { macs: 0.75 }, scope: 'global', importance: 'reconstruction' }, runtime, { statistics });
      expect([weighed.gone('a'), weighed.gone('b')]).to.deep.equal([[0, 1], []]);
      const ranked = await choose(text, { amount: 0.3, scope: 'global', importance: 'reconstruction' }, runtime, { statistics });
      expect([ranked.gone('a'), ranked.gone('b')]).to.deep.equal([[], [0, 1, 2, 3]]);
    });

    it('predicts a time', async () => {
      const { removal } = await choose(chain, { budget: { latency: 0.8 } }, runtime);
      expect(removal.cost.after.latency / removal.cost.before.latency).to.be.within(0.6, 0.8);
    });
  });
});
