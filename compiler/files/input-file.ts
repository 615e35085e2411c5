import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { FileHashes } from '../data/file-hashes.ts';

/** Largest file that a step may read whole. */
const limit = 2 ** 31;

/** Reads files that steps name, relative to a folder; what was read is among `hashes`, for the report. Throws `input/unreadable`. */
export function inputFiles(folder: string, hashes?: FileHashes): (path: string) => Promise<Uint8Array> {
  return async (path) => {
    const file = resolve(folder, path);
    const unreadable = (why: string, cause?: unknown): Diagnostic => (
      new Diagnostic('input/unreadable', `${path} cannot be read: ${why}`, { file: path, cause, suggestion: 'Name an existing file; paths in a recipe are relative to it.' })
    );
    try {
      const { size } = await stat(file);
      if (size > limit) throw unreadable(`it has ${size} bytes, more than ${limit}`);
      hashes?.of(file);
      return await readFile(file);
    } catch (error) {
      throw Diagnostic.is(error) ? error : unreadable(error instanceof Error ? error.message : String(error), error);
    }
  };
}
