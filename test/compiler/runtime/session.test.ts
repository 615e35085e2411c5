import { expect } from 'chai';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { dtypeNumber, type DType } from '../../../ir/dtype.ts';
import type { Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { tensorType } from '../../../ir/type.ts';
import { Build } from './build.ts';
import { failure } from './failure.ts';

const floats = (values: readonly number[], shape?: readonly number[]): Tensor => Tensor.of('float', values, shape);

/** Runs a model once and gives its results as numbers. */
async function runOnce(runtime: OrtRuntime, build: Build, feeds: Readonly<Record<string, Tensor>>, fetch: readonly Value[] = []): Promise<Record<string, number[]>> {
  const session = await runtime.open(build.model, { fetch });
  try {
    const results = await session.run(new Map(Object.entries(feeds)));
    return Object.fromEntries(Array.from(results, ([name, tensor]) => [name, Array.from(tensor.floats())]));
  } finally {
    await session.release();
  }
}

describe('compiler/runtime/session', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  it('returns outputs by slot name and fetched values by their names', async () => {
    const build = new Build();
    const x = build.input('x', 'float', ['N', 2]);
    const negative = build.value('Neg', [x], {}, { name: 'negative' });
    build.output(build.value('Abs', [negative], {}, { name: 'absolute' }), 'y');
    expect(await runOnce(runtime, build, { x: floats([1, -2], [1, 2]) }, [negative])).to.deep.equal({ y: [1, 2], [negative.name]: [-1, 2] });
  });

  it('serves slots that show an input, a constant, or the same value twice', async () => {
    const build = new Build();
    const x = build.input('x', 'float', [2]);
    const y = build.value('Neg', [x]);
    build.output(x, 'input');
    build.output(build.constant(floats([7])), 'constant');
    build.output(y, 'first');
    build.output(y, 'second');
    expect(await runOnce(runtime, build, { x: floats([1, 2]) })).to.deep.equal({ input: [1, 2], constant: [7], first: [-1, -2], second: [-1, -2] });
  });

  describe('element types', () => {
    const cases: readonly (readonly [DType, readonly number[]])[] = [
      ['float', [1.5, -2, NaN]], ['double', [1e300, -0.1, NaN]], ['float16', [1.5, -65504, NaN]], ['bfloat16', [1.5, -3e38, 0.15625]],
      ['int8', [-128, 127]], ['uint8', [0, 255]], ['int16', [-32768, 5]], ['uint16', [65535, 1]], ['int32', [-(2 ** 31), 1]], ['uint32', [2 ** 32 - 1, 1]],
      ['int64', [-(2 ** 53) + 1, 1]], ['uint64', [2 ** 53 - 1, 0]], ['bool', [0, 1]], ['int4', [-8, 7, 3]], ['uint4', [15, 0, 9]],
    ];
    for (const [dtype, values] of cases) {
      it(`feeds and fetches ${dtype}`, async () => {
        const build = new Build({ '': 21 });
        const input = build.input('x', dtype, [values.length]);
        // ONNX Runtime has no Identity for four bits.
        const through = dtype.endsWith('int4') ? build.value('Cast', [build.value('Cast', [input], { to: 1 })], { to: dtypeNumber(dtype) }) : build.value('Identity', [input]);
        build.output(through, 'y');
        const x = Tensor.of(dtype, values);
        const session = await runtime.open(build.model);
        const y = (await session.run(new Map([['x', x]]))).get('y')!;
        await session.release();
        expect(y.dtype).to.equal(dtype);
        expect([...y.bytes()]).to.deep.equal([...x.bytes()]);
      });
    }

    it('feeds and fetches strings', async () => {
      const build = new Build();
      build.output(build.value('Identity', [build.input('x', 'string', ['N'])]), 'y');
      const session = await runtime.open(build.model);
      expect((await session.run(new Map([['x', Tensor.fromStrings([2], ['a', 'ß'])]]))).get('y')!.strings()).to.deep.equal(['a', 'ß']);
      await session.release();
    });

    it('fetches int4 and float8 that the model does not declare, without a crash', async () => {
      const build = new Build();
      const x = build.input('x', 'float', [3]);
      build.output(build.value('Cast', [x], { to: 22 }), 'int4');
      build.output(build.value('Cast', [x], { to: 17 }), 'float8');
      expect(await runOnce(runtime, build, { x: floats([1, -3, 7]) })).to.deep.equal({ int4: [1, -3, 7], float8: [1, -3, 7] });
    });

    it('refuses what has no common form', async () => {
      const build = new Build({ '': 23 });
      build.output(build.value('Cast', [build.input('x', 'float', [3])], { to: 23 }, { outputs: [tensorType('float4e2m1', [3])] }), 'y');
      const error = await failure(runtime.open(build.model));
      expect(error.code).to.equal('runtime/unsupported-type');
      expect(error.message).to.contain('float4e2m1');
    });

    it('leaves out outputs that are no tensors', async () => {
      const build = new Build();
      const x = build.input('x', 'float', [2]);
      build.output(build.value('SequenceConstruct', [x, x]), 'list');
      build.output(build.value('Neg', [x]), 'y');
      expect(await runOnce(runtime, build, { x: floats([1, 2]) })).to.deep.equal({ y: [-1, -2] });
    });
  });

  describe('feeds', () => {
    const build = new Build();
    const a = build.input('a', 'float', ['N', 3]);
    const b = build.input('b', 'int64', ['N']);
    build.output(build.value('Neg', [a]), 'y');
    build.output(build.value('Neg', [b]), 'z');
    const good = { a: floats([1, 2, 3], [1, 3]), b: Tensor.of('int64', [1]) };
    const cases: readonly (readonly [string, Readonly<Record<string, Tensor>>, RegExp, string])[] = [
      ['a missing input', { a: good.a }, /input 'b' \(int64\[N\]\) was not given/, 'b'],
      ['an unknown input', { ...good, c: good.a }, /no input 'c'/, 'c'],
      ['another element type', { ...good, b: floats([1]) }, /input 'b' takes int64\[N\], but was given float\[1\]/, 'b'],
      ['another rank', { ...good, a: floats([1, 2, 3]) }, /input 'a' takes float\[N,3\], but was given float\[3\]/, 'a'],
      ['another length', { ...good, a: floats([1, 2], [1, 2]) }, /input 'a' takes float\[N,3\], but was given float\[1,2\]/, 'a'],
      ['two lengths for one symbol', { ...good, b: Tensor.of('int64', [1, 2]) }, /'N' is 2, but it is 1 at input 'a'/, 'b'],
    ];
    for (const [what, feeds, message, tensor] of cases) {
      it(`are refused with ${what}`, async () => {
        const error = await failure(runOnce(runtime, build, feeds));
        expect(error.code).to.equal('runtime/input-mismatch');
        expect(error.message).to.match(message);
        expect(error.tensor).to.equal(tensor);
      });
    }

    it('may be empty where a shape is 0, and scalar', async () => {
      const empty = new Build();
      empty.output(empty.value('Neg', [empty.input('x', 'float', [0, 4])]), 'y');
      empty.output(empty.value('Neg', [empty.input('s', 'float', [])]), 't');
      expect(await runOnce(runtime, empty, { x: floats([], [0, 4]), s: Tensor.scalar('float', 3) })).to.deep.equal({ y: [], t: [-3] });
    });

    it('stay usable after a run', async () => {
      const x = new Float32Array([1, 2, 3]);
      const session = await runtime.open(build.model);
      await session.run(new Map([['a', Tensor.of('float', x, [1, 3])], ['b', good.b]]));
      await session.release();
      expect([...x]).to.deep.equal([1, 2, 3]);
    });
  });

  it('takes the default of an input that is not fed, from IR version 4 on', async () => {
    for (const irVersion of [3, 4]) {
      const build = new Build({ '': 9 }, irVersion);
      const bias = build.input('bias', 'float', [1]);
      Object.assign(bias, { tensor: floats([10]) });
      build.output(build.value('Add', [build.input('x', 'float', [1]), bias]), 'y');
      expect(await runOnce(runtime, build, { x: floats([1]) })).to.deep.equal({ y: [11] });
      if (irVersion === 4) {
        const session = await runtime.open(build.model);
        const y = async (feeds: Readonly<Record<string, Tensor>>): Promise<number> => (await session.run(new Map(Object.entries(feeds)))).get('y')!.floats()[0]!;
        expect([await y({ x: floats([1]) }), await y({ x: floats([1]), bias: floats([20]) }), await y({ x: floats([2]) })]).to.deep.equal([11, 21, 12]);
        await session.release();
      } else expect((await failure(runOnce(runtime, build, { x: floats([1]), bias: floats([20]) }))).code).to.equal('runtime/input-mismatch');
    }
  });

  it('names our node when a run fails', async () => {
    const build = new Build();
    const data = build.input('data', 'float', [3]);
    build.output(build.value('Gather', [data, build.input('at', 'int64', [1])], {}, { name: 'pick' }), 'y');
    const error = await failure(runOnce(runtime, build, { data: floats([1, 2, 3]), at: Tensor.of('int64', [9]) }));
    expect(error.code).to.equal('runtime/run');
    expect(error.node).to.deep.include({ name: 'pick', op: 'Gather' });
    expect(error.message).to.match(/at node 'pick' \(Gather\): .*9/).and.not.match(/#\d/);
  });

  it('names our node when the model is refused', async () => {
    const build = new Build();
    const x = build.input('x', 'float', [2]);
    build.output(build.value('Add', [x, build.input('i', 'int64', [2])], {}, { name: 'sum' }), 'y');
    const error = await failure(runtime.open(build.model));
    expect(error.code).to.equal('runtime/open');
    expect(error.node).to.deep.include({ name: 'sum', op: 'Add' });
    expect(error.message).to.match(/different types/);
  });

  it('refuses to fetch from inside a body', async () => {
    const build = new Build();
    const x = build.input('x', 'float', [2]);
    let inner: Value | undefined;
    const branch = (name: string) => build.body(name, (graph) => { build.output(inner = build.value('Neg', [x], {}, { graph }), `${name}_out`, graph); });
    build.output(build.value('If', [build.input('c', 'bool', [])], { then_branch: branch('then'), else_branch: branch('else') }), 'y');
    expect((await failure(runtime.open(build.model, { fetch: [inner!] }))).code).to.equal('runtime/fetch');
    expect(await runOnce(runtime, build, { x: floats([1, 2]), c: Tensor.of('bool', [1], []) })).to.deep.equal({ y: [-1, -2] });
  });

  it('says so after a release, which may be repeated', async () => {
    const build = new Build();
    build.output(build.value('Neg', [build.input('x', 'float', [1])]), 'y');
    const session = await runtime.open(build.model);
    await session.release();
    await session.release();
    expect((await failure(session.run(new Map([['x', floats([1])]])))).code).to.equal('runtime/session-closed');
  });

  it('hands large models over in a temporary folder, and removes it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnxpress-test-'));
    const large = createRuntime({ threads: 1, inlineBytes: 1000, scratchFolder: folder });
    try {
      const build = new Build();
      const weights = Float32Array.from({ length: 64 * 64 }, (_, at) => (at % 65 === 0 ? at : 0));
      build.output(build.value('MatMul', [build.input('x', 'float', [1, 64]), build.constant(Tensor.of('float', weights, [64, 64]), 'weights')]), 'y');
      const session = await large.open(build.model);
      const [name] = readdirSync(folder);
      expect(readdirSync(join(folder, name!)).sort()).to.deep.equal(['model.onnx', 'weights.bin']);
      const ones = floats(new Array<number>(64).fill(1), [1, 64]);
      expect([...(await session.run(new Map([['x', ones]]))).get('y')!.floats()]).to.deep.equal(Array.from({ length: 64 }, (_, at) => at * 65));
      await session.release();
      expect(readdirSync(folder)).to.deep.equal([]);

      build.output(build.value('Unheard', [build.graph.inputs[0]], {}, { domain: 'acme', outputs: [tensorType('float', [1])] }), 'z');
      expect((await failure(large.open(build.model))).code).to.equal('runtime/open');
      expect(readdirSync(folder), 'also when the model is refused').to.deep.equal([]);
    } finally {
      await large.close();
      rmSync(folder, { recursive: true });
    }
    expect(existsSync(folder)).to.equal(false);
  });
});
