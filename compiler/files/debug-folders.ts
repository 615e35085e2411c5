import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DumpWriter } from '../instruments/dump.ts';
import type { ReproducerWriter } from '../instruments/reproducer.ts';
import { writeFiles } from './model-file.ts';

/** Writes the files of a dump into a folder, which is made when the first one comes. */
export function dumpFolder(folder: string): DumpWriter {
  return (name, text) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), text);
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
