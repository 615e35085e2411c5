/**
 * The element types of ONNX tensors: name in the text form, number in TensorProto.DataType, bits of one element in raw_data
 * (strings have none). Elements below eight bits are packed, the first one in the lowest bits (onnx.proto, IR 10, 13 and 14); those of six bits lie
 * across bytes, four in three.
 */
const table = [
  ['float', 1, 32], ['uint8', 2, 8], ['int8', 3, 8], ['uint16', 4, 16], ['int16', 5, 16], ['int32', 6, 32], ['int64', 7, 64],
  ['string', 8, 0], ['bool', 9, 8], ['float16', 10, 16], ['double', 11, 64], ['uint32', 12, 32], ['uint64', 13, 64],
  ['complex64', 14, 64], ['complex128', 15, 128], ['bfloat16', 16, 16],
  ['float8e4m3fn', 17, 8], ['float8e4m3fnuz', 18, 8], ['float8e5m2', 19, 8], ['float8e5m2fnuz', 20, 8],
  ['uint4', 21, 4], ['int4', 22, 4], ['float4e2m1', 23, 4], ['float8e8m0', 24, 8], ['uint2', 25, 2], ['int2', 26, 2],
  ['float6e2m3', 27, 6], ['float6e3m2', 28, 6],
] as const;

/** The name of an element type, as the ONNX text form spells it. */
export type DType = (typeof table)[number][0];

const byName: ReadonlyMap<string, (typeof table)[number]> = new Map(table.map((row) => [row[0], row]));
const byNumber: ReadonlyMap<number, (typeof table)[number]> = new Map(table.map((row) => [row[1], row]));

/** All element types, in the order of their numbers. */
export const dtypes: readonly DType[] = table.map((row) => row[0]);

/** The number of an element type in TensorProto.DataType. */
export function dtypeNumber(dtype: DType): number {
  return byName.get(dtype)![1];
}

/** The element type with this number in TensorProto.DataType, or undefined if there is none. */
export function dtypeOf(number: number): DType | undefined {
  return byNumber.get(number)?.[0];
}

/** True if `name` is the text-form name of an element type. */
export function isDType(name: string): name is DType {
  return byName.has(name);
}

/** Bits of one element in raw_data: 2 to 128; 0 for strings, which have no raw form. */
export function dtypeBits(dtype: DType): number {
  return byName.get(dtype)![2];
}

/** Bytes that `size` elements occupy in raw_data. Throws a RangeError for strings. */
export function byteLengthOf(dtype: DType, size: number): number {
  if (dtype === 'string') throw new RangeError('strings have no raw form');
  return Math.ceil((size * dtypeBits(dtype)) / 8);
}

/** True for the real floating-point types of any width. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'double' || dtype.startsWith('float') || dtype === 'bfloat16';
}

/** True for the integer types of any width and sign; bool is not one. */
export function isInteger(dtype: DType): boolean {
  return dtype.startsWith('int') || dtype.startsWith('uint');
}
