import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openModelFile, writeFiles } from '../../../compiler/files/model-file.ts';
import { joinChunks, type ByteRange } from '../../../ir/bytes.ts';
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
    ['a folder', () => { mkdirSync(join(folder, 'w.bin')); }, 'model/', /./],
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

  it('writes all files or none, and leaves no temporary ones', () => {
    const paths = ['a.bin', 'b.bin'].map((name) => join(folder, name));
    writeFileSync(paths[0]!, 'old');
    const broken: ByteRange = { source: { name: 's', size: 9, read() { throw new Error('disk on fire'); } }, offset: 0, length: 9 };
    expect(diagnosticOf(() => { writeFiles([{ path: paths[0]!, chunks: [data] }, { path: paths[1]!, chunks: [broken] }]); })).to.include({ code: 'output/unwritable' });
    expect(readdirSync(folder)).to.deep.equal(['a.bin']);
    expect(readFileSync(paths[0]!, 'utf8')).to.equal('old');
    writeFiles(paths.map((path) => ({ path, chunks: [data, data] })));
    expect(paths.map((path) => readFileSync(path).length)).to.deep.equal([16, 16]);
    expect(readdirSync(folder)).to.deep.equal(['a.bin', 'b.bin']);
  });
});
