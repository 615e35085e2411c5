import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-node';
import { joinChunks, memorySource, type ByteSource } from '../../../ir/bytes.ts';
import { Editor } from '../../../ir/edit.ts';
import type { Model } from '../../../ir/model.ts';
import { decode } from '../../../ir/onnx/decode.ts';
import { encode } from '../../../ir/onnx/encode.ts';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from '../../../ir/onnx/fields.ts';
import { readModel, type ReadOptions } from '../../../ir/onnx/read.ts';
import { writeModel } from '../../../ir/onnx/write.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { shared } from '../../paths.ts';
import { diagnosticOf } from '../diagnostics.ts';
import { fileLike } from './oracle.ts';
import { sampleModel } from './sample-model.ts';

const folder = shared === undefined ? undefined : join(shared, 'models');
const models = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.onnx'));
/** Small models of many kinds (convolutions, LSTM, If, transformer, detection), and the lengths of their symbolic axes; others are 1. */
const executed: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'cifar10_resnet20.onnx': {}, 'hand_history_lstm.onnx': {}, 'silero_vad_half.onnx': { sequence: 576 }, 'mnist_cntk.onnx': {}, 'tinytimemixer.onnx': { sequence_length: 512 },
  'yunet_n_dynamic.onnx': { height: 64, width: 96 }, 'mlperf_tiny_kws_dscnn.onnx': {}, 'gtcrn.onnx': {},
};

const bytesOf = (model: ModelProto): Uint8Array => joinChunks(encode(model, 'ModelProto'));
const read = (model: ModelProto, options?: ReadOptions): Model => readModel(memorySource(bytesOf(model), 'test.onnx'), options);
const write = (model: Model): Uint8Array => joinChunks(writeModel(model).model);
const written = (model: Model): ModelProto => decode(memorySource(write(model)), 'ModelProto');

describe('ONNX reader and writer: real models', () => {
  if (folder === undefined) it('skipped: ../shared/models is absent');
  for (const name of models) {
    const lengths = executed[name];
    it(`${name} does not grow, and its second write is the first${lengths === undefined ? '' : '; it computes the same'}`, async () => {
      const original = readFileSync(join(folder!, name));
      const once = write(readModel(memorySource(original, name)));
      expect(once.length).to.be.at.most(original.length);
      expect(Buffer.from(write(readModel(memorySource(once, name)))).equals(once), 'second write').to.equal(true);
      expect(Buffer.from(write(readModel(fileLike(original, name)))).equals(once), 'read from a file').to.equal(true);
      if (lengths !== undefined) expect(await outputs(once, lengths)).to.deep.equal(await outputs(original, lengths));
    });
  }
});

/** The bits of a model's outputs for inputs made by rule. */
async function outputs(model: Uint8Array, lengths: Readonly<Record<string, number>>): Promise<unknown> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  const feeds: Record<string, RuntimeTensor> = {};
  for (const input of session.inputMetadata) {
    if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
    const shape = input.shape.map((dim) => (typeof dim === 'number' ? Math.max(dim, 1) : lengths[dim] ?? 1));
    const size = shape.reduce((a, b) => a * b, 1);
    const wave = Array.from({ length: size }, (_, i) => Math.sin(i * 0.7) / 2);
    feeds[input.name] = new RuntimeTensor('float32', Float32Array.from(wave), shape);
  }
  const results = await session.run(feeds);
  await session.release();
  return Object.entries(results).map(([name, { dims, data }]) => [name, dims, Buffer.from((data as Float32Array).buffer).toString('base64')]);
}

