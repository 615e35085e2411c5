import { expect } from 'chai';
import fc from 'fast-check';
import { memorySource, type ByteSource } from '../../ir/bytes.ts';
import { byteLengthOf, dtypes, isFloat, type DType } from '../../ir/dtype.ts';
import { sizeOf, Tensor, type Numbers } from '../../ir/tensor.ts';
import { codeOf } from './diagnostics.ts';

/** Numbers that a type holds exactly, with their raw bytes as onnx.proto lays them out. */
const encodings: readonly [DType, readonly (number | bigint)[], readonly number[]][] = [
  ['float', [1, -2.5], [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]],
  ['double', [1], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]],
  ['float16', [1, -2], [0, 0x3c, 0, 0xc0]],
  ['bfloat16', [1, -2], [0x80, 0x3f, 0, 0xc0]],
  ['int8', [-128, 127], [0x80, 0x7f]],
  ['uint8', [0, 255], [0, 0xff]],
  ['bool', [0, 1], [0, 1]],
  ['int16', [-2], [0xfe, 0xff]],
  ['uint16', [65535], [0xff, 0xff]],
  ['int32', [-2], [0xfe, 0xff, 0xff, 0xff]],
  ['uint32', [4294967295], [0xff, 0xff, 0xff, 0xff]],
  ['int64', [-2n, 1], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0]],
  ['uint64', [2n ** 64n - 1n], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['uint4', [1, 15, 7], [0xf1, 0x07]],
  ['int4', [-1, -8, 7], [0x8f, 0x07]],
  ['uint2', [0, 1, 2, 3, 1], [0xe4, 0x01]],
  ['int2', [0, 1, -2, -1, -1], [0xe4, 0x03]],
];

const outOfRange: readonly [DType, number | bigint][] = [
  ['int8', 128], ['uint8', -1], ['uint8', 0.5], ['bool', 2], ['int16', 32768], ['uint16', 65536], ['int32', 2 ** 31], ['uint32', -1], ['int64', 2n ** 63n], ['int64', -(2n ** 63n) - 1n],
  ['uint64', -1n], ['uint64', 2n ** 64n], ['int64', 0.5], ['int4', 8], ['int4', -9], ['uint4', 16], ['uint4', 1.5], ['int2', 2], ['uint2', 4], ['int8', NaN],
];

/** A source that remembers what was read, as a file would be. */
function recordingSource(bytes: Uint8Array): ByteSource & { readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  return { name: 'file', size: bytes.length, reads, read: (offset, length) => {
    reads.push([offset, length]);
    return bytes.subarray(offset, offset + length);
  } };
}

