import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import type { Node, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { tensorType } from '../../../ir/type.ts';
import { Build } from './build.ts';

describe('compiler/runtime/evaluate', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  /** Evaluates nodes; gives results by value, and reasons by the names of the declined nodes. */
  async function evaluate(nodes: readonly Node[], options: { readonly maxBytes?: number } = {}): Promise<{ results: Map<Value, Tensor>; declined: Record<string, string> }> {
    const declined: Record<string, string> = {};
    const results = await runtime.evaluate(nodes[0]!.graph, nodes, (node, reason) => {
      expect(declined, 'declined once').not.to.have.property(node.name);
      declined[node.name] = reason;
    }, options);
    return { results, declined };
  }

  /** One node on constants: its result, and the reason if there is none. */
  async function single(op: string, inputs: readonly Tensor[], attributes: Parameters<Build['node']>[2] = {}, more: Parameters<Build['node']>[3] = {}, opset = 21): Promise<Tensor | string> {
    const build = new Build({ '': opset, 'com.acme': 1 });
    const node = build.node(op, inputs.map((tensor) => build.constant(tensor)), attributes, { name: 'node', ...more });
    const { results, declined } = await evaluate([node]);
    return results.get(node.outputs[0]!) ?? declined['node'] ?? 'neither';
  }

  it('evaluates a chain in one go, in the order of the graph, and returns every output', async () => {
    const build = new Build();
    const shape = build.node('Shape', [build.constant(Tensor.of('float', new Float32Array(6), [2, 3]))]);
    const last = build.node('Gather', [shape.output, build.constant(Tensor.scalar('int64', -1))]);
    const product = build.node('Mul', [last.output, build.constant(Tensor.scalar('int64', 5))]);
    const { results, declined } = await evaluate([product, shape, last]);
    expect(Array.from([shape, last, product], (node) => results.get(node.output)!.ints())).to.deep.equal([[2, 3], [3], [15]]);
    expect(results.get(product.output)!.shape).to.deep.equal([]);
    expect(declined).to.deep.equal({});
  });

  it('returns several outputs of a node, and none for one that is left out', async () => {
    const build = new Build();
    const split = build.node('Split', [build.constant(Tensor.of('int64', [1, 2, 3, 4]))], { num_outputs: 2 }, { outputs: [undefined, undefined] });
    const { results } = await evaluate([split]);
    expect(split.outputs.map((value) => results.get(value!)!.ints())).to.deep.equal([[1, 2], [3, 4]]);
  });

  it('evaluates bodies: nodes inside one, and nodes with one', async () => {
    const build = new Build();
    const outer = build.constant(Tensor.of('int64', [1, 2]), 'outer');
    let inner: Node | undefined;
    const branch = build.body('branch', (graph) => {
      inner = build.node('Neg', [outer], {}, { graph });
      build.output(inner.output, 'out', graph);
    });
    const other = build.body('other', (graph) => { build.output(build.value('Identity', [outer], {}, { graph }), 'out2', graph); });
    const choice = build.node('If', [build.constant(Tensor.of('bool', [1], []))], { then_branch: branch, else_branch: other });
    expect((await evaluate([inner!])).results.get(inner!.output)!.ints()).to.deep.equal([-1, -2]);
    expect((await evaluate([choice])).results.get(choice.output)!.ints()).to.deep.equal([-1, -2]);
  });

  describe('element types', () => {
    it('keeps NaN, infinities and signed zero', async () => {
      const tensor = await single('Identity', [Tensor.of('float', [NaN, -Infinity, -0])]) as Tensor;
      expect(Array.from(tensor.floats(), (item) => (Object.is(item, -0) ? '-0' : String(item)))).to.deep.equal(['NaN', '-Infinity', '-0']);
    });

    for (const [dtype, number, values] of [
      ['float16', 10, [1.5, 65504]], ['bfloat16', 16, [1.5, 2 ** 100]], ['float8e4m3fn', 17, [448, -1.75]], ['float8e5m2', 19, [57344, 0.25]],
      ['int4', 22, [-8, 7, 3]], ['uint4', 21, [15, 0, 1]], ['bool', 9, [1, 0]], ['int64', 7, [-5, 4]], ['double', 11, [0.1, 2]],
    ] as const) {
      it(`gives ${dtype}, declared or not`, async () => {
        for (const outputs of [[undefined], [tensorType(dtype)]]) {
          const tensor = await single('Cast', [Tensor.of('double', values)], { to: number }, { outputs });
          expect(tensor).to.be.instanceOf(Tensor);
          expect((tensor as Tensor).dtype).to.equal(dtype);
          expect([...(tensor as Tensor).floats()]).to.deep.equal([...values]);
        }
      });
    }

    it('gives strings', async () => {
      const tensor = await single('Concat', [Tensor.fromStrings([1], ['a']), Tensor.fromStrings([1], ['ü'])], { axis: 0 }) as Tensor;
      expect(tensor.strings()).to.deep.equal(['a', 'ü']);
    });

    it('declines sequences, and float4, which has no kernel', async () => {
      expect(await single('SequenceConstruct', [Tensor.of('float', [1])])).to.match(/not a tensor/);
      expect(await single('Cast', [Tensor.of('float', [1])], { to: 23 }, {}, 23)).to.match(/Could not find an implementation for Cast/);
    });
  });

  describe('declines, and evaluates the rest', () => {
    const rest = async (spoil: (build: Build, one: Value) => Node): Promise<string | undefined> => {
      const build = new Build({ '': 21, 'com.acme': 1 });
      const one = build.constant(Tensor.of('float', [1, 2]), 'one');
      const before = build.node('Neg', [one], {}, { name: 'before' });
      const spoilt = spoil(build, before.output);
      const after = build.node('Abs', [before.output], {}, { name: 'after' });
      const dependent = build.node('Neg', [spoilt.outputs[0]], {}, { name: 'dependent' });
      const { results, declined } = await evaluate([before, spoilt, after, dependent]);
      expect([...results.get(before.output)!.floats()]).to.deep.equal([-1, -2]);
      expect([...results.get(after.output)!.floats()]).to.deep.equal([1, 2]);
      expect(results.size).to.equal(2);
      expect(Object.keys(declined).sort()).to.deep.equal(['dependent', spoilt.name].sort());
      expect(declined['dependent']).to.contain(spoilt.outputs[0]!.name);
      return declined[spoilt.name];
    };

    it('unknown operators', async () => {
      expect(await rest((build, one) => build.node('Frobnicate', [one], {}, { domain: 'com.acme' }))).to.match(/com\.acme:Frobnicate.*not a registered/);
      expect(await rest((build, one) => build.node('Frobnicate', [one]))).to.match(/No Op registered/);
    });

    it('nodes that do not fit their operator', async () => {
      expect(await rest((build, one) => build.node('Add', [one, build.constant(Tensor.of('int64', [1]))]))).to.match(/different types/);
      expect(await rest((build, one) => build.node('Softmax', [one], { axis: 5 }))).to.match(/axis/);
    });

    it('nodes that fail when they run', async () => {
      expect(await rest((build, one) => build.node('Gather', [one, build.constant(Tensor.of('int64', [7]))]))).to.match(/out of|bounds|range/);
      expect(await rest((build, one) => build.node('Reshape', [one, build.constant(Tensor.of('int64', [3]))]))).to.match(/reshape/i);
    });

    it('random numbers, also inside a body', async () => {
      expect(await rest((build, one) => build.node('RandomNormalLike', [one]))).to.match(/other values at each run/);
      expect(await rest((build, one) => build.node('Dropout', [one, undefined, build.constant(Tensor.of('bool', [1], []))]))).to.match(/other values/);
      expect(await rest((build, one) => {
        const body = (name: string) => build.body(name, (graph) => { build.output(build.value('Bernoulli', [one], {}, { graph }), `${name}_out`, graph); });
        return build.node('If', [build.constant(Tensor.of('bool', [1], []))], { then_branch: body('then'), else_branch: body('else') });
      })).to.match(/other values/);
    });

    it('what is not constant', async () => {
      expect(await rest((build, one) => build.node('Add', [one, build.input('x', 'float', [2])]))).to.match(/'x', which is not constant/);
    });
  });

  describe('sizes', () => {
    it('are bounded by the option', async () => {
      const build = new Build();
      const expand = build.node('Expand', [build.constant(Tensor.of('float', [1])), build.constant(Tensor.of('int64', [25]))], {}, { name: 'expand' });
      expect((await evaluate([expand], { maxBytes: 99 })).declined).to.deep.equal({ expand: 'its result of 100 bytes is larger than 99 bytes' });
      expect((await evaluate([expand], { maxBytes: 100 })).results.get(expand.output)!.size).to.equal(25);
    });

    it('are bounded by 1 GiB in any case, without making the result', async () => {
      const before = process.memoryUsage.rss();
      const reason = await single('ConstantOfShape', [Tensor.of('int64', [2 ** 20, 2 ** 10])]);
      expect(reason).to.match(/4294967296 bytes is larger than 1073741824 bytes/);
      expect((process.memoryUsage.rss() - before) / 2 ** 20).to.be.below(200);
    });

    it('are learned before a node that may grow is run', async () => {
      const build = new Build();
      // The length is computed: ONNX Runtime knows it only when its inputs are constants.
      const count = build.node('Mul', [build.constant(Tensor.of('float', [1e5], [])), build.constant(Tensor.of('float', [1e5], []))]);
      const limit = build.node('Round', [count.output]);
      const range = build.node('Range', [build.constant(Tensor.scalar('float', 0)), limit.output, build.constant(Tensor.scalar('float', 1))], {}, { name: 'range' });
      const { results, declined } = await evaluate([count, limit, range]);
      expect(results.get(limit.output)!.floats()[0]).to.equal(1e10);
      expect(declined['range']).to.match(/40000000000 bytes is larger/);
    });

    it('may depend on data where they cannot grow', async () => {
      const tensor = await single('NonZero', [Tensor.of('float', [0, 3, 0, 4])]) as Tensor;
      expect(tensor.shape).to.deep.equal([1, 2]);
      expect(tensor.ints()).to.deep.equal([1, 3]);
    });

    it('may be 0', async () => {
      const tensor = await single('Slice', [Tensor.of('float', [1, 2]), Tensor.of('int64', [2]), Tensor.of('int64', [9])]) as Tensor;
      expect(tensor.shape).to.deep.equal([0]);
    });
  });
});
