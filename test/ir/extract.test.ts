import { expect } from 'chai';
import fc from 'fast-check';
import { cloneModel } from '../../ir/clone.ts';
import { detachedGraph } from '../../ir/edit.ts';
import { extractModel, type Region } from '../../ir/extract.ts';
import { hashModel } from '../../ir/hash.ts';
import type { Model } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import { verifyModel } from '../../ir/verify.ts';
import { addFunction, apply, floats, newModel, randomModel, smallModel, steps } from './build.ts';
import { diagnosticOf } from './diagnostics.ts';

type Small = ReturnType<typeof smallModel>;

const sides = ({ graph }: Model): unknown => ({
  inputs: graph.inputs.map(({ name }) => name), nodes: Array.from(graph.nodes(), ({ name }) => name), constants: Array.from(graph.constants, ({ name }) => name), outputs: graph.outputs.map(({ name }) => name),
});

const regions: readonly [what: string, region: (small: Small) => Region, expected: unknown][] = [
  ['between two values', ({ node }) => ({ inputs: [node('relu').output], outputs: [node('add').output] }), { inputs: ['relu_output'], nodes: ['add'], constants: ['w'], outputs: ['add_output'] }],
  ['from an input of the model', ({ node, value }) => ({ inputs: [value('x')], outputs: [node('add').output] }), { inputs: ['x'], nodes: ['relu', 'add'], constants: ['w'], outputs: ['add_output'] }],
  ['with a body and what it captures', ({ node, value }) => ({ inputs: [value('x'), value('c')], outputs: [node('choose').output] }), { inputs: ['x', 'c'], nodes: ['relu', 'choose'], constants: [], outputs: ['choose_output'] }],
  ['with a capture cut', ({ node, value }) => ({ inputs: [value('x'), value('c'), node('relu').output], outputs: [node('choose').output] }), { inputs: ['x', 'c', 'relu_output'], nodes: ['choose'], constants: [], outputs: ['choose_output'] }],
  ['inside a body, flat', ({ node, value }) => ({ inputs: [value('x')], outputs: [node('neg').output, node('mul').output] }), { inputs: ['x'], nodes: ['relu', 'neg', 'mul'], constants: ['half'], outputs: ['neg_output', 'mul_output'] }],
  ['of several outputs, one inside the other', ({ node, value }) => ({ inputs: [value('x')], outputs: [node('add').output, node('relu').output] }), { inputs: ['x'], nodes: ['relu', 'add'], constants: ['w'], outputs: ['add_output', 'relu_output'] }],
  ['at a constant, which becomes an input', ({ node, value }) => ({ inputs: [value('x'), value('w')], outputs: [node('add').output] }), { inputs: ['x', 'w'], nodes: ['relu', 'add'], constants: [], outputs: ['add_output'] }],
  ['of a constant alone', ({ value }) => ({ inputs: [], outputs: [value('w')] }), { inputs: [], nodes: [], constants: ['w'], outputs: ['w'] }],
  ['of an input that is an output', ({ value }) => ({ inputs: [value('x')], outputs: [value('x')] }), { inputs: ['x'], nodes: [], constants: [], outputs: ['x'] }],
  ['of values given twice', ({ node, value }) => ({ inputs: [value('x'), value('x')], outputs: [node('relu').output, node('relu').output] }), { inputs: ['x'], nodes: ['relu'], constants: [], outputs: ['relu_output'] }],
  ['of nodes', ({ node }) => [node('add')], { inputs: ['relu_output'], nodes: ['add'], constants: ['w'], outputs: ['add_output'] }],
  ['of nodes that feed others', ({ node }) => [node('relu'), node('add')], { inputs: ['x'], nodes: ['relu', 'add'], constants: ['w'], outputs: ['relu_output', 'add_output'] }],
  ['of nodes one of which has bodies', ({ node }) => new Set([node('choose'), node('relu'), node('add')]), { inputs: ['c', 'x'], nodes: ['relu', 'add', 'choose'], constants: ['w'], outputs: ['choose_output', 'add_output'] }],
];

