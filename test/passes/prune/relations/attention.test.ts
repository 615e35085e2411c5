import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { Editor } from '../../../../ir/edit.ts';
import { cut } from '../../../../passes/prune/cut.ts';
import { survivorsOf } from '../../../../passes/prune/survivors.ts';
import { probeAll, probed, reasonsOf, type Probe } from './probe.ts';
import { wholeAll, type Whole } from './whole.ts';

/** Operands with heads in the last axis (3 axes) or on one of their own (4): 2 samples, 3 queries, 4 keys. */
function operands({ heads = 4, pairs = 4, features = 6, given = 5, packed = true }): string {
  const shape = (count: number, length: number, width: number): string => (packed ? `float[2,${length},${count * width}]` : `float[2,${count},${length},${width}]`);
  return `${shape(heads, 3, features)} q, ${shape(pairs, 4, features)} k, ${shape(pairs, 4, given)} v`;
}

const packed = { q: [[2]], k: [[2]], v: [[2]] };
const apart = { q: [[1]], k: [[1]], v: [[1]] };
const joint = { q: [[1, 3]], k: [[1, 3]], v: [[1, 3]] };
const call = (heads: number, pairs: number, rest = '', attributes = ''): string => `{ y = Attention <q_num_heads = ${heads}, kv_num_heads = ${pairs}${attributes}> (q, k, v${rest}) }`;

const probes: readonly Probe[] = [
  { name: 'heads, packed', opset: 23, parts: packed, free: 4, graph: `(${operands({})}) => (y) ${call(4, 4)}` },
  { name: 'heads that share keys and values, packed', opset: 23, parts: packed, free: 3, graph: `(${operands({ heads: 6, pairs: 3 })}) => (y) ${call(6, 3)}` },
  { name: 'heads that share one head of keys and values, packed', opset: 23, parts: packed, free: 4, graph: `(${operands({ pairs: 1 })}) => (y) ${call(4, 1)}` },
  { name: 'heads with a mask for each', opset: 23, parts: packed, free: 4, graph: `(${operands({})}) => (y) <float[1,4,3,4] m = "random 1"> ${call(4, 4, ', m', ', scale = 0.5')}` },
  { name: 'heads with a mask for all', opset: 23, parts: packed, free: 4, graph: `(${operands({})}) => (y) <float[3,4] m = "random 1"> ${call(4, 4, ', m')}` },
  { name: 'heads on an axis of their own', opset: 23, parts: apart, free: 4, graph: `(${operands({ packed: false })}) => (y) { y = Attention (q, k, v) }` },
  { name: 'heads on an axis of their own that share keys and values', opset: 23, parts: apart, free: 2, graph: `(${operands({ pairs: 2, packed: false })}) => (y) { y = Attention <is_causal = 1> (q, k, v) }` },
  { name: 'heads split from features', opset: 23, parts: joint, free: 4, graph: `(${operands({ packed: false })}) => (y) { y = Attention (q, k, v) }` },
  { name: 'heads with keys and values of before', opset: 23, parts: { ...apart, pk: [[1]], pv: [[1]] }, free: 4,
    graph: `(${operands({ packed: false })}, float[2,4,2,6] pk, float[2,4,2,5] pv) => (y, a, b) { y, a, b = Attention (q, k, v, , pk, pv) }` },
  { name: 'features, packed', opset: 23, parts: packed, heads: 'features', free: 11, graph: `(${operands({})}) => (y) ${call(4, 4)}` },
  { name: 'features of heads that share keys and values, packed', opset: 23, parts: packed, heads: 'features', free: 11, graph: `(${operands({ pairs: 2 })}) => (y) <float[1,4,3,4] m = "random 1"> ${call(4, 2, ', m')}` },
  { name: 'features, split from heads', opset: 23, parts: joint, heads: 'features', free: 11, graph: `(${operands({ packed: false })}) => (y) { y = Attention (q, k, v) }` },
  { name: 'features with keys and values of before', opset: 23, parts: { q: [[3]], k: [[3]], v: [[3]], pk: [[3]], pv: [[3]] }, heads: 'features', free: 11,
    graph: `(${operands({ packed: false })}, float[2,4,2,6] pk, float[2,4,2,5] pv) => (y, a, b) { y, a, b = Attention (q, k, v, , pk, pv) }` },
  ...([['halves', 0], ['neighbours', 1]] as const).flatMap(([name, interleaved]): Probe[] => {
    const attributes = `interleaved = ${interleaved}`;
    const tables = 'float[2,5,3] c = "random 1", float[2,5,3] s = "random 2"';
    return [
      { name: `rotation of ${name}, whole heads, packed`, opset: 23, parts: { x: [[2]] }, free: 4, graph: `(float[2,5,24] x) => (y) <${tables}> { y = RotaryEmbedding <num_heads = 4, ${attributes}> (x, c, s) }` },
      { name: `rotation of ${name}, whole heads`, opset: 23, parts: { x: [[1, 3]] }, free: 4, graph: `(float[2,4,5,6] x) => (y) <${tables}> { y = RotaryEmbedding <${attributes}> (x, c, s) }` },
      { name: `rotation of ${name}, features, packed`, opset: 23, parts: { x: [[2]] }, heads: 'features', free: 3, graph: `(float[2,5,24] x) => (y) <${tables}> { y = RotaryEmbedding <num_heads = 4, ${attributes}> (x, c, s) }` },
      { name: `rotation of ${name}, features, by place`, opset: 23, parts: { x: [[3]] }, heads: 'features', free: 3,
        graph: `(float[2,4,5,6] x) => (y) <float[9,3] c = "random 1", float[9,3] s = "random 2", int64[2,5] places = {0,1,2,3,4,4,5,6,7,8}> { y = RotaryEmbedding <${attributes}> (x, c, s, places) }` },
      { name: `rotation of some ${name}, features`, opset: 23, parts: { x: [[3]] }, heads: 'features', free: 5,
        graph: `(float[2,4,5,8] x) => (y) <float[9,3] c = "random 1", float[9,3] s = "random 2", int64[2,5] places = {0,1,2,3,4,4,5,6,7,8}> { y = RotaryEmbedding <${attributes}, num_heads = 4, rotary_embedding_dim = 6> (x, c, s, places) }` },
    ];
  }),
];

