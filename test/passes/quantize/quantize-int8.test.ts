import { join } from 'node:path';
import { expect } from 'chai';
import { loadTarget } from '../../../compiler/targets.ts';
import { testPass } from '../../../compiler/testing/index.ts';
import type { Model } from '../../../ir/model.ts';
import type { PassContext, PassDeclaration } from '../../../passes/pass.ts';
import { quantizeInt8, type QuantizeOptions } from '../../../passes/quantize-int8.ts';
import { root } from '../../paths.ts';
import { brokenRules } from './legality.ts';
import { supposed } from './supposed.ts';

/** The pass, given statistics that are the same on every machine; and what it writes held to the rules of the target. */
function supplied(targetName: string): PassDeclaration<typeof quantizeInt8.options> {
  return {
    ...quantizeInt8,
    async run(model: Model, context: PassContext<QuantizeOptions>) {
      const statistics = supposed(model, quantizeInt8.wants!(model, context));
      await quantizeInt8.run(model, { ...context, statistics: { get: () => statistics, set: () => undefined } });
      expect(brokenRules(model, loadTarget(targetName)).join('; ')).to.equal('');
    },
  };
}

for (const target of ['portable', 'tensorrt-10', 'onnxruntime-cpu']) {
  describe(`quantize-int8 for ${target}`, () => {
    testPass(supplied(target), {
      folder: join(root, 'test/passes/quantize', target),
      target,
      // The cases show what is written; that it computes the right thing is for the simulation to say, on inputs within the ranges.
      tolerance: 'none',
      invalid: [
        { options: { rounding: 'stochastic' }, code: 'recipe/bad-value' },
        { options: { overrides: [{ precision: 'int4' }] }, code: 'recipe/bad-value' },
      ],
    });
  });
}