describe('ONNX reader and writer: everything survives', () => {
  const bytes = bytesOf(sampleModel());

  it('byte for byte: functions, overloads, all kinds of attributes, sparse and typed tensors, annotations, devices, training, unknown fields', () => {
    expect(decode(memorySource(write(readModel(memorySource(bytes)))), 'ModelProto')).to.deep.equal(decode(memorySource(bytes), 'ModelProto'));
    expect(Buffer.from(write(readModel(memorySource(bytes)))).equals(bytes)).to.equal(true);
  });

  it('through the IR', () => {
    const model = readModel(memorySource(bytes));
    expect([...model.functions.keys()]).to.deep.equal(['com.example:Scale:v2', 'com.example:Scale:']);
    expect([...model.graph.constants].map(({ name, form }) => [name, form?.kind])).to.deep.equal([
      ['w', 'initializer'], ['names', 'initializer'], ['four', 'initializer'], ['empty', 'initializer'], ['s', 'sparse-initializer'], ['c', 'node'], ['cond', 'node'],
    ]);
    const [x, bias] = model.graph.inputs;
    expect([x!.tensor, bias!.constant]).to.deep.equal([undefined, undefined]);
    expect(bias!.tensor!.floats()).to.deep.equal(Float32Array.of(9, 9, 9, 9));
    const find = (name: string): ReturnType<Model['graph']['values']> => [...model.graph.values()].filter((value) => value.name === name);
    const [h] = find('h');
    expect(h!.uses.map(({ user }) => user.name)).to.deep.equal(['add', 'then_branch/op', 'else_branch/op', '']);
    expect(h!.quantization).to.deep.equal(new Map([['SCALE_TENSOR', 'w']]));
    expect([...find('s')][0]!.tensor!.floats()).to.deep.equal(Float32Array.of(1, 0, 0, 2));
    expect([...find('four')][0]!.tensor!.ints()).to.deep.equal([1, 2, -1]);
  });

  it('in the form of proto3: packed dims stay packed', () => {
    const graph = Uint8Array.from([0x2a, 20, 0x0a, 3, 1, 1, 1, 0x10, 1, 0x4a, 4, 0, 0, 128, 63, 0x42, 5, 119, 119, 119, 119, 119]);
    const model = Uint8Array.from([0x08, 8, 0x3a, graph.length, ...graph]);
    expect(write(readModel(memorySource(model))).length).to.equal(model.length);
  });
});

const relu = (input: string, output: string, name = output): NodeProto => ({ op_type: 'Relu', input: [input], output: [output], name });
const modelOf = (graph: GraphProto): ModelProto => ({ ir_version: 9, opset_import: [{ version: 21 }], graph: { name: 'g', ...graph } });
const floats = (name: string, dims: (number | bigint)[], rest: Partial<TensorProto> = {}): TensorProto => ({ name, dims, data_type: 1, ...rest });
const body = (graph: GraphProto): AttributeProto[] => [{ name: 'body', type: 5, g: graph }];

describe('ONNX reader: names', () => {
  it('lets nodes stand in any order', () => {
    const model = read(modelOf({ input: [{ name: 'x' }], node: [relu('a', 'y'), relu('x', 'a')], output: [{ name: 'y' }] }));
    expect([...model.graph.nodes()].map(({ inputs: [input] }) => input!.producer?.name)).to.deep.equal(['a', undefined]);
  });

  it('lets sibling bodies use the same names, and the inner of two hidden names win', () => {
    const inner = (name: string): NodeProto => ({ op_type: 'F', domain: 'd', output: [name], attribute: body({ name: 'b', node: [relu('x', 'inner')], output: [{ name: 'inner' }] }) });
    const model = read(modelOf({ input: [{ name: 'x' }], node: [inner('a'), inner('b')], output: [{ name: 'a' }, { name: 'b' }] }));
    expect(model.graph.inputs[0]!.uses).to.have.length(2);
    expect(Buffer.from(write(model)).equals(bytesOf(written(model)))).to.equal(true);
    const hidden = read(modelOf({ input: [{ name: 'x' }], node: [{ ...inner('a'), attribute: body({ name: 'b', input: [{ name: 'x' }], node: [relu('x', 'y')], output: [{ name: 'y' }] }) }], output: [{ name: 'a' }] }));
    expect(hidden.graph.inputs[0]!.uses).to.have.length(0);
    const [node] = written(hidden).graph!.node!;
    expect(node!.attribute![0]!.g).to.deep.include({ input: [{ name: 'x_1' }], node: [relu('x_1', 'y')] });
  });
});

