import { expect } from 'chai';
import { carrierOf, fromWire, toWire } from '../../../compiler/runtime/wire.ts';
import { dtypeBits, dtypes, type DType } from '../../../ir/dtype.ts';
import { Tensor } from '../../../ir/tensor.ts';

const isNaNCode = (dtype: DType, code: number): boolean => dtype.startsWith('float8') && Number.isNaN(Tensor.fromBytes(dtype, [1], Uint8Array.of(code)).floats()[0]);

describe('compiler/runtime/wire', () => {
  it('has no carrier for complex and float4 only', () => {
    expect(dtypes.filter((dtype) => carrierOf(dtype) === undefined)).to.deep.equal(['complex64', 'complex128', 'float4e2m1', 'float6e2m3', 'float6e3m2']);
  });

  for (const dtype of dtypes.filter((each) => carrierOf(each) !== undefined && each !== 'string')) {
    it(`brings ${dtype} back as it was`, () => {
      const elements = 256;
      // All bytes; bfloat16 in the range of its finite values, since NaN payloads do not survive a cast.
      let codes = Array.from({ length: (elements * dtypeBits(dtype)) / 8 }, (_, at) => (dtype === 'bfloat16' && at % 2 === 1 ? at % 127 : at % 256));
      if (dtypeBits(dtype) === 8) codes = codes.map((code) => (isNaNCode(dtype, code) ? 0 : code));
      const tensor = Tensor.fromBytes(dtype, [4, elements / 4], Uint8Array.from(codes));
      const wire = toWire(tensor);
      expect(wire.data, 'the wire owns its bytes').to.not.equal(tensor.bytes().buffer);
      const back = fromWire(wire, dtype);
      expect(back.shape).to.deep.equal([4, elements / 4]);
      expect([...back.bytes()]).to.deep.equal(codes);
    });
  }

  it('keeps NaN a NaN in every float', () => {
    for (const dtype of ['float8e4m3fn', 'float8e4m3fnuz', 'float8e5m2', 'float8e5m2fnuz', 'float8e8m0'] as const) {
      const code = Array.from({ length: 256 }, (_, each) => each).find((each) => isNaNCode(dtype, each))!;
      const back = fromWire(toWire(Tensor.fromBytes(dtype, [1], Uint8Array.of(code))), dtype);
      expect(Number.isNaN(back.floats()[0]), dtype).to.equal(true);
    }
    for (const dtype of ['float', 'double', 'float16', 'bfloat16'] as const) {
      expect(Number.isNaN(fromWire(toWire(Tensor.scalar(dtype, NaN)), dtype).floats()[0]), dtype).to.equal(true);
    }
  });

  it('carries strings', () => {
    const back = fromWire(toWire(Tensor.fromStrings([2, 1], ['', 'Größe'])), 'string');
    expect(back.shape).to.deep.equal([2, 1]);
    expect(back.strings()).to.deep.equal(['', 'Größe']);
  });
});