/** Projections of 4 query heads of 6 features, turned, and of heads of keys and values that they share; then a projection to the output. */
const block = (pairs: number): string => `(float[N,5,7] x) => (float y) <float[7,24] wq = "random 1", float[7,${6 * pairs}] wk = "random 2", float[7,${6 * pairs}] wv = "random 3", float[24,3] wo = "random 4", float[9,3] cos = "random 5", float[9,3] sin = "random 6", int64[2,5] places = {0,1,2,3,4,4,5,6,7,8}> {
  q = MatMul (x, wq) k = MatMul (x, wk) v = MatMul (x, wv) p = RotaryEmbedding <num_heads = 4> (q, cos, sin, places) r = RotaryEmbedding <num_heads = ${pairs}> (k, cos, sin, places)
  a = Attention <q_num_heads = 4, kv_num_heads = ${pairs}> (p, r, v) y = MatMul (a, wo) }`;

const wholes: readonly Whole[] = [
  { name: 'a block of attention', opset: 23, free: 4, graph: block(4) },
  { name: 'a block of attention with shared keys and values', opset: 23, free: 2, graph: block(2) },
  { name: 'a block of attention with one head of keys and values', opset: 23, free: 4, graph: block(1) },
  { name: 'a block of attention that loses features', opset: 23, heads: 'features', free: 3 + 6, graph: block(2) },
];

const pinned: readonly (readonly [probe: Omit<Probe, 'name' | 'opset' | 'free'>, input: string, reason: string])[] = [
  [{ parts: packed, graph: `(${operands({ heads: 1, pairs: 1 })}) => (y) ${call(1, 1)}` }, 'q', 'belongs to the only head of attention'],
  [{ parts: packed, graph: `(${operands({ pairs: 1 })}) => (y) ${call(4, 1)}` }, 'k', 'belongs to the only head of keys and values'],
  [{ parts: { q: [[2]], v: [[2]] }, graph: `(${operands({})}) => (y) ${call(4, 4)}` }, 'q', 'goes along with heads that cannot go'],
  [{ parts: { q: [[2]], v: [[2]] }, heads: 'features', graph: `(${operands({})}) => (y) ${call(4, 4)}` }, 'q', 'goes along with features that cannot go'],
  [{ parts: packed, graph: `(${operands({})}, float[2,4,3,4] m) => (y) ${call(4, 4, ', m')}` }, 'v', 'goes along with something that cannot shrink'],
  [{ parts: { q: [[3]], k: [[3]], v: [[3]] }, graph: `(${operands({ packed: false })}) => (y) { y = Attention (q, k, v) }` }, 'q', 'is no axis of heads, which go whole'],
];

describe('channels at attention', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  probeAll(probes, () => runtime);
  wholeAll(wholes, () => runtime);

  for (const [probe, input, reason] of pinned) {
    it(`stay where one ${reason}`, async () => {
      expect(reasonsOf(await probed({ ...probe, name: 'pinned', opset: 23, free: 0 }, runtime), input)).to.deep.equal([reason]);
    });
  }

  it('leave the scale as it was when features go, and write it only then', async () => {
    const graph = `(${operands({})}) => (y) ${call(4, 4)}`;
    for (const heads of ['features', 'heads'] as const) {
      const { model, channels: { flow } } = await probed({ name: 'scale', opset: 23, parts: packed, heads, free: 11, graph }, runtime);
      const [q] = model.graph.inputs;
      cut(model, flow, survivorsOf(flow, new Set([flow.atoms.root(flow.part(q, 2)!.ids[0]!)])), new Editor(model));
      const node = model.graph.first!;
      expect([node.int('q_num_heads'), node.int('kv_num_heads'), node.float('scale')]).to.deep.equal(heads === 'heads' ? [3, 3, undefined] : [4, 4, 1 / Math.sqrt(6)]);
    }
  });
});
