import { closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync, readSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { ByteSource, Chunk } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { readModel } from '../../ir/onnx/read.ts';

/** A model whose weights are still in its files. */
export interface OpenedModel {
  readonly model: Model;
  /** Absolute paths of all files that were opened, the model itself first. */
  readonly files: readonly string[];
  readonly close: () => void;
}

/** Opens an ONNX file without reading its weights. `name` is how users know the path. Throws `model/unreadable`, `model/external-path`, and what `readModel` throws. */
export function openModelFile(path: string, name: string = path): OpenedModel {
  const open = new Map<string, FileSource>();
  const source = (file: string): FileSource => {
    const known = open.get(file) ?? new FileSource(file, file === path ? name : join(dirname(name), relative(dirname(path), file)));
    open.set(file, known);
    return known;
  };
  const close = (): void => { for (const file of open.values()) file.close(); };
  try {
    const main = source(path);
    const model = readModel(main, { external: (location) => source(externalPath(path, location)) });
    return { model, files: [...open.keys()], close };
  } catch (error) {
    close();
    throw Diagnostic.is(error) ? error.with({ file: name }) : error;
  }
}

/** The file that external data name: inside the model's folder, also after symbolic links are followed. */
function externalPath(model: string, location: string): string {
  const refuse = (why: string): Diagnostic => new Diagnostic('model/external-path', `external data of ${model} are in ${JSON.stringify(location)}, which ${why}`, {
    file: model, suggestion: 'Keep the files of a model in one folder.',
  });
  const folder = dirname(model);
  if (location === '' || location.includes('\0') || location.split(/[\\/]/).includes('..') || /^([\\/]|[A-Za-z]:)/.test(location)) throw refuse('leads out of the folder of the model');
  const file = join(folder, location);
  let real: string;
  try {
    real = realpathSync(file);
  } catch {
    throw refuse('does not exist');
  }
  if (relative(realpathSync(folder), real).split(sep)[0] === '..') throw refuse('leads out of the folder of the model');
  // A second name of a file from elsewhere leads out of the folder as well, and no path shows it.
  if (statSync(real).nlink > 1) throw refuse('is a hard link: the file has other names');
  return file;
}

/** Files up to this size are read at once, larger ones range by range. */
const smallFile = 2 ** 25;

/** Bytes of an open file. */
class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly memory?: Uint8Array;
  private readonly fd: number;

  constructor(path: string, name: string) {
    this.name = name;
    try {
      this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw unreadable(name, (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error));
    }
    const stat = fstatSync(this.fd);
    this.size = stat.size;
    if (!stat.isFile()) {
      closeSync(this.fd);
      throw unreadable(name, 'it is not a regular file');
    }
    if (stat.size <= smallFile) this.memory = this.read(0, stat.size);
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new Diagnostic('model/truncated', `${this.name} has ${this.size} bytes, but ${length} bytes at offset ${offset} were expected`, { file: this.name });
    }
    if (this.memory !== undefined) return this.memory.subarray(offset, offset + length);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const read = readSync(this.fd, bytes, at, Math.min(length - at, 2 ** 30), offset + at);
      if (read === 0) throw unreadable(this.name, 'it became shorter while it was read');
      at += read;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function unreadable(path: string, why: string): Diagnostic {
  return new Diagnostic('model/unreadable', `cannot read ${path}: ${why}`, { file: path, suggestion: 'Check the path and the permissions.' });
}

/** A file to be written: its pieces in order. */
export interface FileToWrite {
  /** Absolute. */
  readonly path: string;
  readonly chunks: readonly Chunk[];
}

/** Writes all files or none: each under a temporary name in its own folder, then renamed in the given order; the last rename is the commit. */
export function writeFiles(files: readonly FileToWrite[]): void {
  const temporary = files.map(({ path }, index) => join(dirname(path), `.onnxpress-${process.pid}-${index}.tmp`));
  try {
    files.forEach(({ path, chunks }, index) => {
      mkdirSync(dirname(path), { recursive: true });
      writeChunks(temporary[index]!, chunks);
    });
    files.forEach(({ path }, index) => { renameSync(temporary[index]!, path); });
  } catch (error) {
    throw new Diagnostic('output/unwritable', `cannot write the outputs: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error, suggestion: 'Check the folder, its permissions and the free space.',
    });
  } finally {
    for (const file of temporary) rmSync(file, { force: true });
  }
}

function writeChunks(path: string, chunks: readonly Chunk[]): void {
  rmSync(path, { force: true });
  const fd = openSync(path, 'wx');
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += 1 << 22) {
        const length = Math.min(1 << 22, chunk.length - at);
        const bytes = chunk instanceof Uint8Array ? chunk.subarray(at, at + length) : chunk.source.read(chunk.offset + at, length);
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      }
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
