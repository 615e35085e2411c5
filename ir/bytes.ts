import { Diagnostic } from './diagnostic.ts';

/**
 * Bytes that can be read by range: a buffer, or a file that compiler/ has opened. `ir/` never opens anything itself.
 * `read` is synchronous and returns exactly `length` bytes, or throws a Diagnostic. The result must not be written to.
 */
export interface ByteSource {
  /** How users know the bytes: a path, or a description such as `buffer`. */
  readonly name: string;
  /** Length in bytes; may exceed 4 GiB. */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  /** Fills `target` from `offset` on, where the source can do so without an array of its own. */
  readInto?(offset: number, target: Uint8Array): void;
  /** All bytes without a copy, where the source holds them in memory. */
  readonly memory?: Uint8Array;
}

/** A source over bytes in memory; reads are views, not copies. */
export function memorySource(bytes: Uint8Array, name = 'buffer'): ByteSource {
  return {
    name,
    size: bytes.length,
    memory: bytes,
    read(offset: number, length: number): Uint8Array {
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw new Diagnostic('model/truncated', `${name} has ${bytes.length} bytes, but ${length} bytes at offset ${offset} were expected`, { file: name });
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Fills `target` with the bytes of a source from `offset` on. Throws as `read` does. */
export function readInto(source: ByteSource, offset: number, target: Uint8Array): void {
  if (source.readInto !== undefined) source.readInto(offset, target);
  else target.set(source.read(offset, target.length));
}

/** A piece of a byte source that stays where it is until somebody needs it. */
export interface ByteRange {
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
}

/** What a writer emits: bytes in memory, or ranges to be copied from their source. Concatenated in order they are the file. */
export type Chunk = Uint8Array | ByteRange;

/** Total length of chunks in bytes. */
export function chunksLength(chunks: Iterable<Chunk>): number {
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  return total;
}

/** Copies chunks into one array; for models that fit in memory. */
export function joinChunks(chunks: readonly Chunk[]): Uint8Array {
  const bytes = new Uint8Array(chunksLength(chunks));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk instanceof Uint8Array ? chunk : chunk.source.read(chunk.offset, chunk.length), at);
    at += chunk.length;
  }
  return bytes;
}
