import { expect } from 'chai';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { difference } from '../../../compiler/testing/compare.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import { sortModel } from '../../../ir/order.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { raiseOpset } from '../../../passes/opset/raise.ts';
import { shared } from '../../paths.ts';
import { loadModel, outputsOf, randomFeeds } from '../../real-models.ts';

/** All models of opsets 7 to 16, but for one that needs gigabytes to run. */
const models = [
  'basic_pitch', 'deeplabv3_mnv2_257', 'dtln_2', 'fastestdet', 'gtcrn', 'hand_history_lstm', 'hand_keypoint_mlp', 'magika_v3_3', 'mlperf_tiny_ic_resnet8', 'mlperf_tiny_kws_dscnn',
  'mlperf_tiny_vww_mobilenetv1', 'mnist_cntk', 'ncf_recommender', 'person_detector_light', 'portrait_deeplab_dm05_bn', 'portrait_deeplab_folded', 'rl_godot_ships', 'road_seg_adas_0001',
  'silero_vad_half', 'silero_vad_micro_tf', 'silero_vad_v6', 'squeezenet10_deepcompressed', 'superres_espcn_224', 'superres_espcn_resize', 'tinytimemixer', 'ultraface_rfb_320',
  'yolox_nano', 'yunet_n_dynamic',
];

describe(`raising the opset of real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const name of shared === undefined ? [] : models) {
    it(`${name}: the same bits at opset 17`, async () => {
      const model = loadModel(name);
      await inferTypes(model, runtime);
      const raised = cloneModel(model);
      raiseOpset(raised, new Editor(raised), 17);
      sortModel(raised);
      expect(verifyModel(raised).map(String)).to.deep.equal([]);
      const feeds = randomFeeds(name, model);
      const [wanted, found] = [await outputsOf(model, feeds, runtime), await outputsOf(raised, feeds, runtime)];
      for (const [output, tensor] of wanted) expect(difference(tensor, found.get(output)!, 'exact'), output).to.equal(undefined);
    });
  }
});
