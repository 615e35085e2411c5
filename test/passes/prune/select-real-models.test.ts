import { expect } from 'chai';
import { Editor } from '../../../ir/edit.ts';
import { graphCost } from '../../../passes/cost.ts';
import { cut } from '../../../passes/prune/cut.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { followed } from '../../../compiler/testing/pruning.ts';
import type { SelectionOptions } from '../../../passes/prune/options.ts';
import { selectChannels } from '../../../passes/prune/select.ts';
import { survivorsOf } from '../../../passes/prune/survivors.ts';
import { shared } from '../../paths.ts';
import { loadModel } from '../../real-models.ts';

const defaults: SelectionOptions = { scope: 'layer', layers: [], lossless: false, importance: 'l2', residual: true, roundTo: 1, maxRatio: 0.9, minKeep: 1, steps: 1, seed: 0 };

/** Models with residuals, depthwise and dilated convolutions, dense connections by Concat, channel shuffles, gates, branches. */
const models = ['cifar10_resnet20', 'mlperf_tiny_vww_mobilenetv1', 'yolox_nano', 'deeplabv3_mnv2_257', 'road_seg_adas_0001', 'fastestdet', 'ultraface_rfb_320'];

const requests: readonly (readonly [name: string, options: Partial<SelectionOptions>])[] = [
  ['an amount', { amount: 0.3 }],
  ['a budget over all channels', { budget: { macs: 0.7 }, scope: 'global' }],
  ['a budget, like with like, widths of multiples of 8', { budget: { parameters: 0.75 }, scope: 'isomorphic', roundTo: 8, importance: 'lamp' }],
];

describe(`selection on real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const name of shared === undefined ? [] : models) {
    for (const [title, options] of requests) {
      it(`${name}: ${title}`, async () => {
        const subject = await followed(loadModel(name), runtime);
        const { model, channels } = subject;
        const before = graphCost(model.graph);
        const select = () => selectChannels(model, channels, { ...defaults, ...options }, { select: { has: () => true, everything: true }, runtime, sizes: new Map(), statistics: undefined });
        const { removed, groups, cost } = await select();
        expect([...(await select()).removed], 'the same twice').to.deep.equal([...removed]);
        expect(removed.size).to.be.greaterThan(0);
        expect({ macs: cost.before.macs, parameters: cost.before.parameters, bytes: cost.before.bytes }).to.deep.equal({ macs: before.macs, parameters: before.parameters, bytes: before.bytes });
        cut(model, channels.flow, survivorsOf(channels.flow, removed), new Editor(model));
        const after = graphCost(model.graph);
        expect({ macs: cost.after.macs, parameters: cost.after.parameters }).to.deep.equal({ macs: after.macs, parameters: after.parameters });
        const { budget, roundTo } = { ...defaults, ...options };
        if (budget?.macs !== undefined) expect(after.macs / before.macs).to.be.within(budget.macs - 0.02, budget.macs);
        if (budget?.parameters !== undefined) expect(after.parameters / before.parameters).to.be.within(budget.parameters - 0.02, budget.parameters);
        for (const { kept, group: { producers } } of groups) {
          const stay = kept.filter(Boolean).length;
          expect(stay).to.be.at.least(1);
          if (stay < kept.length && producers.every(({ ids }) => ids.length === kept.length)) expect(stay % roundTo).to.equal(0);
        }
      });
    }
  }
});
