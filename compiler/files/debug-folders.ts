import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { DumpWriter } from '../instruments/dump.ts';
import type { ReproducerWriter } from '../instruments/reproducer.ts';
import { writeFiles } from './write-files.ts';

/** Writes the files of a dump into a folder, which is made when the first one comes. Throws `output/unwritable`. */
export function dumpFolder(folder: string): DumpWriter {
  return (name, text) => {
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), text);
    } catch (error) {
      throw new Diagnostic('output/unwritable', `cannot write the dump: ${String(error)}`, { cause: error, suggestion: 'Give another folder, or make room in this one.' });
    }
  };
}

/** Writes each reproducer into a new folder inside `parent`, or inside the system's folder for temporary files. */
export function reproducerFolder(parent: string = tmpdir()): ReproducerWriter {
  return ({ id }, files) => {
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, `onnxpress-${id.replaceAll(/[^\w.-]/g, '_')}-`));
    writeFiles([...files].map(([name, content]) => ({ path: join(folder, name), chunks: typeof content === 'string' ? [new TextEncoder().encode(content)] : content })));
    return folder;
  };
}
