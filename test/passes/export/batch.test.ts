import { expect } from 'chai';
import { joinChunks, memorySource } from '../../../ir/bytes.ts';
import type { Diagnostic } from '../../../ir/diagnostic.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { printType, shapeOf } from '../../../ir/type.ts';
import { exportPass } from '../../../passes/export.ts';
import { joined, part } from '../../../passes/export/rows.ts';
import { inferTypes, runPass, type StepResult } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';

const options = { output: 'a.onnx', dynamicBatch: true, batchSymbol: 'batch', externalData: 'never', valueInfo: true, stackTraces: false };
const header = '<ir_version: 8, opset_import: ["": 17]>\n';
const ones = (count: number): string => new Array(count).fill('1').join(', ');

/** Graphs with a literal batch that become dynamic: the text, the nodes that are rewritten, and the types of the outputs. */
const accepted: Readonly<Record<string, { readonly text: string; readonly rewritten: readonly string[]; readonly outputs: readonly string[] }>> = {
  'nothing to rewrite': { text: 'm (float[1,4] x) => (float[1,4] y) { [n] y = Relu (x) }', rewritten: [], outputs: ['float[batch,4]'] },
  'literal batches in the branches of If': {
    text: `m (float[1,2,6] x, bool c) => (float[1,12] y) <int64[2] out = {1, 12}> {
      [if] i = If (c) <then_branch = g () => (float[1,12] a) <int64[2] s = {1, 12}> { [r1] a = Reshape (x, s) }, else_branch = h () => (float[1,12] b) { [n] d = Neg (x) [r2] b = Reshape (d, out) }>
      [id] y = Identity (i)
    }`,
    rewritten: ['r1', 'r2'], outputs: ['float[batch,12]'],
  },
  'an output axis that holds more than the batch': {
    text: 'm (float[1,6,4] x) => (float[6,4] y) <int64[2] s = {-1, 4}> { [n] y = Reshape (x, s) }', rewritten: [], outputs: ['float[?,4]'],
  },
  'a symbol already there': { text: 'm (float[B,4] x) => (float[B,4] y) { [n] y = Relu (x) }', rewritten: [], outputs: ['float[batch,4]'] },
  'Reshape that keeps the batch': { text: 'm (float[1,2,6] x) => (float[1,12] y) <int64[2] s = {1, 12}> { [r] y = Reshape (x, s) }', rewritten: ['r'], outputs: ['float[batch,12]'] },
  'Reshape whose rest is computed': { text: 'm (float[1,2,6] x) => (float[1,12] y) <int64[2] s = {1, -1}> { [r] y = Reshape (x, s) }', rewritten: ['r'], outputs: ['float[batch,12]'] },
  'Reshape that computes the batch already': { text: 'm (float[1,2,6] x) => (float[1,12] y) <int64[2] s = {-1, 12}> { [r] y = Reshape (x, s) }', rewritten: [], outputs: ['float[batch,12]'] },
  'heads merged with the batch and taken apart again': {
    text: 'm (float[1,4,6] x) => (float[1,4,6] y) <int64[3] a = {4, 1, 6}, int64[3] b = {1, 4, 6}> { [a1] h = Reshape (x, a) [s] t = Softmax (h) [b1] y = Reshape (t, b) }',
    rewritten: ['a1', 'b1'], outputs: ['float[batch,4,6]'],
  },
  'a batch that was moved to axis 1': {
    text: 'm (float[1,3,4] x) => (float[1,3,4] y) <int64[3] s = {3, 1, 4}> { [t] a = Transpose <perm = [1, 0, 2]> (x) [r] b = Reshape (a, s) [u] y = Transpose <perm = [1, 0, 2]> (b) }',
    rewritten: ['r'], outputs: ['float[batch,3,4]'],
  },
  'a batch of four': { text: 'm (float[4,2,3] x) => (float[4,6] y) <int64[2] s = {4, 6}> { [r] y = Reshape (x, s) }', rewritten: ['r'], outputs: ['float[batch,6]'] },
  'one constant shape for two nodes': {
    text: 'm (float[1,2,3] x) => (float[1,6] y, float[1,6] z) <int64[2] s = {1, 6}> { [r] y = Reshape (x, s) [a] b = Abs (x) [q] z = Reshape (b, s) }', rewritten: ['r', 'q'], outputs: ['float[batch,6]', 'float[batch,6]'],
  },
  'Expand of batched data': { text: 'm (float[1,1,3] x) => (float[1,2,3] y) <int64[3] s = {1, 2, 3}> { [e] y = Expand (x, s) }', rewritten: [], outputs: ['float[batch,2,3]'] },
  'Expand by a batch of two': { text: 'm (float[2,1,3] x) => (float[2,4,3] y) <int64[3] s = {2, 4, 3}> { [e] y = Expand (x, s) }', rewritten: ['e'], outputs: ['float[batch,4,3]'] },
  'a class token': {
    text: 'm (float[1,4,2] x) => (float[1,5,2] y) <float[1,1,2] token = {1, 2}> { [c] y = Concat <axis = 1> (token, x) }', rewritten: ['c'], outputs: ['float[batch,5,2]'],
  },
  'initial states of an LSTM': {
    text: `m (float[1,3,2] x) => (float[1,3,1] y) <float[1,4,2] w = {${ones(8)}}, float[1,4,1] r = {${ones(4)}}, float[1,1,1] h = {0.5}, float[1,1,1] c = {0.25}, int64[1] one = {1}> {
      [t] a = Transpose <perm = [1, 0, 2]> (x) [lstm] b = LSTM <hidden_size = 1> (a, w, r, , , h, c) [q] d = Squeeze (b, one) [u] y = Transpose <perm = [1, 0, 2]> (d)
    }`,
    rewritten: ['lstm'], outputs: ['float[batch,3,1]'],
  },
  'Resize to sizes': {
    text: 'm (float[1,1,2,2] x) => (float[1,1,4,4] y) <int64[4] s = {1, 1, 4, 4}> { [r] y = Resize <mode = "nearest"> (x, , , s) }', rewritten: ['r'], outputs: ['float[batch,1,4,4]'],
  },
  'Flatten that swallows a batch of one': { text: 'm (float[1,2,3] x) => (float[1,6] y) { [f] y = Flatten <axis = 0> (x) }', rewritten: ['f'], outputs: ['float[batch,6]'] },
  'integers that are looked up': { text: `m (int64[1,3] x) => (float[1,3,2] y) <float[4,2] w = {${ones(8)}}> { [g] y = Gather (w, x) }`, rewritten: [], outputs: ['float[batch,3,2]'] },
};

