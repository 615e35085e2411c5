import { expect } from 'chai';
import { join } from 'node:path';
import { compile } from '../../../compiler/compile.ts';
import { openModelFile } from '../../../compiler/files/model-file.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { Tensor, sizeOf } from '../../../ir/tensor.ts';
import { dtypeOfType, shapeOf } from '../../../ir/type.ts';
import { shared } from '../../paths.ts';
import { Workplace } from '../../compiler/workplace.ts';

/** Models, the length that their symbolic axes get, and whether their batch can be made dynamic. */
const models = [
  ['mnist_cntk', 1, true], ['ncf_recommender', 1, true], ['dtln_2', 1, true], ['mlperf_tiny_kws_dscnn', 1, true], ['rl_godot_ships', 1, true],
  ['hand_keypoint_mlp', 1, true], ['superres_espcn_resize', 1, true], ['gtcrn', 1, false], ['silero_vad_half', 576, true],
] as const;

describe(`export of real models${shared === undefined ? ' (skipped: no ../shared)' : ''}`, () => {
  let place: Workplace;
  let runtime: OrtRuntime;
  before(() => {
    place = new Workplace();
    runtime = createRuntime();
  });
  after(async () => {
    place.close();
    await runtime.close();
  });

  async function outputsOf(path: string, length: number): Promise<[string, Tensor][]> {
    const opened = openModelFile(path);
    const session = await runtime.open(opened.model);
    try {
      let state = 1;
      const random = (): number => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 - 0.5; };
      const feeds = opened.model.graph.inputs.filter(({ tensor }) => tensor === undefined).map(({ name, type }): [string, Tensor] => {
        const shape = shapeOf(type)!.map((dim, axis) => (typeof dim === 'number' ? dim : axis === shapeOf(type)!.length - 1 ? length : 1));
        const dtype = dtypeOfType(type)!;
        return [name, Tensor.of(dtype, Array.from({ length: sizeOf(shape) }, () => (dtype.startsWith('float') ? random() : 1)), shape)];
      });
      return [...await session.run(new Map(feeds))];
    } finally {
      await session.release();
      opened.close();
    }
  }

  for (const [name, length, dynamic] of models) {
    it(`${name}: the same names and bits`, async function () {
      if (shared === undefined) return this.skip();
      const model = join(shared, 'models', `${name}.onnx`);
      await compile({ version: 1, model, steps: [{ pass: 'export', with: { output: `${name}.onnx` } }] }, { host: place.host() });
      const [before, after] = [await outputsOf(model, length), await outputsOf(place.path(`${name}.onnx`), length)];
      expect(after.map(([slot, tensor]) => [slot, tensor.hash()])).to.deep.equal(before.map(([slot, tensor]) => [slot, tensor.hash()]));
    });

    it(`${name}: ${dynamic ? 'a dynamic batch is proved' : 'a dynamic batch is refused'}`, async function () {
      if (shared === undefined) return this.skip();
      const model = join(shared, 'models', `${name}.onnx`);
      const output = `${name}.dynamic.onnx`;
      const error = await compile({ version: 1, model, steps: [{ pass: 'export', with: { output, dynamicBatch: true } }] }, { host: place.host() }).then(() => undefined, (thrown: unknown) => thrown);
      expect([error === undefined, place.has(output)]).to.deep.equal([dynamic, dynamic]);
      if (!dynamic) expect(error).to.have.property('code', 'export/batch-axis');
    });
  }
});
