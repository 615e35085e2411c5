import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { joinChunks, memorySource, type ByteSource } from '../../../ir/bytes.ts';
import { decode } from '../../../ir/onnx/decode.ts';
import { encode } from '../../../ir/onnx/encode.ts';
import { messages, type MessageName, type Messages, type ModelProto } from '../../../ir/onnx/fields.ts';
import { shared } from '../../paths.ts';
import { codeOf, diagnosticOf } from '../diagnostics.ts';
import { arbitraryMessage, everything } from './messages.ts';
import { camelCase, canonical, fileLike, onnxProto, oracle, ours, protobufjs } from './oracle.ts';

const folder = shared === undefined ? undefined : join(shared, 'models');
const models = folder === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith('.onnx'));

const read = (bytes: Uint8Array): ModelProto => decode(memorySource(bytes), 'ModelProto');
const write = <N extends MessageName = 'ModelProto'>(message: Messages[N], name = 'ModelProto' as N): Uint8Array => joinChunks(encode(message, name));
const oracleModel = oracle.lookupType('ModelProto');

describe('ONNX wire codec: real models', () => {
  if (folder === undefined) it('skipped: ../shared/models is absent');
  for (const name of models) {
    it(`${name} is read as protobufjs and onnx-proto read it, and written byte for byte, from memory and from a file`, () => {
      const bytes = readFileSync(join(folder!, name));
      const model = read(bytes);
      const text = canonical(model, ours);
      expect(text === canonical(oracleModel.decode(bytes), protobufjs), 'protobufjs').to.equal(true);
      // onnx-proto knows IR 8; newer models here use no newer field.
      expect(text === canonical(onnxProto.ModelProto.decode(bytes), camelCase), 'onnx-proto').to.equal(true);
      expect(bytes.equals(write(model)), 'same bytes').to.equal(true);
      const lazy = decode(fileLike(bytes), 'ModelProto');
      expect(canonical(lazy, ours) === text, 'lazy').to.equal(true);
      expect(bytes.equals(write(lazy)), 'same bytes when lazy').to.equal(true);
    });
  }
});

describe('ONNX wire codec: every field', () => {
  const covered = new Set<string>();
  const model = everything(covered);
  const bytes = write(model);

  it('covers the whole schema', () => {
    const all = [...messages.values()].flatMap(({ name, fields }) => fields.map((field) => `${name}.${field.name}`));
    expect([...covered]).to.have.members(all);
  });

  it('is read as protobufjs reads it, unknown fields included', () => {
    expect(canonical(read(bytes), ours)).to.equal(canonical(oracleModel.decode(bytes), protobufjs));
    expect(read(bytes)).to.deep.equal(model);
  });

  it('is written as protobufjs writes it', () => {
    const theirs = oracleModel.encode(oracleModel.decode(bytes)).finish();
    expect(Buffer.from(bytes).equals(theirs)).to.equal(true);
  });

  it('is written byte for byte', () => {
    expect(Buffer.from(write(read(bytes))).equals(bytes)).to.equal(true);
    expect(Buffer.from(write(decode(fileLike(bytes), 'ModelProto'))).equals(bytes)).to.equal(true);
  });
});

describe('ONNX wire codec: laws', () => {
  for (const [name, depth] of [['ModelProto', 5], ['GraphProto', 4], ['NodeProto', 3], ['TensorProto', 2], ['AttributeProto', 2], ['TypeProto', 5], ['FunctionProto', 3]] as const) {
    it(`decode undoes encode: ${name}`, () => {
      fc.assert(fc.property(arbitraryMessage(name, depth), (message) => {
        if (name === 'ModelProto') (message as ModelProto).ir_version ??= 1;
        const bytes = write(message, name);
        expect(decode(memorySource(bytes), name)).to.deep.equal(message);
        expect(canonical(oracle.lookupType(name).decode(bytes), protobufjs, name)).to.equal(canonical(message, ours, name));
        expect(Buffer.from(write(decode(fileLike(bytes), name), name)).equals(bytes)).to.equal(true);
      }), { numRuns: 60, seed: 7 });
    });
  }
});

