/** The shortest decimal that reads back as the same float32 (and, of these, the nearest): `0.1`, `1e-45`, `-0`, `nan`, `-inf`. */
export function float32Text(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value) && Math.abs(value) < 1e7) return doubleText(value);
  // If some number of digits is enough, so is every larger one: nine always are.
  let low = 1;
  let high = 9;
  while (low < high) {
    const digits = (low + high) >> 1;
    if (reads(value.toPrecision(digits), value)) high = digits;
    else low = digits + 1;
  }
  return doubleText(Number(value.toPrecision(low)));
}

/** The shortest decimal that reads back as the same double. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The value of a number token, `nan` and `inf` included. */
export function numberValue(text: string): number {
  const number = Number(text);
  if (!Number.isNaN(number)) return number;
  if (/nan$/i.test(text)) return NaN;
  return text.startsWith('-') ? -Infinity : Infinity;
}

/** True if the decimal is read as this float32 by every reader, whether or not it rounds by way of a double. */
function reads(decimal: string, value: number): boolean {
  const double = Number(decimal);
  return Math.fround(double) === value && !isMidpoint(double);
}

const float64 = new Float64Array(1);
const halves = new Uint32Array(float64.buffer);

/** True for a double half-way between two float32: rounding twice may then err. (Normal range; below it the halves are elsewhere, and 9 digits are plenty.) */
function isMidpoint(double: number): boolean {
  float64[0] = double;
  return (halves[0]! & 0x1fffffff) === 0x10000000;
}