describe('ir/extract', () => {
  for (const [what, region, expected] of regions) {
    it(`cuts a region out ${what}`, () => {
      const small = smallModel();
      const before = hashModel(small.model, { exact: true });
      const cut = extractModel(small.model, region(small));
      expect(sides(cut)).to.deep.equal(expected);
      expect(verifyModel(cut).map(({ message }) => message)).to.deep.equal([]);
      expect(cut.graph.inputs.every(({ type, tensor }) => type !== undefined && tensor === undefined)).to.equal(true);
      expect(verifyModel(small.model)).to.deep.equal([]);
      expect(hashModel(small.model, { exact: true })).to.equal(before);
    });
  }

  it('names what the region lacks, and who reads it', () => {
    const { model, node, value } = smallModel();
    const error = diagnosticOf(() => extractModel(model, { inputs: [], outputs: [node('choose').output] }));
    expect(error.code).to.equal('model/extract-input');
    expect([...error.expected!].sort()).to.deep.equal(['c', 'x']);
    expect(error.message).to.include("'c', which node 'choose' (If) reads").and.include("'x', which");
    const inner = diagnosticOf(() => extractModel(model, { inputs: [value('c')], outputs: [node('neg').output] }));
    expect(inner.message).to.include("'x', which node 'relu' (Relu) reads");
  });

  it('takes the input of a loop body for missing', () => {
    const { model, edit, graph } = newModel();
    const x = edit.addInput(graph, 'x', floats);
    const body = detachedGraph('body');
    const [, , carried] = ['i', 'cond', 'carried'].map((name) => edit.addInput(body, name, floats));
    const add = apply(edit, body, 'Add', [carried, x]);
    [add, add].forEach(({ output }, index) => { edit.setOutput(body, index, output, `o${index}`); });
    apply(edit, graph, 'Loop', [undefined, undefined, x], { attributes: { body: { kind: 'graph', value: body } } });
    expect(diagnosticOf(() => extractModel(model, { inputs: [x], outputs: [add.output] })).expected).to.deep.equal(['carried']);
    expect(sides(extractModel(model, { inputs: [x, carried!], outputs: [add.output] }))).to.deep.include({ inputs: ['x', 'carried'], nodes: ['add'] });
  });

  it('wants types for inputs', () => {
    const { model, edit, node } = smallModel();
    edit.setType(node('relu').output, undefined);
    const error = diagnosticOf(() => extractModel(model, { inputs: [node('relu').output], outputs: [node('add').output] }));
    expect([error.code, error.tensor]).to.deep.equal(['model/extract-type', 'relu_output']);
  });

  it('takes the functions along that the region calls, directly and through others', () => {
    const { model, edit, graph, value } = smallModel();
    addFunction(model, 'Inner', ['a'], (inner, body, [a]) => [apply(inner, body, 'Relu', [a]).output]);
    addFunction(model, 'Outer', ['a'], (inner, body, [a]) => [apply(inner, body, 'Inner', [a], { domain: 'local' }).output]);
    addFunction(model, 'Unused', ['a'], (inner, body, [a]) => [apply(inner, body, 'Neg', [a]).output]);
    const call = apply(edit, graph, 'Outer', [value('x')], { domain: 'local' });
    const cut = extractModel(model, [call]);
    expect([...cut.functions.keys()]).to.deep.equal(['local:Outer:', 'local:Inner:']);
    expect(cut.functions.get('local:Inner:')).to.not.equal(model.functions.get('local:Inner:'));
    expect(verifyModel(cut)).to.deep.equal([]);
  });

  it('keeps the operator sets of a function for a region of its body', () => {
    const { model } = smallModel();
    const local = addFunction(model, 'F', ['a'], (inner, body, [a]) => [apply(inner, body, 'Relu', [a]).output], { opsets: new Map([['', 13]]) });
    const input = Object.assign(local.body.inputs[0]!, { type: tensorType('float', [1]) });
    expect([...extractModel(model, { inputs: [input], outputs: [local.body.first!.output] }).opsets]).to.deep.equal([['', 13]]);
  });

  it('gives the whole model when the region is the whole model', () => {
    fc.assert(fc.property(steps(25), (plan) => {
      const { model, edit } = randomModel(plan);
      for (const node of [...model.graph.nodes()].reverse()) if (node.outputs.every((value) => value?.uses.length === 0)) edit.remove(node);
      for (const value of [...model.graph.constants]) if (value.uses.length === 0) edit.remove(value);
      if (model.graph.outputs.length === 2) edit.setOutput(model.graph, 1, undefined);
      const { inputs, outputs } = model.graph;
      const cut = extractModel(model, { inputs, outputs: outputs.map(({ value }) => value) });
      expect(verifyModel(cut)).to.deep.equal([]);
      const whole = cloneModel(model);
      Object.assign(whole.graph, { outputs: whole.graph.outputs.map((slot) => ({ ...slot, name: slot.value.name })) });
      expect(hashModel(cut)).to.equal(hashModel(whole));
    }), { seed: 9, numRuns: 60 });
  });

  it('does not copy tensors', () => {
    const { model, node, value } = smallModel();
    const cut = extractModel(model, [node('add')]);
    expect([...cut.graph.constants][0]!.tensor).to.equal(value('w').tensor);
    expect(value('w').tensor).to.be.instanceOf(Tensor);
  });
});
