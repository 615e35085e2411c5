import { expect } from 'chai';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  fromBfloat16Bits, fromFloat16Bits, fromFloat8e8m0, fromSmallFloat, toBfloat16Bits, toFloat16Bits, type SmallFloatType,
} from '../../ir/float16.ts';
import { root } from '../paths.ts';

/** Values of all codes as Python's ml_dtypes 0.6.0 converts them to float64; JSON has no −0, NaN and infinities, so these are strings. */
const smallFloats = JSON.parse(readFileSync(join(root, 'test/ir/small-floats.json'), 'utf8')) as Record<string, (number | string)[]>;

interface Format {
  readonly name: string;
  readonly to: (value: number) => number;
  readonly from: (bits: number) => number;
  readonly infinity: number;
}

const formats: readonly Format[] = [
  { name: 'float16', to: toFloat16Bits, from: fromFloat16Bits, infinity: 0x7c00 },
  { name: 'bfloat16', to: toBfloat16Bits, from: fromBfloat16Bits, infinity: 0x7f80 },
];

/** Second way of decoding binary16: its bits moved into those of a float64, whose exponent is wide enough for all of them. */
function float16ThroughFloat64(bits: number): number {
  const view = new DataView(new ArrayBuffer(8));
  const sign = BigInt(bits >> 15) << 63n;
  const rest = BigInt(bits & 0x7fff);
  if ((bits & 0x7c00) === 0x7c00) view.setBigUint64(0, sign | (0x7ffn << 52n) | ((rest & 0x3ffn) << 42n));
  else view.setBigUint64(0, sign | (rest << 42n));
  // Without the shifted bias the number is 2^(1023 − 15) too small; this holds for subnormals as well.
  return view.getFloat64(0) * ((bits & 0x7c00) === 0x7c00 ? 1 : 2 ** 1008);
}

/** Second way of rounding: the neighbour by exact comparison of distances in float64; of two equally near, the even code. */
function nearest({ from, infinity }: Format, value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  let [low, high] = [0, infinity];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from(middle) <= size) low = middle;
    else high = middle;
  }
  // Infinity stands where the next finite number would be.
  const above = high === infinity ? 2 * from(high - 1) - from(high - 2) : from(high);
  const [down, up] = [size - from(low), above - size];
  if (size === Infinity || down > up || (down === up && low % 2 === 1)) return sign | high;
  return sign | low;
}

describe('ir/float16', () => {
  for (const format of formats) {
    const { name, to, from, infinity } = format;

    describe(name, () => {
      it('gives each of the 65 536 codes back, NaNs as the quiet one', () => {
        for (let bits = 0; bits < 0x10000; bits++) {
          const isNaN = (bits & 0x7fff) > infinity;
          const back = to(from(bits));
          if (isNaN ? (back & 0x7fff) <= infinity : back !== bits) expect.fail(`${bits.toString(16)} → ${from(bits)} → ${back.toString(16)}`);
        }
      });

      it('rounds the midpoint of every pair of neighbours to the even code, and anything beside it to the nearer one', () => {
        for (let low = 0; low < infinity; low++) {
          const above = low + 1 === infinity ? 2 * from(low) - from(low - 1) : from(low + 1);
          const tie = (from(low) + above) / 2; // exact in float64
          const even = low % 2 === 0 ? low : low + 1;
          const step = tie * 2 ** -52; // less than float32 can show: the sticky bit of a double counts
          const cases = [[tie, even], [tie - step, low], [tie + step, low + 1], [-tie, even | 0x8000], [step - tie, low | 0x8000], [-tie - step, (low + 1) | 0x8000]] as const;
          for (const [value, bits] of cases) if (to(value) !== bits) expect.fail(`${value} → ${to(value).toString(16)}, not ${bits.toString(16)}`);
        }
      });

      it('agrees with a search for the nearest code, for doubles of all sizes', () => {
        const exponents = fc.tuple(fc.double({ min: 1, max: 2, maxExcluded: true, noNaN: true }), fc.integer({ min: -160, max: 140 }), fc.boolean());
        fc.assert(fc.property(exponents, ([fraction, exponent, negative]) => {
          const value = fraction * 2 ** exponent * (negative ? -1 : 1);
          return to(value) === nearest(format, value);
        }), { numRuns: 20_000, seed: 1 });
        fc.assert(fc.property(fc.double({ noNaN: true }), (value) => to(value) === nearest(format, value)), { numRuns: 5_000, seed: 2 });
      });

      it('keeps zeros, infinities and NaN', () => {
        expect([0, -0, Infinity, -Infinity, 1e300, -1e300, Number.MIN_VALUE, -Number.MIN_VALUE].map(to))
          .to.deep.equal([0, 0x8000, infinity, infinity | 0x8000, infinity, infinity | 0x8000, 0, 0x8000]);
        expect(Number.isNaN(from(to(NaN)))).to.equal(true);
        expect(Object.is(from(0x8000), -0)).to.equal(true);
      });
    });
  }

  it('decodes every binary16 as float64 arithmetic on its bits does', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      if (!Object.is(fromFloat16Bits(bits), float16ThroughFloat64(bits))) expect.fail(bits.toString(16));
    }
  });

  it('decodes every bfloat16 as the upper half of a float32', () => {
    const view = new DataView(new ArrayBuffer(4));
    for (let bits = 0; bits < 0x10000; bits++) {
      view.setUint16(0, bits);
      if (!Object.is(fromBfloat16Bits(bits), view.getFloat32(0))) expect.fail(bits.toString(16));
    }
  });

  for (const [value, bits] of [[65504, 0x7bff], [65519.99, 0x7bff], [65520, 0x7c00], [65535, 0x7c00], [2 ** -24, 1], [2 ** -25, 0], [2 ** -25 * (1 + 2 ** -52), 1], [2 ** -14, 0x400], [2 ** -14 * (1 - 2 ** -11), 0x400]] as const) {
    it(`float16 of ${value} is 0x${bits.toString(16)}`, () => { expect(toFloat16Bits(value)).to.equal(bits); });
  }

  for (const [format, values] of Object.entries(smallFloats)) {
    it(`decodes all ${values.length} codes of ${format} as ml_dtypes does`, () => {
      const decoded = values.map((_, code) => (format === 'float8e8m0' ? fromFloat8e8m0(code) : fromSmallFloat(format as SmallFloatType, code)));
      decoded.forEach((value, code) => {
        const expected = Number(values[code]);
        if (!Object.is(value, expected)) expect.fail(`code ${code} of ${format} is ${value}, not ${expected}`);
      });
    });
  }
});
