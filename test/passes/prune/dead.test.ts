import { expect } from 'chai';
import { runPass } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { bindOptions } from '../../../compiler/testing/declaration.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { followed } from '../../../compiler/testing/pruning.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { differenceOf, feedsAt } from '../../../passes/prune/proof.ts';
import { selectChannels } from '../../../passes/prune/select.ts';
import type { DeadKind } from '../../../passes/prune/lossless/dead.ts';
import type { PruneOptions } from '../../../passes/prune/options.ts';
import { structuredPrune } from '../../../passes/structured-prune.ts';
import { shared } from '../../paths.ts';
import { choose } from './choosing.ts';
import { loadModel } from '../../real-models.ts';

/** What lies between a convolution `a` to 6 channels and one that reads them, with padding or without. */
const image = (middle: string, more = '', pads = 1): string =>
  `(float[N,3,8,8] x) => (float y) <float[6,3,3,3] w = "random 1", float[6] b = "random 2", float[4,6,3,3] v = "random 3"${more}> { a = Conv <pads = [1,1,1,1]> (x, w, b)  ${middle}  y = Conv <pads = [${Array(4).fill(pads).join()}]> (m, v) }`;

/** The same without convolutions; `last` reads 6 features of `m`. */
const tokens = (middle: string, last: string, more = ''): string =>
  `(float[N,5] x) => (float y) <float[5,6] w = "random 1", float[6] b = "random 2", float[6,4] v = "random 3"${more}> { a = Gemm (x, w, b)  ${middle}  ${last} }`;

type Change = (data: Float32Array, place: (element: number, axis: number) => number) => void;

/** Changes elements of constants: `place` is where an element stands on an axis. */
function alter(model: Model, changes: Readonly<Record<string, Change>>): void {
  for (const [name, change] of Object.entries(changes)) {
    const value = [...model.graph.constants].find((each) => each.name === name)!;
    const { shape } = value.constant!;
    const data = Float32Array.from(value.constant!.floats());
    change(data, (element, axis) => Math.floor(element / shape.slice(axis + 1).reduce((product, dim) => product * dim, 1)) % shape[axis]!);
    new Editor(model).setTensor(value, Tensor.of('float', data, shape));
  }
}

/** Puts one number into the slabs of these channels. */
const fill = (channels: readonly number[], number = 0, axis = 0): Change => (data, place) => { data.forEach((_, at) => { if (channels.includes(place(at, axis))) data[at] = number; }); };

/** Makes the slab of one channel that of another. */
const twin = (from: number, to: number, axis = 0): Change => (data, place) => {
  const slab = [...data.keys()].filter((at) => place(at, axis) === from);
  [...data.keys()].filter((at) => place(at, axis) === to).forEach((at, rank) => { data[at] = data[slab[rank]!]!; });
};

const both = (...changes: readonly Change[]): Change => (data, place) => { for (const change of changes) change(data, place); };

