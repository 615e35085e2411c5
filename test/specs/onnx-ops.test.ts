import { expect } from 'chai';
import { createRequire } from 'node:module';
import { newestOpset, opFacts } from '../../ir/ops.ts';

/** Read by hand in the ONNX operator documentation: operator, opset asked for, facts expected. */
const cases: [op: string, opset: number, facts: Record<string, unknown>][] = [
  ['Conv', 17, { since: 11, inputs: [2, 3], outputs: [1, 1], optional: [2], variadic: false, random: false, commutative: false }],
  ['Conv', 10, { since: 1 }],
  ['Conv', 26, { since: 22 }],
  ['Add', 6, { since: 6, commutative: false }],
  ['Add', 7, { since: 7, commutative: true }],
  ['Sub', 14, { since: 14, commutative: false }],
  ['BatchNormalization', 17, { since: 15, inputs: [5, 5], outputs: [1, 3], optional: [] }],
  ['Clip', 6, { inputs: [1, 1] }],
  ['Clip', 11, { inputs: [1, 3], optional: [1, 2] }],
  ['Concat', 13, { inputs: [1, Infinity], variadic: true }],
  ['Split', 13, { inputs: [1, 2], outputs: [1, Infinity], optional: [1], variadic: false }],
  ['Loop', 16, { inputs: [2, Infinity], optional: [0, 1], variadic: true }],
  ['LSTM', 14, { inputs: [3, 8], outputs: [0, 3], optional: [3, 4, 5, 6, 7] }],
  ['Resize', 10, { inputs: [2, 2] }],
  ['Resize', 13, { inputs: [1, 4], optional: [1, 2, 3] }],
  ['ReduceSum', 12, { inputs: [1, 1] }],
  ['ReduceSum', 13, { inputs: [1, 2], optional: [1] }],
  ['ReduceMean', 17, { inputs: [1, 1] }],
  ['ReduceMean', 18, { inputs: [1, 2], optional: [1] }],
  ['Upsample', 9, { since: 9, deprecated: false }],
  ['Upsample', 13, { since: 10, deprecated: true }],
  ['Scatter', 11, { deprecated: true }],
  ['Dropout', 10, { random: false }],
  ['Dropout', 13, { inputs: [1, 3], random: 'training' }],
  ['RandomNormalLike', 17, { random: 'always' }],
  ['Multinomial', 7, { random: 'always' }],
  ['If', 17, { random: false, inputs: [1, 1], outputs: [1, Infinity] }],
  ['AffineGrid', 20, { random: false }],
  ['Equal', 7, { commutative: true }],
  ['Max', 13, { inputs: [1, Infinity], commutative: false }],
];

const attributes: [op: string, opset: number, attribute: string, facts: unknown][] = [
  ['Conv', 17, 'group', { type: 'int', default: 1 }],
  ['Conv', 17, 'auto_pad', { type: 'string', default: 'NOTSET' }],
  ['Conv', 17, 'kernel_shape', { type: 'ints' }],
  ['MaxPool', 12, 'kernel_shape', { type: 'ints', required: true }],
  ['BatchNormalization', 17, 'epsilon', { type: 'float', default: 1e-5 }],
  ['BatchNormalization', 17, 'training_mode', { type: 'int', default: 0 }],
  ['BatchNormalization', 17, 'spatial', undefined],
  ['Gemm', 13, 'alpha', { type: 'float', default: 1 }],
  ['Gemm', 13, 'transB', { type: 'int', default: 0 }],
  ['Softmax', 12, 'axis', { type: 'int', default: 1 }],
  ['Softmax', 13, 'axis', { type: 'int', default: -1 }],
  ['Split', 18, 'num_outputs', { type: 'int' }],
  ['QuantizeLinear', 13, 'axis', { type: 'int', default: 1 }],
  ['QuantizeLinear', 21, 'block_size', { type: 'int', default: 0 }],
  ['Cast', 13, 'to', { type: 'int', required: true }],
  ['If', 11, 'then_branch', { type: 'graph', required: true }],
  ['Constant', 13, 'value', { type: 'tensor' }],
  ['HardSigmoid', 6, 'alpha', { type: 'float', default: 0.2 }],
  // Defaults are float32 values in their shortest decimals: the specification writes 1.05070102214813232421875.
  ['Selu', 6, 'gamma', { type: 'float', default: 1.050701 }],
  ['Upsample', 7, 'scales', { type: 'floats', required: true }],
  ['Conv', 17, 'constructor', undefined],
];

describe('operator facts', () => {
  for (const [op, opset, facts] of cases) {
    it(`${op} in opset ${opset}: ${Object.keys(facts).join(', ')}`, () => {
      expect(opFacts('', op, opset)).to.deep.include(facts);
    });
  }

  for (const [op, opset, attribute, facts] of attributes) {
    it(`attribute ${attribute} of ${op} in opset ${opset}`, () => {
      expect(opFacts('', op, opset)?.attributes.get(attribute)).to.deep.equal(facts);
    });
  }

  it('knows nothing of operators before their first opset, of foreign domains and of inherited property names', () => {
    expect(opFacts('', 'LayerNormalization', 16)).to.equal(undefined);
    expect(opFacts('', 'LayerNormalization', 17)?.since).to.equal(17);
    expect(opFacts('com.microsoft', 'Conv', 1)).to.equal(undefined);
    expect(opFacts('', 'constructor', 17)).to.equal(undefined);
    expect(opFacts('', '__proto__', 17)).to.equal(undefined);
    expect(opFacts('', 'ai.onnx.ml::Scaler', 17)?.since, 'a domain inside a name').to.equal(undefined);
  });

  it('spells the default domain both ways and gives the same object for the same question', () => {
    expect(opFacts('ai.onnx', 'Relu', 17)).to.equal(opFacts('', 'Relu', 17));
    expect(opFacts('', 'Relu', 15)).to.equal(opFacts('', 'Relu', 17));
    expect(opFacts('ai.onnx.ml', 'Scaler', 3)?.attributes.get('scale')).to.deep.equal({ type: 'floats' });
  });

  it('lists versions in order, within the opsets it claims to cover, with indices and bounds that agree', () => {
    const table = createRequire(import.meta.url)('#specs/onnx-ops.json') as Record<string, { since: number }[]>;
    expect(Object.keys(table)).to.have.length.above(200);
    let newest = 0;
    for (const [key, rows] of Object.entries(table)) {
      const [domain, op] = key.includes('::') ? key.split('::') as [string, string] : ['', key];
      rows.forEach((row, at) => {
        expect(row.since, key).to.be.above(rows[at - 1]?.since ?? 0);
        const { inputs, outputs, optional, variadic } = opFacts(domain, op, row.since)!;
        expect(inputs[0] <= inputs[1] && outputs[0] <= outputs[1], key).to.equal(true);
        expect(optional.every((index) => index < inputs[1]), key).to.equal(true);
        expect(!variadic || inputs[1] === Infinity, key).to.equal(true);
      });
      if (domain === '') newest = Math.max(newest, rows.at(-1)!.since);
    }
    expect(newest).to.be.within(newestOpset - 1, newestOpset);
  });
});
