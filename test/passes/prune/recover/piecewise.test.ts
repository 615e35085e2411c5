import { expect } from 'chai';
import { inferTypes } from '../../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { filled } from '../../../../compiler/testing/feeds.ts';
import { Editor } from '../../../../ir/edit.ts';
import type { Model, Value } from '../../../../ir/model.ts';
import { Tensor } from '../../../../ir/tensor.ts';
import { parseModel } from '../../../../ir/text/index.ts';
import type { Batch, DataSource } from '../../../../passes/data.ts';
import { PiecewiseRun } from '../../../../passes/prune/recover/piecewise.ts';

/** A residual sum, and a body that reads a value from far before it. */
const text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N,4] x) => (float[N,4] y) <float[4,4] w = "random 1", float[4,4] v = "random 2", bool yes = {1}> '
  + '{ a = MatMul (x, w)  r = Relu (a)  b = MatMul (r, v)  s = Add (b, a)  t = Tanh (s)  y = If (yes) <then_branch = one () => (float[N,4] p) { p = Add (t, r) }, else_branch = other () => (float[N,4] q) { q = Identity (t) }> }';

const signal = new AbortController().signal;

describe('a model that is run piece by piece', () => {
  let runtime: OrtRuntime;
  let reads = 0;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const source: DataSource = {
    name: 'calibration', count: 10, key: 'numbers', random: false, metric: undefined,
    async* batches({ last = 10 } = {}): AsyncIterable<Batch> {
      reads++;
      for (let first = 0; first < last; first += 4) {
        const size = Math.min(4, last - first);
        yield await Promise.resolve({ first, size, feeds: new Map([['x', Tensor.of('float', Float32Array.from({ length: 4 * size }, (_, at) => Math.sin(4 * first + at)), [size, 4])]]) });
      }
    },
  };

  async function model(): Promise<Model> {
    const parsed = parseModel(text, { name: 'case', fill: filled });
    await inferTypes(parsed, runtime);
    return parsed;
  }

  const valuesOf = (of: Model): Map<string, Value> => new Map([...of.graph.nodes()].flatMap(({ outputs }) => outputs.map((value) => [value!.name, value!])));
  const numbers = async (run: PiecewiseRun, value: Value, place: number): Promise<number[]> => (await run.advance([value], place, signal, ([tensor]) => [...tensor!.floats()])).flat();

  /** What one run of all gives. */
  async function whole(of: Model): Promise<Map<string, number[]>> {
    const found = new Map<string, number[]>();
    const values = [...valuesOf(of).values()];
    const session = await runtime.open(of, { fetch: values });
    for await (const { feeds } of source.batches()) for (const [name, tensor] of await session.run(feeds)) found.set(name, [...found.get(name) ?? [], ...tensor.floats()]);
    await session.release();
    return found;
  }

  for (const [title, memory, expected] of [['keeps what crosses the place between pieces', 2 ** 20, 1], ['begins anew where that is too much', 0, 5]] as const) {
    it(title, async () => {
      const own = await model();
      const all = await whole(own);
      reads = 0;
      const run = new PiecewiseRun(own, { source, count: 10 }, runtime, memory);
      const values = valuesOf(own);
      for (const [name, place] of [['a', 1], ['b', 2], ['s', 3], ['t', 4], ['y', 5]] as const) expect(await numbers(run, values.get(name)!, place), name).to.deep.equal(all.get(name));
      expect(reads).to.equal(expected);
    });
  }

  it('sees weights that change behind the place', async () => {
    const own = await model();
    const run = new PiecewiseRun(own, { source, count: 10 }, runtime, 2 ** 20);
    const values = valuesOf(own);
    const before = await numbers(run, values.get('b')!, 2);
    const v = [...own.graph.constants].find(({ name }) => name === 'v')!;
    new Editor(own).setTensor(v, Tensor.of('float', v.tensor!.floats().map((each) => 2 * each) as Float32Array, [4, 4]));
    expect(await numbers(run, values.get('b')!, 2)).to.deep.equal(before.map((each) => Math.fround(2 * each)));
    expect(await numbers(run, values.get('y')!, 5)).to.deep.equal((await whole(own)).get('y'));
  });

  it('runs the first samples only', async () => {
    const own = await model();
    expect((await numbers(new PiecewiseRun(own, { source, count: 6 }, runtime, 0), valuesOf(own).get('a')!, 1)).length).to.equal(24);
  });
});
