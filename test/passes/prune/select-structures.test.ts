import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { checkRemoval } from '../../../compiler/testing/pruning.ts';
import { graphCost } from '../../../passes/cost.ts';
import { structureCases } from './acceptance-cases.ts';
import { choose } from './choosing.ts';

/** float32 sums of a few hundred terms in another order, through a few layers. */
const tolerance = 2e-5;

describe('selection in every structure of the acceptance list', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const { title, text, free, opsets = [18], inexact = false, heads } of structureCases) {
    const opset = opsets.at(-1)!;
    it(`${title}, opset ${opset}`, async () => {
      let most = 0;
      for (const [amount, scope, steps] of [[0.3, 'layer', 1], [0.5, 'global', 2], [0.625, 'layer', 3]] as const) {
        for (const importance of ['l2', 'random'] as const) {
          const choice = await choose(text, { amount, scope, steps, importance, minKeep: 1, maxRatio: 1 }, runtime, { opset, ...(heads !== undefined && { heads }) });
          const { removed, cost, groups } = choice.removal;
          most = Math.max(most, removed.size);
          for (const { group: { channels }, kept, spared } of groups) {
            expect(kept.includes(true), 'something stays').to.equal(true);
            if (kept.includes(false)) expect(spared).to.equal(undefined);
            else if (channels.some(({ pin }) => pin === undefined)) expect(spared, 'a reason').to.be.a('string');
          }
          const { exact, relative, output, pruned } = await checkRemoval(choice, removed, runtime);
          if (!inexact) expect(exact, 'has an equal').to.equal(true);
          if (exact) expect(relative, output).to.be.below(tolerance);
          const { macs, parameters } = graphCost(pruned.graph);
          expect({ macs: cost.after.macs, parameters: cost.after.parameters }, 'the recount').to.deep.equal({ macs, parameters });
        }
      }
      if (free > 1) expect(most, 'some are removed').to.be.greaterThan(0);
    });
  }
});
