import { expect } from 'chai';
import { inferTypes, runPass } from '../../../compiler/manager.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { evaluateInFloat64 } from '../../../compiler/testing/float64.ts';
import { distance, judge } from '../../../compiler/testing/judge.ts';
import { cloneModel } from '../../../ir/clone.ts';
import type { Model } from '../../../ir/model.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { fold } from '../../../passes/fold.ts';
import type { Feeds } from '../../../passes/runtime.ts';
import { shared } from '../../paths.ts';
import { loadModel, outputsOf, randomFeeds } from '../../real-models.ts';

/** Nodes that OnnxSlim (August 2026) leaves in the main graph of each model, from the project's baselines; null where it crashes or was not measured. */
const nodesOfOnnxSlim: Readonly<Record<string, number | null>> = {
  basic_pitch: 241, brain_meshnet3d: null, cifar10_resnet20: 54, cifar10_resnet20_bnfolded: 54, cifar10_resnet20b_chsparse: null, cifar10_resnet20b_dense: 52,
  cifar10_resnet56: 144, deeplabv3_mnv2_257: 108, dtln_2: 72, fastestdet: 218, gtcrn: null, hand_history_lstm: null, hand_keypoint_mlp: null, magika_v3_3: 93,
  mlperf_tiny_ic_resnet8: 25, mlperf_tiny_kws_dscnn: 24, mlperf_tiny_vww_mobilenetv1: 60, mnist_cntk: 8, ncf_recommender: 29, person_detector_light: 365,
  portrait_deeplab_dm05_bn: 107, portrait_deeplab_folded: null, rl_godot_ships: 7, road_seg_adas_0001: 320, silero_vad_half: 49, silero_vad_micro_tf: 282,
  silero_vad_v6: 2, squeezenet10_deepcompressed: 65, superres_espcn_224: null, superres_espcn_resize: null, tinytimemixer: 185, ultraface_rfb_320: 125,
  yolox_nano: 365, yunet_n_dynamic: 163,
};

/** Weights next to a convolution are rescaled: sums are rounded in another order. Everything else keeps each bit. Where that is too little, float64 decides who is nearer. */
const reordered = 1e-5;

/** Running it twice would need gigabytes: a volume of 256³ with five channels. */
const tooLargeToRun = new Set(['brain_meshnet3d']);

describe(`fold on real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [name, most] of shared === undefined ? [] : Object.entries(nodesOfOnnxSlim)) {
    it(`${name}: at most OnnxSlim's nodes, the same outputs`, async () => {
      const model = loadModel(name);
      const original = cloneModel(model);
      await inferTypes(model, runtime);
      await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target: loadTarget('portable') });
      expect(verifyModel(model).map(String)).to.deep.equal([]);
      expect(model.graph.nodeCount).to.be.at.most(most ?? original.graph.nodeCount);
      if (tooLargeToRun.has(name)) return;
      const feeds = randomFeeds(name, original);
      const [wanted, found] = [await outputsOf(original, feeds, runtime), await outputsOf(model, feeds, runtime)];
      expect(await judge({ model: original, feeds, before: wanted, after: found }, reordered, runtime)).to.equal(undefined);
    });
  }

  for (const name of shared === undefined ? [] : ['cifar10_resnet20', 'mlperf_tiny_vww_mobilenetv1', 'mlperf_tiny_kws_dscnn']) {
    it(`${name}: within a millionth of the result in float64`, async () => {
      const model = loadModel(name);
      const original = cloneModel(model);
      await inferTypes(model, runtime);
      await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target: loadTarget('portable') });
      const feeds = randomFeeds(name, original);
      const truth = await evaluateInFloat64(original, feeds, runtime);
      if (typeof truth === 'string') throw new Error(truth);
      for (const [slot, tensor] of await outputsOf(model, feeds, runtime)) expect(distance(truth.get(slot)!, tensor), slot).to.be.below(reordered / 10);
    });
  }

  for (const [normalised, folded] of shared === undefined ? [] : [['cifar10_resnet20', 'cifar10_resnet20_bnfolded'], ['portrait_deeplab_dm05_bn', 'portrait_deeplab_folded']] as const) {
    it(`${normalised} folds to ${folded}`, async () => {
      const [ours, theirs] = [loadModel(normalised), loadModel(folded)];
      const original = cloneModel(ours);
      await inferTypes(ours, runtime);
      await runPass(ours, fold, { batchNorm: true, compounds: false }, { runtime, target: loadTarget('portable') });
      const feeds = randomFeeds(normalised, ours);
      const [output] = original.graph.outputs;
      const after = await outputsOf(ours, feeds, runtime);
      const [tensor] = (await outputsOf(theirs, rename(feeds, theirs), runtime)).values();
      expect(await judge({ model: original, feeds, before: new Map([[output!.name, tensor!]]), after }, reordered, runtime)).to.equal(undefined);
    });
  }
});

function rename(feeds: Feeds, { graph }: Model): Feeds {
  const values = [...feeds.values()];
  return new Map(graph.inputs.map(({ name }, index) => [name, values[index]!]));
}
