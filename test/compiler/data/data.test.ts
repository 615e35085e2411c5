import { mkdtempSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { parseCsv } from '../../../compiler/data/csv.ts';
import { findFiles } from '../../../compiler/data/glob.ts';
import { openData } from '../../../compiler/data/open.ts';
import { sizesOf } from '../../../compiler/data/sizes.ts';
import { candidates, chosenRows, isCandidate } from '../../../compiler/data/selection.ts';
import type { ReaderSettings } from '../../../compiler/data/settings.ts';
import type { Diagnostic } from '../../../ir/diagnostic.ts';
import type { Model } from '../../../ir/model.ts';
import { joinChunks } from '../../../ir/bytes.ts';
import { encode } from '../../../ir/onnx/encode.ts';
import { writeTensor } from '../../../ir/onnx/tensor-proto.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Label } from '../../../passes/data.ts';
import { npy } from './npy.ts';

/** A zip archive of one deflated entry x.npy of zeros, whose header claims another length. */
function zip(claimed: number, length: number): Uint8Array {
  const bytes = zipSync({ 'x.npy': new Uint8Array(length) });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < bytes.length - 4; at++) {
    const signature = view.getUint32(at, true);
    if (signature === 0x04034b50) view.setUint32(at + 22, claimed, true);
    if (signature === 0x02014b50) view.setUint32(at + 24, claimed, true);
  }
  return bytes;
}

const modelWith = (inputs: string): Model => parseModel(`<ir_version: 8, opset_import: ["": 17]> g (${inputs}) => () { }`);

const floats = (...numbers: number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);

