import { expect } from 'chai';
import { inferTypes } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { fusionOf, statedInInt8 } from '../../../passes/quantize/fusion.ts';

/** A Conv with a Relu, and a Conv that a pair with another zero point keeps from fusing it. */
const text = (zeroPoint: number): string => `<ir_version: 8, opset_import: ["": 17]>
main (float[1,4,8,8] x) => (float[1,4,8,8] y) <float s = {0.1}, uint8 z = {0}, uint8 q = {${zeroPoint}}, float ws = {0.01}, int8 wz = {0}, int8[4,4,1,1] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}> {
  xq = QuantizeLinear (x, s, z)
  xd = DequantizeLinear (xq, s, z)
  wd = DequantizeLinear (w, ws, wz)
  [conv] c = Conv (xd, wd)
  [relu] r = Relu (c)
  rq = QuantizeLinear (r, s, q)
  y = DequantizeLinear (rq, s, q)
}`;

describe('quantize-int8: fusion read back', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [zeroPoint, fused] of [[0, true], [3, false]] as const) {
    it(`a Conv before a Relu whose zero point is ${zeroPoint} ${fused ? 'runs in int8' : 'stays float'}`, async () => {
      const model = parseModel(text(zeroPoint));
      await inferTypes(model, runtime);
      const stated = statedInInt8(model);
      expect([...stated].map(({ name }) => name)).to.include('conv');
      const { float, record } = fusionOf(stated, (await runtime.optimized(model))!, loadTarget('onnxruntime-cpu').placement.weighted);
      expect(float.map(({ name }) => name)).to.deep.equal(fused ? [] : ['conv']);
      expect(record.operators['QLinearConv'] ?? 0).to.equal(fused ? 1 : 0);
      expect(record.int8).to.equal(stated.size);
    });
  }
});