describe('ONNX reader and writer: functions', () => {
  const typed = (name: string): { name: string; type: { tensor_type: { elem_type: number } } } => ({ name, type: { tensor_type: { elem_type: 1 } } });
  const calling: ModelProto = {
    ...modelOf({ input: [{ name: 'x' }], node: [{ op_type: 'F', domain: 'd', input: ['x'], output: ['y'] }], output: [{ name: 'y' }] }),
    functions: [{
      name: 'F', domain: 'd', input: ['a'], output: ['b', 'a'], opset_import: [{ version: 17 }],
      node: [
        { op_type: 'Constant', output: ['k'], attribute: [{ name: 'value_float', type: 1, f: 2 }] }, { op_type: 'Add', input: ['a', 'k'], output: ['s'] },
        { op_type: 'Relu', input: ['s'], output: ['b'] },
      ],
      value_info: [{ ...typed('a'), doc_string: 'the input' }, typed('s'), typed('b')],
    }],
  };

  it('keep the types of their inputs and outputs', () => {
    expect(written(read(calling)).functions![0]!.value_info).to.deep.equal(calling.functions![0]!.value_info);
  });

  it('have new constants, and those with other elements, as Constant nodes: they have no initializers', () => {
    const model = read(calling);
    const { body } = [...model.functions.values()][0]!;
    const edit = new Editor(model);
    edit.setTensor([...body.constants][0]!, Tensor.scalar('float', 3));
    edit.setInput(body.first!, 0, edit.constant(body, Tensor.of('float', [4, 5]), 'new'));
    const again = [...readModel(memorySource(write(model))).functions.values()][0]!.body;
    expect(again.first!.inputs.map((value) => [...value!.constant!.floats()])).to.deep.equal([[4, 5], [3]]);
    expect(written(model).functions![0]!.node!.map(({ op_type }) => op_type)).to.deep.equal(['Constant', 'Constant', 'Add', 'Relu']);
  });
});

describe('ONNX writer: names', () => {
  const start = (): Model => read(modelOf({ input: [{ name: 'x' }], node: [relu('x', 'a'), relu('a', 'y'), relu('a', 'z')], output: [{ name: 'y' }, { name: 'z' }] }));
  const change = (action: (edit: Editor, model: Model) => void): NodeProto[] => {
    const model = start();
    action(new Editor(model), model);
    const bytes = write(model);
    expect(Buffer.from(write(readModel(memorySource(bytes)))).equals(bytes)).to.equal(true);
    const { graph } = written(model);
    expect(graph!.output!.map(({ name }) => name)).to.deep.equal(['y', 'z']);
    return graph!.node!.map(({ op_type = '', input = [], output = [] }) => ({ op_type, input, output }));
  };
  const line = (op_type: string, input: string, output: string): NodeProto => ({ op_type, input: [input], output: [output] });

  it('gives the value in a slot the name of the slot', () => {
    expect(change((edit, { graph }) => { edit.replaceUses(graph.outputs[0]!.value, graph.first!.output); edit.remove(graph.first!.next!); }))
      .to.deep.equal([line('Relu', 'x', 'y'), line('Relu', 'y', 'z')]);
  });

  it('puts an Identity before a slot whose value is an input or has another slot', () => {
    expect(change((edit, { graph }) => { edit.setOutput(graph, 1, graph.outputs[0]!.value); }).at(-1)).to.deep.equal(line('Identity', 'y', 'z'));
    expect(change((edit, { graph }) => { edit.setOutput(graph, 0, graph.inputs[0]); }).at(-1)).to.deep.equal(line('Identity', 'x', 'y'));
  });

  it('gives annotations the names that values have in the file', () => {
    const annotated = modelOf({
      input: [{ name: 'x' }], initializer: [floats('s', [0])], node: [relu('x', 'a'), relu('a', 'y')], output: [{ name: 'y' }],
      quantization_annotation: [{ tensor_name: 'a', quant_parameter_tensor_names: [{ key: 'SCALE_TENSOR', value: 's' }] }],
    });
    const model = read(annotated);
    expect(written(model).graph!.quantization_annotation).to.deep.equal(annotated.graph!.quantization_annotation);
    new Editor(model).setOutput(model.graph, 1, [...model.graph.constants][0], 'scale');
    expect(written(model).graph!.quantization_annotation![0]!.quant_parameter_tensor_names).to.deep.equal([{ key: 'SCALE_TENSOR', value: 'scale' }]);
  });

  it('numbers a label that clashes with a slot', () => {
    expect(change((edit, { graph }) => { edit.setOutput(graph, 0, graph.first!.output); edit.setOutput(graph, 1, graph.first!.output); }))
      .to.deep.include.members([line('Relu', 'x', 'y'), line('Relu', 'y', 'y_1'), line('Identity', 'y', 'z')]);
  });
});

const external = (location: string, rest: Partial<TensorProto> = {}, ...more: [string, string][]): TensorProto => floats('w', [2], {
  data_location: 1, external_data: [['location', location], ...more].map(([key, value]) => ({ key: key!, value: value! })), ...rest,
});
const side: ByteSource = fileLike(new Uint8Array(64), 'w.bin');
const opener = { external: (): ByteSource => side };
const withTensor = (...initializer: TensorProto[]): ModelProto => modelOf({ initializer });

