import { expect } from 'chai';
import { inferTypes, runPass } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { fold } from '../../../passes/fold.ts';
import { quantizeInt8 } from '../../../passes/quantize-int8.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { shared } from '../../paths.ts';
import { loadModel, outputsOf, randomFeeds } from '../../real-models.ts';
import { brokenRules } from './legality.ts';
import { observe } from './observe.ts';

/** Models of opsets 7, 9, 13 and 17, with the SQNR in dB that they reach on noise as input (measured less 3 dB, since sums depend on the processor). */
const models: Readonly<Record<string, { readonly layers: number; readonly sqnr: number }>> = {
  mnist_cntk: { layers: 2, sqnr: 30 }, mlperf_tiny_kws_dscnn: { layers: 9, sqnr: 39 }, cifar10_resnet20b_dense: { layers: 21, sqnr: 26 }, rl_godot_ships: { layers: 2, sqnr: 29 },
};

const options = { rounding: 'nearest', saturation: 'avoid', biasCorrection: true, attention: 'auto', concat: 'auto', memoryBound: 'both', maxFloatMacs: 0, overrides: [] } as const;

describe(`quantize-int8 on real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const target of ['portable', 'tensorrt-10', 'onnxruntime-cpu'].map(loadTarget)) {
    for (const [name, { layers, sqnr }] of shared === undefined ? [] : Object.entries(models)) {
      it(`${name} for ${target.name}: legal, near the original, and done once`, async () => {
        const model = loadModel(name);
        await inferTypes(model, runtime);
        await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target });
        const original = cloneModel(model);
        const request = quantizeInt8.wants!(model, { options, select: { has: () => true, everything: true }, target, sizes: new Map(), analysis: (analysis) => analysis.run(model) });
        const statistics = await observe(model, request, runtime, [1, 2, 3, 4].map((seed) => randomFeeds(name, model, seed * 77)));
        const { stats, records } = await runPass(model, quantizeInt8, options, { runtime, target, statistics });
        expect(verifyModel(model).map(String)).to.deep.equal([]);
        expect(brokenRules(model, target)).to.deep.equal([]);
        expect(stats.get('int8 layers')).to.be.at.least(layers);
        const { macs } = records.get('placement') as { readonly macs: { readonly share: number } };
        expect(macs.share).to.be.above(0.95);
        const feeds = randomFeeds(name, model, 5);
        const [[wanted], [found]] = [[...(await outputsOf(original, feeds, runtime)).values()], [...(await outputsOf(model, feeds, runtime)).values()]] as const;
        expect(decibels(wanted!.floats(), found!.floats())).to.be.above(sqnr);
        expect((await runPass(model, quantizeInt8, options, { runtime, target })).count).to.equal(0);
      });
    }
  }
});

function decibels(wanted: ArrayLike<number>, found: ArrayLike<number>): number {
  let [signal, noise] = [0, 0];
  for (let index = 0; index < wanted.length; index++) {
    signal += wanted[index]! ** 2;
    noise += (wanted[index]! - found[index]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}
