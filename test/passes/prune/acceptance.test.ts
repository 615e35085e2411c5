import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { checkPermutation, checkRemoval, followed, randomRemoval } from '../../../compiler/testing/pruning.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { randomFrom } from '../../../passes/random.ts';
import { structureCases } from './acceptance-cases.ts';

/** float32 sums of a few hundred terms in another order, through a few layers. */
const tolerance = 2e-5;
const selections = 20;

describe('structured pruning of every structure of the acceptance list', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const { title, text, free, opsets = [18], held, inexact = false, heads = 'heads' } of structureCases) {
    for (const opset of opsets) {
      const open = () => followed(modelOf(text, opset), runtime, heads);

      it(`${title}, opset ${opset}`, async () => {
        const { channels: { groups } } = await open();
        const all = groups.flatMap(({ channels }) => channels);
        expect(all.filter(({ pin }) => pin === undefined).length, 'channels that can go').to.equal(free);
        if (held !== undefined) expect(all.some(({ pin }) => pin !== undefined && held.test(pin.reason)), 'a reason').to.equal(true);
        for (let seed = 1; seed <= selections; seed++) {
          const subject = await open();
          const outcome = await checkRemoval(subject, randomRemoval(subject, 0.1 + 0.2 * (seed % 4), randomFrom(seed)), runtime, seed);
          if (!inexact) expect(outcome.exact, 'has an equal').to.equal(true);
          if (outcome.exact) expect(outcome.relative, `A, selection ${seed}: ${outcome.output}`).to.be.below(tolerance);
        }
        for (let seed = 1; seed <= 3; seed++) {
          const { relative, output } = await checkPermutation(await open(), runtime, seed);
          expect(relative, `C, order ${seed}: ${output}`).to.be.below(tolerance);
        }
      });
    }
  }
});

function modelOf(text: string, opset: number): Model {
  const model = parseModel(`<ir_version: 8, opset_import: ["" : ${opset}]> g ${text}`, { name: 'case', fill: filled });
  normalizeModel(model, new Editor(model));
  return model;
}
