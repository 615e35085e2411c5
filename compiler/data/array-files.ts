import { byteLengthOf, dtypeBits, type DType } from '../../ir/dtype.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { DataFile } from './data-file.ts';
import type { Found } from './glob.ts';
import type { Cursor, IndexedReader, Sample } from './reader.ts';

/** Rows of equal shape that lie one after the other in a file. */
export interface Rows {
  readonly found: Found;
  /** Bytes before the first. */
  readonly offset: number;
  readonly count: number;
  readonly dtype: DType;
  /** Shape of one row. */
  readonly shape: readonly number[];
  /** Whether the most significant byte comes first. */
  readonly bigEndian?: boolean;
}

/** A reader over the rows of these files, one after the other, each row read by its range when it is wanted. */
export function arrayReader(parts: readonly Rows[], input: string): IndexedReader {
  const starts: number[] = [];
  let count = 0;
  for (const part of parts) {
    starts.push(count);
    count += part.count;
  }
  const partOf = (index: number): number => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const paths = (wanted: Iterable<number>): string[] => [...new Set(wanted)].map((part) => parts[part]!.found.path);
  return {
    kind: 'indexed',
    count,
    files: (indices) => paths(indices === undefined ? parts.keys() : indices.map(partOf)),
    open: () => Promise.resolve(new ArrayCursor(parts, (index) => [partOf(index), index - starts[partOf(index)]!], input)),
  };
}

/** Files that stay open although nobody reads them just now. */
const mostIdle = 8;

interface Opened {
  readonly file: Promise<DataFile>;
  readers: number;
}

class ArrayCursor implements Cursor {
  private readonly parts: readonly Rows[];
  private readonly locate: (index: number) => readonly [number, number];
  private readonly input: string;
  /** By part, those that were asked for last at the end. */
  private readonly opened = new Map<number, Opened>();

  constructor(parts: readonly Rows[], locate: (index: number) => readonly [number, number], input: string) {
    this.parts = parts;
    this.locate = locate;
    this.input = input;
  }

  async at(index: number): Promise<Sample> {
    const [part, row] = this.locate(index);
    const { found, offset, dtype, shape, bigEndian, count } = this.parts[part]!;
    const length = byteLengthOf(dtype, sizeOf(shape));
    const bytes = await this.reading(part, (file) => file.read(offset + row * length, length));
    if (bigEndian) swap(bytes, dtypeBits(dtype) / 8);
    const where = count === 1 ? found.name : `row ${row} of ${found.name}`;
    return { arrays: new Map([[this.input, Tensor.fromBytes(dtype, shape, bytes)]]), where, file: found.name };
  }

  async close(): Promise<void> {
    const open = [...this.opened.values()];
    this.opened.clear();
    for (const file of await Promise.allSettled(open.map((each) => each.file))) if (file.status === 'fulfilled') await file.value.close();
  }

  /** Reads the file of a part, opening it first. Rows mostly come in order: beyond a few, files that were read before are closed. */
  private async reading<T>(part: number, action: (file: DataFile) => Promise<T>): Promise<T> {
    const opened = this.opened.get(part) ?? { file: DataFile.open(this.parts[part]!.found), readers: 0 };
    this.opened.delete(part);
    this.opened.set(part, opened);
    opened.readers++;
    try {
      return await action(await opened.file);
    } finally {
      opened.readers--;
      for (const [idle, { file, readers }] of this.opened) {
        if (this.opened.size <= mostIdle) break;
        if (readers > 0) continue;
        this.opened.delete(idle);
        await file.then((each) => each.close(), () => undefined);
      }
    }
  }
}

/** Reverses the bytes of every element, in place. */
export function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
