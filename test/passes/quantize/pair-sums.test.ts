import { expect } from 'chai';
import fc from 'fast-check';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import type { Model } from '../../../ir/model.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { weightMatrix } from '../../../passes/quantize/channels.ts';
import { leastScales, limitPairs } from '../../../passes/quantize/pair-sums.ts';

const convolution = (weights: string, attributes = ''): string => `<ir_version: 8, opset_import: ["": 17]>
main (float[1,${attributes === '' ? 3 : 2},4,4] x) => (float[1,N,P,Q] y) <float${weights}> { [c] y = Conv ${attributes} (x, w) }`;

/** Weights of one Conv with the smallest scales for them. */
function scalesOf(shape: readonly number[], elements: readonly number[], attributes = ''): number[] {
  const model = parseModel(convolution(`[${shape.join(',')}] w = {${elements.join(', ')}}`, attributes));
  const node = model.graph.first!;
  const tensor = node.inputs[1]!.constant!;
  return Array.from(leastScales(tensor.floats(), node, weightMatrix(node, tensor)), (scale) => scale * 127);
}

describe('quantize-int8: sums of two products', () => {
  it('neighbours of one sign add up, as weights are stored and with channels side by side', () => {
    // [1, 3 channels, 1, 2 taps]: stored 4 1 | -2 8 | 6 -7; channels side by side 4 -2 6 | 1 8 -7.
    expect(scalesOf([1, 3, 1, 2], [4, 1, -2, 8, 6, -7])).to.deep.equal([14]);
    expect(scalesOf([1, 3, 1, 2], [4, 1, -2, 3, -6, -7])).to.deep.equal([13]);
    expect(scalesOf([1, 3, 1, 2], [4, 0, 5, -20, 0, 1])).to.deep.equal([20]);
  });
  it('each output channel has its own, and never reaches into the next', () => {
    expect(scalesOf([2, 3, 1, 1], [1, 2, -3, -9, 1, 2])).to.deep.equal([3, 9]);
  });
  it('depthwise kernels add in 32 bits', () => {
    expect(scalesOf([2, 1, 1, 2], [1, 2, 3, 4], '<group = 2>')).to.deep.equal([0, 0]);
  });
  it('weights that are no matrix may meet in any order', () => {
    const model = parseModel(convolution('[1,3,1,2] w = {1, 2, 3, 4, 5, -6}'));
    expect([...leastScales(Float32Array.of(1, 2, -6), model.graph.first!, undefined)]).to.deep.equal([12 / 127]);
  });
  it('codes rounded to nearest never exceed 128 together; codes from elsewhere are taken back just so far', () => {
    const model = parseModel(convolution(`[1,3,2,2] w = {${new Array(12).fill(0).join(', ')}}`));
    const node = model.graph.first!;
    const shape = [1, 3, 2, 2];
    const matrix = weightMatrix(node, Tensor.of('float', new Float32Array(12), shape))!;
    const worst = (codes: Int8Array): number => Math.max(...[(k: number) => k, (k: number) => (k % 3) * 4 + Math.floor(k / 3)]
      .flatMap((column) => Array.from({ length: 11 }, (_, k) => [codes[column(k)]!, codes[column(k + 1)]!] as const))
      .map(([a, b]) => (a * b > 0 ? Math.abs(a + b) : 0)));
    fc.assert(fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 }), (elements) => {
      const [least] = leastScales(Float32Array.from(elements), node, matrix);
      const scale = Math.fround(Math.max(least!, 2 ** -60));
      expect(worst(Int8Array.from(elements, (element) => Math.round(element / scale)))).to.be.at.most(128);
    }));
    fc.assert(fc.property(fc.int8Array({ min: -127, max: 127, minLength: 12, maxLength: 12 }), (codes) => {
      const before = worst(codes);
      expect(limitPairs(codes, node, matrix) > 0).to.equal(before > 128);
      expect(worst(codes)).to.be.at.most(128);
      expect(limitPairs(codes, node, matrix)).to.equal(0);
    }));
  });
});

/** A product of 8 × 64 by 64 × 16 whose inputs are all 255 steps: every sum is as large as it gets. */
function extreme(code: (row: number) => number): Model {
  const codes = Array.from({ length: 64 * 16 }, (_, index) => code(Math.floor(index / 16)));
  return parseModel(`<ir_version: 8, opset_import: ["": 17]>
main (float[8,64] x) => (float[8,16] y) <float s = {1}, uint8 z = {0}, float[16] ws = {${new Array(16).fill(1).join(', ')}}, int8[16] wz = {${new Array(16).fill(0).join(', ')}}, int8[64,16] w = {${codes.join(', ')}}> {
  xq = QuantizeLinear (x, s, z)
  xd = DequantizeLinear (xq, s, z)
  wd = DequantizeLinear <axis = 1> (w, ws, wz)
  y = MatMul (xd, wd)
}`);
}

describe('quantize-int8: kernels of ONNX Runtime on this processor', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  for (const [title, code] of [['64 and 64', () => 64], ['127 and 1', (row: number) => (row % 2 === 0 ? 127 : 1)], ['-64 and -64', () => -64]] as const) {
    it(`are exact for neighbours of ${title}`, async () => {
      const model = extreme(code);
      const feeds = new Map([['x', Tensor.of('float', new Float32Array(8 * 64).fill(255), [8, 64])]]);
      const session = await runtime.open(model, { optimization: 'all' });
      const [y] = (await session.run(feeds)).values();
      const sum = Array.from({ length: 64 }, (_, row) => 255 * code(row)).reduce((a, b) => a + b, 0);
      expect(new Set(y!.floats())).to.deep.equal(new Set([sum]));
      await session.release();
    });
  }
});
