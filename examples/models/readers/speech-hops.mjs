import { readWav, recording } from './wav.mjs';

/** Frames of 512 samples, a quarter of one apart. */
export default async function* () {
  const sound = await readWav(recording('silero_test.wav'));
  for (let at = 0; at + 512 <= sound.length; at += 128) yield { data: sound.slice(at, at + 512), shape: [1, 1, 512] };
}
