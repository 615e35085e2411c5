import { join } from 'node:path';
import { testPass } from '../../../compiler/testing/index.ts';
import { quantizeDynamic } from '../../../passes/quantize-dynamic.ts';
import { root } from '../../paths.ts';

for (const target of ['onnxruntime-cpu', 'portable']) {
  describe(`quantize-dynamic for ${target}`, () => {
    testPass(quantizeDynamic, {
      folder: join(root, 'test/passes/quantize-dynamic', target),
      target,
      // 8 bits on both sides: half a step of 1/255 of the inputs' range and of 1/127 of the weights', and an LSTM adds up those of three steps.
      tolerance: 0.03,
      invalid: [{ options: { ops: ['Conv'] }, code: 'recipe/bad-value' }, { options: { minimum: -1 }, code: 'recipe/out-of-range' }],
    });
  });
}
