import { expect } from 'chai';
import { join } from 'node:path';
import { calibrateRecipe } from '../../../compiler/calibrate.ts';
import { readArtefact } from '../../../passes/statistics/file.ts';
import { finish } from '../../../passes/statistics/finish.ts';
import { shared } from '../../paths.ts';
import { Workplace } from '../../compiler/workplace.ts';

type Inputs = Readonly<Record<string, { readonly shape: readonly number[] }>>;

/** Models of different makers and operator sets, small enough to run in a test, with shapes of inputs without which they do not run. */
const models: Readonly<Record<string, Inputs>> = {
  cifar10_resnet20: {}, mlperf_tiny_kws_dscnn: {}, mnist_cntk: {}, ncf_recommender: {}, magika_v3_3: {}, hand_history_lstm: {}, gtcrn: {}, dtln_2: {}, superres_espcn_resize: {},
  yunet_n_dynamic: { input: { shape: [1, 3, 64, 64] } },
  silero_vad_half: { input: { shape: [1, 512] } },
  silero_vad_micro_tf: { input: { shape: [1, 4000] } },
  tinytimemixer: { past_values: { shape: [1, 512, 7] } },
};

describe(`calibrate on real models${shared === undefined ? ' (skipped: ../shared is absent)' : ''}`, () => {
  const workplace = new Workplace();
  after(() => { workplace.close(); });

  for (const [name, inputs] of shared === undefined ? [] : Object.entries(models)) {
    it(`${name}: every float value of the main graph has a distribution`, async () => {
      const result = await calibrateRecipe({
        version: 1, model: join(shared!, 'models', `${name}.onnx`), inputs, data: { noise: { random: { seed: 1 }, samples: 2 } },
        steps: [{ pass: 'fold' }, { pass: 'calibrate', with: { data: 'noise', method: 'auto' } }],
      } as never, { host: workplace.host(), output: 'stats.bin' });
      expect(result.samples).to.equal(2);
      const { tensors } = finish(readArtefact(workplace.bytes('stats.bin'), 'stats.bin'));
      expect(tensors.size).to.equal(result.values).and.to.be.above(0);
      for (const [tensor, { count, min, max, meanMin, meanMax, histogram }] of tensors) {
        expect(min, tensor).to.be.at.most(meanMin + 1e-6 * Math.abs(meanMin));
        expect(max, tensor).to.be.at.least(meanMax - 1e-6 * Math.abs(meanMax));
        expect(histogram!.range, tensor).to.be.at.least(Math.max(-min, max));
        expect(count, tensor).to.be.above(0);
      }
    });
  }
});
