import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { openModelFile } from '../../../compiler/files/model-file.ts';
import { checkDestinations, writeFiles } from '../../../compiler/files/write-files.ts';
import { joinChunks, readInto, type ByteRange } from '../../../ir/bytes.ts';
import { encode } from '../../../ir/onnx/encode.ts';
import { writeModel } from '../../../ir/onnx/write.ts';
import { diagnosticOf } from '../../ir/diagnostics.ts';

describe('model files', () => {
  let folder: string;
  let outside: string;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'onnxpress-test-'));
    folder = join(outside, 'model');
    mkdirSync(folder);
  });
  afterEach(() => { rmSync(outside, { recursive: true }); });

  const modelWith = (location: string): string => {
    const path = join(folder, 'm.onnx');
    writeFileSync(path, joinChunks(encode({
      ir_version: 9, opset_import: [{ version: 21 }],
      graph: { name: 'g', initializer: [{ name: 'w', dims: [2], data_type: 1, data_location: 1, external_data: [{ key: 'location', value: location }] }] },
    }, 'ModelProto')));
    return path;
  };
  const data = new Uint8Array(Float32Array.of(1, 2).buffer);

  it('opens a model and its external data, and says which files it opened', () => {
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data', 'w.bin'), data);
    const path = modelWith('data/w.bin');
    const { model, files, close } = openModelFile(path);
    const [w] = model.graph.constants;
    expect(w!.tensor!.floats()).to.deep.equal(Float32Array.of(1, 2));
    expect(files).to.deep.equal([path, join(folder, 'data', 'w.bin')]);
    close();
  });

  const escapes: readonly [what: string, prepare: () => void, code: string, message: RegExp][] = [
    ['a link out of the folder', () => { symlinkSync(join(outside, 'w.bin'), join(folder, 'w.bin')); }, 'model/external-path', /leads out/],
    ['a linked folder', () => { symlinkSync(outside, join(folder, 'sub')); }, 'model/external-path', /leads out/],
    ['a hard link', () => { linkSync(join(outside, 'w.bin'), join(folder, 'w.bin')); }, 'model/external-path', /hard link/],
    ['a pipe', () => { execFileSync('mkfifo', [join(folder, 'w.bin')]); }, 'model/unreadable', /not a regular file/],
    ['a folder', () => { mkdirSync(join(folder, 'w.bin')); }, 'model/unreadable', /not a regular file/],
    ['nothing', () => undefined, 'model/external-path', /does not exist/],
  ];
  for (const [what, prepare, code, message] of escapes) {
    it(`refuses external data that are ${what}`, () => {
      writeFileSync(join(outside, 'w.bin'), data);
      prepare();
      const found = diagnosticOf(() => openModelFile(modelWith(what === 'a linked folder' ? 'sub/w.bin' : 'w.bin')));
      expect(found.code).to.include(code);
      expect(found.message).to.match(message);
      expect(found.file).to.equal(join(folder, code === 'model/unreadable' ? 'w.bin' : 'm.onnx'));
    });
  }

  it('refuses a model that is not there, or is a folder', () => {
    expect(diagnosticOf(() => openModelFile(join(folder, 'none.onnx')))).to.include({ code: 'model/unreadable' });
    expect(diagnosticOf(() => openModelFile(folder))).to.include({ code: 'model/unreadable' });
  });

  it('keeps the weights of a large model in its file, and copies them from there', () => {
    const weights = new Uint8Array(40 * 2 ** 20).fill(7);
    const path = join(folder, 'large.onnx');
    const graph = { name: 'g', initializer: [{ name: 'w', dims: [weights.length], data_type: 2, raw_data: weights }] };
    writeFiles([{ path, chunks: encode({ ir_version: 9, graph }, 'ModelProto') }]);
    const { model, close } = openModelFile(path);
    const chunks = writeModel(model).model;
    expect(chunks.some((chunk) => !(chunk instanceof Uint8Array) && chunk.length === weights.length)).to.equal(true);
    // Over the very file that is being read: the old one lives until it is closed.
    const before = readFileSync(path);
    writeFiles([{ path, chunks }]);
    close();
    expect(readFileSync(path).equals(before)).to.equal(true);
  });

  it('reads small files at once, and of many no more than 32 MiB', () => {
    const sizes = [20, 20, 4].map((mebibytes) => mebibytes * 2 ** 20);
    const initializer = sizes.map((size, index) => {
      writeFileSync(join(folder, `${index}.bin`), new Uint8Array(size).fill(index + 1));
      return { name: `w${index}`, dims: [size], data_type: 2, data_location: 1, external_data: [{ key: 'location', value: `${index}.bin` }] };
    });
    const path = join(folder, 'm.onnx');
    writeFileSync(path, joinChunks(encode({ ir_version: 9, opset_import: [{ version: 21 }], graph: { name: 'g', initializer } }, 'ModelProto')));
    const { model, close } = openModelFile(path);
    const sources = [...model.graph.constants].map(({ tensor }) => (tensor!.chunk() as ByteRange).source);
    expect(sources.map(({ memory }) => memory?.length)).to.deep.equal([sizes[0], undefined, sizes[2]]);
    for (const [index, source] of sources.entries()) {
      const target = new Uint8Array(3);
      readInto(source, sizes[index]! - 3, target);
      expect([...target]).to.deep.equal(new Array(3).fill(index + 1));
      expect(diagnosticOf(() => { readInto(source, sizes[index]! - 2, target); })).to.include({ code: 'model/truncated' });
    }
    close();
  });
});

