import { expect } from 'chai';
import { builtInPasses } from '../../../passes/index.ts';
import { joinChunks, memorySource } from '../../../ir/bytes.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { Editor } from '../../../ir/edit.ts';
import { hashModel } from '../../../ir/hash.ts';
import type { Model, Node } from '../../../ir/model.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { printType } from '../../../ir/type.ts';
import { inferTypes, runPass, type StepResult } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { smallModel } from '../../compiler/workplace.ts';

const exportPass = builtInPasses.find(({ name }) => name === 'export')!;
const defaults = { output: 'a/b.onnx', dynamicBatch: false, batchSymbol: 'N', externalData: 'auto', valueInfo: true, stackTraces: false };

describe('pass export', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(async () => { await runtime.close(); });

  async function model(text: string = smallModel): Promise<Model> {
    const read = parseModel(text);
    normalizeModel(read, new Editor(read));
    await inferTypes(read, runtime);
    return read;
  }
  const run = (from: Model, options: Partial<typeof defaults> & { opset?: number; irVersion?: number } = {}, target = 'portable'): Promise<StepResult> =>
    runPass(from, exportPass, { ...defaults, ...options }, { runtime, target: { ...loadTarget(target) } });
  const written = ({ outputs }: StepResult): Model => readModel(memorySource(joinChunks(outputs.find(({ main }) => main)!.chunks)));
  const refusal = (promise: Promise<unknown>): Promise<Diagnostic> => promise.then(() => { throw new Error('was not refused'); }, (error: unknown) => error as Diagnostic);

  it('writes the model as it is, and changes nothing in it', async () => {
    const m = await model();
    const before = hashModel(m, { exact: true });
    const result = await run(m);
    expect([result.count, hashModel(m, { exact: true })]).to.deep.equal([0, before]);
    expect(result.outputs.map(({ path, main }) => [path, main])).to.deep.equal([['a/b.onnx', true]]);
    expect(hashModel(written(result))).to.equal(hashModel(m));
  });

  it('says which files it writes without running', () => {
    expect(exportPass.outputs?.(defaults)).to.deep.equal(['a/b.onnx']);
    expect(exportPass.outputs?.({ ...defaults, externalData: 'always' })).to.deep.equal(['a/b.onnx', 'a/b.onnx.data']);
  });

  it('puts large weights into a side file, beside the model', async () => {
    const big = await model(`<ir_version: 8, opset_import: ["": 17]>\nm (float[1,64] x) => (float[1,64] y) <float[64,64] w = {${new Array(4096).fill('0.5').join(',')}}> { [n] y = MatMul (x, w) }`);
    const { outputs } = await run(big, { externalData: 'always' });
    expect(outputs.map(({ path }) => path)).to.deep.equal(['a/b.onnx.data', 'a/b.onnx']);
    const side = joinChunks(outputs[0]!.chunks);
    const opened: string[] = [];
    const back = readModel(memorySource(joinChunks(outputs[1]!.chunks)), { external: (location) => { opened.push(location); return memorySource(side); } });
    expect(opened).to.deep.equal(['b.onnx.data']);
    expect(hashModel(back)).to.equal(hashModel(big));
    expect((await run(big, { externalData: 'never' })).outputs).to.have.length(1);
  });

  it('writes inferred types of inner values, or none', async () => {
    const types = (from: Model): string[] => [...from.graph.nodes()].slice(0, -1).map(({ output }) => printType(output.type));
    expect(types(written(await run(await model())))).to.deep.equal(['float[1,2,4,4]', 'float[1,2,4,4]', 'float[1,32]']);
    expect(types(written(await run(await model(), { valueInfo: false })))).to.deep.equal(['?', '?', '?']);
  });

  it('keeps the type of an output that its value alone knew, where inner types are not wanted', async () => {
    const m = await model();
    new Editor(m).setOutputType(m.graph, 0, undefined);
    const slot = written(await run(m, { valueInfo: false })).graph.outputs[0]!;
    expect(printType(slot.type)).to.equal('float[1,3]');
  });

  it('refuses a model file that no reader would take', async () => {
    const range = { source: { name: 'huge', size: 2 ** 31, read() { throw new Error('is not read'); } }, offset: 0, length: 2 ** 31 };
    const huge = Tensor.fromRange('uint8', [2 ** 31], range);
    const withWeight = await model();
    const edit = new Editor(withWeight);
    edit.setOutput(withWeight.graph, 1, edit.constant(withWeight.graph, huge, 'huge'), 'huge_out');
    expect((await run(withWeight)).outputs.map(({ path }) => path)).to.deep.equal(['a/b.onnx.data', 'a/b.onnx']);
    expect(await refusal(run(withWeight, { externalData: 'never' }))).to.include({ code: 'export/too-large' });
    const withAttribute = await model();
    new Editor(withAttribute).setAttribute(withAttribute.graph.first!, 'note', { kind: 'tensor', value: huge });
    for (const externalData of ['auto', 'always'] as const) expect(await refusal(run(withAttribute, { externalData }))).to.include({ code: 'export/too-large' });
  });

  it('strips stack traces, and keeps all other metadata', async () => {
    const m = await model();
    const edit = new Editor(m);
    const [conv, relu, reshape] = [...m.graph.nodes()] as [Node, Node, Node];
    const scopes = ['pkg.torch.onnx.name_scopes', '[\'layer1\']'] as const;
    edit.setModel({ irVersion: 10 });
    edit.setExtras(conv, { metadata: new Map([['pkg.torch.onnx.stack_trace', 'File "/home/u/net.py", line 3, in forward'], scopes]) });
    edit.setExtras(relu, { docString: '/home/u/net.py(12): forward\n/usr/lib/x.py(3): run' });
    edit.setExtras(reshape, { docString: 'flattens the features', metadata: new Map([scopes]) });
    const trace = { docString: 'File "/home/u/net.py", line 3' };
    edit.setExtras(m.graph, trace);
    edit.setOutputExtras(m.graph, 0, trace);
    edit.setModel({ extras: { docString: 'a net', metadata: new Map([['stack_trace', 'x']]) } });
    const bare = written(await run(m));
    expect([bare.graph.extras, bare.graph.outputs[0]!.extras, bare.extras]).to.deep.equal([undefined, undefined, { docString: 'a net' }]);
    const extras = [...bare.graph.nodes()].map((node) => [node.extras?.docString, [...(node.extras?.metadata ?? [])]]);
    expect(extras).to.deep.equal([[undefined, [scopes]], [undefined, []], ['flattens the features', [scopes]], [undefined, []]]);
    const kept = [...written(await run(m, { stackTraces: true })).graph.nodes()];
    expect([kept[0]!.extras!.metadata!.size, kept[1]!.extras!.docString]).to.deep.equal([2, '/home/u/net.py(12): forward\n/usr/lib/x.py(3): run']);
  });

  it('looks for stack traces in time linear in the text', async () => {
    const m = await model();
    // A search that tried every place as the beginning of a path would need 10^12 steps.
    new Editor(m).setExtras(m.graph.first!, { docString: 'x'.repeat(1e6) });
    expect(written(await run(m)).graph.first!.extras!.docString).to.have.length(1e6);
  });

  describe('versions', () => {
    it('keeps them, and declares others where nothing has to be converted', async () => {
      expect([written(await run(await model())).opset(), written(await run(await model())).irVersion]).to.deep.equal([17, 8]);
      const other = written(await run(await model(), { opset: 18, irVersion: 9 }));
      expect([other.opset(), other.irVersion]).to.deep.equal([18, 9]);
    });

    it('refuses an opset in which an operator is another one, naming the node', async () => {
      const error = await refusal(run(await model(), { opset: 9 }));
      expect(error).to.include({ code: 'export/opset' }).and.have.nested.property('node.name', 'conv');
      expect(await refusal(run(await model(), { opset: 99 }))).to.include({ code: 'export/opset' });
    });

    it('refuses an IR version that is older than what the model uses', async () => {
      expect((await refusal(run(await model(), { irVersion: 3 }))).message).to.contain('initializers that are no inputs');
      const narrow = await model('<ir_version: 10, opset_import: ["": 21]>\nm (float[2] x, float s) => (float[2] y) { [q] q = QuantizeLinear <output_dtype = 22> (x, s) [d] y = DequantizeLinear (q, s) }');
      const error = await refusal(run(narrow, { irVersion: 9 }));
      expect(error).to.include({ code: 'export/ir-version' });
      expect(error.message).to.contain('int4');
      expect(written(await run(narrow, { irVersion: 11 })).irVersion).to.equal(11);
    });

    it('raises the IR version of models that are older than initializers without inputs, and says so', async () => {
      const old = await model('<ir_version: 3, opset_import: ["": 7]>\nm (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { [add] y = Add (x, w) }');
      const result = await run(old);
      expect(written(result).irVersion).to.equal(4);
      expect(result.remarks.map(({ rule }) => rule)).to.deep.equal(['export/ir-version', 'export/target-versions']);
    });

    it('says where the target reads other versions', async () => {
      const { remarks } = await run(await model(), { opset: 18, irVersion: 10 });
      expect(remarks.map(({ message }) => message)).to.deep.equal(['opset 18 is written, and portable reads 9 to 17', 'IR version 10 is written, and portable reads 3 to 8']);
    });
  });
});