describe('ir/tensor', () => {
  for (const [dtype, numbers, raw] of encodings) {
    it(`encodes and decodes ${dtype}`, () => {
      const tensor = Tensor.of(dtype, numbers);
      expect([...tensor.bytes()]).to.deep.equal(raw);
      expect(tensor.shape).to.deep.equal([numbers.length]);
      expect([...tensor.floats()]).to.deep.equal(numbers.map(Number));
      if (!isFloat(dtype) && dtype !== 'uint64') expect(tensor.ints()).to.deep.equal(numbers.map(Number));
      expect([...Tensor.fromBytes(dtype, tensor.shape, Uint8Array.from(raw)).floats()]).to.deep.equal(numbers.map(Number));
    });
  }

  for (const [dtype, number] of outOfRange) {
    it(`refuses ${number} as ${dtype}`, () => { expect(() => Tensor.of(dtype, [number])).to.throw(RangeError); });
  }

  it('gives every packed integer back', () => {
    for (const [dtype, low, high] of [['int4', -8, 7], ['uint4', 0, 15], ['int2', -2, 1], ['uint2', 0, 3]] as const) {
      fc.assert(fc.property(fc.array(fc.integer({ min: low, max: high })), (numbers) => {
        const tensor = Tensor.of(dtype, numbers);
        expect(tensor.ints()).to.deep.equal(numbers);
        expect(tensor.bytes().length).to.equal(byteLengthOf(dtype, numbers.length));
      }), { seed: 1 });
    }
  });

  it('takes a typed array of its own kind without a copy, and reads unaligned bytes', () => {
    const data = Float32Array.of(1, 2, 3);
    expect(Tensor.of('float', data).array().buffer).to.equal(data.buffer);
    const shifted = new Uint8Array(13);
    shifted.set(new Uint8Array(data.buffer), 1);
    expect([...Tensor.fromBytes('float', [3], shifted.subarray(1)).array()]).to.deep.equal([1, 2, 3]);
    expect([...Tensor.of('float16', data).floats()]).to.deep.equal([1, 2, 3]);
  });

  it('converts between typed arrays', () => {
    const sources: Numbers[] = [Float64Array.of(1, 2), Int32Array.of(1, 2), BigInt64Array.of(1n, 2n), Uint8Array.of(1, 2)];
    for (const source of sources) {
      for (const dtype of ['float', 'double', 'float16', 'bfloat16', 'int8', 'uint32', 'int64', 'int4'] as const) expect([...Tensor.of(dtype, source).floats()]).to.deep.equal([1, 2]);
    }
  });

  it('rounds doubles once', () => {
    // Halfway between two float16 but for the last bit of the double: rounding through float32 would make it a tie.
    expect([...Tensor.of('float16', [1 + 2 ** -11 + 2 ** -40]).bytes()]).to.deep.equal([0x01, 0x3c]);
  });

  it('packs codes of any width from the lowest bits on, six bits across bytes', () => {
    // onnx.numpy_helper.from_array of ml_dtypes.float6_e2m3fn [0.125, -7.5, 4, 0.5, 1], raw_data.
    const six = Tensor.fromCodes('float6e2m3', [1, 63, 32, 4, 8]);
    expect([...six.bytes()]).to.deep.equal([0xc1, 0x0f, 0x12, 0x08]);
    expect([...six.floats()]).to.deep.equal([0.125, -7.5, -0, 0.5, 1]);
    for (const dtype of ['float4e2m1', 'float6e3m2', 'float8e8m0', 'float16'] as const) {
      const items = Array.from({ length: 13 }, (_, index) => (index * 11) % 16);
      expect(Tensor.fromCodes(dtype, items).codes(), dtype).to.deep.equal(items);
    }
  });

  it('knows sizes of all types', () => {
    for (const dtype of dtypes) {
      if (dtype === 'string') continue;
      const tensor = Tensor.fromBytes(dtype, [3, 5], new Uint8Array(byteLengthOf(dtype, 15)));
      expect([tensor.size, tensor.byteLength, tensor.bytes().length], dtype).to.deep.equal([15, byteLengthOf(dtype, 15), byteLengthOf(dtype, 15)]);
      if (isFloat(dtype) && dtype !== 'float8e8m0') expect([...tensor.floats()], dtype).to.deep.equal(new Array(15).fill(0));
    }
    expect([Tensor.scalar('float', 1).size, Tensor.of('float', [], [0, 7]).size, sizeOf([])]).to.deep.equal([1, 0, 1]);
  });

  it('holds strings and byte strings', () => {
    const tensor = Tensor.fromStrings([2, 1], ['é', Uint8Array.of(0xff)]);
    expect(tensor.strings()).to.deep.equal(['é', '\ufffd']);
    expect(tensor.byteLength).to.equal(3);
    expect(() => tensor.bytes()).to.throw(TypeError, /strings\(\)/);
    expect(() => tensor.floats()).to.throw(TypeError);
    expect(() => Tensor.of('float', [1]).byteStrings()).to.throw(TypeError);
  });

  it('refuses numbers for types that have none, and arrays of types that JavaScript lacks', () => {
    for (const dtype of ['complex64', 'float8e5m2', 'float4e2m1', 'string'] as const) expect(() => Tensor.of(dtype, [1]), dtype).to.throw(TypeError);
    expect(() => Tensor.of('float16', [1]).array()).to.throw(TypeError);
    expect(() => Tensor.of('float', [1]).ints()).to.throw(TypeError);
    expect(() => Tensor.fromBytes('complex64', [1], new Uint8Array(8)).floats()).to.throw(TypeError);
  });

  it('refuses impossible shapes and wrong lengths with a Diagnostic', () => {
    expect(codeOf(() => Tensor.fromBytes('float', [2], new Uint8Array(7), { name: 'w' }))).to.equal('model/tensor-size');
    expect(codeOf(() => Tensor.of('float', [1, 2, 3], [2]))).to.equal('model/tensor-size');
    expect(codeOf(() => Tensor.fromStrings([2], ['one']))).to.equal('model/tensor-size');
    expect(codeOf(() => Tensor.fromRange('int4', [3], { source: memorySource(new Uint8Array(9)), offset: 0, length: 3 }))).to.equal('model/tensor-size');
    expect(codeOf(() => Tensor.of('float', [1]).reshaped([2]))).to.equal('model/tensor-size');
    for (const shape of [[-1, -4], [0.5, 8]]) expect(codeOf(() => Tensor.fromBytes('float', shape, new Uint8Array(16))), String(shape)).to.equal('model/shape');
    expect(codeOf(() => Tensor.of('float', [], [2 ** 60, 0]))).to.equal('model/shape');
    expect(codeOf(() => Tensor.of('int64', [2n ** 53n]).ints())).to.equal('model/integer-too-large');
    expect(codeOf(() => memorySource(new Uint8Array(2)).read(1, 2))).to.equal('model/truncated');
  });

  it('reads a range of a file when it is asked and not before', () => {
    const source = recordingSource(Uint8Array.from({ length: 64 }, (_, index) => index));
    const tensor = Tensor.fromRange('uint8', [2, 2], { source, offset: 8, length: 4 }, { external: { location: 'w', entries: [] } });
    const copy = tensor.reshaped([4]).withStorage({ name: 'copy' });
    expect(copy.chunk()).to.deep.equal({ source, offset: 8, length: 4 });
    expect(source.reads).to.deep.equal([]);
    expect([...tensor.array()]).to.deep.equal([8, 9, 10, 11]);
    expect(source.reads).to.deep.equal([[8, 4]]);
    const own = tensor.evaluated();
    expect([...own.bytes(), ...own.bytes()]).to.deep.equal([8, 9, 10, 11, 8, 9, 10, 11]);
    expect(own.storage).to.deep.equal({});
    expect(source.reads).to.have.length(2);
  });

  it('hashes type, shape and elements, however they are stored', () => {
    const bytes = Float32Array.of(1, 2, 3, 4);
    const tensor = Tensor.of('float', bytes, [2, 2]);
    const same = [
      Tensor.fromRange('float', [2, 2], { source: memorySource(new Uint8Array(bytes.buffer)), offset: 0, length: 16 }),
      Tensor.computed('float', [2, 2], () => new Uint8Array(bytes.buffer)), tensor.withStorage({ typed: true, name: 'x' }), Tensor.of('float', [1, 2, 3, 4], [2, 2]),
    ];
    for (const other of same) expect(other.hash()).to.equal(tensor.hash());
    const different = [
      tensor.reshaped([4]), tensor.reshaped([4, 1]), Tensor.of('float', [1, 2, 3, 5], [2, 2]), Tensor.fromBytes('int32', [2, 2], tensor.bytes()),
      Tensor.fromStrings([2], ['ab', 'c']), Tensor.fromStrings([2], ['a', 'bc']), Tensor.of('float', [-0]), Tensor.of('float', [0]),
    ];
    expect(new Set([tensor, ...different].map((item) => item.hash())).size).to.equal(different.length + 1);
  });

  it('evaluates computed elements once when asked to', () => {
    let calls = 0;
    const tensor = Tensor.computed('uint8', [3], () => Uint8Array.of(1, 2, ++calls));
    const fixed = tensor.evaluated();
    expect([...fixed.bytes(), ...fixed.bytes()]).to.deep.equal([1, 2, 1, 1, 2, 1]);
    expect(fixed.evaluated()).to.equal(fixed);
  });
});
