/**
 * Narrow floating-point formats to and from float32, by bit arithmetic. Encoding rounds to nearest, ties to even.
 * Sources: IEEE 754-2019 (binary16), the bfloat16 definition in onnx.proto, and the float8/float4 tables of the ONNX specification.
 */

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** float32 → the bits of binary16. Overflow gives infinity, NaN stays NaN (quiet, sign kept). */
export function toFloat16Bits(value: number): number {
  // Rounding a double twice (to float32, then to float16) is harmless only if the float32 step was exact;
  // values that are not float32 are therefore rounded to odd first, which keeps the sticky bit.
  f32[0] = value;
  let bits = u32[0]!;
  if (f32[0] !== value && value === value) bits = roundToOdd(value, bits);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and above; 65520…65535 overflow by rounding below
  if (magnitude < 0x38800000) {
    // Subnormal or zero: shift the significand with its hidden bit into units of 2^-24.
    const exponent = magnitude >>> 23;
    const shift = 126 - exponent;
    if (shift > 24) return sign;
    const significand = exponent === 0 ? magnitude & 0x7fffff : (magnitude & 0x7fffff) | 0x800000;
    return sign | roundShift(significand, shift);
  }
  return sign | (roundShift(magnitude, 13) - 0x1c000);
}

/** The bits of binary16 → float32 (exact). */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** float32 → the bits of bfloat16. */
export function toBfloat16Bits(value: number): number {
  f32[0] = value;
  let bits = u32[0]!;
  if (value !== value) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  if (f32[0] !== value) bits = roundToOdd(value, bits);
  return (((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 0) >>> 16) & 0xffff;
}

/** The bits of bfloat16 → float32 (exact). */
export function fromBfloat16Bits(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}

/** The layout of a float of eight bits or fewer. */
interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly bias: number;
  /** `ieee`: top exponent is infinity and NaN; `fn`: only all ones is NaN; `fnuz`: only 0x80 is NaN, no −0; `finite`: neither. */
  readonly special: 'ieee' | 'fn' | 'fnuz' | 'finite';
}

/** The float formats of eight bits or fewer that have a sign. */
export type SmallFloatType = 'float8e4m3fn' | 'float8e4m3fnuz' | 'float8e5m2' | 'float8e5m2fnuz' | 'float4e2m1' | 'float6e2m3' | 'float6e3m2';

const smallFloats: Readonly<Record<SmallFloatType, SmallFloat>> = {
  float8e4m3fn: { exponentBits: 4, fractionBits: 3, bias: 7, special: 'fn' },
  float8e4m3fnuz: { exponentBits: 4, fractionBits: 3, bias: 8, special: 'fnuz' },
  float8e5m2: { exponentBits: 5, fractionBits: 2, bias: 15, special: 'ieee' },
  float8e5m2fnuz: { exponentBits: 5, fractionBits: 2, bias: 16, special: 'fnuz' },
  float4e2m1: { exponentBits: 2, fractionBits: 1, bias: 1, special: 'finite' },
  float6e2m3: { exponentBits: 2, fractionBits: 3, bias: 1, special: 'finite' },
  float6e3m2: { exponentBits: 3, fractionBits: 2, bias: 3, special: 'finite' },
};

/** The value of a code of such a format. `float8e8m0` is a power of two, see `fromFloat8e8m0`. */
export function fromSmallFloat(format: SmallFloatType, code: number): number {
  const { exponentBits, fractionBits, bias, special } = smallFloats[format];
  const top = (1 << exponentBits) - 1;
  const signBit = 1 << (exponentBits + fractionBits);
  const exponent = (code >> fractionBits) & top;
  const fraction = code & ((1 << fractionBits) - 1);
  const sign = code & signBit ? -1 : 1;
  if (special === 'fnuz' && code === signBit) return NaN;
  if (special === 'fn' && exponent === top && fraction === (1 << fractionBits) - 1) return NaN;
  if (special === 'ieee' && exponent === top) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0
    ? sign * fraction * 2 ** (1 - bias - fractionBits)
    : sign * ((1 << fractionBits) + fraction) * 2 ** (exponent - bias - fractionBits);
}

/** The value of a float8e8m0 code: 2^(code − 127), NaN for 255. */
export function fromFloat8e8m0(code: number): number {
  return code === 255 ? NaN : 2 ** (code - 127);
}

/** `value >> shift`, rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const quotient = Math.floor(value / 2 ** shift);
  const rest = value - quotient * 2 ** shift;
  return rest > half || (rest === half && quotient % 2 === 1) ? quotient + 1 : quotient;
}

/** The float32 next to a double that is not one, chosen so that its lowest bit is set: later rounding then sees that it was inexact. */
function roundToOdd(value: number, nearest: number): number {
  const magnitude = nearest & 0x7fffffff;
  f32[0] = value;
  const towardsZero = Math.abs(f32[0]) > Math.abs(value) ? magnitude - 1 : magnitude;
  return (nearest & 0x80000000) | towardsZero | 1;
}
