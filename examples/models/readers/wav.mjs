import { readFile } from 'node:fs/promises';

/** The first channel of a file of 16-bit PCM, from -1 to 1. @param {URL} url */
export async function readWav(url) {
  const bytes = await readFile(url);
  const channels = bytes.readUInt16LE(22);
  const start = bytes.indexOf('data') + 8;
  const count = Math.floor(Math.min(bytes.readUInt32LE(start - 4), bytes.length - start) / (2 * channels));
  return Float32Array.from({ length: count }, (_, at) => bytes.readInt16LE(start + 2 * channels * at) / 32768);
}

/** Where the recordings lie. @param {string} name */
export const recording = (name) => new URL(`../../../../shared/datasets/audio/${name}`, import.meta.url);
