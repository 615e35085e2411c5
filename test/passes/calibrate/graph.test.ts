import { expect } from 'chai';
import type { Model, Node } from '../../../ir/model.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { ObserverGraph } from '../../../passes/calibrate/graph.ts';

const text = `<ir_version: 8, opset_import: ["": 17]>
m (float[1,8] x) => (float[1,8] y) { [one] a = Exp (x)  [two] b = Exp (a)  [three] y = Exp (b) }`;

/** The order in which ONNX Runtime runs nodes: depth first from those that nobody reads, the last one first, inputs of large index before others. */
function runOrder({ graph }: Model): Node[] {
  const index = new Map(Array.from(graph.nodes(), (node, at) => [node, at] as const));
  const done = new Set<Node>();
  const visit = (node: Node): void => {
    if (done.has(node)) return;
    const producers = node.inputs.flatMap((value) => value?.producer ?? []);
    for (const producer of producers.sort((a, b) => index.get(b)! - index.get(a)!)) visit(producer);
    done.add(node);
  };
  const leaves = [...index.keys()].filter(({ outputs }) => outputs.every((value) => value === undefined || value.uses.every(({ user }) => !('op' in user))));
  leaves.reverse().forEach(visit);
  return [...done];
}

describe('observer graph', () => {
  /** The model's nodes that have run when the reduction of each of its values is made. */
  function alive(settled: boolean): number[] {
    const model = parseModel(text);
    const own = [...model.graph.nodes()];
    const graph = new ObserverGraph(model);
    const reduced = own.map(({ output }) => graph.reduceRows('ReduceMax', output, true));
    graph.output(graph.concat(reduced, 1));
    if (settled) graph.settle();
    const order = runOrder(model);
    return reduced.map((value) => order.slice(0, order.indexOf(value.producer!)).filter((node) => own.includes(node)).length);
  }

  it('reduces each value before the next but one is made, once it is settled', () => {
    expect(alive(false)).to.deep.equal([3, 3, 3]);
    alive(true).forEach((count, index) => { expect(count).to.be.at.most(index + 2); });
    expect(alive(true).at(-2)).to.equal(2);
  });

  it('keeps only what observers read, once it is pruned', () => {
    const model = parseModel(text);
    const [one, two, three] = [...model.graph.nodes()];
    const graph = new ObserverGraph(model);
    graph.output(graph.reduceRows('ReduceMax', two!.output, true));
    graph.prune();
    const left = [...model.graph.nodes()];
    expect(left).to.include.members([one, two]);
    expect(left).not.to.include(three);
    expect(model.graph.inputs.map(({ name }) => name)).to.deep.equal(['x']);
  });
});