/** One field as bytes: number, wire type, content. */
const field = (number: number, wire: number, ...content: number[]): number[] => [...varint(number * 8 + wire), ...content];
const inside = (number: number, ...content: number[]): number[] => field(number, 2, ...varint(content.length), ...content);
function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}
const tensor = (...content: number[]): ReturnType<typeof decode<'TensorProto'>> => decode(memorySource(Uint8Array.from(content)), 'TensorProto');
const minusOne = [0xff, 0xff, 0xff, 0xff, 0x0f];

describe('ONNX wire codec: forms', () => {
  it('keeps explicit zeros and absent fields apart', () => {
    expect(tensor(...field(2, 0, 0))).to.deep.equal({ data_type: 0 });
    expect(Array.from(write({ data_type: 0, name: '' }, 'TensorProto'))).to.deep.equal([...field(2, 0, 0), ...field(8, 2, 0)]);
    expect(write({}, 'TensorProto')).to.have.length(0);
  });

  it('reads integers of 64 bits as numbers where they are exact, else as bigints', () => {
    const nines = (last: number): number[] => [...Array.from({ length: 9 }, () => 0xff), last];
    expect(tensor(...field(1, 0, ...nines(1)), ...field(1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)).dims).to.deep.equal([-1, 2n ** 53n]);
    expect(tensor(...field(1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).dims).to.deep.equal([2 ** 53 - 1]);
    expect(tensor(...field(11, 0, ...nines(1))).uint64_data).to.deep.equal(BigUint64Array.of(2n ** 64n - 1n));
    expect(tensor(...field(7, 0, ...nines(1))).int64_data).to.deep.equal(BigInt64Array.of(-1n));
  });

  it('accepts repeated scalars packed and unpacked, in pieces', () => {
    expect(tensor(...inside(1, 1, 2), ...field(1, 0, 3)).dims).to.deep.equal([1, 2, 3]);
    const floats = tensor(...inside(4, 0, 0, 128, 63), ...field(4, 5, 0, 0, 0, 64), ...inside(4, 0, 0, 64, 64, 0, 0, 128, 64)).float_data;
    expect(floats).to.deep.equal(Float32Array.of(1, 2, 3, 4));
    expect(tensor(...field(4, 2, 0), ...field(1, 2, 0))).to.deep.equal({});
  });

  it('keeps signalling NaNs in float_data', () => {
    const bytes = Uint8Array.from([...inside(4, 1, 0, 0xa0, 0x7f), ...field(4, 5, 1, 0, 0xa0, 0x7f)]);
    expect(Array.from(write(decode(memorySource(bytes), 'TensorProto'), 'TensorProto'))).to.deep.equal([...inside(4, 1, 0, 0xa0, 0x7f, 1, 0, 0xa0, 0x7f)]);
  });

  const compact: readonly [what: string, bytes: number[], written: number[]][] = [
    ['packed dims stay packed', inside(5, ...inside(1, 1, 2, 3)), inside(5, ...inside(1, 1, 2, 3))],
    ['one packed dim is shorter unpacked', inside(5, ...inside(1, 1)), inside(5, ...field(1, 0, 1))],
    ['one unpacked float stays unpacked', inside(5, ...field(4, 5, 0, 0, 0, 0)), inside(5, ...field(4, 5, 0, 0, 0, 0))],
    ['a negative int32 of five bytes stays short', inside(5, ...field(2, 0, ...minusOne)), inside(5, ...field(2, 0, ...minusOne))],
    ['numbers that were padded shrink', inside(5, ...field(1, 0, 0x81, 0x80, 0x00)), inside(5, ...field(1, 0, 1))],
  ];
  for (const [what, graph, written] of compact) {
    it(`never grows: ${what}`, () => {
      const bytes = Uint8Array.from([...field(1, 0, 8), ...inside(7, ...graph)]);
      const out = write(read(bytes));
      expect(Array.from(out)).to.deep.equal([...field(1, 0, 8), ...inside(7, ...written)]);
      expect(write(read(out))).to.deep.equal(out);
    });
  }

  it('takes the last of a singular field, merges messages, and lets members of a oneof displace each other', () => {
    expect(tensor(...field(2, 0, 1), ...field(2, 0, 7), ...inside(3, ...field(1, 0, 5)), ...inside(3, ...field(2, 0, 6)))).to.deep.equal({ data_type: 7, segment: { begin: 5, end: 6 } });
    const dim = decode(memorySource(Uint8Array.from([...field(1, 0, 4), ...inside(2, 78)])), 'TensorShapeProto.Dimension');
    expect(dim).to.deep.equal({ dim_param: 'N' });
  });

  it('keeps unknown numbers and unexpected wire types, joined where they adjoin, and writes them last', () => {
    const wrong = field(2, 5, 1, 2, 3, 4);
    const unknown = [0xfa, 0x01, 2, 9, 9];
    const bytes = Uint8Array.from([...wrong, ...unknown, ...field(2, 0, 1), ...unknown]);
    const message = decode(memorySource(bytes), 'TensorProto');
    expect(message).to.deep.equal({ data_type: 1, unknown: [Uint8Array.from([...wrong, ...unknown]), Uint8Array.from(unknown)] });
    expect(Array.from(write(message, 'TensorProto'))).to.deep.equal([...field(2, 0, 1), ...wrong, ...unknown, ...unknown]);
  });

  it('carries invalid UTF-8 through text fields, as surrogateescape does', () => {
    for (const raw of [[0xe9], [0x63, 0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98, 0x80, 0xff], [0xef, 0xbb, 0xbf, 0x61], [0xc0, 0x80, 0xf5, 0x80], [0xe0, 0x80, 0x80]]) {
      for (const name of [raw, [...raw, ...Array.from({ length: 5000 }, (_, i) => 97 + (i % 26)), ...raw]]) {
        const bytes = inside(8, ...name);
        const message = tensor(...bytes);
        expect(Array.from(write(message, 'TensorProto'))).to.deep.equal(bytes);
      }
    }
    expect(tensor(...inside(8, 0x63, 0xe9)).name).to.equal('c\udce9');
    expect(codeOf(() => write({ name: 'a\ud800' }, 'TensorProto'))).to.equal('model/text');
  });

  it('refuses integers that do not fit', () => {
    const wrong: readonly [Messages['TensorProto']][] = [[{ data_type: 2 ** 31 }], [{ data_type: 1.5 }], [{ dims: [2 ** 53] }], [{ dims: [2n ** 63n] }], [{ dims: [NaN] }]];
    for (const [message] of wrong) expect(codeOf(() => write(message, 'TensorProto'))).to.equal('model/number');
  });
});

describe('ONNX wire codec: payloads', () => {
  const weights = new Uint8Array(100_000).map((_, i) => i * 7);
  const model: ModelProto = { ir_version: 8, graph: { initializer: [{ raw_data: weights, float_data: new Float32Array(weights.buffer, 0, 5000) }, { raw_data: weights.subarray(0, 100) }] } };

  it('are views of a source in memory and references in what is written, never copies', () => {
    const bytes = write(model);
    const [tensor] = read(bytes).graph!.initializer!;
    expect((tensor!.raw_data as Uint8Array).buffer).to.equal(bytes.buffer);
    expect(encode(model, 'ModelProto').filter((chunk) => chunk instanceof Uint8Array && chunk.buffer === weights.buffer)).to.have.length(2);
  });

  it('of 4 KiB or more stay in the file', () => {
    const bytes = write(model);
    const [large, small] = decode(fileLike(bytes), 'ModelProto').graph!.initializer!;
    expect(large!.raw_data).to.include({ length: weights.length });
    expect(large!.raw_data).not.to.be.instanceOf(Uint8Array);
    expect(small!.raw_data).to.deep.equal(weights.subarray(0, 100));
  });

  it('of a file of 6 GB are skipped: kilobytes are read, offsets beyond 2^32 are right, and it is written by reference', () => {
    const large = 3 * 2 ** 30;
    const prefix = (number: number, length: number): number[] => field(number, 2, ...varint(length));
    const head = (name: number): number[] => [...inside(8, name), ...prefix(9, large)];
    const item = (name: number): number[] => [...prefix(5, head(name).length + large), ...head(name)];
    const graph = 2 * (item(97).length + large);
    const start = Uint8Array.from([...field(1, 0, 8), ...prefix(7, graph), ...item(97)]);
    const second = Uint8Array.from(item(98));
    const parts: readonly [number, Uint8Array][] = [[0, start], [start.length + large, second]];
    let asked = 0;
    const source: ByteSource = {
      name: 'huge.onnx', size: start.length + second.length + 2 * large,
      read(offset, length) {
        asked += length;
        const bytes = new Uint8Array(length);
        for (const [at, part] of parts) for (let i = Math.max(0, offset - at); i < Math.min(part.length, offset - at + length); i++) bytes[at + i - offset] = part[i]!;
        return bytes;
      },
    };
    const huge = decode(source, 'ModelProto');
    expect(huge.graph!.initializer!.map(({ name, raw_data: raw }) => [name, raw!.length, (raw as { offset: number }).offset]))
      .to.deep.equal([['a', large, start.length], ['b', large, start.length + large + second.length]]);
    expect(asked).to.be.below(300_000);
    const chunks = encode(huge, 'ModelProto');
    expect(chunks.map(({ length }) => length)).to.deep.equal([start.length, large, second.length, large]);
    expect([chunks[0], chunks[2]]).to.deep.equal([start, second]);
  });
});

const node = (...content: number[]): number[] => [...field(1, 0, 8), ...inside(7, ...inside(1), ...inside(1, ...content))];
const hostile: readonly [what: string, bytes: number[], code: string, message: RegExp][] = [
  ['an empty file', [], 'model/empty', /^buffer is empty/],
  ['text', [...Buffer.from('name: resnet\nlayers: 50\n')], 'model/not-onnx', /it is a text file/],
  ['a zip', [0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0], 'model/not-onnx', /zip/],
  ['HTML', [...Buffer.from('<!DOCTYPE html><html>')], 'model/not-onnx', /HTML/],
  ['a git-lfs pointer', [...Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n')], 'model/not-onnx', /git-lfs/],
  ['TFLite', [0x1c, 0, 0, 0, ...Buffer.from('TFL3'), 0, 0], 'model/not-onnx', /TensorFlow Lite/],
  ['a message that is no model', field(50, 0, 1), 'model/not-onnx', /neither an IR version nor a graph/],
  ['a length beyond the file', [...field(1, 0, 8), ...field(7, 2, 100), 1], 'model/truncated', /at byte 4, in graph: the file ends at byte 5, where 100 more/],
  ['a length of 2^63', [...field(1, 0, 8), ...field(7, 2, 255, 255, 255, 255, 255, 255, 255, 255, 127)], 'model/truncated', /in graph/],
  ['a length beyond the message around it', [...node(...field(3, 2, 20), 65), ...inside(2, ...Array.from({ length: 40 }, () => 65))], 'model/malformed', /at byte 9, in graph\.node\[1\]\.name: a length of 20 bytes is more than the 1 bytes left/],
  ['a number that runs out of its message', [...node(...inside(5, ...field(3, 0, 0x80))), 1], 'model/malformed', /in graph\.node\[1\]\.attribute\[0\]\.i: a value goes beyond/],
  ['a number cut off at the end', [...field(1, 0, 0x80)], 'model/truncated', /in ir_version/],
  ['a number of 11 bytes', [...field(1, 0, ...Array.from({ length: 10 }, () => 0x80), 1)], 'model/malformed', /more than 64 bits/],
  ['a number beyond 64 bits', [...field(1, 0, ...Array.from({ length: 9 }, () => 0xff), 2)], 'model/malformed', /more than 64 bits/],
  ['a float cut off', node(...inside(5, ...field(2, 5, 1, 2))), 'model/truncated', /attribute\[0\]\.f/],
  ['half a packed float', node(...inside(5, ...inside(5, ...inside(4, 1, 2, 3)))), 'model/malformed', /attribute\[0\]\.t\.float_data: 3 bytes are not/],
  ['a group', node(...field(20, 3), ...field(20, 4)), 'model/malformed', /groups/],
  ['wire type 7', node(...field(1, 7)), 'model/malformed', /no wire type 7/],
  ['field number 0', node(0, 0), 'model/malformed', /no field can have this tag/],
];

describe('ONNX wire codec: hostile bytes', () => {
  for (const [what, list, code, message] of hostile) {
    it(`refuses ${what}`, () => {
      const bytes = Uint8Array.from(list);
      for (const source of [memorySource(bytes), fileLike(bytes, 'buffer')]) {
        const found = diagnosticOf(() => decode(source, 'ModelProto'));
        expect(found).to.include({ code, file: 'buffer' });
        expect(found.message).to.match(message);
        expect(found.suggestion).to.be.a('string');
      }
    });
  }

  it('refuses nesting beyond the limit, and only that', () => {
    const nested = (levels: number): Uint8Array => {
      let graph = field(2, 2, 0);
      for (let level = 0; level < levels; level++) graph = inside(1, ...inside(5, ...inside(6, ...graph)));
      return Uint8Array.from([...field(1, 0, 8), ...inside(7, ...graph)]);
    };
    expect(write(read(nested(33)))).to.deep.equal(nested(33));
    const found = diagnosticOf(() => read(nested(34)));
    expect(found.code).to.equal('model/too-deep');
    expect(found.message).to.match(/graph\.node\[0\]\.attribute\[0\]\.g\.node\[0\]/);
    expect(decode(memorySource(nested(300)), 'ModelProto', { depth: 1000 })).to.have.property('graph');
    expect(codeOf(() => decode(memorySource(nested(340)), 'ModelProto', { depth: Infinity }))).to.equal('model/too-deep');
    const endless: Messages['GraphProto'] = {};
    endless.node = [{ attribute: [{ g: endless }] }];
    expect(codeOf(() => encode({ graph: endless }, 'ModelProto'))).to.equal('model/too-deep');
  });

  it('stops at the memory limit, for each kind of element', () => {
    const bombs = [inside(1), inside(1, ...inside(1)), inside(1, ...inside(5, ...inside(8, 1, 1))), inside(1, ...inside(5, ...inside(9))), inside(5, ...inside(7, 1, 1)), [...inside(1), 0xfa, 0x01, 0]];
    for (const bomb of bombs) {
      const graph = Uint8Array.from(Array.from({ length: 30_000 }, () => bomb).flat());
      const bytes = write({ ir_version: 8, graph: { unknown: [graph] } });
      expect(codeOf(() => decode(memorySource(bytes), 'ModelProto', { memory: 2 ** 17 }))).to.equal('model/too-large');
      expect(decode(fileLike(bytes), 'ModelProto')).to.have.property('graph');
    }
  });

  it('gathers a hundred thousand pieces of one field', () => {
    const pieces = Uint8Array.from(Array.from({ length: 100_000 }, () => inside(5, 0x22, 4, 0, 0, 128, 63)).flat());
    const [attribute] = read(write({ ir_version: 8, graph: { node: [{ attribute: [{ unknown: [pieces] }] }] } })).graph!.node![0]!.attribute!;
    expect(attribute!.t!.float_data).to.deep.equal(new Float32Array(100_000).fill(1));
  });

  it('every truncation of a model is a Diagnostic or a model', () => {
    const bytes = write(everything());
    for (let length = 0; length < bytes.length; length += 61) {
      try {
        read(bytes.subarray(0, length));
      } catch (error) {
        expect((error as { code?: string }).code).to.match(/^model\/(empty|truncated|malformed|not-onnx)$/);
      }
    }
  });
});
