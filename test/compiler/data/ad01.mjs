import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Sounds as 196 overlapping windows of five frames of 128 bins each. @param {{ folder: string }} context */
export default async function* ({ folder }) {
  const labels = await readFile(join(folder, 'ad01/labels_u8.bin'));
  const bytes = await readFile(join(folder, 'ad01/spectrogram_f16_56x25600.bin'));
  const frames = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  for (const [index, label] of labels.entries()) {
    const sound = frames.subarray(index * 25600, (index + 1) * 25600);
    const data = Float32Array.from({ length: 196 * 640 }, (_, at) => half(sound[Math.floor(at / 640) * 128 + at % 640]));
    yield { data, shape: [196, 640], label, name: `sound ${index}` };
  }
}

export const count = 56;

/** The number with these float16 bits. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = bits >> 10 & 31;
  const fraction = bits & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity) : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
