import type { TypedArray, TypedArrayConstructor } from './fields.ts';

/** A typed array that grows: packed elements are adopted as a view where they come in one piece, and gathered otherwise. */
export class Gathering {
  private words: Uint32Array = new Uint32Array(0);
  private length = 0;
  private readonly array: TypedArrayConstructor;

  constructor(array: TypedArrayConstructor) {
    this.array = array;
  }

  /** Adds elements as they lie in the file (little-endian), without a copy if these are the first and aligned. */
  append(bytes: Uint8Array): void {
    const aligned = bytes.byteOffset % this.array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
    if (this.length === 0) {
      this.words = words;
    } else {
      this.reserve(words.length);
      this.words.set(words, this.length);
    }
    this.length += words.length;
  }

  /** Adds one element, given as its low and high half; the high half counts for elements of eight bytes only. */
  push(low: number, high: number): void {
    this.reserve(2);
    this.words[this.length++] = low;
    if (this.array.BYTES_PER_ELEMENT === 8) this.words[this.length++] = high;
  }

  finish(): TypedArray {
    const words = this.length === this.words.length ? this.words : this.words.slice(0, this.length);
    return new this.array(words.buffer, words.byteOffset, (words.length * 4) / this.array.BYTES_PER_ELEMENT);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.words.length) return;
    const grown = new Uint32Array(Math.max(16, this.words.length * 2, this.length + more));
    grown.set(this.words.subarray(0, this.length));
    this.words = grown;
  }
}

/** The elements as unsigned words, low half first; elements of eight bytes take two. */
export function wordsOf(array: TypedArray): Uint32Array {
  return new Uint32Array(array.buffer, array.byteOffset, array.byteLength / 4);
}