describe('written files', () => {
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'onnxpress-test-')); });
  afterEach(() => { rmSync(folder, { recursive: true }); });
  const data = new Uint8Array(Float32Array.of(1, 2).buffer);
  const at = (name: string): string => join(folder, name);

  it('are what the pieces say, however these lie to the buffer', () => {
    const noise = Uint8Array.from({ length: 3 * 2 ** 20 + 7 }, (_, index) => (index * 2654435761) >>> 13);
    const source = { name: 's', size: noise.length, read: (offset: number, length: number) => noise.subarray(offset, offset + length) };
    const chunks = [data, noise.subarray(1), { source, offset: 5, length: noise.length - 9 }, data, { source, offset: 0, length: 2 ** 20 - 16 }, new Uint8Array(0), data.subarray(3)];
    writeFiles([{ path: at('a.bin'), chunks }]);
    expect(readFileSync(at('a.bin')).equals(joinChunks(chunks))).to.equal(true);
  });

  it('are all there or none, with no temporary ones', () => {
    const paths = ['a.bin', 'b.bin'].map(at);
    writeFileSync(paths[0]!, 'old');
    const broken: ByteRange = { source: { name: 's', size: 9, read() { throw new Error('disk on fire'); } }, offset: 0, length: 9 };
    expect(diagnosticOf(() => { writeFiles([{ path: paths[0]!, chunks: [data] }, { path: paths[1]!, chunks: [broken] }]); })).to.include({ code: 'output/unwritable' });
    expect(readdirSync(folder)).to.deep.equal(['a.bin']);
    expect(readFileSync(paths[0]!, 'utf8')).to.equal('old');
    writeFiles(paths.map((path) => ({ path, chunks: [data, data] })));
    expect(paths.map((path) => readFileSync(path).length)).to.deep.equal([16, 16]);
    expect(readdirSync(folder)).to.deep.equal(['a.bin', 'b.bin']);
  });

  it('leave everything as it was where one cannot be renamed into its place', () => {
    writeFileSync(at('old.bin'), 'old');
    // The second file turns into a folder when its place was looked at, and the files before it are in theirs.
    const late: ByteRange = { source: { name: 's', size: 1, read() { mkdirSync(at('late.bin')); return new Uint8Array(1); } }, offset: 0, length: 1 };
    const files = [{ path: at('old.bin'), chunks: [data] }, { path: at('new/new.bin'), chunks: [data] }, { path: at('late.bin'), chunks: [late] }];
    expect(diagnosticOf(() => { writeFiles(files); })).to.include({ code: 'output/unwritable' });
    expect(readdirSync(folder)).to.deep.equal(['late.bin', 'old.bin']);
    expect(readFileSync(at('old.bin'), 'utf8')).to.equal('old');
  });

  it('are refused before anything is written where a folder stands, or a file in place of a folder', () => {
    mkdirSync(at('model.onnx'));
    writeFileSync(at('file'), 'a file');
    for (const path of ['model.onnx', 'file/model.onnx', 'file/deep/model.onnx', 'nul\0.onnx'].map(at)) {
      const error = diagnosticOf(() => { writeFiles([{ path: at('deep/er/first.bin'), chunks: [data] }, { path, chunks: [data] }]); });
      expect(error, path).to.include({ code: 'output/unwritable' });
      expect(readdirSync(folder), path).to.deep.equal(['file', 'model.onnx']);
    }
  });

  it('replace a link, not what it leads to', () => {
    writeFileSync(at('there.bin'), 'there');
    symlinkSync('there.bin', at('link.bin'));
    writeFiles([{ path: at('link.bin'), chunks: [data] }]);
    expect([readFileSync(at('link.bin')).length, readFileSync(at('there.bin'), 'utf8')]).to.deep.equal([8, 'there']);
  });

  it('may be neither what is read nor each other, whichever way leads there', () => {
    mkdirSync(at('real/sub'), { recursive: true });
    symlinkSync('real', at('link'));
    const [input, other] = [at('real/in.onnx'), at('real/sub/none/out.onnx')];
    const refused: [outputs: string[], message: RegExp][] = [
      [[input], /^in\.onnx would overwrite a file that is read$/],
      [[at('link/in.onnx')], /^in\.onnx would overwrite in\.onnx, which is read$/],
      [[other, other], /^two outputs would be written to out\.onnx$/],
      [[other, at('link/sub/none/out.onnx')], /^two outputs would be written to out\.onnx, which is out\.onnx as well$/],
    ];
    for (const [outputs, message] of refused) {
      const error = diagnosticOf(() => { checkDestinations(outputs, [input], basename); });
      expect(error).to.include({ code: 'output/conflict' });
      expect(error.message).to.match(message);
    }
    checkDestinations([other, at('real/sub/in.onnx')], [input]);
  });
});
