import { open, type FileHandle } from 'node:fs/promises';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Found } from './glob.ts';

/** A file of data that is open for reading by ranges. `close` it. */
export class DataFile {
  readonly name: string;
  readonly size: number;
  private readonly handle: FileHandle;

  private constructor(name: string, size: number, handle: FileHandle) {
    this.name = name;
    this.size = size;
    this.handle = handle;
  }

  /** Throws `data/unreadable`. */
  static async open({ path, name }: Found): Promise<DataFile> {
    try {
      const handle = await open(path, 'r');
      const { size } = await handle.stat();
      return new DataFile(name, size, handle);
    } catch (error) {
      throw unreadable(name, error);
    }
  }

  /** Exactly `length` bytes from `offset` on, in memory of their own. Throws `data/truncated`. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const { bytesRead } = await this.handle.read(bytes, at, Math.min(length - at, 2 ** 30), offset + at);
      if (bytesRead === 0) throw truncated(this.name, `it ends after ${offset + at} bytes, and ${offset + length} are needed`);
      at += bytesRead;
    }
    return bytes;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Opens a file for one action. */
export async function withFile<T>(found: Found, action: (file: DataFile) => Promise<T>): Promise<T> {
  const file = await DataFile.open(found);
  try {
    return await action(file);
  } finally {
    await file.close();
  }
}

export function unreadable(name: string, error: unknown): Diagnostic {
  return new Diagnostic('data/unreadable', `cannot read ${name}: ${error instanceof Error ? error.message : String(error)}`, {
    file: name, cause: error, suggestion: 'Check the path and the permissions.',
  });
}

export function truncated(name: string, why: string): Diagnostic {
  return new Diagnostic('data/truncated', `${name} is incomplete: ${why}`, { file: name, suggestion: 'Copy the file again, or correct `shape`, `dtype` and `offset`.' });
}
