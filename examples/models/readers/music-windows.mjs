import { readWav, recording } from './wav.mjs';

const window = 43844;

/** Windows of two seconds at 22050 Hz: the mean of neighbours of what was recorded at twice that. */
export default async function* () {
  const sound = await readWav(recording('vocadito_10.wav'));
  const half = Float32Array.from({ length: sound.length >> 1 }, (_, at) => (sound[2 * at] + sound[2 * at + 1]) / 2);
  for (let at = 0; at + window <= half.length; at += window >> 1) yield { data: half.slice(at, at + window), shape: [window, 1] };
}
