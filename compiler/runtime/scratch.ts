import { rmSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Chunk } from '../../ir/bytes.ts';

/** A model in a temporary folder. */
export interface Scratch {
  /** Path of the model file. */
  readonly model: string;
  remove(): Promise<void>;
}

/** Bytes that are copied at once. */
const step = 2 ** 24;
const folders = new Set<string>();

/**
 * Writes a model and its side file into a new folder below `parent`. ONNX Runtime maps the side file into memory, so a model of any size costs no copy of
 * its weights. The folder goes with `remove`, at the latest when the process exits.
 */
export async function makeScratch(parent: string, model: readonly Chunk[], sideName: string, side: Iterable<Chunk>): Promise<Scratch> {
  const folder = await mkdtemp(join(parent, 'onnxpress-'));
  if (folders.size === 0) process.once('exit', removeAll);
  folders.add(folder);
  const remove = async (): Promise<void> => {
    if (!folders.delete(folder)) return;
    if (folders.size === 0) process.removeListener('exit', removeAll);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const path = join(folder, 'model.onnx');
    await write(path, model);
    await write(join(folder, sideName), side);
    return { model: path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

async function write(path: string, chunks: Iterable<Chunk>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += step) {
        const length = Math.min(step, chunk.length - at);
        const bytes = chunk instanceof Uint8Array ? chunk.subarray(at, at + length) : chunk.source.read(chunk.offset + at, length);
        for (let done = 0; done < length;) done += (await file.write(bytes, done, length - done)).bytesWritten;
      }
    }
  } finally {
    await file.close();
  }
}
