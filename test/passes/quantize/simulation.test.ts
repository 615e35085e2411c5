import { expect } from 'chai';
import { inferTypes, runPass } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { cloneModel } from '../../../ir/clone.ts';
import { Editor } from '../../../ir/edit.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { defaultPlacement, placementOf } from '../../../passes/placement/placement.ts';
import { quantizeInt8 } from '../../../passes/quantize-int8.ts';
import { outputsOf } from '../../real-models.ts';
import { simulate } from './simulation.ts';
import { supposed } from './supposed.ts';

const cases: Readonly<Record<string, string>> = {
  'a convolution': '(float[2,16,4,4] x) => (float[2,16,2,2] y) <float[16,16,3,3] w = "random 1", float[16] b = "random 2", float[16,16,1,1] v = "random 3"> { a = Conv (x, w, b)  r = Relu (a)  y = Conv (r, v) }',
  'two convolutions': '(float[1,16,4,4] x) => (float[1,16,2,2] y) <float[16,16,2,2] w = "random 1", float[16] b = "random 2", float[16,16,2,2] v = "random 3"> { a = Conv (x, w, b)  r = Relu (a)  c = Conv (r, v)  y = Relu (c) }',
  'a depthwise convolution': '(float[1,16,3,3] x) => (float[1,16,1,1] y) <float[16,1,3,3] w = "random 5", float[16] b = "random 2", float[16,16,1,1] v = "random 3"> { a = Conv <group = 16> (x, w, b)  y = Conv (a, v) }',
  'groups': '(float[1,32,3,3] x) => (float[1,32,2,2] y) <float[32,16,2,2] w = "random 5", float[32] b = "random 2", float[32,32,1,1] v = "random 3"> { a = Conv <group = 2> (x, w, b)  y = Conv (a, v) }',
  'a residual': '(float[1,16,3,3] x) => (float[1,16,3,3] z) <float[16,16,1,1] w = "random 1", float[16,16,1,1] v = "random 2", float[16,16,1,1] u = "random 3"> { h = Conv (x, w)  a = Conv (h, v)  s = Add (a, h)  y = Conv (s, u)  z = Relu (y) }',
  'Gemm, both ways': '(float[4,32] x) => (float[4,32] y) <float[32,32] w = "random 1", float[32] b = "random 2", float[32,32] v = "random 3", float[32] c = "random 4"> { a = Gemm <transB = 1> (x, w, b)  r = Relu (a)  y = Gemm (r, v, c) }',
  'MatMul': '(float[4,32] x) => (float[4,32] y) <float[32,32] w = "random 1"> { y = MatMul (x, w) }',
  'a copy between': '(float[1,16,3,3] x) => (float[1,32] y) <float[16,16,3,3] w = "random 1", float[16,32] v = "random 2", float[32] c = "random 4"> { a = Conv (x, w)  f = Flatten (a)  y = Gemm (f, v, c) }',
};

describe('quantize-int8 against a simulation', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const targetName of ['portable', 'tensorrt-10', 'onnxruntime-cpu']) {
    for (const [name, text] of Object.entries(cases)) {
      it(`${name} for ${targetName}`, async () => {
        const target = loadTarget(targetName);
        const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> main ${text}`, { name, fill: filled });
        normalizeModel(model, new Editor(model));
        await inferTypes(model, runtime);
        const original = cloneModel(model);
        const placement = placementOf(original, target, defaultPlacement);
        expect(placement.weights).to.have.length.above(0);
        const options = { rounding: 'nearest' as const, saturation: 'ignore' as const, biasCorrection: true, attention: 'auto' as const, concat: 'auto' as const, memoryBound: 'both' as const, maxFloatMacs: 0, overrides: [] };
        const statistics = supposed(model, quantizeInt8.wants!(model, { options, select: { has: () => true, everything: true }, target, sizes: new Map(), analysis: (analysis) => analysis.run(model) }));
        await runPass(model, quantizeInt8, options, { runtime, target, statistics });
        const { shape } = model.graph.inputs[0]!.type as { shape: readonly number[] };
        const feeds = new Map([['x', Tensor.of('float', Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, index) => Math.sin(index * 7 + 1) * 2.1), shape)]]);
        const { outputs, closest } = simulate(original, feeds, placement, statistics, target);
        // Two sums that differ in the last bits round alike, so the outputs agree to those bits.
        expect(closest, 'a number lies where rounding is a matter of luck: choose other ones').to.be.above(1e-6);
        for (const [output, tensor] of await outputsOf(model, feeds, runtime)) {
          const wanted = outputs.get(output)!.data;
          const largest = wanted.reduce((most, item) => Math.max(most, Math.abs(item)), 0);
          tensor.floats().forEach((item, index) => { expect(item).to.be.closeTo(wanted[index]!, 1e-5 * largest); });
        }
      });
    }
  }
});
