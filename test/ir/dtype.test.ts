import { expect } from 'chai';
import { byteLengthOf, dtypeBits, dtypeNumber, dtypeOf, dtypes, isDType, isFloat, isInteger, type DType } from '../../ir/dtype.ts';

/** TensorProto.DataType as onnx.proto numbers it, with the bits of an element in raw_data. */
const table: readonly [number, DType, number][] = [
  [1, 'float', 32], [2, 'uint8', 8], [3, 'int8', 8], [4, 'uint16', 16], [5, 'int16', 16], [6, 'int32', 32], [7, 'int64', 64], [8, 'string', 0], [9, 'bool', 8],
  [10, 'float16', 16], [11, 'double', 64], [12, 'uint32', 32], [13, 'uint64', 64], [14, 'complex64', 64], [15, 'complex128', 128], [16, 'bfloat16', 16],
  [17, 'float8e4m3fn', 8], [18, 'float8e4m3fnuz', 8], [19, 'float8e5m2', 8], [20, 'float8e5m2fnuz', 8], [21, 'uint4', 4], [22, 'int4', 4],
  [23, 'float4e2m1', 4], [24, 'float8e8m0', 8], [25, 'uint2', 2], [26, 'int2', 2],
  [27, 'float6e2m3', 6], [28, 'float6e3m2', 6],
];

describe('ir/dtype', () => {
  it('has the element types of IR 14 and no others', () => {
    expect(dtypes).to.deep.equal(table.map(([, name]) => name));
    expect([dtypeOf(0), dtypeOf(29), dtypeOf(-1)]).to.deep.equal([undefined, undefined, undefined]);
  });

  for (const [number, name, bits] of table) {
    it(`${name} has number ${number} and ${bits} bits`, () => {
      expect([dtypeNumber(name), dtypeOf(number), dtypeBits(name), isDType(name)]).to.deep.equal([number, name, bits, true]);
    });
  }

  it('rounds packed elements up to whole bytes', () => {
    const sizes: [DType, number, number][] = [['int4', 0, 0], ['int4', 1, 1], ['int4', 2, 1], ['int4', 3, 2], ['uint2', 4, 1], ['int2', 5, 2], ['float4e2m1', 7, 4], ['float6e2m3', 3, 3], ['float6e3m2', 4, 3], ['float6e3m2', 5, 4], ['complex128', 3, 48]];
    for (const [dtype, count, bytes] of sizes) expect(byteLengthOf(dtype, count), `${count} ${dtype}`).to.equal(bytes);
    expect(() => byteLengthOf('string', 1)).to.throw(RangeError);
  });

  it('sorts the types into floats, integers and others', () => {
    const others = dtypes.filter((dtype) => !isFloat(dtype) && !isInteger(dtype));
    expect(others).to.deep.equal(['string', 'bool', 'complex64', 'complex128']);
    expect(dtypes.filter((dtype) => isFloat(dtype) && isInteger(dtype))).to.deep.equal([]);
    expect(dtypes.filter(isInteger)).to.have.length(12);
    expect(isDType('toString') || isDType('float32')).to.equal(false);
  });
});
