import { dtypeBits, isFloat, type DType } from '../dtype.ts';
import { toBfloat16Bits, toFloat16Bits } from '../float16.ts';
import { decodeUtf8, encodeUtf8 } from '../onnx/utf8.ts';
import { sizeOf, Tensor } from '../tensor.ts';
import { isFloatWord, type Lexer, type Token } from './lexer.ts';
import { doubleText, float32Text, numberValue } from './numbers.ts';
import { quoted } from './words.ts';

/** True for the float types whose elements onnx.parser reads as bit patterns: `float16 {15360}` is 1. */
export function isCoded(dtype: DType): boolean {
  return isFloat(dtype) && dtypeBits(dtype) <= 16;
}

/**
 * The elements of a tensor, as onnx.parser reads them: floats of 16 bits and fewer as bit patterns, bool as 0 and 1, complex as real and
 * imaginary part in turn. Elements below eight bits are printed one by one too, although onnx.parser 1.23 stores such lists wrongly
 * (as if each number were a packed byte). A NaN is printed as `nan`, without its payload.
 */
export function elementTexts(tensor: Tensor): string[] {
  const { dtype } = tensor;
  if (dtype === 'string') return tensor.byteStrings().map((item) => quoted(decodeUtf8(item)));
  if (dtype === 'float') return Array.from(tensor.floats(), float32Text);
  if (dtype === 'double') return Array.from(tensor.floats(), doubleText);
  const part = partsOf(dtype);
  if (part !== undefined) return elementTexts(Tensor.fromBytes(part, [tensor.size * 2], tensor.bytes()));
  if (dtype === 'int64' || dtype === 'uint64') return Array.from(tensor.array() as BigInt64Array, String);
  return (isCoded(dtype) ? tensor.codes() : tensor.ints()).map(String);
}

/** Reads elements up to the closing brace, which is taken, as `elementTexts` prints them; narrow floats also as values, which have a point, an exponent or a name: `1.0`. */
export function parseElements(lexer: Lexer, dtype: DType, shape: readonly number[], open: Token): Tensor {
  const size = sizeOf(shape);
  const part = partsOf(dtype);
  if (part !== undefined) return Tensor.fromBytes(dtype, shape, parseElements(lexer, part, [size * 2], open).bytes());
  const read = dtype === 'string' ? stringOf : dtype === 'float' || dtype === 'double' ? floatOf : isCoded(dtype) ? codeOf : intOf;
  const items: (number | bigint | Uint8Array)[] = [];
  if (lexer.peek().kind !== '}') {
    do {
      if (items.length === size) throw lexer.unexpected(`'}' after ${size} element${size === 1 ? '' : 's'} of ${dtype}[${shape.join(',')}]`);
      items.push(read(lexer, dtype));
    } while (lexer.accept(','));
  }
  const close = lexer.expect('}', "',' or '}'");
  if (items.length < size) {
    throw lexer.error('text/tensor-size', `${dtype}[${shape.join(',')}] needs ${size} elements, but has ${items.length}`, { start: open.start, end: close.end });
  }
  if (dtype === 'string') return Tensor.fromStrings(shape, items as Uint8Array[]);
  return isCoded(dtype) ? Tensor.fromCodes(dtype, items as number[], shape) : Tensor.of(dtype, items as (number | bigint)[], shape);
}

/** The type of each half of a complex element. */
function partsOf(dtype: DType): 'float' | 'double' | undefined {
  return dtype === 'complex64' ? 'float' : dtype === 'complex128' ? 'double' : undefined;
}

function stringOf(lexer: Lexer): Uint8Array {
  return encodeUtf8(lexer.expect('string').text);
}

function floatOf(lexer: Lexer, dtype: DType): number {
  const token = numberToken(lexer);
  if (token === undefined) throw lexer.unexpected('a number');
  const value = numberValue(token.text);
  if (!Number.isFinite(dtype === 'float' ? Math.fround(value) : value) && /\d/.test(token.text)) {
    throw lexer.error('text/number', `${token.text} is beyond the range of ${dtype}`, token, { suggestion: 'Write inf where infinity is meant.' });
  }
  return value;
}

/** An integer, or the bit pattern of a float, that has room in the bits of the type. */
function intOf(lexer: Lexer, dtype: DType): number | bigint {
  const token = lexer.expect('int');
  const bits = dtype === 'bool' ? 1 : dtypeBits(dtype);
  const signed = dtype.startsWith('int');
  const [low, high] = signed ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] : [0n, 2n ** BigInt(bits) - 1n];
  const small = Number(token.text);
  const value = Number.isSafeInteger(small) ? small : BigInt(token.text);
  if (value < low || value > high) throw lexer.error('text/number', `${token.text} does not fit ${dtype}`, token, { expected: [`${low} to ${high}`] });
  return value;
}

/** The bit pattern that an integer states, or that stands for a value: float16 and bfloat16 round to it, narrower types must have it. */
function codeOf(lexer: Lexer, dtype: DType): number {
  if (lexer.peek().kind === 'int') return Number(intOf(lexer, dtype));
  const token = numberToken(lexer);
  if (token === undefined) throw lexer.unexpected('a value such as 1.0, or its bits as an integer');
  const value = numberValue(token.text);
  if (dtype === 'float16') return toFloat16Bits(value);
  if (dtype === 'bfloat16') return toBfloat16Bits(value);
  const count = 2 ** dtypeBits(dtype);
  const values = Tensor.fromCodes(dtype, Array.from({ length: count }, (_, index) => index)).floats();
  const found = values.findIndex((item) => Object.is(item, value));
  if (found < 0) throw lexer.error('text/number', `${dtype} has no ${token.text}`, token, { suggestion: 'Write a value that it has, or the bits as an integer.' });
  return found;
}

/** Takes a number, which may be a word such as `nan`. */
function numberToken(lexer: Lexer): Token | undefined {
  const { kind, text } = lexer.peek();
  return kind === 'int' || kind === 'float' || (kind === 'name' && isFloatWord(text)) ? lexer.next() : undefined;
}
