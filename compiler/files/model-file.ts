import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { ByteSource } from '../../ir/bytes.ts';
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

/**
 * Opens an ONNX file without reading its weights, but for those of small files. `name` is how users know the path. Throws `model/unreadable`,
 * `model/external-path`, and what `readModel` throws.
 */
export function openModelFile(path: string, name: string = path): OpenedModel {
  const open = new Map<string, FileSource>();
  let free = smallFiles;
  const source = (file: string, from: () => FileSource): FileSource => {
    const known = open.get(file) ?? from();
    if (!open.has(file)) free -= known.memory?.length ?? 0;
    open.set(file, known);
    return known;
  };
  const main = (): FileSource => source(path, () => new FileSource(path, name, free));
  const external = (location: string): FileSource => {
    const file = join(dirname(path), location);
    if (file === path) return main();
    return source(file, () => openExternal(path, location, join(dirname(name), location), free));
  };
  const close = (): void => { for (const file of open.values()) file.close(); };
  try {
    const model = readModel(main(), { external });
    return { model, files: [...open.keys()], close };
  } catch (error) {
    close();
    throw Diagnostic.is(error) ? error.with({ file: name }) : error;
  }
}

/** Opens the file that external data name: inside the model's folder, also after symbolic links are followed. */
function openExternal(model: string, location: string, name: string, memory: number): FileSource {
  const refuse = (why: string): Diagnostic => new Diagnostic('model/external-path', `external data of ${model} are in ${JSON.stringify(location)}, which ${why}`, {
    file: model, suggestion: 'Keep the files of a model in one folder.',
  });
  const folder = dirname(model);
  if (location === '' || location.includes('\0') || location.split(/[\\/]/).includes('..') || /^([\\/]|[A-Za-z]:)/.test(location)) throw refuse('leads out of the folder of the model');
  let real: string;
  try {
    real = realpathSync(join(folder, location));
  } catch {
    throw refuse('does not exist');
  }
  if (relative(realpathSync(folder), real).split(sep)[0] === '..') throw refuse('leads out of the folder of the model');
  // What was looked at is what is opened: a link that somebody puts there meanwhile is not followed.
  const file = new FileSource(real, name, memory, constants.O_NOFOLLOW);
  // A second name of a file from elsewhere leads out of the folder as well, and no path shows it.
  if (file.names <= 1) return file;
  file.close();
  throw refuse('is a hard link: the file has other names');
}

/** Files are read at once as long as they are not larger than this in all; others range by range. Some exporters write a file for each tensor. */
const smallFiles = 2 ** 25;

/** Bytes of an open file. */
class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly memory?: Uint8Array;
  /** How many names the file has in its file system. */
  readonly names: number;
  private readonly fd: number;

  /** `memory` is the size up to which the file is read at once. */
  constructor(path: string, name: string, memory: number, flags = 0) {
    this.name = name;
    try {
      this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
    } catch (error) {
      throw unreadable(name, (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error));
    }
    const stat = fstatSync(this.fd);
    this.size = stat.size;
    this.names = stat.nlink;
    if (!stat.isFile()) {
      closeSync(this.fd);
      throw unreadable(name, 'it is not a regular file');
    }
    if (stat.size <= memory) this.memory = this.read(0, stat.size);
  }

  read(offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.size) {
      throw new Diagnostic('model/truncated', `${this.name} has ${this.size} bytes, but ${length} bytes at offset ${offset} were expected`, { file: this.name });
    }
    if (this.memory !== undefined) return this.memory.subarray(offset, offset + length);
    const bytes = new Uint8Array(length);
    this.fill(offset, bytes);
    return bytes;
  }

  readInto(offset: number, target: Uint8Array): void {
    if (this.memory !== undefined || offset < 0 || offset + target.length > this.size) target.set(this.read(offset, target.length));
    else this.fill(offset, target);
  }

  private fill(offset: number, target: Uint8Array): void {
    for (let at = 0; at < target.length;) {
      let read: number;
      try {
        read = readSync(this.fd, target, at, Math.min(target.length - at, 2 ** 30), offset + at);
      } catch (error) {
        throw unreadable(this.name, String(error));
      }
      if (read === 0) throw unreadable(this.name, 'it became shorter while it was read');
      at += read;
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}

function unreadable(path: string, why: string): Diagnostic {
  return new Diagnostic('model/unreadable', `cannot read ${path}: ${why}`, { file: path, suggestion: 'Check the path and the permissions.' });
}
