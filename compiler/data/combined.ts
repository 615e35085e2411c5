import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Cursor, IndexedReader, Reader, Sample, StreamReader } from './reader.ts';

/**
 * One reader for all inputs from one reader for each, read side by side. They must have equally many samples, apart from those that make as many as
 * are wanted. Throws `data/count`.
 */
export function combined(readers: ReadonlyMap<string, Reader>): Reader {
  const all = [...readers.values()];
  const counts = [...readers].flatMap(([name, { count }]) => (count === undefined || count === Infinity ? [] : [{ name, count }]));
  const [first] = counts;
  const other = counts.find(({ count }) => count !== first!.count);
  if (other !== undefined) throw unequal(`'${first!.name}' has ${first!.count} samples, and '${other.name}' has ${other.count}`);
  const files = (indices?: readonly number[]): readonly string[] => [...new Set(all.flatMap((reader) => reader.files(indices)))];
  if (all.every((reader) => reader.kind === 'indexed')) return indexed(all, first?.count ?? Infinity, files);
  return {
    kind: 'stream',
    count: first?.count,
    files: () => files(),
    stream: (signal) => sideBySide([...readers.keys()], all, signal),
  };
}

function indexed(readers: readonly IndexedReader[], count: number, files: IndexedReader['files']): IndexedReader {
  const names = readers.find((reader) => reader.names !== undefined)?.names;
  return {
    kind: 'indexed', count, files, ...(names && { names }),
    async open(): Promise<Cursor> {
      const cursors = await Promise.all(readers.map((reader) => reader.open()));
      return {
        at: async (index) => joined(await Promise.all(cursors.map((cursor) => cursor.at(index)))),
        close: async () => { for (const cursor of cursors) await cursor.close(); },
      };
    },
  };
}

async function* sideBySide(names: readonly string[], readers: readonly Reader[], signal: AbortSignal | undefined): AsyncGenerator<Sample> {
  const iterators = readers.map((reader) => (reader.kind === 'stream' ? reader.stream(signal) : inOrder(reader))[Symbol.asyncIterator]());
  try {
    for (let index = 0; ; index++) {
      const next = await Promise.all(iterators.map((iterator) => iterator.next()));
      const ended = next.findIndex(({ done }) => done === true);
      const going = next.findIndex(({ done }, which) => done !== true && readers[which]!.count !== Infinity);
      if (ended >= 0 && going >= 0) throw unequal(`'${names[ended]!}' has ${index} samples, and '${names[going]!}' has more`);
      if (ended >= 0) return;
      yield joined(next.map(({ value }) => value as Sample));
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}

async function* inOrder(reader: IndexedReader): ReturnType<StreamReader['stream']> & AsyncGenerator<Sample> {
  const cursor = await reader.open();
  try {
    for (let index = 0; index < reader.count; index++) yield await cursor.at(index);
  } finally {
    await cursor.close();
  }
}

/** The parts of one sample as one; its name, label and placement are those of the first part that has them. */
function joined(parts: readonly Sample[]): Sample {
  const arrays = new Map<string, Tensor>(parts.flatMap((part) => [...part.arrays]));
  const named = parts.find(({ file }) => file !== undefined) ?? parts[0]!;
  const label = parts.find((part) => part.label !== undefined)?.label;
  const placement = parts.find((part) => part.placement !== undefined)?.placement;
  return { arrays, where: named.where, ...(named.file !== undefined && { file: named.file }), ...(label !== undefined && { label }), ...(placement && { placement }) };
}

function unequal(which: string): Diagnostic {
  return new Diagnostic('data/count', `the readers of the inputs do not have equally many samples: ${which}`, { suggestion: 'Give each input the data of the same samples, in the same order.' });
}