describe('channels that nobody misses', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  /** How many go, of each kind. The pruned model is run beside the original: sums of float32 in another order, relative to the largest output. */
  async function proved(model: Model, tolerance = 1e-6): Promise<Partial<Record<DeadKind, number>>> {
    const [original, subject] = [cloneModel(model), await followed(cloneModel(model), runtime)];
    const options = bindOptions(structuredPrune, { lossless: true }).options as unknown as PruneOptions;
    const { dead, removed } = await selectChannels(subject.model, subject.channels, options, { select: { has: () => true, everything: true }, runtime, sizes: new Map(), statistics: undefined });
    expect(dead.map(({ root }) => root)).to.have.members([...removed]);
    const target = loadTarget('portable');
    await runPass(model, structuredPrune, options, { runtime, target });
    for (const seed of [1, 2]) expect((await differenceOf(original, model, feedsAt(subject.model, subject.dims, seed)!, runtime)).relative).to.be.at.most(tolerance);
    // What was removed is gone: nothing is found a second time.
    expect((await runPass(model, structuredPrune, options, { runtime, target })).count).to.equal(0);
    const kinds: Partial<Record<DeadKind, number>> = {};
    for (const { kind } of dead) kinds[kind] = (kinds[kind] ?? 0) + 1;
    return kinds;
  }

  const found = async (text: string, changes: Readonly<Record<string, Change>>): Promise<Partial<Record<DeadKind, number>>> => {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]> g ${text}`, { name: 'case', fill: filled });
    normalizeModel(model, new Editor(model));
    alter(model, changes);
    return proved(model);
  };

  describe('zero', () => {
    it('without weights, with a bias that an activation cuts off', async () => {
      expect(await found(image('m = Relu (a)'), { w: fill([2, 4]), b: both(fill([2], -0.5), fill([4])) })).to.deep.equal({ zero: 2 });
    });

    it('behind normalization, pools and movement', async () => {
      const more = ', float[6] s = "random 4", float[6] o = "random 5", float[6] e = "random 6", float[6] d = {1, 1, 1, 1, 1, 1}';
      const text = image('n = BatchNormalization (a, s, o, e, d)  r = Relu (n)  p = MaxPool <kernel_shape = [2,2], pads = [1,1,1,1]> (r)  m = Concat <axis = 2> (p, p)', more);
      expect(await found(text, { s: fill([3]), o: fill([3], -1) })).to.deep.equal({ zero: 1 });
    });

    it('on both sides of a depthwise convolution', async () => {
      const text = image('r = Relu (a)  c = Conv <group = 6, pads = [1,1,1,1]> (r, u, ub)  m = Relu (c)', ', float[6,1,3,3] u = "random 4", float[6] ub = "random 5"');
      expect(await found(text, { w: fill([1, 2]), b: fill([1, 2], -1), ub: both(fill([1], -0.1), fill([2], 0.1)) })).to.deep.equal({ zero: 1 });
    });

    it('in all summands of a sum, or not at all', async () => {
      const sum = image('c = Conv (x, u, ub)  t = Add (a, c)  m = Relu (t)', ', float[6,3,1,1] u = "random 4", float[6] ub = "random 5"');
      expect(await found(sum, { w: fill([2]), b: fill([2]) })).to.deep.equal({});
      expect(await found(sum, { w: fill([2]), b: fill([2], 1), u: fill([2]), ub: fill([2], -1) })).to.deep.equal({ zero: 1 });
    });

    it('in all that is put side by side, or not at all', async () => {
      const text = image('r = Relu (a)  m = Concat <axis = 2> (r, a)');
      expect(await found(text, { w: fill([2, 3]), b: both(fill([2], -1), fill([3])) })).to.deep.equal({ zero: 1 });
    });

    it('for every reader, or not at all', async () => {
      const two = image('r = Relu (a)  c = Conv (a, u)  d = Conv (r, u2)  m = Concat <axis = 1> (c, d)', ', float[3,6,1,1] u = "random 4", float[3,6,1,1] u2 = "random 5"');
      expect(await found(two, { w: fill([2, 3]), b: fill([2, 3], -0.5), u: fill([3], 0, 1) })).to.deep.equal({ constant: 1, unread: 1 });
    });
  });

  describe('unread', () => {
    it('where only zeros read it', async () => {
      expect(await found(image('m = Sigmoid (a)'), { v: fill([1], 0, 1) })).to.deep.equal({ unread: 1 });
    });

    it('where only channels read it that have gone', async () => {
      const text = image('r = Sigmoid (a)  c = Conv (r, u)  m = Sigmoid (c)', ', float[6,6,1,1] u = "random 4"');
      const feedsOnly = (row: number, column: number): Change => (data, place) => { data.forEach((_, at) => { if (place(at, 1) === column && place(at, 0) !== row) data[at] = 0; }); };
      expect(await found(text, { v: fill([5], 0, 1), u: feedsOnly(5, 2) })).to.deep.equal({ unread: 2 });
    });

    it('is nothing that is averaged without weights', async () => {
      expect(await found(tokens('n = ReduceMean <axes = [1], keepdims = 1> (a)  m = Sub (a, n)', 'y = MatMul (m, v)'), { v: fill([1]) })).to.deep.equal({});
    });
  });

  describe('constant', () => {
    it('goes into the bias of a convolution without padding, which may have none yet', async () => {
      const changes = { w: fill([1, 3]), b: both(fill([1], 0.7), fill([3], -2)) };
      expect(await found(image('m = Sigmoid (a)', '', 0), changes)).to.deep.equal({ constant: 2 });
      expect(await found(image('m = LeakyRelu (a)', ', float[4] vb = "random 4"', 0).replace('(m, v)', '(m, v, vb)'), changes)).to.deep.equal({ constant: 2 });
    });

    it('goes into the bias of a product: its own, one added behind it, a new one', async () => {
      const changes = { w: fill([1, 3], 0, 1), b: both(fill([1], 0.7), fill([3], -2)) };
      expect(await found(tokens('m = Tanh (a)', 'y = Gemm (m, v, c)', ', float[4] c = "random 4"'), changes)).to.deep.equal({ constant: 2 });
      expect(await found(tokens('m = Tanh (a)', 'p = MatMul (m, v)  y = Add (c, p)', ', float[4] c = "random 4"'), changes)).to.deep.equal({ constant: 2 });
      expect(await found(tokens('m = HardSwish (a)', 'p = MatMul (m, v)  y = Relu (p)'), changes)).to.deep.equal({ constant: 2 });
    });

    it('stays alone under padding, and all but one go where there are several', async () => {
      expect(await found(image('m = Sigmoid (a)'), { w: fill([1]) })).to.deep.equal({});
      expect(await found(image('m = Tanh (a)'), { w: fill([1, 3, 4]), b: both(fill([1], 0.7), fill([3], -0.2), fill([4], 0.1)) })).to.deep.equal({ twin: 2 });
    });
  });

  describe('twin', () => {
    it('with the same weights and bias', async () => {
      expect(await found(image('m = Tanh (a)'), { w: both(twin(0, 4), twin(2, 3)), b: twin(0, 4) })).to.deep.equal({ twin: 1 });
    });

    it('through normalization, a depthwise convolution and a pool', async () => {
      const text = image('n = BatchNormalization (a, s, o, e, d)  c = Conv <group = 6> (n, u)  p = AveragePool <kernel_shape = [2,2], pads = [1,1,1,1]> (c)  m = Gelu (p)'.replace('Gelu', 'Erf'), ', float[6] s = "random 4", float[6] o = "random 5", float[6] e = "random 6", float[6] d = {1, 1, 1, 1, 1, 1}, float[6,1,3,3] u = "random 8"');
      const alike = { w: twin(1, 5), b: twin(1, 5), s: twin(1, 5), o: twin(1, 5), e: twin(1, 5) };
      expect(await found(text, alike)).to.deep.equal({});
      expect(await found(text, { ...alike, u: twin(1, 5) })).to.deep.equal({ twin: 1 });
    });

    it('flattened with its places', async () => {
      const text = image('r = Relu (a)  f = Flatten (r)', ', float[384,5] last = "random 4"').replace(/y = Conv.*\)/, 'y = MatMul (f, last)').replace(/, float\[4,6,3,3\] v = "random 3"/, '');
      expect(await found(text, { w: twin(1, 5), b: twin(1, 5) })).to.deep.equal({ twin: 1 });
    });

    it('in both branches of a sum, or not at all', async () => {
      const sum = image('c = Conv <pads = [1,1,1,1]> (a, u)  m = Add (a, c)', ', float[6,6,3,3] u = "random 4"');
      expect(await found(sum, { w: twin(1, 5), b: twin(1, 5) })).to.deep.equal({});
      expect(await found(sum, { w: twin(1, 5), b: twin(1, 5), u: twin(1, 5) })).to.deep.equal({ twin: 1 });
    });

    it('stays where weights are shared', async () => {
      const text = image('c = Conv (a, u)  d = Relu (a)  e = Conv (d, u)  m = Concat <axis = 1> (c, e)', ', float[3,6,1,1] u = "random 4"');
      expect(await found(text, { w: twin(1, 5), b: twin(1, 5) })).to.deep.equal({});
    });
  });

  it('are all that goes: an amount beside it is refused', async () => {
    for (const more of [{ amount: 0.3 }, { budget: { macs: 0.5 } }]) {
      const error = await choose(image('m = Relu (a)'), { lossless: true, ...more }, runtime).then(() => undefined, (thrown: unknown) => thrown);
      expect(error).to.include({ code: 'prune/amount' });
    }
  });

  it('go only from layers that are selected', async () => {
    const text = image('m = Relu (a)').replace('float[6,3,3,3] w = "random 1"', `float[6,3,3,3] w = {${Array(162).fill('0').join()}}`);
    expect((await choose(text, { lossless: true }, runtime, { selected: () => false })).removal.removed.size).to.equal(0);
    expect((await choose(text, { lossless: true }, runtime)).removal.removed.size, 'one stays').to.equal(5);
  });

  it('are 69 in cifar10_resnet20b_chsparse', async function dead() {
    if (shared === undefined) { this.skip(); return; }
    const kinds = await proved(loadModel('cifar10_resnet20b_chsparse'));
    expect(Object.values(kinds).reduce((sum, count) => sum + count, 0)).to.equal(69);
  });
});