const refused: readonly [what: string, model: ModelProto, code: string, message: RegExp, options?: ReadOptions][] = [
  ['a model without graph', { ir_version: 8 }, 'model/no-graph', /no graph/],
  ['two nodes that make one value', modelOf({ input: [{ name: 'x' }], node: [relu('x', 'a', 'n1'), relu('x', 'a', 'n2')] }), 'model/duplicate-name', /'g' defines the value 'a' twice/],
  ['two initializers of one name', withTensor(floats('w', [0]), floats('w', [0])), 'model/duplicate-name', /'w'/],
  ['an input without name', modelOf({ input: [{}] }), 'model/name', /without a name/],
  ['an undefined input', modelOf({ node: [relu('nowhere', 'a', 'first')] }), 'model/undefined-value', /input 0 of node 'first' \(Relu\) reads 'nowhere'/],
  ['an undefined output', modelOf({ output: [{ name: 'y' }] }), 'model/undefined-value', /output 0 of graph 'g' reads 'y'/],
  ['an undefined outer value', modelOf({ node: [{ op_type: 'If', output: ['a'], name: 'if', attribute: body({ node: [relu('gone', 'b', 'inner')] }) }] }), 'model/undefined-value', /node 'inner' \(Relu\) reads 'gone'/],
  ['a function that reads the graph', { ...modelOf({ input: [{ name: 'x' }] }), functions: [{ name: 'f', domain: 'd', node: [relu('x', 'b', 'inner')] }] }, 'model/undefined-value', /'inner'/],
  ['two functions of one key', { ...modelOf({}), functions: [{ name: 'f', domain: 'd' }, { name: 'f', domain: 'd' }] }, 'model/duplicate-function', /d:f/],
  ['two versions of one opset', { ...modelOf({}), opset_import: [{ version: 13 }, { domain: 'ai.onnx', version: 14 }] }, 'model/opset', /13 and 14/],
  ['an unknown element type', withTensor({ name: 'w', data_type: 99 }), 'model/unknown-type', /w has element type 99/],
  ['no element type', withTensor({ name: 'w' }), 'model/unknown-type', /w has element type 0/],
  ['an unknown type of an input', modelOf({ input: [{ name: 'x', type: { tensor_type: { elem_type: 77 } } }] }), 'model/unknown-type', /input 'x' has element type 77/],
  ['a negative length of an axis', withTensor(floats('w', [2, -1])), 'model/shape', /w has the impossible shape \[2,-1\]/],
  ['a shape beyond all memory', withTensor(floats('w', [2 ** 40, 2 ** 40])), 'model/shape', /impossible shape/],
  ['an axis beyond 2^53', withTensor(floats('w', [0, 2n ** 60n])), 'model/shape', /impossible shape/],
  ['too few raw bytes', withTensor(floats('w', [3], { raw_data: new Uint8Array(8) })), 'model/tensor-size', /'w' float\[3\] needs 12 bytes, but has 8/],
  ['too many floats', withTensor(floats('w', [1], { float_data: Float32Array.of(1, 2) })), 'model/tensor-size', /'w' float\[1\] needs 4 bytes, but has 8/],
  ['a tensor without elements', withTensor(floats('w', [1000000])), 'model/tensor-size', /but has 0/],
  ['too few strings', withTensor({ name: 'w', dims: [2], data_type: 8, string_data: [new Uint8Array(0)] }), 'model/tensor-size', /2 strings, but has 1/],
  ['a segment', withTensor(floats('w', [0], { segment: {} })), 'model/segment', /segment/],
  ['a sparse tensor without indices', modelOf({ sparse_initializer: [{ values: floats('s', [0]) }] }), 'model/sparse', /sparse tensor s/],
  ['an attribute of unknown type', modelOf({ node: [{ ...relu('', 'y', 'n'), attribute: [{ name: 'a', type: 40 }] }] }), 'model/attribute', /'a' of node 'n' \(Relu\) has type 40/],
  ['an attribute without value', modelOf({ node: [{ ...relu('', 'y', 'n'), attribute: [{ name: 'a', type: 4 }] }] }), 'model/attribute', /should hold a tensor/],
  ['an attribute twice', modelOf({ node: [{ ...relu('', 'y', 'n'), attribute: [{ name: 'a', type: 2, i: 1 }, { name: 'a', type: 2, i: 2 }] }] }), 'model/attribute', /'a' twice/],
  ['external data without a folder', withTensor(external('w.bin')), 'model/external-data', /w: the elements lie in 'w.bin'/],
  ['external data beyond their file', withTensor(external('w.bin', {}, ['offset', '60'])), 'model/external-data', /bytes 60 to 68 .* 64/, opener],
  ['external data of another length', withTensor(external('w.bin', {}, ['length', '12'])), 'model/tensor-size', /12 bytes/, opener],
  ['a negative offset', withTensor(external('w.bin', {}, ['offset', '-8'])), 'model/external-data', /must be integers/, opener],
  ['external strings', withTensor(external('w.bin', { data_type: 8 })), 'model/external-data', /strings/, opener],
  ['overlapping external data under two spellings of one file', withTensor(external('w.bin'), { ...external('./w.bin', {}, ['offset', '4']), name: 'v' }), 'model/external-data', /'w' and 'v' overlap/, opener],
  ['overlapping external data', withTensor(external('w.bin'), { ...external('w.bin', {}, ['offset', '4']), name: 'v' }), 'model/external-data', /'w' and 'v' overlap in 'w.bin': bytes 0 to 8 and 4 to 12/, opener],
  ...['', '/etc/passwd', '../w.bin', 'a/../../w.bin', '..', 'a\\..\\w.bin', 'C:w.bin', '\\\\host\\w.bin', 'w.bin\0.txt'].map(
    (location): (typeof refused)[number] => [`the external location ${JSON.stringify(location)}`, withTensor(external(location)), 'model/external-path', /not a plain path/, opener]),
];

