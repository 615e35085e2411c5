import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { readInto, type ByteRange, type Chunk } from '../../ir/bytes.ts';
import type { FileRecord } from '../report/report.ts';

/** As for writing: a piece stays in the processor's cache while it is hashed. */
const step = 1 << 17;

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
  const buffer = new Uint8Array(step);
  let bytes = 0;
  for (const chunk of chunks) {
    bytes += chunk.length;
    if (chunk instanceof Uint8Array) hash.update(chunk);
    else updateRange(hash, chunk, buffer);
  }
  return { bytes, sha256: hash.digest('hex') };
}

function updateRange(hash: Hash, { source, offset, length }: ByteRange, buffer: Uint8Array): void {
  for (let at = 0; at < length; at += step) {
    const piece = buffer.subarray(0, Math.min(step, length - at));
    readInto(source, offset + at, piece);
    hash.update(piece);
  }
}
