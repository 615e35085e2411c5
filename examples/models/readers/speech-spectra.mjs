import { readWav, recording } from './wav.mjs';

const size = 512;
const bins = size / 2 + 1;
const window = Float64Array.from({ length: size }, (_, at) => Math.sqrt(0.5 - 0.5 * Math.cos(2 * Math.PI * at / size)));
const cosines = Float64Array.from({ length: size }, (_, at) => Math.cos(2 * Math.PI * at / size));

/** Spectra of 257 bins, real and imaginary part, of frames half of which overlap; with caches at rest. @param {{ inputs: { name: string, shape: number[] }[] }} context */
export default async function* ({ inputs }) {
  const sound = await readWav(recording('silero_test.wav'));
  const rest = Object.fromEntries(inputs.filter(({ name }) => name !== 'mix').map(({ name, shape }) => [name, { data: new Float32Array(shape.reduce((a, b) => a * b, 1)), shape }]));
  for (let at = 0; at + size <= sound.length; at += size / 2) yield { feeds: { ...rest, mix: { data: spectrum(sound.subarray(at, at + size)), shape: [1, bins, 1, 2] } } };
}

/** @param {Float32Array} frame */
function spectrum(frame) {
  const result = new Float32Array(2 * bins);
  for (let bin = 0; bin < bins; bin++) {
    let [real, imaginary] = [0, 0];
    for (let at = 0; at < size; at++) {
      const x = frame[at] * window[at];
      real += x * cosines[bin * at % size];
      imaginary += x * cosines[(bin * at + size / 4) % size];
    }
    result.set([real, imaginary], 2 * bin);
  }
  return result;
}
