import { readWav, recording } from './wav.mjs';

/** Windows of one second. */
export default async function* () {
  const sound = await readWav(recording('silero_test.wav'));
  for (let at = 0; at + 16000 <= sound.length; at += 16000) yield { data: sound.slice(at, at + 16000), shape: [16000] };
}