/** Graphs that are refused: the code, and the node that is named. */
const refused: Readonly<Record<string, { readonly text: string; readonly code: string; readonly node?: string }>> = {
  'a mean over the batch': { text: 'm (float[1,4] x) => (float[1,4] y) { [a] p = Abs (x) [mean] q = ReduceMean <axes = [0], keepdims = 1> (p) [s] y = Sub (x, q) }', code: 'export/batch-differs', node: 'mean' },
  'a batch in a form that is not rewritten': {
    text: 'm (float[1,4] x) => (float[1,4] y) <int64[1] from = {0}, int64[1] to = {1}, int64[1] axis = {0}> { [a] p = Abs (x) [slice] y = Slice (p, from, to, axis) }', code: 'export/batch-differs', node: 'slice',
  },
  'an output without batch': { text: 'm (float[1,4] x) => (float y) { [sum] y = ReduceSum <keepdims = 0> (x) }', code: 'export/batch-differs', node: 'sum' },
  'first axes of different lengths': { text: 'm (float[1,4] x, float[2,4] z) => (float[1,4] y) { [r] s = ReduceSum (z) [a] y = Add (x, s) }', code: 'export/batch-axis' },
  'a symbol that another axis has already': { text: 'm (float[1,batch] x) => (float[1,batch] y) { [n] y = Abs (x) }', code: 'export/batch-axis' },
  'an output that is empty on noise': {
    text: 'm (float[1,4] x) => (int64[K,2] y) <float t = {5}> { [g] c = Greater (x, t) [n] z = NonZero (c) [s] y = Transpose <perm = [1, 0]> (z) }', code: 'export/batch-unproved',
  },
  'no axis at all': { text: 'm (float x) => (float y) { [n] y = Abs (x) }', code: 'export/batch-axis' },
  'a random model': { text: 'm (float[1,4] x) => (float[1,4] y) { [r] n = RandomNormalLike (x) [a] y = Add (x, n) }', code: 'export/batch-unproved' },
  'indices that no random sample meets': { text: `m (int64[1,3] x) => (float[1,3,2] y) <float[1,2] w = {1, 2}> { [g] y = Gather (w, x) }`, code: 'export/batch-unproved' },
};

describe('export with dynamicBatch', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(async () => { await runtime.close(); });

  async function run(text: string): Promise<StepResult> {
    const model = parseModel(header + text);
    normalizeModel(model, new Editor(model));
    await inferTypes(model, runtime);
    return runPass(model, exportPass, options, { runtime, target: { ...loadTarget('portable') } });
  }
  const written = ({ outputs }: StepResult): Model => readModel(memorySource(joinChunks(outputs[0]!.chunks)));

  for (const [name, { text, rewritten, outputs }] of Object.entries(accepted)) {
    it(`accepts ${name}`, async () => {
      const result = await run(text);
      const model = written(result);
      expect(result.remarks.filter(({ rule }) => rule === 'export/dynamic-batch').map(({ node }) => node!.name)).to.deep.equal(rewritten);
      expect(model.graph.outputs.map(({ type, value }) => printType(type ?? value.type))).to.deep.equal(outputs);
      for (const { type } of model.graph.inputs) if (shapeOf(type)!.length > 0) expect(printType(type)).to.contain('[batch');
    });
  }

  for (const [name, { text, code, node }] of Object.entries(refused)) {
    it(`refuses ${name}${node === undefined ? '' : `, naming ${node}`}`, async () => {
      const error = await run(text).then(() => { throw new Error('was not refused'); }, (thrown: unknown) => thrown as Diagnostic);
      expect([error.code, error.node?.name]).to.deep.equal([code, node]);
    });
  }
});

describe('rows of tensors', () => {
  const tensor = Tensor.of('float', [1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);

  it('are parts along an axis', () => {
    expect([...part(tensor, 0, 2)!.floats()]).to.deep.equal([1, 2, 3, 4]);
    expect([...part(tensor, 1, 2)!.floats()]).to.deep.equal([1, 2, 5, 6]);
    expect([...part(tensor, 2, 2)!.floats()]).to.deep.equal([1, 3, 5, 7]);
    expect([part(tensor, 3, 2), part(tensor, 0, 3)]).to.deep.equal([undefined, undefined]);
  });

  it('join along the axis along which they were parted', () => {
    for (const axis of [0, 1, 2]) {
      const whole = joined([part(tensor, axis, 2)!, part(tensor, axis, 2)!], axis);
      expect(whole.shape).to.deep.equal([2, 2, 2]);
      expect(part(whole, axis, 2)!.hash()).to.equal(part(tensor, axis, 2)!.hash());
    }
    expect(joined([tensor, tensor, tensor], 1).shape).to.deep.equal([2, 6, 2]);
  });
});