describe('data of a recipe', () => {
  let folder: string;
  const write = (name: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'onnxpress-data-'));
    write('x.bin', floats(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    write('pixels.bin', Uint8Array.from({ length: 24 }, (_, index) => index));
    write('a1.npy', npy('<f4', [2, 3], floats(1, 2, 3, 4, 5, 6)));
    write('a2.npy', npy('>f4', [1, 3], floats(9, 8, 7).reverse()));
    write('xy.npz', zipSync({ 'x.npy': npy('<f4', [2, 1], floats(1, 2)), 'y.npy': npy('|u1', [2], Uint8Array.of(3, 4)) }));
    write('nan.bin', floats(0, NaN));
    write('labels.csv', 'row,label\n0,cat\n1,dog\n2,cat\n3,cat\n4,dog\n');
    write('t0.pb', joinChunks(encode(writeTensor(Tensor.of('float', [5, 6], [1, 2]), 'x'), 'TensorProto')));
    write('reader.mjs', 'export default async function* ({ inputs }) { for (let i = 0; i < 7; i++) yield { data: Float32Array.of(i, i), label: i % 2 }; }');
    write('once.mjs', 'export default (function* () { yield { data: [1, 2] }; yield { data: [3, 4] }; })();');
    write('short.mjs', 'export default () => [{ feeds: { z: [1] } }];');
    write('column.npy', npy('<f4', [2, 2], floats(1, 3, 2, 4), true));
    write('one-column.npy', npy('<f4', [2, 1], floats(1, 2), true));
    write('long.npy', npy('>i8', [2, 1], Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7, 255, 255, 255, 255, 255, 255, 255, 254)));
    write('half.npy', npy('<f2', [1, 2], Uint8Array.of(0, 0x3c, 0, 0xc0)));
    write('texts.npy', npy('<U3', [2], new Uint8Array(24)));
    write('empty-rows.npy', npy('<f4', [4000000000, 0], new Uint8Array(0)));
    write('short.npy', npy('<f4', [3, 2], floats(1, 2)));
    write('bomb.npz', zip(2 ** 31 - 1, 2 ** 20));
    write('lies.npz', zip(16, 2 ** 20));
    write('numbers.npz', zipSync({ 'x.npy': new Uint8Array(8) }));
    write('scalars.bin', floats(1, 2, 3, 4, 5));
    write('announces.mjs', 'export const count = 4; export default function* () { yield { data: [1, 2] }; yield { data: [3, 4] }; }');
    write('folder.mjs', 'export const files = ["."]; export default function* () { yield { data: [1, 2] }; }');
    for (let index = 0; index < 200; index++) write(`many/${String(index).padStart(3, '0')}.npy`, npy('<f4', [1, 1], floats(index)));
    write('broken.jpg', 'no image');
    write('cats/1.txt', '');
    write('dogs/.hidden/2.txt', '');
    write('dogs/3.txt', '');
  });
  after(() => { rmSync(folder, { recursive: true, force: true }); });

  interface Read {
    readonly rows: number[][];
    readonly shapes: string[];
    readonly labels: Label[];
    readonly warnings: string[];
    readonly key: string;
    readonly count: number | undefined;
  }

  async function read(settings: ReaderSettings, inputs = 'float[N,2] x', size?: number): Promise<Read> {
    const warnings: string[] = [];
    const source = await openData('d', settings, { model: modelWith(inputs), folder, warn: ({ code }) => warnings.push(code) });
    const [rows, shapes, labels]: [number[][], string[], Label[]] = [[], [], []];
    for await (const batch of source.batches(size === undefined ? {} : { size })) {
      for (const [name, tensor] of batch.feeds) {
        shapes.push(`${name}${JSON.stringify(tensor.shape)}`);
        rows.push([...tensor.floats()]);
      }
      labels.push(...batch.labels ?? []);
    }
    return { rows, shapes, labels, warnings, key: source.key, count: source.count };
  }

  async function failure(settings: ReaderSettings, inputs?: string): Promise<Diagnostic> {
    try {
      await read(settings, inputs);
    } catch (error) {
      return error as Diagnostic;
    }
    throw new Error('it was read');
  }

  const nhwc = (preset: 'none' | 'imagenet-caffe', shape: number[]): ReaderSettings => ({ raw: 'pixels.bin', shape, dtype: 'uint8', preprocess: { preset, from: 'nhwc', mean: 0 } });
  const good: readonly { readonly what: string; readonly data: ReaderSettings; readonly inputs?: string; readonly size?: number; readonly rows: number[][]; readonly shapes?: string[] }[] = [
    { what: 'raw', data: { raw: 'x.bin', samples: 2 }, rows: [[0, 1, 2, 3]], shapes: ['x[2,2]'] },
    { what: 'raw with an offset and every other row', data: { raw: 'x.bin', offset: 8, every: 2 }, rows: [[2, 3, 6, 7]] },
    { what: 'the rows that every leaves', data: { raw: 'x.bin', except: 2 }, rows: [[2, 3, 6, 7]] },
    { what: 'two .npy files, one big-endian', data: { npy: 'a*.npy' }, inputs: 'float[N,3] x', size: 2, rows: [[1, 2, 3, 4, 5, 6], [7, 8, 9]], shapes: ['x[2,3]', 'x[1,3]'] },
    { what: 'npz for two inputs', data: { npz: 'xy.npz' }, inputs: 'float[N,1] x, uint8[N] y', rows: [[1, 2], [3, 4]], shapes: ['x[2,1]', 'y[2]'] },
    { what: 'TensorProto with a batch axis of its own', data: { pb: 't*.pb' }, rows: [[5, 6]], shapes: ['x[1,2]'] },
    { what: 'a literal batch', data: { raw: 'x.bin', samples: 4 }, inputs: 'float[2,2] x', rows: [[0, 1, 2, 3], [4, 5, 6, 7]] },
    { what: 'inputs that share no batch: one whole sample a run', data: { inputs: { x: { raw: 'x.bin', shape: [2] }, s: { value: 0 }, r: { value: 16 } }, samples: 1 }, inputs: 'float[A,B] x, float[2,C,1] s, int64 r', rows: [[0, 1], [0, 0], [16]], shapes: ['x[1,2]', 's[2,1,1]', 'r[]'] },
    { what: 'a state with the batch on another axis: one sample a run', data: { inputs: { x: { raw: 'x.bin' }, s: { value: 0 } }, samples: 2 }, inputs: 'float[N,2] x, float[2,N,1] s', rows: [[0, 1], [0, 0], [2, 3], [0, 0]], shapes: ['x[1,2]', 's[2,1,1]', 'x[1,2]', 's[2,1,1]'] },
    { what: 'a scalar beside a batch', data: { inputs: { x: { raw: 'x.bin' }, r: { value: 0.5 } }, samples: 2 }, inputs: 'float[N,2] x, float r', rows: [[0, 1, 2, 3], [0.5]], shapes: ['x[2,2]', 'r[]'] },
    { what: 'a scalar of its own for each sample: one sample a run', data: { inputs: { x: { raw: 'x.bin' }, r: { raw: 'scalars.bin' } }, samples: 2 }, inputs: 'float[N,2] x, float r', rows: [[0, 1], [1], [2, 3], [2]], shapes: ['x[1,2]', 'r[]', 'x[1,2]', 'r[]'] },
    { what: 'a column, in whichever order', data: { npy: 'one-column.npy' }, inputs: 'float[N,1] x', rows: [[1, 2]] },
    { what: 'big-endian int64', data: { npy: 'long.npy' }, inputs: 'int64[N,1] x', rows: [[7, -2]] },
    { what: 'float16', data: { npy: 'half.npy' }, inputs: 'float16[N,2] x', rows: [[1, -2]] },
    { what: 'NHWC pixels for an NCHW input', data: nhwc('none', [2, 2, 3]), inputs: 'float[N,3,2,2] x', size: 1, rows: [[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11], [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]] },
    { what: 'BGR', data: { ...nhwc('imagenet-caffe', [1, 1, 3]), samples: 1 }, inputs: 'float[N,3,1,1] x', rows: [[2, 1, 0]] },
    { what: 'scale, then mean and std by channel', data: { raw: 'pixels.bin', shape: [1, 1, 3], dtype: 'uint8', preprocess: { layout: 'nhwc', scale: 2, mean: [1, 2, 3], std: [1, 2, 4] }, samples: 1 }, inputs: 'float[N,1,1,3] x', rows: [[-1, 0, 0.25]] },
    { what: 'a module', data: { module: 'reader.mjs', every: 3 }, rows: [[0, 0, 3, 3, 6, 6]] },
    { what: 'a module that exports an iterator', data: { module: 'once.mjs' }, rows: [[1, 2, 3, 4]] },
  ];
  for (const { what, data, inputs, size, rows, shapes } of good) {
    it(`reads ${what}`, async () => {
      const found = await read(data, inputs, size);
      expect(found.rows).to.deep.equal(rows);
      if (shapes !== undefined) expect(found.shapes).to.deep.equal(shapes);
      expect(found.warnings).to.deep.equal([]);
    });
  }

  const bad: readonly { readonly code: string; readonly data: ReaderSettings; readonly inputs?: string; readonly says: RegExp }[] = [
    { code: 'data/no-files', data: { images: 'nothing/*.jpg' }, says: /nothing\/\*\.jpg/ },
    { code: 'data/no-files', data: { raw: 'cats' }, says: /folder/ },
    { code: 'data/image', data: { images: '*.jpg', preprocess: 'imagenet' }, inputs: 'float[N,3,224,224] x', says: /broken\.jpg/ },
    { code: 'data/npy', data: { npy: 'x.bin' }, says: /x\.bin/ },
    { code: 'data/npz', data: { npz: 'xy.npz' }, inputs: 'float[N] z', says: /'z'/ },
    { code: 'data/npy', data: { npy: 'column.npy' }, says: /column order/ },
    { code: 'data/npy', data: { npy: 'texts.npy' }, says: /<U3/ },
    { code: 'data/truncated', data: { npy: 'short.npy' }, says: /short\.npy/ },
    { code: 'data/samples', data: { npy: 'empty-rows.npy' }, inputs: 'float[N,0] x', says: /4000000000 samples/ },
    { code: 'data/samples', data: { npy: 'empty-rows.npy', samples: 3, seed: 1 }, inputs: 'float[N,0] x', says: /4000000000 samples/ },
    { code: 'data/npz', data: { npz: 'bomb.npz' }, inputs: 'float[N] x', says: /bomb\.npz.*claims 2147483647 bytes/ },
    { code: 'data/npy', data: { npz: 'lies.npz' }, inputs: 'float[N] x', says: /lies\.npz\/x\.npy/ },
    { code: 'data/npy', data: { npz: 'numbers.npz' }, inputs: 'float[N] x', says: /numbers\.npz\/x\.npy/ },
    { code: 'data/npz', data: { npz: '{xy,numbers}.npz' }, inputs: 'float[N] x', says: /numbers\.npz and xy\.npz/ },
    { code: 'data/shape', data: { inputs: { x: { raw: 'x.bin' }, r: { raw: 'scalars.bin' } } }, inputs: 'float[5,2] x, float r', says: /differ in the input 'r'/ },
    { code: 'data/count', data: { module: 'announces.mjs' }, says: /announce 4 samples, and end after 2/ },
    { code: 'data/unreadable', data: { module: 'folder.mjs' }, says: /cannot read/ },
    { code: 'data/not-finite', data: { raw: 'x.bin', preprocess: { scale: 1e5 } }, inputs: 'float16[N,2] x', says: /holds Infinity/ },
    { code: 'data/tensor-proto', data: { pb: 'x.bin' }, says: /x\.bin/ },
    { code: 'data/truncated', data: { raw: 'x.bin', shape: [3] }, says: /40 bytes .* 12 bytes/ },
    { code: 'data/shape', data: { raw: 'x.bin', shape: [5] }, says: /row 0 of x\.bin has the shape \[5\].*'x' \(float\[N,2\]\)/ },
    { code: 'data/dtype', data: { raw: 'pixels.bin', dtype: 'uint8' }, says: /row 0 of pixels\.bin has elements of type uint8.*float\[N,2\]/ },
    { code: 'data/dtype', data: { raw: 'x.bin', dtype: 'float32', preprocess: { scale: 0.5 } }, inputs: 'int32[N,2] x', says: /0\.5/ },
    { code: 'data/not-finite', data: { raw: 'nan.bin' }, says: /^nan\.bin holds NaN at \[1\]/ },
    { code: 'data/inputs', data: { raw: 'x.bin' }, inputs: 'float[N,2] x, float[N] y', says: /2: x .*y / },
    { code: 'data/inputs', data: { inputs: { x: { raw: 'x.bin' }, z: { value: 0 } } }, says: /'z'/ },
    { code: 'data/count', data: { inputs: { x: { raw: 'x.bin' }, y: { npy: 'a1.npy' } } }, inputs: 'float[N,2] x, float[N,3] y', says: /5 .*2/ },
    { code: 'data/module', data: { module: 'short.mjs' }, says: /feeds 'z'/ },
    { code: 'data/module', data: { module: 'none.mjs' }, says: /none\.mjs/ },
    { code: 'data/labels', data: { raw: 'x.bin', labels: 'name' }, says: /name/ },
    { code: 'data/label-count', data: { raw: 'x.bin', labels: 'pixels.bin' }, says: /24 labels for 5 samples/ },
    { code: 'data/samples', data: { raw: 'x.bin', skip: 5 }, says: /5 samples, of which none/ },
    { code: 'data/samples', data: { raw: 'x.bin' }, inputs: 'float[8,2] x', says: /takes 8/ },
  ];
  for (const { code, data, inputs, says } of bad) {
    it(`${code}: ${JSON.stringify(data)}`, async () => {
      const error = await failure(data, inputs);
      expect(error.code, String(error.stack)).to.equal(code);
      expect(error.message).to.match(says);
      expect(error.suggestion).to.be.a('string');
    });
  }

  it('takes labels in the order of the rows, and numbers texts in sorted order', async () => {
    expect((await read({ raw: 'x.bin', labels: 'labels.csv', skip: 1 })).labels).to.deep.equal([1, 0, 0, 1]);
    expect((await read({ module: 'reader.mjs' })).labels).to.deep.equal([0, 1, 0, 1, 0, 1, 0]);
  });

  it('leaves an incomplete literal batch out, and warns', async () => {
    const { rows, warnings, count } = await read({ raw: 'x.bin' }, 'float[2,2] x');
    expect({ rows: rows.length, count, warnings }).to.deep.equal({ rows: 2, count: 4, warnings: ['data/incomplete-batch'] });
  });

  it('makes random samples that follow from the seed, and warns', async () => {
    const [a, b, c] = [await read({ random: { seed: 1 }, samples: 3 }), await read({ random: { seed: 1 }, samples: 3 }), await read({ random: { seed: 2 }, samples: 3 })];
    expect(a.rows).to.deep.equal(b.rows);
    expect(a.rows).not.to.deep.equal(c.rows);
    expect(a.warnings).to.deep.equal(['data/random']);
    expect([a.key === b.key, a.key === c.key]).to.deep.equal([true, false]);
  });

  it('has another key when the contents of a file change', async () => {
    write('k.bin', floats(1, 2));
    const { key } = await read({ raw: 'k.bin' });
    expect((await read({ raw: 'k.bin' })).key).to.equal(key);
    write('k.bin', floats(1, 3));
    expect((await read({ raw: 'k.bin' })).key).not.to.equal(key);
  });

  it('reads any part of the samples', async () => {
    const source = await openData('d', { raw: 'x.bin' }, { model: modelWith('float[N,2] x'), folder });
    const parts: number[][] = [];
    for await (const { feeds, first } of source.batches({ size: 2, first: 1, last: 4 })) parts.push([first, ...feeds.get('x')!.floats()]);
    expect(parts).to.deep.equal([[1, 2, 3, 4, 5], [3, 6, 7]]);
  });

  it('keeps few of many files open, and none at the end (skipped where there is no /proc)', async function () {
    const open = (): number => readdirSync('/proc/self/fd').length;
    if (process.platform !== 'linux') this.skip();
    const before = open();
    const source = await openData('d', { npy: 'many/*.npy' }, { model: modelWith('float[N,1] x'), folder });
    const [seen, counts]: [number[], number[]] = [[], []];
    for await (const { feeds } of source.batches({ size: 5 })) {
      seen.push(...feeds.get('x')!.floats());
      counts.push(open() - before);
    }
    expect(seen).to.deep.equal(Array.from({ length: 200 }, (_, index) => index));
    // Eight that wait, and those of the batch that is read ahead.
    expect(Math.max(...counts)).to.be.at.most(8 + 5 + 1);
    expect(open()).to.be.at.most(before);
  });

  it('refuses two sizes for one dimension', () => {
    const model = modelWith('float[N,T] x, float[N,T] y');
    expect([...sizesOf({ x: { opt: [4, 7] }, y: { shape: [4, 7] } }, model)]).to.deep.equal([['N', 4], ['T', 7]]);
    expect(() => sizesOf({ x: { opt: [4, 7] }, y: { shape: [4, 8] } }, model)).to.throw(/T two sizes, 7 and 8 in 'y'/).with.property('code', 'data/sizes');
  });

  it('finds files sorted, and hidden ones only when asked', () => {
    expect(findFiles('**/*.txt', folder).map(({ name }) => name)).to.deep.equal(['cats/1.txt', 'dogs/3.txt']);
    expect(findFiles('dogs/.hidden/*', folder).map(({ name }) => name)).to.deep.equal(['dogs/.hidden/2.txt']);
    expect(findFiles('{cats,dogs}/?.txt', folder)).to.have.lengthOf(2);
  });
});

