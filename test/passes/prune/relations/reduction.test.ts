import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';

const channels = { x: [[1]] };
const image = 'float[2,6,4,3] x';
const reducers = ['Sum', 'Mean', 'L1', 'L2', 'SumSquare', 'LogSum', 'Max', 'Min', 'Prod', 'LogSumExp'];

/** From this opset on, axes are an input. */
const asInput = (op: string): number => (op === 'Sum' ? 13 : 18);

const probes: readonly Probe[] = [
  ...reducers.flatMap((op): Probe[] => {
    const since = asInput(op);
    // A logarithm of what random numbers sum to is often none.
    const of = op === 'LogSum' ? { before: 'p = Abs (x)', read: 'p' } : { before: '', read: 'x' };
    return [
      { name: `Reduce${op} behind the channels`, opset: 11, parts: channels, free: 6, graph: `(${image}) => (y) { ${of.before} y = Reduce${op} <axes = [2,-1], keepdims = 1> (${of.read}) }` },
      { name: `Reduce${op} that moves the channels`, opset: 11, parts: { x: [[2]] }, free: 4, graph: `(${image}) => (y) { ${of.before} y = Reduce${op} <axes = [-3,0], keepdims = 0> (${of.read}) }` },
      { name: `Reduce${op} with axes as an input`, opset: since, parts: channels, free: 6, graph: `(${image}) => (y) <int64[2] a = {3, 0}> { ${of.before} y = Reduce${op} <keepdims = 0> (${of.read}, a) }` },
      { name: `Reduce${op} of no axis`, opset: since, parts: channels, free: 6, graph: `(${image}) => (y) { ${of.before} y = Reduce${op} <noop_with_empty_axes = 1> (${of.read}) }` },
    ];
  }),
  ...['Sum', 'L1', 'L2', 'SumSquare', 'LogSum'].flatMap((op): Probe[] => [
    { name: `Reduce${op} of the channels`, opset: 11, parts: channels, free: 6, removal: 'zero', graph: `(${image}) => (y) { p = Abs (x) y = Reduce${op} <axes = [1]> (p) }` },
    { name: `Reduce${op} of everything`, opset: 18, parts: channels, free: 6, removal: 'zero', graph: `(${image}) => (y) { p = Abs (x) y = Reduce${op} <keepdims = 0> (p) }` },
  ]),
  { name: 'ReduceMean of the channels', opset: 18, parts: channels, free: 6, removal: 'shape', graph: `(${image}) => (y) <int64[1] a = {1}> { y = ReduceMean (x, a) }` },
  { name: 'ReduceMean of features of whole heads', opset: 18, parts: { x: [[1, 2]] }, free: 6, graph: `(${image}) => (y) <int64[1] a = {2}> { y = ReduceMean (x, a) }` },
  { name: 'ReduceSum of features of all heads', opset: 18, parts: { x: [[1, 2]] }, heads: 'features', free: 4, removal: 'zero', graph: `(${image}) => (y) <int64[1] a = {2}> { y = ReduceSum (x, a) }` },
  ...['ArgMax', 'ArgMin'].flatMap((op): Probe[] => [
    { name: `${op} behind the channels`, opset: 11, parts: channels, free: 6, graph: `(${image}) => (y) { y = ${op} <axis = -1> (x) }` },
    { name: `${op} that moves the channels`, opset: 13, parts: channels, free: 6, graph: `(${image}) => (y) { y = ${op} <keepdims = 0> (x) }` },
  ]),
];

const pinned: readonly (readonly [graph: string, reason: string])[] = [
  ...['Max', 'Min', 'Prod', 'LogSumExp'].map((op) => [`(${image}) => (y) <int64[1] a = {-3}> { y = Reduce${op} (x, a) }`, `is reduced by Reduce${op}`] as const),
  [`(${image}) => (y) { y = ArgMax <axis = 1> (x) }`, 'holds what ArgMax gives the position of'],
  [`(${image}, int64[1] a) => (y) { y = ReduceSum (x, a) }`, 'is reduced over axes that are not known'],
];

describe('channels at reductions', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);

  for (const [graph, reason] of pinned) {
    it(`stay where one ${reason}`, async () => {
      expect(reasonsOf(await probed({ name: 'pinned', opset: 18, parts: channels, graph, free: 0 }, runtime), 'x')).to.deep.equal([reason]);
    });
  }

  it('are put down as reduced, with the operand and its axis', async () => {
    const { model, channels: { flow } } = await probed({ name: 'mean', opset: 18, parts: channels, free: 6, graph: `(${image}) => (y) <int64[1] a = {-3}> { y = ReduceMean (x, a) }` }, runtime);
    expect(flow.members.map(({ role, value, axis, ids }) => ({ role, value, axis, count: ids.length }))).to.deep.equal([{ role: 'reduction', value: model.graph.inputs[0], axis: 1, count: 6 }]);
  });
});
