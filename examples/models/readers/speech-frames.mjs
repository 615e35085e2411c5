import { readWav, recording } from './wav.mjs';

/** Frames of 512 samples behind 64 of context. */
export default async function* () {
  const sound = await readWav(recording('silero_test.wav'));
  for (let at = 0; at + 576 <= sound.length; at += 512) yield { data: sound.slice(at, at + 576) };
}
