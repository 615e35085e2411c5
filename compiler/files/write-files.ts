import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, realpathSync, renameSync, rmdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readInto, type Chunk } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';

/** A file to be written: its pieces in order. */
export interface FileToWrite {
  /** Absolute. */
  readonly path: string;
  readonly chunks: readonly Chunk[];
}

/**
 * Throws `output/conflict` if two of the files to be written are the same, or if one is a file that was read: whichever way a path leads
 * there (absolute, through links). All paths are absolute; `name` makes those of messages.
 */
export function checkDestinations(outputs: readonly string[], inputs: readonly string[], name: (path: string) => string = (path) => path): void {
  // A link that is read leads to a file that must not be replaced either.
  const read = new Map(inputs.flatMap((path) => [[placeOf(path), path], [targetOf(path), path]]));
  const written = new Map<string, string>();
  for (const path of outputs) {
    const place = placeOf(path);
    const [input, other] = [read.get(place), written.get(place)];
    if (input !== undefined) {
      throw new Diagnostic('output/conflict', `${name(path)} would overwrite ${input === path ? 'a file that is read' : `${name(input)}, which is read`}`, {
        file: name(path), suggestion: 'Write to another file, or another folder.',
      });
    }
    if (other !== undefined) {
      throw new Diagnostic('output/conflict', `two outputs would be written to ${name(path)}${other === path ? '' : `, which is ${name(other)} as well`}`, {
        file: name(path), suggestion: 'Give one of them another path.',
      });
    }
    written.set(place, path);
  }
}

/** Where a file lies or would lie: links in the path to its folder are followed; a link that stands in its own place would be replaced. */
function placeOf(path: string): string {
  const rest = [basename(path)];
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      return join(realpathSync(folder), ...rest);
    } catch {
      if (folder === dirname(folder)) return path;
      rest.unshift(basename(folder));
    }
  }
}

/** The file that a path leads to after all links, or the path itself where there is none. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * Writes all files or none: each under a temporary name in its own folder, then renamed in the given order; the last rename is the commit.
 * If one fails, those before it are taken back. Throws `output/unwritable`.
 */
export function writeFiles(files: readonly FileToWrite[]): void {
  // Not the process's number: those of two containers that share a folder may be equal.
  const run = randomBytes(6).toString('hex');
  const beside = (path: string, index: number, what: string): string => join(dirname(path), `.onnxpress-${run}-${index}.${what}`);
  const undo: (() => void)[] = [];
  try {
    const buffer = new Uint8Array(pieceSize);
    files.forEach(({ path, chunks }, index) => {
      makeFolder(dirname(path), undo);
      // The one failure of a rename that is likely; known before hours of writing, not after.
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${path} is a folder`);
      const temporary = beside(path, index, 'tmp');
      undo.push(() => { rmSync(temporary, { force: true }); });
      writeChunks(temporary, chunks, buffer);
    });
    files.forEach(({ path }, index) => {
      const old = beside(path, index, 'old');
      const kept = keep(path, old);
      if (kept !== undefined) undo.push(kept);
      renameSync(beside(path, index, 'tmp'), path);
    });
    files.forEach(({ path }, index) => { attempt(() => { rmSync(beside(path, index, 'old'), { force: true }); }); });
  } catch (error) {
    for (const step of undo.reverse()) attempt(step);
    throw new Diagnostic('output/unwritable', `cannot write the outputs: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error, suggestion: 'Check the folder, its permissions and the free space.',
    });
  }
}

/** Gives what stands at a path a second name, and returns how to put it back; undefined where the file system has no second names. */
function keep(path: string, old: string): (() => void) | undefined {
  try {
    linkSync(path, old);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? (): void => { rmSync(path, { force: true }); } : undefined;
  }
  return () => {
    renameSync(old, path);
    // A rename between two names of one file does nothing.
    rmSync(old, { force: true });
  };
}

function makeFolder(folder: string, undo: (() => void)[]): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  undo.push(() => {
    for (let at = folder; at.length >= first.length; at = dirname(at)) rmdirSync(at);
  });
}

/** Cleaning up must neither hide what went wrong nor undo what succeeded. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // Left as it is.
  }
}

/** Small enough that a piece is still in the processor's cache when it is written, on a busy machine too: there, 512 KiB take four times as long. */
const pieceSize = 1 << 17;

/** Writes a new file through the buffer. */
function writeChunks(path: string, chunks: readonly Chunk[], buffer: Uint8Array): void {
  const fd = openSync(path, 'wx');
  const write = (bytes: Uint8Array): void => { for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30)); };
  let filled = 0;
  const flush = (): void => {
    write(buffer.subarray(0, filled));
    filled = 0;
  };
  try {
    for (const chunk of chunks) {
      if (chunk instanceof Uint8Array && chunk.length >= buffer.length) {
        flush();
        write(chunk);
        continue;
      }
      for (let at = 0; at < chunk.length;) {
        const length = Math.min(buffer.length - filled, chunk.length - at);
        copyPiece(chunk, at, buffer.subarray(filled, filled + length));
        at += length;
        filled += length;
        if (filled === buffer.length) flush();
      }
    }
    flush();
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Copies the bytes of a chunk from `at` on into `target`, which says how many. */
function copyPiece(chunk: Chunk, at: number, target: Uint8Array): void {
  if (chunk instanceof Uint8Array) target.set(chunk.subarray(at, at + target.length));
  else readInto(chunk.source, chunk.offset + at, target);
}
