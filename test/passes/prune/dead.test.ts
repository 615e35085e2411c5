import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { checkRemoval, followed } from '../../../compiler/testing/pruning.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { deadChannels } from '../../../passes/prune/dead.ts';
import { differenceOf, feedsAt } from '../../../passes/prune/proof.ts';
import { shared } from '../../paths.ts';
import { loadModel } from '../../real-models.ts';

/** What lies between a convolution `a` to 6 channels and one that reads them. */
const image = (middle: string, more = ''): string =>
  `(float[N,3,8,8] x) => (float y) <float[6,3,3,3] w = "random 1", float[6] b = "random 2", float[4,6,3,3] v = "random 3"${more}> { a = Conv <pads = [1,1,1,1]> (x, w, b)  ${middle}  y = Conv <pads = [1,1,1,1]> (m, v) }`;

describe('channels that nobody misses', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  /** Zeros in the slab of a weight, and a number in the bias. */
  const still = (model: Model, name: string, channel: number, bias?: readonly [name: string, x: number], axis = 0): void => {
    const edit = new Editor(model);
    const set = (label: string, change: (data: Float32Array, shape: readonly number[]) => void): void => {
      const value = [...model.graph.constants].find((each) => each.name === label)!;
      const data = Float32Array.from(value.constant!.floats());
      change(data, value.constant!.shape);
      edit.setTensor(value, Tensor.of('float', data, value.constant!.shape));
    };
    set(name, (data, shape) => {
      const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
      data.forEach((_, at) => { if (Math.floor(at / inner) % shape[axis]! === channel) data[at] = 0; });
    });
    if (bias !== undefined) set(bias[0], (data) => { data[channel] = bias[1]; });
  };

  /** How many are found, each kind; the removal is proved against the model as it is. */
  async function found(text: string, change: (model: Model) => void): Promise<readonly [zero: number, unread: number]> {
    const model = parseModel(`<ir_version: 8, opset_import: ["" : 17]> g ${text}`, { name: 'case', fill: filled });
    normalizeModel(model, new Editor(model));
    change(model);
    return proved(model);
  }

  async function proved(model: Model): Promise<readonly [zero: number, unread: number]> {
    const subject = await followed(model, runtime);
    const { zero, unread } = deadChannels(model, subject.channels);
    const original = cloneModel(model);
    const feeds = feedsAt(model, subject.dims)!;
    const { pruned } = await checkRemoval(subject, new Set([...zero, ...unread]), runtime);
    // The same products without those that are zero: other sums of float32 at most.
    expect((await differenceOf(original, pruned, feeds, runtime)).relative).to.be.below(1e-6);
    return [zero.size, unread.size];
  }

  it('are those without weights whose bias an activation cuts off', async () => {
    expect(await found(image('m = Relu (a)'), (model) => { still(model, 'w', 2, ['b', -0.5]); still(model, 'w', 4, ['b', 0]); })).to.deep.equal([2, 0]);
  });

  it('are not those that are a number', async () => {
    expect(await found(image('m = Relu (a)'), (model) => { still(model, 'w', 2, ['b', 0.5]); })).to.deep.equal([0, 0]);
    expect(await found(image('m = Sigmoid (a)'), (model) => { still(model, 'w', 2, ['b', 0]); })).to.deep.equal([0, 0]);
  });

  it('are those that only zeros read', async () => {
    expect(await found(image('m = Sigmoid (a)'), (model) => { still(model, 'v', 1, undefined, 1); })).to.deep.equal([0, 1]);
  });

  it('are seen through normalization, pools and movement', async () => {
    const more = ', float[6] s = "random 4", float[6] o = "random 5", float[6] e = "random 6", float[6] d = {1, 1, 1, 1, 1, 1}';
    expect(await found(image('n = BatchNormalization (a, s, o, e, d)  r = Relu (n)  p = MaxPool <kernel_shape = [2,2], pads = [1,1,1,1]> (r)  m = Concat <axis = 2> (p, p)', more), (model) => { still(model, 's', 3, ['o', -1]); })).to.deep.equal([1, 0]);
  });

  it('are zero in all summands of a sum', async () => {
    const sum = image('c = Conv (x, u, ub)  t = Add (a, c)  m = Relu (t)', ', float[6,3,1,1] u = "random 4", float[6] ub = "random 5"').replace('c = Conv (x, u, ub)', 'c = Conv (x, u, ub)');
    expect(await found(sum, (model) => { still(model, 'w', 2, ['b', 0]); })).to.deep.equal([0, 0]);
    expect(await found(sum, (model) => { still(model, 'w', 2, ['b', 1]); still(model, 'u', 2, ['ub', -1]); })).to.deep.equal([1, 0]);
  });

  it('are 69 in cifar10_resnet20b_chsparse', async function dead() {
    if (shared === undefined) { this.skip(); return; }
    const [zero, unread] = await proved(loadModel('cifar10_resnet20b_chsparse'));
    expect(zero + unread).to.equal(69);
  });
});
