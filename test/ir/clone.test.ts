import { expect } from 'chai';
import fc from 'fast-check';
import { cloneGraph, cloneModel, restoreModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import { hashModel } from '../../ir/hash.ts';
import { Node, type Graph, type Model, type Mutable, type Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { verifyModel } from '../../ir/verify.ts';
import { addFunction, apply, randomModel, smallModel, steps } from './build.ts';

/** Everything of a model, use lists in their order included, as plain data in which nodes and values stand as paths. */
function describeModel(model: Model): unknown {
  const { graph, functions, ...fields } = model;
  return { fields, graph: describeGraph(graph), functions: [...functions].map(([key, { body, opsets, attributes, defaults, extras }]) => ({ key, body: describeGraph(body), opsets, attributes, defaults, extras })) };
}

function describeGraph(graph: Graph): unknown {
  const value = (item: Value | undefined): unknown => item && {
    name: item.name, index: item.index, type: item.type, tensor: item.tensor, form: item.form, extras: item.extras, quantization: item.quantization, graph: item.graph.name,
    producer: item.producer?.name, uses: item.uses.map(({ user, index }) => [user instanceof Node ? 'node' : 'graph', user.name, index]),
  };
  return {
    name: graph.name, extras: graph.extras, count: graph.nodeCount, inputs: graph.inputs.map(value), constants: [...graph.constants].map(value),
    outputs: graph.outputs.map((slot) => ({ ...slot, value: slot.value.name })),
    nodes: Array.from(graph.nodes(), (node) => ({
      name: node.name, op: node.op, domain: node.domain, overload: node.overload, origin: node.origin, extras: node.extras, devices: node.deviceConfigurations,
      inputs: node.inputs.map((input) => input && [input.graph.name, input.name]), outputs: node.outputs.map(value),
      attributes: [...node.attributes].map(([name, attribute]) => [name, attribute.kind, attribute.kind === 'graph' ? describeGraph(attribute.value) : attribute]),
    })),
  };
}

/** All graphs, nodes and values that a model reaches. */
function parts(model: Model): Set<unknown> {
  const found = new Set<unknown>([model]);
  const enter = (graph: Graph): void => {
    found.add(graph);
    for (const value of graph.values()) {
      found.add(value);
      for (const use of value.uses) found.add(use.user);
    }
    for (const node of graph.nodes()) {
      found.add(node);
      for (const value of node.inputs) if (value) found.add(value);
      node.subgraphs.forEach(enter);
    }
  };
  for (const graph of model.graphs()) enter(graph);
  return found;
}

/** A model in which every field of every class is set. */
function fullModel(): Model {
  const { model, edit, graph, node, value } = smallModel();
  addFunction(model, 'F', ['a'], (inner, body, [a]) => [apply(inner, body, 'Softmax', [a], { attributes: { axis: { kind: 'reference', name: 'axis', type: 'int' } } }).output], {
    attributes: ['alpha'], defaults: new Map([['axis', { kind: 'int', value: 1 }]]), overload: 'o',
  });
  const extras = { docString: 'text', metadata: new Map([['key', 'value']]), unknown: [Uint8Array.of(1)] };
  for (const thing of [model, graph, node('neg'), value('x'), value('half'), node('relu').output, node('mul').graph]) (thing as { extras: unknown }).extras = extras;
  Object.assign(node('add'), { deviceConfigurations: [{ configurationId: 'gpu' }], origin: ['a', 'b'] });
  Object.assign(node('relu').output, { quantization: new Map([['SCALE_TENSOR', 'w']]) });
  Object.assign(model, { producerName: 'p', producerVersion: '1', domain: 'd', modelVersion: 3n, source: 'a.onnx', opaque: { configuration: [{}] } });
  Object.assign(edit.addInput(graph, 'default', undefined), { tensor: Tensor.scalar('float', 2) });
  const holes = apply(edit, graph, 'Mix', [undefined, value('x')], { domain: 'test', outputs: 3, overload: 'v' });
  edit.dropOutput(holes.outputs[1]!);
  return model;
}

describe('ir/clone', () => {
  it('copies everything, shares tensors, and reaches nothing of the original', () => {
    const model = fullModel();
    const copy = cloneModel(model);
    expect(describeModel(copy)).to.deep.equal(describeModel(model));
    const original = parts(model);
    for (const part of parts(copy)) if (original.has(part)) expect.fail('the copy reaches a part of the original');
    expect([...copy.graph.constants][0]!.tensor).to.equal([...model.graph.constants][0]!.tensor);
    expect(verifyModel(copy)).to.deep.equal([]);
    expect([copy.graph.owner === copy, [...copy.functions.values()][0]!.body.owner === [...copy.functions.values()][0]]).to.deep.equal([true, true]);
  });

  it('copies random models, also out of order, and an edit of either leaves the other alone', () => {
    fc.assert(fc.property(steps(20), (plan) => {
      const { model } = randomModel(plan);
      const last = model.graph.last!;
      if (model.graph.first !== last) new Editor(model).move(last, { before: model.graph.first! });
      const before = describeModel(model);
      const copy = cloneModel(model);
      expect(describeModel(copy)).to.deep.equal(before);
      const edit = new Editor(copy);
      edit.setOutput(copy.graph, 0, copy.graph.inputs[0]);
      for (const node of [...copy.graph.nodes()].reverse()) if (node.outputs.every((value) => value?.uses.length === 0)) edit.remove(node);
      expect(describeModel(model)).to.deep.equal(before);
      expect(hashModel(copy)).to.not.equal(hashModel(model));
    }), { seed: 6, numRuns: 60 });
  });

  it('tells which copy stands for what', () => {
    const { model, node, value } = smallModel();
    const [values, nodes] = [new Map<Value, Value | undefined>(), new Map<Node, Node>()];
    const copy = cloneModel(model, { values, nodes });
    expect(nodes.get(node('relu'))).to.equal(copy.graph.first);
    expect(values.get(value('x'))).to.equal(copy.graph.inputs[0]);
    expect([values.size, nodes.size]).to.deep.equal([9, 5]);
  });

  it('refuses a model that reads what is no longer in it', () => {
    const { model, node } = smallModel();
    (node('relu') as Mutable<Node>).outputs = [];
    const before = node('add').inputs[0]!.uses.length;
    expect(() => cloneModel(model)).to.throw(Error, /'add' reads 'relu_output', which does not belong/);
    expect(node('add').inputs[0]!.uses.length).to.equal(before);
  });

  it('copies a body, whose captures are then uses of the copy too', () => {
    const { node } = smallModel();
    const copy = cloneGraph(node('neg').graph);
    expect(copy.first!.inputs[0]).to.equal(node('relu').output);
    expect(node('relu').output.uses.map(({ user }) => user)).to.deep.equal([node('add'), node('neg'), copy.first]);
    expect(copy.owner).to.equal(undefined);
  });

  it('copies a body with other values for its captures, or none', () => {
    const { node, value } = smallModel();
    const copy = cloneGraph(node('mul').graph, undefined, { values: new Map([[value('x'), undefined]]), label: ({ name }) => `new/${name}` });
    expect(copy.first!.inputs.map((input) => input?.name)).to.deep.equal([undefined, 'new/half']);
    expect([copy.first!.name, copy.first!.output.name]).to.deep.equal(['new/mul', 'new/mul_output']);
    expect(value('x').uses).to.have.length(2);
  });

  it('restores a model in place: equal to the earlier one, with a version that no cache has seen', () => {
    const model = fullModel();
    const before = cloneModel(model);
    const edit = new Editor(model);
    edit.setOutput(model.graph, 0, model.graph.inputs[0]);
    edit.setModel({ producerName: 'other', functions: new Map(), opsets: new Map([['', 9]]) });
    const { version } = model;
    restoreModel(model, before);
    expect(model.version).to.be.above(version);
    expect(describeModel(Object.assign(cloneModel(model), { version: before.version }))).to.deep.equal(describeModel(before));
    expect(verifyModel(model)).to.deep.equal([]);
    new Editor(model).setOutput(model.graph, 0, model.graph.inputs[0]);
    expect(verifyModel(before)).to.deep.equal([]);
    expect(before.graph.outputs[0]!.value.name).to.equal('add_output');
  });
});
