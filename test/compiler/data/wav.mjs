import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Frames of 512 samples behind 64 of context, from a file of 16-bit PCM. @param {{ folder: string }} context */
export default async function* ({ folder }) {
  const bytes = await readFile(join(folder, 'audio/silero_test.wav'));
  const start = bytes.indexOf('data') + 8;
  const length = Math.floor((bytes.length - start) / 2);
  for (let at = 64; at + 512 <= length; at += 512) {
    yield { data: Float32Array.from({ length: 576 }, (_, index) => bytes.readInt16LE(start + 2 * (at - 64 + index)) / 32768) };
  }
}
