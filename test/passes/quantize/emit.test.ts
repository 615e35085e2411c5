import { expect } from 'chai';
import { loadTarget } from '../../../compiler/targets.ts';
import { filled } from '../../../compiler/testing/feeds.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model, Node } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Placement } from '../../../passes/placement/placement.ts';
import { emit } from '../../../passes/quantize/emit.ts';
import type { LayerResult } from '../../../passes/quantize/layers.ts';
import type { ClassScale } from '../../../passes/quantize/ranges.ts';
import type { LayerMoments, Statistics } from '../../../passes/statistics/statistics.ts';

/** A model of one layer that reads `x`, and its placement, made by hand. */
function oneLayer(text: string, axis: number): { readonly model: Model; readonly node: Node; readonly placement: Placement } {
  const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> main ${text}`, { name: 'layer', fill: filled });
  normalizeModel(model, new Editor(model));
  const node = model.graph.first!;
  const value = model.graph.inputs[0]!;
  return {
    model, node,
    placement: {
      pairs: [{ value, consumers: [{ node, input: 0 }], scaleClass: 0, rules: ['PLC-06'] }], classes: [{ observe: [value] }], weights: [{ node, input: 1, axis, rule: 'WGT-02' }],
      regions: [], decisions: [], macs: { int8: 1, eligible: 1 },
    },
  };
}

const scales: readonly ClassScale[] = [{ grid: { scale: 2 ** -6, zeroPoint: 0, low: -128, high: 127 }, range: { min: -1, max: 1 }, method: 'min-max', noise: undefined }];

const none: Statistics = { model: '', data: '', random: false, samples: 0, method: 'min-max', percentile: 99.99, tensors: new Map(), channels: new Map(), moments: new Map() };

function run(text: string, axis: number, targetName: string, rounding: 'nearest' | 'gptq' = 'nearest', moments?: LayerMoments): { readonly node: Node; readonly result: LayerResult } {
  const { model, node, placement } = oneLayer(text, axis);
  const statistics = moments === undefined ? none : { ...none, moments: new Map([[node.name, moments]]) };
  const layers = emit(new Editor(model), placement, scales, statistics, loadTarget(targetName), { biasCorrection: true, rounding, saturation: 'avoid', roundings: new Map() });
  return { node, result: layers.get(node)! };
}

/** The float weights before the pair of a node. */
const storedWeights = (node: Node): Float32Array => node.inputs[1]!.producer!.inputs[0]!.producer!.inputs[0]!.constant!.floats() as Float32Array;

/** Moments of inputs that follow each other: column k is mostly column k − 1. Figures are sums of dyadic fractions. */
function correlated(size: number): LayerMoments {
  const gram = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) gram[i * size + j] = 0.75 ** Math.abs(i - j);
  return { groups: 1, size, columns: 1000, mean: new Float64Array(size), gram };
}

describe('quantize-int8: layers', () => {
  it('multiplies alpha and beta of a Gemm into constants of its own', () => {
    const { node, result } = run('(float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 2, -4, 8}, float[2] c = {0.5, 1}> { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, c) }', 1, 'portable');
    expect([...node.attributes.keys()]).to.deep.equal([]);
    expect([...storedWeights(node)]).to.deep.equal([0.5, 1, -2, 4]);
    expect([...node.inputs[2]!.constant!.floats()]).to.deep.equal([1, 2]);
    expect([...result.weights.scales]).to.deep.equal([Math.fround(2 / 127), Math.fround(4 / 127)]);
  });

  it('leaves beta where what it multiplies is computed', () => {
    const { node } = run('(float[1,2] x, float[1,2] c) => (float[1,2] y) <float[2,2] w = {1, 2, -4, 8}> { y = Gemm <alpha = 0.5, beta = 2.0> (x, w, c) }', 1, 'portable');
    expect([...node.attributes.keys()]).to.deep.equal(['beta']);
  });

  for (const [form, axis, text] of [
    ['rows', 0, '<float[32,32] w = "random 1"> { y = Gemm <transB = 1> (x, w) }'], ['columns', 1, '<float[32,32] w = "random 1"> { y = Gemm (x, w) }'],
  ] as const) {
    it(`stores weights that were fitted together as they are computed with, so that nothing rounds them anew (${form})`, () => {
      const signature = `(float[1,32] x) => (float[1,32] y) ${text}`;
      const nearest = run(signature, axis, 'portable');
      const { node, result: { weights, rounding } } = run(signature, axis, 'portable', 'gptq', correlated(32));
      expect(rounding).to.equal('gptq');
      expect([...weights.codes]).to.not.deep.equal([...nearest.result.weights.codes]);
      const stored = storedWeights(node);
      weights.codes.forEach((code, index) => {
        const scale = weights.scales[axis === 0 ? Math.floor(index / 32) : index % 32]!;
        expect(stored[index]).to.equal(Math.fround(code * scale));
        expect(Math.round(Math.fround(stored[index]! / scale))).to.equal(code);
      });
      expect(outputError(nearest.node, weights.codes, weights.scales, axis)).to.be.below(0.7 * outputError(nearest.node, nearest.result.weights.codes, weights.scales, axis));
    });
  }

  it('keeps the float weights where they are rounded to nearest', () => {
    const { node } = run('(float[1,2] x) => (float[1,2] y) <float[2,2] w = {1, 0.3, 0.7, 1}> { y = Gemm (x, w) }', 1, 'portable');
    expect([...storedWeights(node)]).to.deep.equal([1, 0.3, 0.7, 1].map(Math.fround));
  });
});

/** tr(E H Eᵀ) of codes against the float weights, under the moments of `correlated`. */
function outputError(node: Node, codes: Int8Array, perChannel: Float32Array, axis: number): number {
  const weights = storedWeights(node);
  const error = (row: number, k: number): number => {
    const at = axis === 0 ? row * 32 + k : k * 32 + row;
    return weights[at]! - codes[at]! * perChannel[row]!;
  };
  let total = 0;
  for (let row = 0; row < 32; row++) for (let i = 0; i < 32; i++) for (let j = 0; j < 32; j++) total += error(row, i) * 0.75 ** Math.abs(i - j) * error(row, j);
  return total;
}
