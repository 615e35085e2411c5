import { expect } from 'chai';
import { cloneModel } from '../../ir/clone.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model } from '../../ir/model.ts';
import { normalizeModel } from '../../ir/normalize.ts';
import { parseModel } from '../../ir/text/index.ts';
import { exportPass } from '../../passes/export.ts';
import { definePass, type Pass } from '../../passes/pass.ts';
import { assertLoadable } from '../../compiler/loadable.ts';
import { runSteps, type Step } from '../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../compiler/targets.ts';
import { recipe, smallModel, Workplace } from './workplace.ts';

const options = { type: 'object', additionalProperties: false, properties: {} } as const;
/** Renames a node: harmless. */
const harmless: Pass = definePass({ name: 'harmless', version: 1, summary: 'It.', options, run(model, { edit }) { edit.rename([...model.graph.nodes()][0]!, 'renamed'); } });
/** Takes the Reshape away, behind which the MatMul multiplies 4 columns by 32 rows. */
const spoil: Pass = definePass({
  name: 'spoil', version: 1, summary: 'It.', options,
  run(model, { edit }) {
    const reshape = [...model.graph.nodes()].find((node) => node.is('Reshape'))!;
    edit.replaceUses(reshape.output, reshape.inputs[0]!);
    edit.remove(reshape);
  },
});

describe('what is written can be loaded', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  async function judged(text: string, passes: readonly Pass[], external: 'never' | 'always' = 'never'): Promise<Diagnostic | undefined> {
    const model: Model = parseModel(text);
    normalizeModel(model, new Editor(model));
    const original = cloneModel(model);
    const steps = [...passes, exportPass].map((pass, index): Step => ({
      id: `${pass.name}-${index + 1}`, number: index + 1, pass, selected: undefined,
      options: pass === exportPass ? { output: 'out/m.onnx', dynamicBatch: false, batchSymbol: 'N', externalData: external, valueInfo: true, stackTraces: false } : {},
    }));
    const results = await runSteps(model, steps, { runtime, target: loadTarget('portable'), signal: new AbortController().signal, instruments: [] });
    try {
      await assertLoadable(results, original, runtime);
      return undefined;
    } catch (error) {
      if (Diagnostic.is(error)) return error;
      throw error;
    }
  }

  for (const external of ['never', 'always'] as const) {
    it(`passes what ONNX Runtime accepts (external data: ${external})`, async () => {
      expect(await judged(smallModel, [harmless], external)).to.equal(undefined);
    });

    it(`names the step that made it refuse (external data: ${external})`, async () => {
      const found = await judged(smallModel, [harmless, spoil, harmless], external);
      expect(found?.code).to.equal('runtime/open');
      expect(found?.step).to.equal('spoil-2');
      expect(found?.message).to.include('out/m.onnx').and.include('head');
    });
  }

  it('asks nothing of a model that was refused before the first step', async () => {
    const foreign = smallModel.replace('"": 17]', '"": 17, "acme": 1]').replace('Relu (c)', 'acme.Own (c)');
    expect(await judged(foreign, [spoil])).to.equal(undefined);
  });

  it('writes nothing in a compile', async () => {
    const place = new Workplace();
    try {
      place.writeModel('small.onnx');
      place.write('spoil.mjs', `export default { name: 'p', api: 1, passes: [{ name: 'acme/spoil', version: 1, summary: 'It.', options: ${JSON.stringify(options)}, ${spoil.run.toString()} }] };\n`);
      place.write('recipe.yaml', `plugins: [ ./spoil.mjs ]\n${recipe('small.onnx', '  - acme/spoil\n')}`);
      const { code, err } = await place.run(['compile', 'recipe.yaml']);
      expect(err).to.include('runtime/open').and.include("step 'acme/spoil'");
      expect(code).to.equal(1);
      expect(place.has('out/small.onnx')).to.equal(false);
    } finally {
      place.close();
    }
  });
});
