import { Diagnostic } from '../../ir/diagnostic.ts';
import type { QuantizedFormat } from '../target.ts';

/** What is kept of a value when it is quantized: everything beyond is clipped. Contains zero. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** The numbers that a quantized tensor can hold: scale · (q − zeroPoint) for q from low to high. */
export interface Grid {
  /** A float32. */
  readonly scale: number;
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

const codes = new Map<string, readonly [low: number, high: number]>([['int8', [-128, 127]], ['uint8', [0, 255]], ['int16', [-32768, 32767]], ['uint16', [0, 65535]]]);

/** The lowest and highest code of a format. Throws `statistics/format` for types that are not quantized to. */
export function codesOf({ type }: QuantizedFormat): readonly [low: number, high: number] {
  const found = codes.get(type);
  if (found !== undefined) return found;
  throw new Diagnostic('statistics/format', `no range can be chosen for ${type}`, { expected: [...codes.keys()], actual: type, suggestion: 'Use a target whose activations are 8 or 16 bits wide.' });
}

/**
 * Scale and zero point for a range (ONNX QuantizeLinear). Symmetric formats take the larger side to the highest code; an unsigned symmetric one has its zero point in the middle.
 * Asymmetric formats spread the range over all codes and move it so that zero is a code. A range of nothing but zero gets the scale 1.
 */
export function gridOf({ min, max }: ValueRange, format: QuantizedFormat): Grid {
  const [low, high] = codesOf(format);
  if (format.symmetric) {
    const middle = low < 0 ? 0 : (high + 1) / 2;
    return { scale: positive(Math.max(-min, max) / (high - middle)), zeroPoint: middle, low, high };
  }
  const scale = positive((Math.max(max, 0) - Math.min(min, 0)) / (high - low));
  return { scale, zeroPoint: Math.min(high, Math.max(low, Math.round(low - Math.min(min, 0) / scale))), low, high };
}

/** As a float32 that is not zero: a subnormal scale would make the quotient infinite. */
function positive(scale: number): number {
  return scale === 0 ? 1 : Math.max(Math.fround(scale), smallestScale);
}

const smallestScale = 2 ** -126;
