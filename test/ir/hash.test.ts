import { expect } from 'chai';
import fc from 'fast-check';
import type { Attribute } from '../../ir/attribute.ts';
import { cloneModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import { hashGraph, hashModel } from '../../ir/hash.ts';
import { Graph, type Model, type Mutable } from '../../ir/model.ts';
import { readModel } from '../../ir/onnx/read.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import { joinChunks, memorySource } from '../../ir/bytes.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import { addFunction, apply, floats, newModel, randomModel, smallModel, steps } from './build.ts';

type Small = ReturnType<typeof smallModel>;

const open = <T>(thing: T): Mutable<T> => thing;

/** Changes that make another computation; each must give a hash of its own. */
const different: readonly [what: string, change: (small: Small) => void][] = [
  ['nothing', () => undefined],
  ['another element of a tensor', ({ edit, value }) => { edit.setTensor(value('w'), Tensor.of('float', [1, 2, 3, 5])); }],
  ['another element type', ({ edit, value }) => { edit.setTensor(value('w'), Tensor.of('double', [1, 2, 3, 4])); }],
  ['another shape', ({ edit, value }) => { edit.setTensor(value('w'), Tensor.of('float', [1, 2, 3, 4], [1, 4])); }],
  ['another element in a body', ({ edit, value }) => { edit.setTensor(value('half'), Tensor.scalar('float', 0.25)); }],
  ['another edge', ({ edit, node, value }) => { edit.setInput(node('add'), 0, value('x')); }],
  ['exchanged edges', ({ edit, node, value }) => { edit.setInput(node('add'), 0, value('w')); edit.setInput(node('add'), 1, node('relu').output); }],
  ['another capture', ({ edit, node, value }) => { edit.setInput(node('neg'), 0, value('x')); }],
  ['an input left out', ({ edit, node }) => { edit.setInput(node('mul'), 0, undefined); }],
  ['one more attribute', ({ edit, node }) => { edit.setAttribute(node('add'), 'axis', 1); }],
  ['another value of it', ({ edit, node }) => { edit.setAttribute(node('add'), 'axis', 2); }],
  ['another kind of it', ({ edit, node }) => { edit.setAttribute(node('add'), 'axis', { kind: 'float', value: 1 }); }],
  ['another name of it', ({ edit, node }) => { edit.setAttribute(node('add'), 'axes', 1); }],
  ['exchanged branches', ({ node }) => {
    const [yes, no] = [...node('choose').attributes.values()];
    open(node('choose')).attributes = new Map([['then_branch', no!], ['else_branch', yes!]]);
  }],
  ['another operator', ({ node }) => { open(node('add')).op = 'Sub'; }],
  ['another domain', ({ node }) => { open(node('add')).domain = 'test'; }],
  ['another overload', ({ node }) => { open(node('add')).overload = 'a'; }],
  ['one more node', ({ edit, graph, value }) => { apply(edit, graph, 'Relu', [value('x')]); }],
  ['the same node computed twice', ({ edit, graph, node, value }) => {
    const twin = apply(edit, graph, 'Relu', [value('x')]);
    edit.move(twin, { before: node('add') });
    edit.setInput(node('neg'), 0, twin.output);
  }],
  ['another order', ({ edit, node }) => { edit.move(node('choose'), { before: node('add') }); }],
  ['one more constant', ({ edit, graph }) => { edit.constant(graph, Tensor.scalar('float', 1)); }],
  ['one more output of a node', ({ node, graph }) => { open(node('relu')).outputs = [...node('relu').outputs, ...newOutput(graph)]; }],
  ['another input name', ({ edit, value }) => { edit.rename(value('x'), 'x2'); }],
  ['another output name', ({ graph }) => { open(graph).outputs = graph.outputs.map((slot) => ({ ...slot, name: `${slot.name}2` })); }],
  ['another output', ({ edit, graph, node }) => { edit.setOutput(graph, 0, node('relu').output); }],
  ['exchanged outputs', ({ graph }) => { open(graph).outputs = [...graph.outputs].reverse(); }],
  ['one more output', ({ edit, graph, node }) => { edit.setOutput(graph, 2, node('relu').output, 'r'); }],
  ['another input type', ({ edit, value }) => { edit.setType(value('x'), tensorType('float', ['N', 5])); }],
  ['a symbol that looks like two', ({ edit, value }) => { edit.setType(value('x'), tensorType('float', ['N,4'])); }],
  ['a symbol that looks like a number', ({ edit, value }) => { edit.setType(value('x'), tensorType('float', ['N', '4'])); }],
  ['a default for an input', ({ value }) => { open(value('x')).tensor = Tensor.scalar('float', 1); }],
  ['another opset', ({ model }) => { open(model).opsets = new Map([['', 18], ['test', 1]]); }],
  ['one more opset', ({ model }) => { open(model).opsets = new Map([...model.opsets, ['more', 1]]); }],
  ['another IR version', ({ model }) => { open(model).irVersion = 9; }],
  ['a function', ({ model }) => { addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Relu', [a]).output]); }],
  ['another function', ({ model }) => { addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Neg', [a]).output]); }],
  ['a function with a default', ({ model }) => { addFunction(model, 'F', ['a'], (edit, body, [a]) => [apply(edit, body, 'Relu', [a]).output], { defaults: new Map([['d', { kind: 'int', value: 1 }]]) }); }],
];

/** Changes that leave the computation as it is. */
const equal: readonly [what: string, change: (small: Small) => void][] = [
  ['labels of values', ({ edit, node, value }) => { edit.rename(value('w'), 'weight'); edit.rename(node('relu').output, 'r'); edit.rename(value('half'), 'h'); }],
  ['names of nodes', ({ edit, node }) => { edit.rename(node('add'), 'sum'); edit.rename(node('neg'), 'minus'); }],
  ['names of outputs of bodies', ({ node }) => { const { graph } = node('neg'); open(graph).outputs = graph.outputs.map((slot) => ({ ...slot, name: 'other' })); }],
  ['inner types', ({ edit, node }) => { edit.setType(node('relu').output, undefined); }],
  ['documentation', ({ model, node }) => { open(model).extras = { docString: 'text' }; open(node('add')).extras = { docString: 'text' }; open(model).producerName = 'p'; }],
  ['how a constant is stored', ({ value }) => { open(value('w')).form = { kind: 'node', node: { name: '', domain: '', attribute: { name: 'value', attribute: { kind: 'tensor', value: value('w').tensor! } } } }; }],
  ['how a tensor is stored', ({ value }) => { open(value('w')).tensor = value('w').tensor!.withStorage({ typed: true, name: 'n' }); }],
  ['the order of constants', ({ edit, graph, node, value }) => {
    const { tensor } = value('w');
    edit.constant(graph, Tensor.scalar('float', 9), 'unread');
    const again = edit.constant(graph, tensor!, 'again');
    edit.setInput(node('add'), 1, again);
    edit.remove(value('w'));
    edit.remove([...graph.constants][0]!);
  }],
  ['the order of attributes', ({ node }) => { open(node('choose')).attributes = new Map([...node('choose').attributes].reverse()); }],
  ['the order of opsets', ({ model }) => { open(model).opsets = new Map([...model.opsets].reverse()); }],
];

function newOutput(graph: Graph): [ReturnType<Editor['addInput']>] {
  const [input] = graph.inputs;
  return [input!];
}

const list: readonly Attribute[] = [
  { kind: 'int', value: 1 }, { kind: 'int', value: -1 }, { kind: 'float', value: 1 }, { kind: 'float', value: 0 }, { kind: 'float', value: -0 }, { kind: 'float', value: NaN }, { kind: 'float', value: Infinity },
  { kind: 'string', value: '1' }, { kind: 'string', value: '' }, { kind: 'string', value: Uint8Array.of(0x31) }, { kind: 'strings', value: [] }, { kind: 'strings', value: ['1'] }, { kind: 'strings', value: ['', '1'] },
  { kind: 'ints', value: [] }, { kind: 'ints', value: [1] }, { kind: 'ints', value: [1, 1] }, { kind: 'ints', value: [11] }, { kind: 'floats', value: [1] }, { kind: 'floats', value: [-0] }, { kind: 'floats', value: [0] },
  { kind: 'tensor', value: Tensor.scalar('float', 1) }, { kind: 'tensor', value: Tensor.scalar('float', 2) }, { kind: 'tensors', value: [Tensor.scalar('float', 1)] }, { kind: 'tensors', value: [] },
  { kind: 'sparseTensor', value: { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [0]), shape: [4] } }, { kind: 'sparseTensor', value: { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [0]), shape: [5] } },
  { kind: 'sparseTensor', value: { values: Tensor.of('float', [1]), indices: Tensor.of('int64', [1]), shape: [4] } }, { kind: 'sparseTensors', value: [] },
  { kind: 'type', value: floats }, { kind: 'type', value: tensorType('float') }, { kind: 'type', value: { kind: 'sequence', element: floats } }, { kind: 'type', value: { kind: 'optional', element: floats } },
  { kind: 'type', value: { kind: 'map', key: 'string', value: floats } }, { kind: 'type', value: { kind: 'opaque', domain: 'a', name: 'b' } }, { kind: 'types', value: [floats] }, { kind: 'types', value: [] },
  { kind: 'reference', name: 'a', type: 'int' }, { kind: 'reference', name: 'b', type: 'int' }, { kind: 'reference', name: 'a', type: undefined }, { kind: 'graphs', value: [] },
  { kind: 'graph', value: new Graph('g') }, { kind: 'graphs', value: [new Graph('g')] },
];

/** Writes and reads a model. */
function throughFile(model: Model): Model {
  return readModel(memorySource(joinChunks(writeModel(model).model)));
}

describe('ir/hash', () => {
  it('differs for every other computation', () => {
    const hashes = new Map<string, string>();
    for (const [what, change] of different) {
      const small = smallModel();
      change(small);
      const hash = hashModel(small.model);
      expect(hash).to.match(/^[0-9a-f]{64}$/);
      expect(hashes.get(hash), what).to.equal(undefined);
      hashes.set(hash, what);
    }
  });

  it('differs for every other attribute', () => {
    const hashes = list.map((attribute) => {
      const small = smallModel();
      open(small.node('add')).attributes = new Map([['a', attribute]]);
      return hashModel(small.model);
    });
    hashes.forEach((hash, index) => { expect(hashes.indexOf(hash), `attribute ${index}`).to.equal(index); });
    expect(hashes).to.have.length(list.length);
  });

  it('tells inputs apart that differ in nothing but their place', () => {
    const hashes = [0, 1].map((at) => {
      const { model, edit, graph } = newModel();
      const inputs = ['a', 'b'].map((name) => edit.addInput(graph, name, floats));
      edit.setOutput(graph, 0, apply(edit, graph, 'Relu', [inputs[at]]).output, 'y');
      return hashModel(model);
    });
    expect(hashes[0]).to.not.equal(hashes[1]);
  });

  for (const [what, change] of equal) {
    it(`does not depend on ${what}; the exact hash does where a pass could see it`, () => {
      const [before, small] = [smallModel(), smallModel()];
      change(small);
      expect(hashModel(small.model)).to.equal(hashModel(before.model));
    });
  }

  it('takes labels and types in when it is to be exact', () => {
    for (const [, change] of equal.filter(([what]) => ['labels of values', 'names of nodes', 'inner types'].includes(what))) {
      const [before, small] = [smallModel(), smallModel()];
      change(small);
      expect(hashModel(small.model, { exact: true })).to.not.equal(hashModel(before.model, { exact: true }));
    }
  });

  it('is the same for a clone, exact or not, and after a round trip through a file', () => {
    fc.assert(fc.property(steps(25), (plan) => {
      const { model } = randomModel(plan);
      const copy = cloneModel(model);
      expect([hashModel(copy), hashModel(copy, { exact: true })]).to.deep.equal([hashModel(model), hashModel(model, { exact: true })]);
      // A file needs an Identity for a value that fills two slots; from then on nothing changes any more.
      const read = throughFile(model);
      if (model.graph.outputs.length === 1) expect(hashModel(read)).to.equal(hashModel(model));
      expect(hashModel(throughFile(read))).to.equal(hashModel(read));
    }), { seed: 7, numRuns: 60 });
  });

  it('is the same for random models with other labels, and not after any edge is moved', () => {
    fc.assert(fc.property(steps(25), fc.nat(1000), (plan, at) => {
      const { model, edit } = randomModel(plan);
      const hash = hashModel(model);
      const nodes = [...model.graph.walk()];
      for (const node of nodes) {
        edit.rename(node, 'other');
        for (const value of node.outputs) if (value !== undefined) edit.rename(value, 'label');
      }
      expect(hashModel(model)).to.equal(hash);
      const node = nodes.filter(({ domain }) => domain === 'test')[at % nodes.filter(({ domain }) => domain === 'test').length]!;
      const [x, c] = [model.graph.inputs[1]!, model.graph.inputs[0]!];
      edit.setInput(node, 0, node.inputs[0] === x ? c : x);
      expect(hashModel(model)).to.not.equal(hash);
    }), { seed: 8, numRuns: 60 });
  });

  it('hashes a graph alone: bodies that do the same are equal, whatever they capture it from', () => {
    const [a, b] = [smallModel(), smallModel()];
    b.edit.setInput(b.node('neg'), 0, b.value('x'));
    expect(hashGraph(a.node('neg').graph)).to.equal(hashGraph(b.node('neg').graph));
    expect(hashGraph(a.node('neg').graph)).to.not.equal(hashGraph(a.node('mul').graph));
  });
});
