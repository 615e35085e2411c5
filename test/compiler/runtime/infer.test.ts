import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { memorySource } from '../../../ir/bytes.ts';
import { dtypeNumber } from '../../../ir/dtype.ts';
import { Graph, LocalFunction, type Model, type Mutable, type Node, type Value } from '../../../ir/model.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { printType, tensorType, type Type } from '../../../ir/type.ts';
import { shared } from '../../paths.ts';
import { Build } from './build.ts';

describe('compiler/runtime/infer', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  /** Infers; gives the printed types of the values asked for, and why nodes were cut out. */
  async function infer(model: Model, ...values: readonly (Value | undefined)[]): Promise<{ types: string[]; declined: Record<string, string>; all: Map<Value, Type> }> {
    const declined: Record<string, string> = {};
    const { version } = model;
    const all = await runtime.infer(model, (node, reason) => { declined[node.name] = reason; });
    expect(model.version, 'the model is not changed').to.equal(version);
    return { types: values.map((value) => printType(value && all.get(value))), declined, all };
  }

  /** The types of the outputs of one node, of which no node may have been cut out. */
  async function typesOf(build: Build, node: Node): Promise<string[]> {
    const { types, declined } = await infer(build.model, ...node.outputs);
    expect(declined).to.deep.equal({});
    return types;
  }

  it('types inputs, constants and outputs of nodes', async () => {
    const build = new Build();
    const x = build.input('x', 'float', ['N', 3, 8, 8]);
    const w = build.constant(Tensor.of('float', new Float32Array(4 * 3 * 3 * 3), [4, 3, 3, 3]));
    const y = build.value('Conv', [x, w], { strides: [2, 2] });
    const { types, all } = await infer(build.model, x, w, y);
    expect(types).to.deep.equal(['float[N,3,8,8]', 'float[4,3,3,3]', 'float[N,4,3,3]']);
    expect(all.size).to.equal(3);
  });

  it('does not need the elements of weights', async () => {
    const build = new Build();
    const weights = Tensor.computed('float', [512, 512], () => { throw new Error('the weights were read'); });
    expect(await typesOf(build, build.node('MatMul', [build.input('x', 'float', ['N', 512]), build.constant(weights)]))).to.deep.equal(['float[N,512]']);
  });

  it('lets small constants drive shapes', async () => {
    const build = new Build();
    const x = build.input('x', 'float', ['N', 6]);
    expect(await typesOf(build, build.node('Reshape', [x, build.constant(Tensor.of('int64', [0, 2, -1]))]))).to.deep.equal(['float[N,2,3]']);
    expect(await typesOf(build, build.node('Resize', [x, undefined, build.constant(Tensor.of('float', [1, 2]))]))).to.deep.equal(['float[N,12]']);
  });

  describe('dimensions', () => {
    it('keep their symbols, whatever they look like', async () => {
      const build = new Build();
      const a = build.input('a', 'float', ['unk__0', 's#1', 'n o', 0]);
      expect(await typesOf(build, build.node('Neg', [a]))).to.deep.equal(['float[unk__0,"s#1","n o",0]']);
    });

    it('that ONNX Runtime makes up are unknown', async () => {
      const build = new Build();
      expect(await typesOf(build, build.node('NonZero', [build.input('x', 'float', ['N', 2])]))).to.deep.equal(['int64[2,?]']);
    });

    it('tell scalars from unknown ranks', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 3]);
      const shape = build.input('shape', 'int64', ['K']);
      const unranked = build.value('Reshape', [x, shape]);
      const follower = build.value('Relu', [unranked]);
      const sum = build.value('ReduceSum', [x], { keepdims: 0 });
      const squeezed = build.value('Squeeze', [unranked]);
      const both = build.value('Add', [sum, sum]);
      const mixed = build.value('Add', [sum, follower]);
      const free = build.untyped('free', tensorType('float'));
      const freed = build.value('Neg', [free]);
      const { types } = await infer(build.model, unranked, follower, sum, squeezed, both, mixed, freed);
      expect(types).to.deep.equal(['float[]', 'float[]', 'float', 'float[]', 'float', 'float[]', 'float[]']);
    });

    it('of scalar inputs are none', async () => {
      const build = new Build();
      expect(await typesOf(build, build.node('Neg', [build.input('x', 'float', [])]))).to.deep.equal(['float']);
    });
  });

  describe('element types', () => {
    for (const dtype of ['float16', 'double', 'bool', 'int4', 'uint4', 'float8e4m3fn', 'float8e5m2fnuz', 'bfloat16'] as const) {
      it(`include ${dtype}`, async () => {
        const build = new Build();
        const cast = build.node('Cast', [build.input('x', 'float', ['N', 3])], { to: dtypeNumber(dtype) });
        expect(await typesOf(build, cast)).to.deep.equal([`${dtype}[N,3]`]);
      });
    }

    it('include bfloat16 where kernels lack it, beside float', async () => {
      const build = new Build();
      const x = build.input('x', 'bfloat16', ['N', 3, 8, 8]);
      const conv = build.value('Conv', [x, build.constant(Tensor.of('bfloat16', new Array<number>(12).fill(0.5), [4, 3, 1, 1]))]);
      const plain = build.value('Cast', [conv], { to: 1 });
      const { types, declined } = await infer(build.model, conv, plain);
      expect(types).to.deep.equal(['bfloat16[N,4,8,8]', 'float[N,4,8,8]']);
      expect(declined).to.deep.equal({});
    });

    it('are asked for where they follow from other nodes, and wrong predictions are put right', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 4]);
      const scale = build.constant(Tensor.scalar('float', 0.5));
      const zero = build.constant(Tensor.fromBytes('float8e4m3fn', [], new Uint8Array(1)));
      const quantized = build.value('QuantizeLinear', [x, scale, zero]);
      const turned = build.value('Transpose', [quantized], { perm: [1, 0] });
      const back = build.value('DequantizeLinear', [quantized, scale]);
      const lie = build.value('Neg', [x], {}, { outputs: [tensorType('float8e5m2', ['N', 4])] });
      const { types } = await infer(build.model, quantized, turned, back, lie);
      expect(types).to.deep.equal(['float8e4m3fn[N,4]', 'float8e4m3fn[4,N]', 'float[N,4]', 'float[N,4]']);
    });

    it('of sequences are composed', async () => {
      const build = new Build();
      const x = build.input('x', 'float', [2, 3]);
      const list = build.value('SequenceConstruct', [x, x]);
      const item = build.value('SequenceAt', [list, build.constant(Tensor.scalar('int64', 0))]);
      const { types } = await infer(build.model, list, item, build.value('SequenceLength', [list]), build.value('SequenceEmpty', [], { dtype: 7 }));
      expect(types).to.deep.equal(['seq(float[])', 'float[]', 'int64', 'seq(int64[])']);
    });
  });

  describe('cuts around', () => {
    it('operators of other domains, and goes on behind them with what is declared', async () => {
      const build = new Build({ '': 21, 'com.acme': 7 });
      const x = build.input('x', 'float', ['N', 3]);
      const declaredNode = build.node('Frobnicate', [x], {}, { domain: 'com.acme', name: 'declared', outputs: [tensorType('float', ['N', 5])] });
      const silent = build.node('Frobnicate', [x], {}, { domain: 'com.acme', name: 'silent' });
      const known = build.value('Neg', [declaredNode.output]);
      const lost = build.value('Neg', [silent.output]);
      const beside = build.value('Abs', [x]);
      const { types, declined, all } = await infer(build.model, declaredNode.output, known, beside);
      expect(types).to.deep.equal(['float[N,5]', 'float[N,5]', 'float[N,3]']);
      expect(all.has(silent.output)).to.equal(false);
      expect(all.has(lost)).to.equal(false);
      expect(Object.keys(declined).sort()).to.deep.equal(['declared', 'silent']);
      expect(declined['silent']).to.match(/com\.acme:Frobnicate/);
    });

    it('operators that the opset does not have', async () => {
      const build = new Build({ '': 13 });
      const x = build.input('x', 'float', ['N', 3]);
      const gelu = build.node('Gelu', [x], {}, { name: 'gelu', outputs: [tensorType('float', ['N', 3])] });
      const { types, declined } = await infer(build.model, gelu.output, build.value('Neg', [gelu.output]));
      expect(types).to.deep.equal(['float[N,3]', 'float[N,3]']);
      expect(Object.keys(declined)).to.deep.equal(['gelu']);
    });

    it('nodes that ONNX Runtime refuses, each with its reason', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 3]);
      const i = build.input('i', 'int64', ['N', 3]);
      build.node('Add', [x, i], {}, { name: 'mixed' });
      build.node('Softmax', [x], { axis: 7 }, { name: 'axis' });
      build.node('MatMul', [build.input('a', 'float', [2, 3]), build.input('b', 'float', [2, 3])], {}, { name: 'product' });
      build.node('Relu', [x], { unheard: 1 }, { name: 'attribute' });
      build.node('Cast', [x], { to: 23 }, { name: 'kernel' });
      build.node('Add', [x], {}, { name: 'arity' });
      const good = build.value('Neg', [x]);
      const { types, declined } = await infer(build.model, good);
      expect(types).to.deep.equal(['float[N,3]']);
      expect(Object.keys(declined).sort()).to.deep.equal(['arity', 'attribute', 'axis', 'kernel', 'mixed', 'product']);
      expect(Object.values(declined).join()).to.not.match(/[nv]#\d|onnxruntime_src/);
    });

    it('many refused nodes of one operator', async () => {
      const build = new Build({ '': 23 });
      const x = build.input('x', 'float', ['N', 3]);
      const casts = Array.from({ length: 100 }, () => build.node('Cast', [x], { to: 23 }));
      const good = build.value('Neg', [x]);
      const { types, declined } = await infer(build.model, good);
      expect(types).to.deep.equal(['float[N,3]']);
      expect(Object.keys(declined)).to.have.length(casts.length);
    });

    it('what no message names, found by bisection', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 3]);
      const first = build.value('Neg', [x]);
      const complex = build.constant(Tensor.fromBytes('complex64', [1], new Uint8Array(8)));
      build.node('Identity', [complex], {}, { name: 'complex' });
      const last = build.value('Abs', [first]);
      expect((await infer(build.model, first, last)).types).to.deep.equal(['float[N,3]', 'float[N,3]']);
    });

    it('inputs without a type', async () => {
      const build = new Build();
      const unknown = build.untyped('unknown');
      const x = build.input('x', 'float', [2]);
      const { types, all } = await infer(build.model, build.value('Neg', [x]));
      expect(types).to.deep.equal(['float[2]']);
      const lost = build.value('Add', [x, unknown]);
      expect(all.has(lost)).to.equal(false);
      expect((await infer(build.model)).all.has(lost)).to.equal(false);
    });

    it('nothing when the opset or the IR version is newer than ONNX Runtime', async () => {
      const build = new Build({ '': 99 }, 99);
      expect(await typesOf(build, build.node('Neg', [build.input('x', 'float', ['N'])]))).to.deep.equal(['float[N]']);
    });
  });

  describe('bodies', () => {
    it('of If see what they capture', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 3]);
      const doubled = build.value('Add', [x, x]);
      const inside: Value[] = [];
      const branch = (name: string, op: string) => build.body(name, (graph) => {
        const value = build.value(op, [doubled], {}, { graph });
        inside.push(value, build.output(build.value('Transpose', [value], { perm: [1, 0] }, { graph }), 'out', graph));
      });
      const choice = build.node('If', [build.input('c', 'bool', [])], { then_branch: branch('then', 'Neg'), else_branch: branch('else', 'Abs') });
      const { types } = await infer(build.model, ...inside, choice.output);
      expect(types).to.deep.equal(['float[N,3]', 'float[3,N]', 'float[N,3]', 'float[3,N]', 'float[3,N]']);
    });

    /** x ↦ the loop's state, with a body that makes the next state from the present one. */
    function loop(build: Build, x: Value, next: (state: Value, graph: Graph) => Value): { node: Node; state: Value; made: Value } {
      let [state, made]: (Value | undefined)[] = [];
      const body = build.body('body', (graph) => {
        build.untyped('iteration', undefined, graph);
        const condition = build.untyped('condition', undefined, graph);
        state = build.untyped('state', undefined, graph);
        build.output(build.value('Identity', [condition], {}, { graph }), 'condition_out', graph);
        build.output(made = next(state, graph), 'state_out', graph);
      });
      const node = build.node('Loop', [build.constant(Tensor.scalar('int64', 3)), undefined, x], { body });
      return { node, state: state!, made: made! };
    }

    it('of Loop: a state that keeps its shape has it', async () => {
      const build = new Build();
      const { state, made } = loop(build, build.input('x', 'float', ['N', 3]), (value, graph) => build.value('Neg', [value], {}, { graph }));
      expect((await infer(build.model, state, made)).types).to.deep.equal(['float[N,3]', 'float[N,3]']);
    });

    it('of Loop: a state that grows keeps only what stays', async () => {
      const build = new Build();
      const { state, made } = loop(build, build.input('x', 'float', ['N', 3]), (value, graph) => build.value('Concat', [value, value], { axis: 0 }, { graph }));
      expect((await infer(build.model, state, made)).types).to.deep.equal(['float[?,3]', 'float[?,3]']);
    });

    it('of Loop: a state that changes its rank has none', async () => {
      const build = new Build();
      const { state, made } = loop(build, build.input('x', 'float', ['N', 3]), (value, graph) => (
        build.value('Unsqueeze', [value, build.constant(Tensor.of('int64', [0]), 'axes', graph)], {}, { graph })
      ));
      expect((await infer(build.model, state, made)).types).to.deep.equal(['float[]', 'float[]']);
    });

    it('of Scan see one slice', async () => {
      const build = new Build();
      const [initial, sequence] = [build.input('initial', 'float', [3]), build.input('sequence', 'float', [3, 'T', 5])];
      const seen: Value[] = [];
      const body = build.body('body', (graph) => {
        const [state, slice] = [build.untyped('state', undefined, graph), build.untyped('slice', undefined, graph)];
        build.output(build.value('Neg', [state], {}, { graph }), 'state_out', graph);
        seen.push(state, slice, build.output(build.value('Abs', [slice], {}, { graph }), 'slice_out', graph));
      });
      const scan = build.node('Scan', [initial, sequence], { body, num_scan_inputs: 1, scan_input_axes: [1] }, { outputs: [undefined, undefined] });
      const { types } = await infer(build.model, ...seen, ...scan.outputs);
      expect(types).to.deep.equal(['float[3]', 'float[3,5]', 'float[3,5]', 'float[3]', 'float[T,3,5]']);
    });

    it('with an unknown operator are cut inside, and their node outside', async () => {
      const build = new Build({ '': 21, 'com.acme': 1 });
      const x = build.input('x', 'float', ['N', 3]);
      const inside: Value[] = [];
      const branch = (name: string) => build.body(name, (graph) => {
        inside.push(build.value('Neg', [x], {}, { graph }));
        const odd = build.value('Odd', [x], {}, { graph, domain: 'com.acme', name: `odd_${name}`, outputs: [tensorType('float', [7])] });
        inside.push(build.output(build.value('Abs', [odd], {}, { graph }), 'out', graph));
      });
      const choice = build.node('If', [build.input('c', 'bool', [])], { then_branch: branch('then'), else_branch: branch('else') }, { name: 'choice' });
      const { types, declined } = await infer(build.model, ...inside, build.value('Neg', [x]));
      expect(types).to.deep.equal(['float[N,3]', 'float[7]', 'float[N,3]', 'float[7]', 'float[N,3]']);
      expect(Object.keys(declined).sort()).to.deep.equal(['choice', 'odd_else', 'odd_then']);
      expect(choice.output.type).to.equal(undefined);
    });

    it('may use labels that the graph around them uses too', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 3]);
      const outer = build.value('Neg', [x]);
      const inner: Value[] = [];
      const branch = (name: string) => build.body(name, (graph) => {
        const value = build.value('Shape', [x], {}, { graph });
        (value as Mutable<Value>).name = outer.name;
        inner.push(build.output(value, 'out', graph));
      });
      build.node('If', [build.input('c', 'bool', [])], { then_branch: branch('then'), else_branch: branch('else') });
      expect((await infer(build.model, outer, ...inner)).types).to.deep.equal(['float[N,3]', 'int64[2]', 'int64[2]']);
    });
  });

  it('follows calls of local functions, told apart by their overloads', async () => {
    const build = new Build({ '': 21, local: 1 });
    const x = build.input('x', 'float', ['N', 3]);
    const functions = new Map(['a', 'b'].map((overload) => {
      const graph = new Graph('body');
      const value = build.untyped('input', undefined, graph);
      build.output(build.value(overload === 'a' ? 'Shape' : 'Neg', [value], {}, { graph }), 'output', graph);
      const called = new LocalFunction('Call', 'local', overload, graph, { opsets: new Map([['', 21]]) });
      (graph as Mutable<Graph>).owner = called;
      return [called.key, called];
    }));
    build.edit.setModel({ functions });
    const calls = ['a', 'b'].map((overload) => build.edit.insert({ op: 'Call', domain: 'local', overload, inputs: [x] }, build.graph).output);
    expect((await infer(build.model, ...calls)).types).to.deep.equal(['int64[2]', 'float[N,3]']);
  });

  describe('types that the model states', () => {
    it('fill what cannot be inferred', async () => {
      const build = new Build();
      const found = build.value('NonZero', [build.input('x', 'float', ['N', 2])], {}, { outputs: [tensorType('int64', [2, 7])] });
      expect((await infer(build.model, found)).types).to.deep.equal(['int64[2,7]']);
    });

    it('give no symbols to results: exporters write one label for several lengths', async () => {
      const build = new Build();
      const found = build.value('NonZero', [build.input('x', 'float', ['N', 2])], {}, { outputs: [tensorType('int64', [2, 'N'])] });
      expect((await infer(build.model, found)).types).to.deep.equal(['int64[2,?]']);
    });

    it('do not count when one of them is wrong', async () => {
      const build = new Build();
      const x = build.input('x', 'float', ['N', 2]);
      const found = build.value('NonZero', [x], {}, { outputs: [tensorType('int64', [2, 4])] });
      const stale = build.value('Neg', [x], {}, { outputs: [tensorType('float', [1, 2])] });
      expect((await infer(build.model, found, stale)).types).to.deep.equal(['int64[2,?]', 'float[N,2]']);
    });
  });

  it('treats defaults of inputs as constants below IR version 4 only', async () => {
    for (const [irVersion, expected] of [[3, 'float[3,2]'], [8, 'float[?,?]']] as const) {
      const build = new Build({ '': 9 }, irVersion);
      const shape = build.input('shape', 'int64', [2]);
      Object.assign(shape, { tensor: Tensor.of('int64', [3, 2]) });
      expect(await typesOf(build, build.node('Reshape', [build.input('x', 'float', [6]), shape]))).to.deep.equal([expected]);
    }
  });

  const folder = shared === undefined ? undefined : join(shared, 'models');
  (folder === undefined ? it.skip : it)(`types every value of the real models${folder === undefined ? ' (no ../shared here)' : ''}`, async function () {
    this.timeout(300_000);
    for (const file of readdirSync(folder!).filter((name) => name.endsWith('.onnx'))) {
      const model = readModel(memorySource(readFileSync(join(folder!, file)), file));
      const { all, declined } = await infer(model);
      expect(declined, file).to.deep.equal({});
      const visit = (graph: Graph): void => {
        for (const value of graph.values()) expect(all.get(value), `${file}: ${value.name}`).to.have.property('kind', 'tensor');
        for (const node of graph.nodes()) node.subgraphs.forEach(visit);
      };
      visit(model.graph);
    }
  });
});
