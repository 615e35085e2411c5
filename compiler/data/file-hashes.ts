import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { recordFile } from '../files/record.ts';
import type { FileRecord } from '../report/report.ts';

/** Files up to this size are read in one piece; folders of images have thousands of them. */
const atOnce = 2 ** 20;

/** Lengths and hashes of files, each read once as long as its size and time of change stay the same; all data of a compile share one. */
export class FileHashes {
  private readonly known = new Map<string, { readonly stamp: string; readonly record: FileRecord }>();

  /** The record of a file by its absolute path. Throws what the file system throws. */
  of(path: string): FileRecord {
    const { size, mtimeMs } = statSync(path);
    const stamp = `${size} ${mtimeMs}`;
    const known = this.known.get(path);
    if (known?.stamp === stamp) return known.record;
    const record = size <= atOnce ? { bytes: size, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') } : recordFile(path);
    this.known.set(path, { stamp, record });
    return record;
  }

  /** All files that were asked for, in that order. */
  get records(): ReadonlyMap<string, FileRecord> {
    return new Map([...this.known].map(([path, { record }]) => [path, record]));
  }
}
