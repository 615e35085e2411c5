import { expect } from 'chai';
import fc from 'fast-check';
import { Editor } from '../../ir/edit.ts';
import { link, unlink, type Graph, type Model, type Node } from '../../ir/model.ts';
import { isSorted, producersOf, sortGraph, sortModel, stableOrder } from '../../ir/order.ts';
import { apply, floats, newModel, randomModel, smallModel, steps } from './build.ts';
import { diagnosticOf } from './diagnostics.ts';

const names = (graph: Graph): string[] => Array.from(graph.nodes(), ({ name }) => name);

/** Puts the nodes of a graph into an order given by numbers. */
function shuffle(graph: Graph, keys: readonly number[]): void {
  const nodes = [...graph.nodes()].map((node, index) => ({ node, key: keys[index % keys.length]! * 31 + ((index * 17) % 13) }));
  for (const { node } of nodes) unlink(node);
  for (const { node } of nodes.sort((a, b) => a.key - b.key)) link(node, undefined);
}

/** A chain of `length` nodes in which each reads the one before. */
function chain(length: number): { readonly model: Model; readonly nodes: readonly Node[]; readonly edit: Editor } {
  const { model, edit, graph } = newModel();
  let value = edit.addInput(graph, 'x', floats);
  const nodes = Array.from({ length }, () => {
    const node = apply(edit, graph, 'Relu', [value]);
    value = node.output;
    return node;
  });
  edit.setOutput(graph, 0, value, 'y');
  return { model, nodes, edit };
}

describe('ir/order', () => {
  it('leaves what is in order as it is, and its version', () => {
    const { model, graph } = smallModel();
    const { version } = model;
    const before = names(graph);
    sortModel(model);
    expect([names(graph), model.version]).to.deep.equal([before, version]);
  });

  it('moves only what must move', () => {
    const { model, edit, graph } = newModel();
    const x = edit.addInput(graph, 'x', floats);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => apply(edit, graph, 'Relu', [x], { name }));
    edit.setInput(a!, 0, c!.output);
    const { version } = model;
    sortModel(model);
    expect(names(graph)).to.deep.equal([b!.name, c!.name, a!.name, d!.name]);
    expect(model.version).to.equal(version + 1);
  });

  it('puts a node behind what its bodies read, at any depth', () => {
    const { model, graph, node, edit } = smallModel();
    edit.move(node('choose'), { before: node('relu') });
    expect([...producersOf(node('choose'))]).to.deep.equal([node('relu')]);
    expect(isSorted(graph)).to.equal(false);
    sortModel(model);
    expect(names(graph)).to.deep.equal(['relu', 'choose', 'add']);
  });

  it('sorts bodies too', () => {
    const { model, edit, node } = smallModel();
    const body = node('neg').graph;
    const late = apply(edit, body, 'Relu', [node('relu').output], { name: 'late' });
    edit.setInput(node('neg'), 0, late.output);
    expect(sortGraph(model.graph)).to.equal(true);
    expect(names(body)).to.deep.equal(['late', 'neg']);
  });

  it('gives every shuffled model an order in which it is sound, the same each time', () => {
    fc.assert(fc.property(steps(12), fc.array(fc.nat(99), { minLength: 1, maxLength: 20 }), (plan, keys) => {
      const { graph } = randomModel(plan).model;
      shuffle(graph, keys);
      const expected = stableOrder(graph);
      sortGraph(graph);
      expect([...graph.nodes()]).to.deep.equal(expected);
      expect(isSorted(graph)).to.equal(true);
      expect(sortGraph(graph)).to.equal(false);
      // Stable: two neighbours that do not depend on each other stand as they stood in no worse an order than Kahn's with ties by position.
      expect(new Set(expected).size).to.equal(graph.nodeCount);
    }), { seed: 3, numRuns: 60 });
  });

  it('names the nodes of a cycle, and none that only lead to it', () => {
    const { model, edit, graph } = newModel();
    const x = edit.addInput(graph, 'x', floats);
    const [tail, a, b] = ['tail', 'a', 'b'].map((name) => apply(edit, graph, 'Add', [x, x], { name }));
    edit.setInput(tail!, 0, a!.output);
    edit.setInput(a!, 0, b!.output);
    edit.setInput(b!, 0, a!.output);
    const error = diagnosticOf(() => { sortModel(model); });
    expect(error.code).to.equal('model/cycle');
    expect(error.message).to.include("'a' (Add) ← 'b' (Add) ← 'a'").and.not.include('tail');
  });

  it('finds a cycle through a body', () => {
    const { model, edit, node } = smallModel();
    edit.setInput(node('neg'), 0, node('choose').output);
    expect(diagnosticOf(() => { sortModel(model); }).message).to.include("'choose' (If) ← 'choose'");
  });

  it('sorts a chain of 100 000 nodes that stands upside down, and finds a cycle of that length, in linear time', () => {
    const { model, nodes, edit } = chain(100_000);
    for (const node of nodes) unlink(node);
    for (const node of [...nodes].reverse()) link(node, undefined);
    const start = performance.now();
    sortModel(model);
    expect([model.graph.first, model.graph.last, model.graph.nodeCount]).to.deep.equal([nodes[0], nodes.at(-1), 100_000]);
    edit.setInput(nodes[0]!, 0, nodes.at(-1)!.output);
    expect(diagnosticOf(() => { sortModel(model); }).code).to.equal('model/cycle');
    expect(performance.now() - start).to.be.below(20_000); // quadratic, it would be minutes
  }).timeout(60_000);
});