describe('the choice of samples', () => {
  const choice = fc.record({ skip: fc.nat(20), every: fc.integer({ min: 1, max: 9 }), except: fc.integer({ min: 2, max: 9 }), samples: fc.integer({ min: 1, max: 60 }), seed: fc.nat(99) }, { requiredKeys: [] });

  it('counts the rows that it could choose, and chooses that many or `samples`, in order', () => {
    fc.assert(fc.property(fc.nat(60), choice, (count, selection) => {
      const open = Array.from({ length: count }, (_, index) => index).filter((index) => isCandidate(index, selection));
      expect(candidates(count, selection)).to.equal(open.length);
      const rows = chosenRows(count, selection);
      expect(rows).to.have.lengthOf(Math.min(open.length, selection.samples ?? Infinity));
      expect(rows).to.deep.equal(open.filter((index) => rows.includes(index)));
    }));
  });

  it('`every` and `except` share the rows out', () => {
    fc.assert(fc.property(fc.nat(60), fc.integer({ min: 2, max: 9 }), (count, every) => {
      expect([...chosenRows(count, { every }), ...chosenRows(count, { except: every })].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: count }, (_, index) => index));
    }));
  });
});

describe('CSV', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '1', ' ', ',', '"', '\n') });
  it('reads back what is written with quotes', () => {
    fc.assert(fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { maxLength: 4 }), (rows) => {
      expect(parseCsv(rows.map((row) => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')).join('\n'))).to.deep.equal(rows);
    }));
  });
  it('takes plain fields as they stand, without spaces around them', () => {
    expect(parseCsv('a, b ,\r\n\n1,"x ""y""",\n')).to.deep.equal([['a', 'b', ''], ['1', 'x "y"', '']]);
  });
});
