import { expect } from 'chai';
import fc from 'fast-check';
import type { Attribute } from '../../ir/attribute.ts';
import { densified } from '../../ir/constant.ts';
import { detachedGraph, Editor } from '../../ir/edit.ts';
import { hashModel } from '../../ir/hash.ts';
import { link, unlink, type ConstantForm, type Graph, type Model, type Mutable, type Node } from '../../ir/model.ts';
import { normalizeModel, type NormalizeOptions } from '../../ir/normalize.ts';
import { Tensor, type SparseTensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import { verifyModel } from '../../ir/verify.ts';
import { addFunction, apply, floats, newModel, randomModel, smallModel, steps } from './build.ts';
import { codeOf, diagnosticOf } from './diagnostics.ts';

const open = <T>(thing: T): Mutable<T> => thing;

/** Normalises, checks that the result is sound and that doing so again changes nothing, and returns the report by kind. */
function normalized(model: Model, options?: NormalizeOptions): Record<string, { count: number; examples: readonly string[] }> {
  const report = normalizeModel(model, new Editor(model), options);
  expect(verifyModel(model, { nodeNames: true }).map(({ message }) => message)).to.deep.equal([]);
  const again = new Editor(model);
  const repeated = normalizeModel(model, again, options).filter(({ what }) => !what.endsWith('kept'));
  expect([repeated, again.changes]).to.deep.equal([[], 0]);
  return Object.fromEntries(report.map(({ what, count, examples }) => [what, { count, examples }]));
}

const nodes = (graph: Graph): string[] => Array.from(graph.walk(), (node) => `${node.name}: ${node.op}(${node.inputs.map((value) => value?.name ?? '').join(', ')}) → ${node.outputs.map((value) => value?.name ?? '').join(', ')}`);

const reference = (name: string, type: 'int' | 'float' | 'tensor' | 'graph' = 'int'): Attribute => ({ kind: 'reference', name, type });

/** A model with an input x, an output y, and a call of `op` between them. */
function caller(op: string, { inputs = 1, attributes = {}, overload = '' }: { inputs?: number; attributes?: Record<string, Attribute | number>; overload?: string } = {}): ReturnType<typeof newModel> & { call: Node } {
  const made = newModel();
  const x = made.edit.addInput(made.graph, 'x', floats);
  open(made.model).opsets = new Map([...made.model.opsets, ['local', 1]]);
  const call = apply(made.edit, made.graph, op, new Array<typeof x>(inputs).fill(x), { domain: 'local', name: 'call', attributes, overload });
  made.edit.rename(call.output, 'result');
  made.edit.setOutput(made.graph, 0, call.output, 'y');
  return { ...made, call };
}

describe('ir/normalize', () => {
  it('leaves a normal model alone, but for the origins', () => {
    const { model, node } = smallModel();
    const hash = hashModel(model);
    expect(normalized(model)).to.deep.equal({});
    expect(hashModel(model)).to.equal(hash);
    expect([node('relu').origin, node('neg').origin]).to.deep.equal([['relu'], ['neg']]);
  });

  it('gives unnamed nodes names by operator and position, and doubly named ones a name of their own', () => {
    const { model, node } = smallModel();
    open(node('relu')).name = '';
    open(node('neg')).name = '';
    open(node('mul')).name = 'add';
    expect(normalized(model)).to.deep.equal({ 'nodes named': { count: 2, examples: ['Relu_0', 'Neg_3'] }, 'nodes renamed': { count: 1, examples: ['add_1'] } });
    expect(Array.from(model.graph.walk(), ({ name, origin }) => [name, ...origin])).to.deep.equal([
      ['Relu_0', 'Relu_0'], ['add', 'add'], ['choose', 'choose'], ['Neg_3', 'Neg_3'], ['add_1', 'add_1'],
    ]);
  });

  it('does not give a name that a later node bears', () => {
    const { model, node } = smallModel();
    open(node('relu')).name = '';
    open(node('choose')).name = 'Relu_0';
    expect(normalized(model)['nodes named']!.examples).to.deep.equal(['Relu_0_1']);
  });

  it('gives names that do not depend on what the nodes were called before, for any model', () => {
    fc.assert(fc.property(steps(20), (plan) => {
      const { model } = randomModel(plan);
      const hash = hashModel(model);
      for (const node of model.graph.walk()) open(node).name = '';
      normalized(model);
      for (const [position, node] of [...model.graph.walk()].entries()) expect(node.name).to.equal(`${node.op}_${position}`);
      expect(hashModel(model)).to.equal(hash);
    }), { seed: 10, numRuns: 40 });
  });

  it('orders nodes, and says so', () => {
    const { model, graph, node } = smallModel();
    unlink(node('relu'));
    link(node('relu'), undefined);
    expect(normalized(model)).to.deep.equal({ 'nodes ordered': { count: 1, examples: ['main'] } });
    expect(Array.from(graph.nodes(), ({ name }) => name)).to.deep.equal(['relu', 'add', 'choose']);
  });

  it('renames values of bodies that hide one outside, but not the same label in two branches', () => {
    const { model, node, value } = smallModel();
    open(value('half')).name = 'x';
    open(node('neg').output).name = 'same';
    open(node('mul').output).name = 'same';
    expect(normalized(model)).to.deep.equal({ 'values renamed': { count: 1, examples: ['x → x_inner'] } });
    expect([node('neg').output.name, node('mul').output.name]).to.deep.equal(['same', 'same']);
  });

  describe('functions', () => {
    it('are put in the place of their calls, whose output labels stay', () => {
      const { model, graph } = caller('F');
      addFunction(model, 'F', ['a'], (edit, body, [a]) => {
        const k = edit.constant(body, Tensor.of('float', [1]), 'k');
        const first = apply(edit, body, 'Add', [a, k], { name: 'first' });
        edit.rename(first.output, 'sum');
        return [apply(edit, body, 'Relu', [first.output], { name: 'second' }).output];
      });
      expect(normalized(model)).to.deep.equal({ 'functions inlined': { count: 1, examples: ['call (F)'] } });
      expect(nodes(graph)).to.deep.equal(['call/first: Add(x, call/k) → call/sum', 'call/second: Relu(call/sum) → result']);
      expect([model.functions.size, graph.outputs[0]!.name]).to.deep.equal([0, 'y']);
      expect(Array.from(graph.nodes(), ({ origin }) => origin)).to.deep.equal([['call/first', 'call'], ['call/second', 'call']]);
      expect([...graph.constants].map(({ type }) => type)).to.deep.equal([tensorType('float', [1])]);
    });

    it('take attributes from the call, else their defaults, else leave them out', () => {
      const { model, graph } = caller('F', { attributes: { given: 5, both: 6 } });
      addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Mix', [a], {
        domain: 'test', attributes: { one: reference('given'), two: reference('both'), three: reference('default'), four: reference('absent'), five: 7 },
      }).output], { attributes: ['given'], defaults: new Map<string, Attribute>([['both', { kind: 'int', value: 1 }], ['default', { kind: 'int', value: 2 }]]) });
      normalized(model);
      expect([...graph.first!.attributes].map(([name]) => [name, graph.first!.int(name)])).to.deep.equal([['one', 5], ['two', 6], ['three', 2], ['five', 7]]);
    });

    it('make a constant of a Constant node whose value is an attribute', () => {
      const { model, graph } = caller('F', { attributes: { alpha: { kind: 'float', value: 2 } } });
      addFunction(model, 'F', ['a'], (edit, body, [a]) => {
        const alpha = apply(edit, body, 'Constant', [], { attributes: { value_float: reference('alpha', 'float') } });
        return [apply(edit, body, 'Mul', [a, alpha.output]).output];
      }, { attributes: ['alpha'] });
      normalized(model);
      expect(graph.nodeCount).to.equal(1);
      expect([...graph.first!.inputs[1]!.constant!.floats()]).to.deep.equal([2]);
    });

    it('are found by their overload', () => {
      const { model, graph } = caller('F', { overload: 'b' });
      for (const [overload, op] of [['a', 'Neg'], ['b', 'Relu']] as const) addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, op, [a]).output], { overload });
      normalized(model);
      expect(graph.first!.op).to.equal('Relu');
    });

    it('may call others and be called in bodies, more than once', () => {
      const { model, edit, graph, call } = caller('Outer');
      addFunction(model, 'Inner', ['a'], (inner, body, [a]) => [apply(inner, body, 'Relu', [a], { name: 'r' }).output]);
      addFunction(model, 'Outer', ['a'], (inner, body, [a]) => {
        const one = apply(inner, body, 'Inner', [a], { domain: 'local', name: 'one' });
        return [apply(inner, body, 'Inner', [one.output], { domain: 'local', name: 'two' }).output];
      });
      const [yes, no] = [detachedGraph('yes'), detachedGraph('no')];
      for (const body of [yes, no]) edit.setOutput(body, 0, apply(edit, body, 'Inner', [call.output], { domain: 'local', name: 'inner' }).output, 'r');
      const condition = edit.addInput(graph, 'c', tensorType('bool', []));
      edit.setOutput(graph, 1, apply(edit, graph, 'If', [condition], { attributes: { then_branch: { kind: 'graph', value: yes }, else_branch: { kind: 'graph', value: no } } }).output, 'z');
      expect(normalized(model)['functions inlined']!.count).to.equal(5);
      expect(nodes(graph)).to.deep.equal([
        'call/one/r: Relu(x) → call/one_output', 'call/two/r: Relu(call/one_output) → result', 'if: If(c) → if_output', 'inner/r: Relu(result) → inner_output', 'inner_1/r: Relu(result) → inner_1_output',
      ]);
      expect(graph.first!.origin).to.deep.equal(['call/one/r', 'call']);
    });

    it('bring bodies whose captures and references follow', () => {
      const { model, edit, graph } = caller('F', { attributes: { level: 3 } });
      addFunction(model, 'F', ['a'], (inner, body, [a]) => {
        const relu = apply(inner, body, 'Relu', [a], { name: 'relu' });
        const [yes, no] = [detachedGraph('yes'), detachedGraph('no')];
        inner.setOutput(yes, 0, apply(inner, yes, 'Mix', [relu.output], { domain: 'test', name: 'mix', attributes: { level: reference('level') } }).output, 'r');
        inner.setOutput(no, 0, apply(inner, no, 'Neg', [a], { name: 'neg' }).output, 'r');
        return [apply(inner, body, 'If', [relu.output], { name: 'if', attributes: { then_branch: { kind: 'graph', value: yes }, else_branch: { kind: 'graph', value: no } } }).output];
      }, { attributes: ['level'] });
      const second = apply(edit, graph, 'F', [graph.inputs[0]], { domain: 'local', name: 'again', attributes: { level: 4 } });
      edit.setOutput(graph, 1, second.output, 'z');
      normalized(model);
      expect(nodes(graph)).to.deep.equal([
        'call/relu: Relu(x) → call/relu_output', 'call/if: If(call/relu_output) → result', 'call/mix: Mix(call/relu_output) → call/mix_output', 'call/neg: Neg(x) → call/neg_output',
        'again/relu: Relu(x) → again/relu_output', 'again/if: If(again/relu_output) → again_output', 'again/mix: Mix(again/relu_output) → again/mix_output', 'again/neg: Neg(x) → again/neg_output',
      ]);
      expect([...graph.walk()].filter(({ op }) => op === 'Mix').map((node) => node.int('level'))).to.deep.equal([3, 4]);
    });

    it('take a body from the call', () => {
      const { model, edit, graph, call } = caller('F');
      const body = detachedGraph('body');
      edit.setOutput(body, 0, apply(edit, body, 'Relu', [graph.inputs[0]], { name: 'captures' }).output, 'r');
      edit.setAttribute(call, 'body', { kind: 'graph', value: body });
      addFunction(model, 'F', ['a'], (inner, into, [a]) => [apply(inner, into, 'Run', [a], { domain: 'test', name: 'run', attributes: { one: reference('body', 'graph'), two: reference('body', 'graph') } }).output], { attributes: ['body'] });
      normalized(model);
      expect(graph.first!.subgraphs.map((inner) => inner.first!.inputs[0])).to.deep.equal([graph.inputs[0], graph.inputs[0]]);
      expect(graph.inputs[0]!.uses).to.have.length(3);
    });

    it('hand an input through, leave out what the call leaves out, and drop outputs that the call drops', () => {
      const { model, edit, graph, call } = caller('F', { inputs: 2 });
      edit.setInput(call, 0, undefined);
      addFunction(model, 'F', ['a', 'b', 'c'], (inner, body, [a, b, c]) => [b!, apply(inner, body, 'Mix', [a, b, c], { domain: 'test', name: 'mix' }).output]);
      normalized(model);
      expect([graph.outputs[0]!.value, graph.outputs[0]!.name]).to.deep.equal([graph.inputs[0], 'y']);
      expect(nodes(graph)).to.deep.equal(['call/mix: Mix(, x) → call/mix_output']);
    });

    it('that mean something else under the operator sets of the model stay functions, with a reason, and so do their callees', () => {
      const { model, edit, graph, call } = caller('Old');
      const old = new Map([['', 12], ['local', 1]]);
      addFunction(model, 'Inner', ['a'], (inner, body, [a]) => [apply(inner, body, 'Relu', [a]).output]);
      addFunction(model, 'Old', ['a'], (inner, body, [a]) => {
        const called = apply(inner, body, 'Inner', [a], { domain: 'local' });
        return [apply(inner, body, 'Softmax', [called.output]).output];
      }, { opsets: old });
      addFunction(model, 'Unused', ['a'], (inner, body, [a]) => [apply(inner, body, 'Softmax', [a], { name: 'unused' }).output], { opsets: old });
      addFunction(model, 'Same', ['a'], (inner, body, [a]) => [apply(inner, body, 'Transpose', [a]).output], { opsets: new Map([['', 15]]) });
      edit.setOutput(graph, 1, apply(edit, graph, 'Same', [call.output], { domain: 'local', name: 'same' }).output, 'z');
      expect(normalized(model)).to.deep.equal({
        'functions inlined': { count: 1, examples: ['same (Same)'] },
        'functions kept': { count: 1, examples: ["Old: Softmax is of version 12 of domain 'ai.onnx' in it, and of version 17 in the model"] },
      });
      expect([...model.functions.keys()]).to.deep.equal(['local:Inner:', 'local:Old:']);
      expect(Array.from(graph.nodes(), ({ op }) => op)).to.deep.equal(['Old', 'Transpose']);
    });

    it('bring the domains that only they import', () => {
      const { model } = caller('F');
      addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Special', [a], { domain: 'com.example' }).output], { opsets: new Map([['com.example', 3]]) });
      normalized(model);
      expect(model.opset('com.example')).to.equal(3);
    });

    it('lack nothing: a missing attribute, a missing output, a circle and a bomb are told', () => {
      const lacking = caller('F');
      addFunction(lacking.model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Relu', [a]).output], { attributes: ['alpha'] });
      expect(codeOf(() => normalizeModel(lacking.model, lacking.edit))).to.equal('model/attribute-missing');

      const without = caller('F');
      addFunction(without.model, 'F', ['a', 'b'], (_, __, [, b]) => [b!]);
      expect(codeOf(() => normalizeModel(without.model, without.edit))).to.equal('model/outputs');

      const circle = caller('F');
      addFunction(circle.model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'F', [a], { domain: 'local' }).output]);
      expect(codeOf(() => normalizeModel(circle.model, circle.edit))).to.equal('model/function-cycle');

      const bomb = caller('F0');
      open(bomb.model).functions = new Map();
      for (let level = 0; level < 64; level++) {
        addFunction(bomb.model, `F${level}`, ['a'], (edit, body, [a]) => {
          const one = apply(edit, body, level === 63 ? 'Relu' : `F${level + 1}`, [a], { domain: level === 63 ? '' : 'local' });
          return [apply(edit, body, level === 63 ? 'Relu' : `F${level + 1}`, [one.output], { domain: level === 63 ? '' : 'local' }).output];
        });
      }
      const error = diagnosticOf(() => normalizeModel(bomb.model, bomb.edit));
      expect([error.code, error.message.includes('18446744073709552000')]).to.deep.equal(['model/function-size', true]);
    });

    it('nested 2 000 deep are inlined without trouble, under names of bounded length', () => {
      const { model, graph } = caller('F0');
      for (let level = 0; level < 2_000; level++) {
        addFunction(model, `F${level}`, ['a'], (edit, body, [a]) => [apply(edit, body, level === 1_999 ? 'Relu' : `F${level + 1}`, [a], { domain: level === 1_999 ? '' : 'local', name: 'n' }).output]);
      }
      normalized(model);
      expect([graph.nodeCount, graph.first!.op, graph.first!.name.length <= 240, graph.first!.output.name]).to.deep.equal([1, 'Relu', true, 'result']);
    }).timeout(20_000);
  });

  describe('constants', () => {
    /** shape, linear or coordinate indices, values, dense */
    const sparse: readonly [string, SparseTensor, readonly number[]][] = [
      ['linear indices', { values: Tensor.of('float', [5, 7]), indices: Tensor.of('int64', [1, 5]), shape: [2, 3] }, [0, 5, 0, 0, 0, 7]],
      ['coordinates', { values: Tensor.of('float', [5, 7]), indices: Tensor.of('int64', [0, 1, 1, 2], [2, 2]), shape: [2, 3] }, [0, 5, 0, 0, 0, 7]],
      ['coordinates of one axis', { values: Tensor.of('int8', [-3]), indices: Tensor.of('int64', [2], [1, 1]), shape: [4] }, [0, 0, -3, 0]],
      ['packed elements', { values: Tensor.of('int4', [-1, 2, 3]), indices: Tensor.of('int64', [0, 3, 4]), shape: [5] }, [-1, 0, 0, 2, 3]],
      ['nothing', { values: Tensor.of('float', []), indices: Tensor.of('int64', []), shape: [2] }, [0, 0]],
    ];

    for (const [what, tensor, dense] of sparse) {
      it(`are made dense from ${what}`, () => {
        const { model, edit, graph } = newModel();
        const value = edit.constant(graph, densified(tensor, 's'), 's', { kind: 'sparse-initializer', sparse: tensor });
        edit.setOutput(graph, 0, value, 'y');
        expect(normalized(model)).to.deep.equal({ 'sparse tensors densified': { count: 1, examples: ['s'] } });
        expect([[...value.tensor!.floats()], value.form, value.tensor!.shape]).to.deep.equal([dense, { kind: 'initializer' }, tensor.shape]);
      });
    }

    const badSparse: readonly [string, SparseTensor][] = [
      ['an index outside', { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [6]), shape: [2, 3] }],
      ['a negative index', { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [-1]), shape: [2, 3] }],
      ['a coordinate outside', { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [0, 3], [1, 2]), shape: [2, 3] }],
      ['too few indices', { values: Tensor.of('float', [1, 2]), indices: Tensor.of('int64', [0]), shape: [2, 3] }],
      ['coordinates of another rank', { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [0, 0, 0], [1, 3]), shape: [2, 3] }],
      ['indices that are no integers', { values: Tensor.of('float', [1]), indices: Tensor.of('float', [0]), shape: [2, 3] }],
    ];

    for (const [what, tensor] of badSparse) {
      it(`are refused with ${what}`, () => { expect(codeOf(() => densified(tensor, 's').bytes())).to.equal('model/sparse'); });
    }

    it('are refused when dense they would be too large, before memory is taken', () => {
      const { model, edit, graph } = newModel();
      const tensor: SparseTensor = { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [0]), shape: [2 ** 36] };
      edit.constant(graph, densified(tensor, 's'), 's', { kind: 'sparse-initializer', sparse: tensor });
      expect(codeOf(() => normalizeModel(model, edit))).to.equal('model/sparse-size');
    });

    it('of Constant nodes become initializers from IR 4 on', () => {
      for (const irVersion of [3, 4]) {
        const { model, edit, graph } = newModel({ irVersion });
        const tensor = Tensor.scalar('float', 1);
        const form: ConstantForm = { kind: 'node', node: { name: 'k', domain: '', attribute: { name: 'value_float', attribute: { kind: 'float', value: 1 } } } };
        const value = edit.constant(graph, tensor, 'k', form);
        edit.setOutput(graph, 0, value, 'y');
        expect(normalized(model)).to.deep.equal(irVersion === 4 ? { 'constants stored as initializers': { count: 1, examples: ['k'] } } : {});
        expect(value.form!.kind).to.equal(irVersion === 4 ? 'initializer' : 'node');
        expect(value.tensor!.hash()).to.equal(tensor.hash());
      }
    });
  });

  describe('inputs with defaults', () => {
    const cases: readonly [number, boolean | undefined, string, string[]][] = [
      [3, undefined, 'inputs with defaults fixed', ['x']], [4, undefined, 'inputs with defaults fixed', ['x']], [4, false, 'inputs with defaults kept', ['x', 'w', 'v']], [3, false, 'inputs with defaults fixed', ['x']],
    ];
    for (const [irVersion, fixInputs, what, inputs] of cases) {
      it(`of IR ${irVersion} are ${what.split(' ').at(-1)!}${fixInputs === undefined ? '' : ` with fixInputs: ${fixInputs}`}`, () => {
        const { model, edit, graph } = newModel({ irVersion });
        const x = edit.addInput(graph, 'x', floats);
        const [w, v] = ['w', 'v'].map((name) => Object.assign(edit.addInput(graph, name, tensorType('float', [4])), { tensor: Tensor.of('float', [1, 2, 3, 4]) }));
        edit.setOutput(graph, 0, apply(edit, graph, 'Sum', [x, w, v]).output, 'y');
        expect(normalized(model, fixInputs === undefined ? {} : { fixInputs })).to.deep.equal({ [what]: { count: 2, examples: ['w', 'v'] } });
        expect(graph.inputs.map(({ name }) => name)).to.deep.equal(inputs);
      });
    }
  });

  it('tells a cycle', () => {
    const { model, edit, node } = smallModel();
    edit.setInput(node('relu'), 0, node('add').output);
    expect(codeOf(() => normalizeModel(model, edit))).to.equal('model/cycle');
  });
});
