import { Diagnostic } from '../../ir/diagnostic.ts';
import { dtypeBits, isFloat, isInteger, type DType } from '../../ir/dtype.ts';
import { sizeOf, Tensor, type Numbers } from '../../ir/tensor.ts';
import { printType } from '../../ir/type.ts';
import { wanted, type ModelInput } from './inputs.ts';
import type { Numeric } from './preprocess.ts';
import type { Sample } from './reader.ts';

type Place = Pick<Sample, 'where' | 'file'>;

/**
 * The array of a sample as the input wants it: preprocessed where the recipe says how, in the input's element type and shape (axes of length one
 * may come and go). Arithmetic is in double precision, rounded once. Throws `data/dtype`, `data/shape` or `data/not-finite`, naming the sample.
 */
export function transformed(array: Tensor, numeric: Numeric | undefined, input: ModelInput, place: Place): Tensor {
  if (numeric === undefined && array.dtype !== input.dtype) {
    throw mismatch('data/dtype', `${place.where} has elements of type ${array.dtype}, and the input '${input.name}' wants ${wanted(input)}`, place, input,
      'Add `preprocess` (with `none`, numbers are converted and nothing else), or write the data in the type of the model.');
  }
  if (numeric?.dtype !== undefined && numeric.dtype !== input.dtype) {
    throw mismatch('data/dtype', `\`preprocess\` makes ${numeric.dtype}, and the input '${input.name}' wants ${wanted(input)}`, place, input, 'Leave `dtype` out: it follows from the model.');
  }
  const { numbers, shape } = numeric === undefined ? { numbers: array, shape: array.shape } : computed(array, numeric, input, place);
  const result = numbers instanceof Tensor ? numbers : Tensor.of(input.dtype, numbers, shape);
  if (isFloat(input.dtype)) checkFinite(result.floats(), shape, place, input);
  return result.reshaped(fitted(shape, input, place));
}

/** Where a channel and a position lie in an array of so many channels and positions. */
function strides(layout: 'nchw' | 'nhwc', channels: number, positions: number): { readonly channel: number; readonly position: number } {
  return layout === 'nchw' ? { channel: positions, position: 1 } : { channel: 1, position: channels };
}

/** Weights of red, green and blue in luma (Rec. 601), in units of 2^-16, as image libraries make grey. */
const luma = [19595, 38470, 7471] as const;

function computed(array: Tensor, numeric: Numeric, input: ModelInput, place: Place): { readonly numbers: Numbers; readonly shape: readonly number[] } {
  const { order, from, layout, scale } = numeric;
  if (!isFloat(array.dtype) && !isInteger(array.dtype) && array.dtype !== 'bool') {
    throw mismatch('data/dtype', `${place.where} has elements of type ${array.dtype}, which cannot be preprocessed`, place, input, 'Give numbers.');
  }
  const { channels, shape, perChannel } = channelled(array.shape, numeric, input, place);
  const positions = channels === 0 ? 0 : array.size / channels;
  const grey = order === 'grey' && channels === 3;
  const made = grey ? 1 : channels;
  const source = strides(from, channels, positions);
  const target = strides(layout, made, positions);
  const data = array.dtype === 'uint8' ? array.array() as Uint8Array : array.floats();
  const out = room(input.dtype, made * positions);
  const put = writer(out, numeric, input, place);
  for (let channel = 0; channel < made; channel++) {
    const mean = numeric.mean[perChannel ? channel % numeric.mean.length : 0]!;
    const std = numeric.std[perChannel ? channel % numeric.std.length : 0]!;
    const read = (order === 'bgr' && channels === 3 ? 2 - channel : channel) * source.channel;
    const write = channel * target.channel;
    if (grey) {
      const third = source.channel;
      for (let at = 0; at < positions; at++) {
        const from0 = at * source.position;
        const value = (luma[0] * data[from0]! + luma[1] * data[from0 + third]! + luma[2] * data[from0 + 2 * third]!) / 65536;
        // Pixels stay whole numbers.
        put(write + at * target.position, ((data instanceof Uint8Array ? Math.floor(value + 0.5) : value) * scale - mean) / std);
      }
    } else if (data instanceof Uint8Array && out instanceof Float32Array) {
      const table = Float32Array.from({ length: 256 }, (_, value) => (value * scale - mean) / std);
      for (let at = 0; at < positions; at++) out[write + at * target.position] = table[data[read + at * source.position]!]!;
    } else {
      for (let at = 0; at < positions; at++) put(write + at * target.position, (data[read + at * source.position]! * scale - mean) / std);
    }
  }
  return { numbers: out, shape: shape(made) };
}

