import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Diagnostic } from '../../ir/diagnostic.ts';

/** All that reading a recipe may touch: named text files. Tests and servers bring their own. */
export interface RecipeFiles {
  /** The text of a regular file of at most `limit` bytes. Throws a Diagnostic `recipe/unreadable` that names the file and why. */
  readText(path: string, limit: number): string;
}

/** Largest recipe in bytes: hundreds of times a real one, and small enough that no parser can be kept busy. */
export const recipeSizeLimit: number = 256 * 1024;

/** Files on disk. Devices, pipes and folders are refused before anything is read from them. */
export const diskFiles: RecipeFiles = {
  readText(path: string, limit: number): string {
    const refuse = (why: string, cause?: unknown): Diagnostic => new Diagnostic('recipe/unreadable', `cannot read the recipe ${path}: ${why}`, { file: path, cause });
    let fd: number;
    try {
      // Without O_NONBLOCK, opening a pipe would wait for a writer.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw refuse(reason(error), error);
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw refuse('it is not a regular file');
      if (stat.size > limit) throw refuse(`it has ${stat.size} bytes, and a recipe may have ${limit}`);
      const bytes = new Uint8Array(stat.size);
      let length = 0;
      while (length < bytes.length) {
        const read = readSync(fd, bytes, length, bytes.length - length, null);
        if (read === 0) break;
        length += read;
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
    } catch (error) {
      throw Diagnostic.is(error) ? error : refuse(error instanceof TypeError ? 'it is not UTF-8 text' : reason(error), error);
    } finally {
      closeSync(fd);
    }
  },
};

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ENOTDIR: 'a part of the path is not a folder',
};

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return Object.hasOwn(reasons, code) ? reasons[code]! : `the system says ${code || String(error)}`;
}

/** A few texts in memory, by path; for tests and for callers that have the recipe already. */
export function memoryFiles(texts: Readonly<Record<string, string>>): RecipeFiles {
  return {
    readText(path: string, limit: number): string {
      const text = Object.hasOwn(texts, path) ? texts[path]! : undefined;
      if (text === undefined) throw new Diagnostic('recipe/unreadable', `cannot read the recipe ${path}: there is no such file`, { file: path });
      if (text.length > limit) throw new Diagnostic('recipe/unreadable', `cannot read the recipe ${path}: it has ${text.length} bytes, and a recipe may have ${limit}`, { file: path });
      return text;
    },
  };
}
