import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { inferTypes, runPass } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { memorySource } from '../../../ir/bytes.ts';
import { Editor } from '../../../ir/edit.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { fold } from '../../../passes/fold.ts';
import { defaultPlacement, placementOf } from '../../../passes/placement/placement.ts';
import { shared } from '../../paths.ts';

/**
 * Least share of multiply-adds with constant weights in int8, in percent, for `portable` and `onnxruntime-cpu`; all of them, whether or not the target
 * has a kernel. Undefined where shapes are not known, or the main graph has no weights. What is far below 100 has 1-D convolutions, one row, few channels, or ConvTranspose.
 */
const shares: Readonly<Record<string, readonly [portable: number | undefined, cpu: number | undefined]>> = {
  basic_pitch: [24, 100], brain_meshnet3d: [0, 99], cifar10_resnet20: [99, 100], cifar10_resnet20_bnfolded: [99, 100], cifar10_resnet20b_chsparse: [99, 100],
  cifar10_resnet20b_dense: [99, 100], cifar10_resnet56: [99, 100], deeplabv3_mnv2_257: [99, 99], dtln_2: [0, 78], fastestdet: [99, 99], gtcrn: [99, 57],
  hand_history_lstm: [0, 100], hand_keypoint_mlp: [78, 100], magika_v3_3: [99, 99], mlperf_tiny_ic_resnet8: [99, 100], mlperf_tiny_kws_dscnn: [99, 100],
  mlperf_tiny_vww_mobilenetv1: [99, 100], mnist_cntk: [99, 100], ncf_recommender: [0, 99], person_detector_light: [99, 99], portrait_deeplab_dm05_bn: [99, 99],
  portrait_deeplab_folded: [99, 99], rl_godot_ships: [99, 100], road_seg_adas_0001: [99, 99], silero_vad_half: [undefined, undefined],
  silero_vad_micro_tf: [undefined, undefined], silero_vad_v6: [undefined, undefined], squeezenet10_deepcompressed: [100, 100], superres_espcn_224: [100, 95],
  superres_espcn_resize: [100, 94], tinytimemixer: [99, 99], ultraface_rfb_320: [98, 99], yolox_nano: [99, 99], yunet_n_dynamic: [undefined, undefined],
};

describe(`placement on real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [name, least] of shared === undefined ? [] : Object.entries(shares)) {
    it(`${name}: consistent, with its share in int8`, async () => {
      const file = join(shared!, 'models', `${name}.onnx`);
      const model = readModel(memorySource(readFileSync(file), file));
      normalizeModel(model, new Editor(model));
      await inferTypes(model, runtime);
      await runPass(model, fold, { maxGrowth: 65536, batchNorm: true, compounds: false }, { runtime, target: loadTarget('portable') });
      for (const [at, target] of ['portable', 'onnxruntime-cpu'].entries()) {
        // It checks itself, and throws if a pair stands inside a kernel or a kernel reads anything in float.
        const { macs: { int8, eligible }, decisions } = placementOf(model, loadTarget(target), defaultPlacement);
        expect(decisions, target).not.to.have.length(0);
        if (least[at] === undefined) expect(eligible, target).to.equal(0);
        else expect(Math.floor(100 * int8 / eligible), target).to.be.at.least(least[at]);
      }
    });
  }
});
