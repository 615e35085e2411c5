import type { Tensor } from '../../ir/tensor.ts';
import type { Label } from '../../passes/data.ts';

/** Where an image came to lie in the input: a pixel x of the image lies at `x · scale + offset`, both as [horizontal, vertical]. */
export interface Placement {
  /** Width and height of the image as a person sees it, in pixels. */
  readonly size: readonly [number, number];
  readonly scale: readonly [number, number];
  readonly offset: readonly [number, number];
}

/** One sample as it was read, not yet preprocessed. */
export interface Sample {
  /** By input name. */
  readonly arrays: ReadonlyMap<string, Tensor>;
  /** How messages call it: a file, or `row 3 of x.npy`. */
  readonly where: string;
  /** The file that it came from, for messages. */
  readonly file?: string;
  readonly label?: Label;
  readonly placement?: Placement;
}

/** Samples that are read in any order. */
export interface IndexedReader {
  readonly kind: 'indexed';
  /** Number of samples; Infinity for one that makes as many as are wanted. */
  readonly count: number;
  /** Absolute paths of the files that these samples are in; all files for undefined. */
  readonly files: (indices?: readonly number[]) => readonly string[];
  /** The file of each sample, relative to the recipe, where samples are files. */
  readonly names?: readonly string[];
  open(): Promise<Cursor>;
}

/** An open IndexedReader. */
export interface Cursor {
  at(index: number): Promise<Sample>;
  close(): Promise<void>;
}

/** Samples that come one after the other, from the first to the last. */
export interface StreamReader {
  readonly kind: 'stream';
  readonly count: number | undefined;
  readonly files: (indices?: readonly number[]) => readonly string[];
  readonly names?: undefined;
  stream(signal?: AbortSignal): AsyncIterable<Sample>;
}

export type Reader = IndexedReader | StreamReader;

/** A Cursor that holds nothing open. */
export function cursor(at: Cursor['at']): Cursor {
  return { at, close: () => Promise.resolve() };
}
