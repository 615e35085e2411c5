import { codesOf, gridOf, type Grid, type ValueRange } from '../statistics/grid.ts';
import type { QuantizedFormat } from '../target.ts';

/**
 * The grid for a range, as `gridOf` has it, but never wider than the range where it is asymmetric: the runtime drops a Clip before a QuantizeLinear only if no code lies
 * beyond its bounds, and a scale that was rounded up would put the last one there.
 */
export function writtenGrid(range: ValueRange, format: QuantizedFormat): Grid {
  const grid = gridOf(range, format);
  const width = Math.max(range.max, 0) - Math.min(range.min, 0);
  return !format.symmetric && width > 0 && Math.fround(grid.scale * (grid.high - grid.low)) > width ? { ...grid, scale: previousFloat(grid.scale) } : grid;
}

/** The grid of weights: symmetric, so that the lowest code never stands for anything. */
export function weightGrid(scale: number, format: QuantizedFormat): Grid {
  const [, high] = codesOf(format);
  return { scale, zeroPoint: 0, low: -high, high };
}

/** The nearest integer, halves to the even one: the rounding of QuantizeLinear. */
export function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** The code of a float32 number, as QuantizeLinear computes it: the quotient in float32. */
export function codeOf(x: number, { scale, zeroPoint, low, high }: Grid): number {
  return Math.min(high, Math.max(low, roundHalfEven(Math.fround(x / scale)) + zeroPoint));
}

const view = new DataView(new ArrayBuffer(4));

function previousFloat(x: number): number {
  view.setFloat32(0, x);
  view.setUint32(0, view.getUint32(0) - 1);
  return view.getFloat32(0);
}