describe('ONNX reader: mistakes', () => {
  for (const [what, model, code, message, options] of refused) {
    it(`refuses ${what}`, () => {
      const found = diagnosticOf(() => read(model, options));
      expect(found).to.include({ code, file: 'test.onnx' });
      expect(found.message).to.match(message);
      expect(found.suggestion, 'suggestion').to.be.a('string');
    });
  }
});

describe('ONNX reader and writer: external data', () => {
  const weights = new Uint8Array(6000).map((_, i) => i);
  const large = fileLike(weights, 'w.bin');
  const model = (): Model => read(withTensor(
    external('w.bin', { dims: [1000] }, ['offset', '2000'], ['length', '4000'], ['checksum', 'abc']), { ...external('w.bin', {}, ['offset', '8']), name: 'v' }, { ...external('w.bin', {}, ['offset', '8']), name: 'same' },
  ), { external: () => large });

  it('is not read before somebody asks', () => {
    const before = large.reads.bytes;
    const [w, v] = model().graph.constants;
    expect(large.reads.bytes).to.equal(before);
    expect(w!.tensor!.storage.external).to.deep.equal({ location: 'w.bin', entries: [['location', 'w.bin'], ['offset', '2000'], ['length', '4000'], ['checksum', 'abc']] });
    expect(v!.tensor!.bytes()).to.deep.equal(weights.subarray(8, 16));
  });

  it('goes to a side file from the threshold on, each tensor at the start of a page, as ranges of the old file; shared bytes stay shared', () => {
    const { model: chunks, external: pieces } = writeModel(model(), { external: { location: 'new.bin', threshold: 8 } });
    const file = joinChunks(pieces!);
    expect(pieces!.filter((piece) => !(piece instanceof Uint8Array))).to.have.length(2);
    const again = readModel(memorySource(joinChunks(chunks)), { external: () => memorySource(file) });
    for (const [index, value] of [...model().graph.constants].entries()) {
      const copy = [...again.graph.constants][index]!;
      expect(Buffer.from(copy.tensor!.bytes()).equals(value.tensor!.bytes())).to.equal(true);
      expect(Number(copy.tensor!.storage.external!.entries[1]![1]) % 4096).to.equal(0);
    }
    const { external: none } = writeModel(model(), { external: { location: 'new.bin', threshold: 5000 } });
    expect(none).to.deep.equal([]);
  });

  it('is not written under a name that readers refuse', () => {
    for (const location of ['a\\b', 'C:w', '../w', '']) expect(diagnosticOf(() => writeModel(model(), { external: { location } })), location).to.include({ code: 'model/external-path' });
  });

  it('comes into the model by default', () => {
    const again = readModel(memorySource(write(model())));
    expect([...again.graph.constants].map(({ tensor }) => tensor!.byteLength)).to.deep.equal([4000, 8, 8]);
  });
});