/** How the axes of an array fall into channels and positions, and its shape afterwards. Without a use for channels, everything is one channel. */
function channelled(shape: readonly number[], numeric: Numeric, input: ModelInput, place: Place): { channels: number; perChannel: boolean; shape: (made: number) => readonly number[] } {
  const { order, from, layout, mean, std } = numeric;
  const parts = Math.max(mean.length, std.length);
  const spatial = shape.length >= 3;
  const axis = spatial && from === 'nchw' ? shape.length - 3 : shape.length - 1;
  const moves = spatial && (from !== layout || order !== 'rgb');
  if (parts === 1 && !moves) return { channels: 1, perChannel: false, shape: () => shape };
  const channels = shape[axis] ?? 1;
  const made = order === 'grey' && channels === 3 ? 1 : channels;
  const wrong = [mean, std].find((list) => list.length > 1 && list.length !== made);
  if (wrong !== undefined) {
    throw mismatch('data/shape', `\`preprocess\` has ${wrong.length} numbers for mean or std, and ${place.where} has ${made} channels in its shape [${shape.join(', ')}]`, place, input,
      'Give one number, or one for each channel; `from: nhwc` says that the channels of the data come last.');
  }
  if (shape.slice(0, spatial && from === 'nchw' ? axis : 0).some((dim) => dim !== 1) || (spatial && from === 'nhwc' && shape.slice(0, -3).some((dim) => dim !== 1))) {
    throw mismatch('data/shape', `${place.where} has the shape [${shape.join(', ')}]: channels can be told apart only in samples of one image`, place, input, 'Give the shape of one sample, with three axes.');
  }
  if (!spatial) return { channels, perChannel: true, shape: () => shape };
  const others = shape.slice(-3).filter((_, index) => index !== axis - (shape.length - 3));
  return { channels, perChannel: true, shape: (count) => (layout === 'nchw' ? [count, ...others] : [...others, count]) };
}

/** An array for elements of a type; narrow floats are rounded when the tensor is made. */
function room(dtype: DType, size: number): Numbers {
  switch (dtype) {
    case 'double': return new Float64Array(size);
    case 'uint8': case 'bool': return new Uint8Array(size);
    case 'int8': return new Int8Array(size);
    case 'uint16': return new Uint16Array(size);
    case 'int16': return new Int16Array(size);
    case 'uint32': return new Uint32Array(size);
    case 'int32': return new Int32Array(size);
    case 'int64': case 'uint64': return new Float64Array(size);
    default: return new Float32Array(size);
  }
}

/** Stores a number in the element type of the input. */
function writer(out: Numbers, { dtype }: Numeric, input: ModelInput, place: Place): (at: number, value: number) => void {
  const target = out as Float64Array;
  if (isFloat(input.dtype)) return (at, value) => { target[at] = value; };
  const [low, high] = bounds(input.dtype);
  return (at, value) => {
    const whole = dtype === undefined ? value : Math.round(value);
    if (!Number.isInteger(whole) || whole < low || whole > high) {
      throw mismatch('data/dtype', `${place.where} holds ${value}, which the input '${input.name}' of type ${input.dtype} cannot`, place, input,
        Number.isInteger(whole) ? 'Change `scale` and `mean` so that the numbers fit.' : `Write \`dtype: ${input.dtype}\` under \`preprocess\` if rounding is meant.`);
    }
    target[at] = whole;
  };
}

function bounds(dtype: DType): readonly [number, number] {
  if (dtype === 'bool') return [0, 1];
  const bits = Math.min(dtypeBits(dtype), 53);
  return dtype.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

function checkFinite(numbers: Float32Array | Float64Array, shape: readonly number[], place: Place, input: ModelInput): void {
  for (let at = 0; at < numbers.length; at++) {
    if (Number.isFinite(numbers[at])) continue;
    const index = shape.map((dim, axis) => Math.floor(at / sizeOf(shape.slice(axis + 1))) % dim);
    throw mismatch('data/not-finite', `${place.where} holds ${numbers[at]!} at [${index.join(', ')}], for the input '${input.name}'`, place, input,
      'Leave the sample out, or mend it: a single such number spoils every statistic.');
  }
}

/** The shape that a sample of this shape takes in the input. */
function fitted(shape: readonly number[], input: ModelInput, place: Place): readonly number[] {
  const { sample } = input;
  const fits = (dims: readonly number[]): boolean => dims.length === sample.length && sample.every((dim, axis) => typeof dim !== 'number' || dim === dims[axis]);
  if (fits(shape)) return shape;
  if (shape[0] === 1 && fits(shape.slice(1))) return shape.slice(1);
  if (fits([1, ...shape])) return [1, ...shape];
  // Axes of length one may stand anywhere, as long as the others come in the same order and fill the shape.
  const long = shape.filter((dim) => dim !== 1);
  const taken: number[] = [];
  const spread = sample.map((dim) => (dim === 1 ? 1 : (taken.push(0), long[taken.length - 1] ?? 1)));
  if (long.length <= taken.length && fits(spread) && sizeOf(spread) === sizeOf(shape)) return spread;
  throw mismatch('data/shape', `${place.where} has the shape [${shape.join(', ')}], and a sample of the input '${input.name}' (${wanted(input)}) is ${printType({ kind: 'tensor', dtype: input.dtype, shape: sample })}`, place, input,
    'Bring the data to this shape: `resize` and `crop` for images, `shape` for raw files, `layout` and `from` for the order of axes.');
}

function mismatch(code: string, message: string, { file }: Place, { name }: ModelInput, suggestion: string): Diagnostic {
  return new Diagnostic(code, message, { tensor: name, ...(file !== undefined && { file }), suggestion });
}
