import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Chunk } from '../../ir/bytes.ts';
import type { FileRecord } from '../report/report.ts';

const step = 1 << 20;

/** Length and SHA-256 of a file, read in pieces. Throws what the file system throws. */
export function recordFile(path: string): FileRecord {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(step);
  const fd = openSync(path, 'r');
  let bytes = 0;
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, read));
      bytes += read;
    }
  } finally {
    closeSync(fd);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** The same of a file that is not written yet. */
export function recordOutput(chunks: readonly Chunk[]): FileRecord {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const chunk of chunks) {
    bytes += chunk.length;
    update(hash, chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}

function update(hash: Hash, chunk: Chunk): void {
  for (let at = 0; at < chunk.length; at += step) {
    const length = Math.min(step, chunk.length - at);
    hash.update(chunk instanceof Uint8Array ? chunk.subarray(at, at + length) : chunk.source.read(chunk.offset + at, length));
  }
}
