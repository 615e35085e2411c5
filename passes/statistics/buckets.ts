import type { ValueRange } from './grid.ts';
import type { Histogram } from './histogram.ts';

/** A histogram small enough for a report: counts of equal buckets, those of zeros apart. */
export interface Buckets {
  /** Lower edge of the first bucket. */
  readonly from: number;
  /** Width of a bucket. */
  readonly width: number;
  /** Elements that are exactly zero; they are in no bucket. */
  readonly zeros: number;
  readonly counts: readonly number[];
}

/** The same elements in at most `most` buckets from the smallest to the largest: whole bins are added, so that every count is exact. An edge lies at zero. */
export function bucketsOf({ range, zeros, positive, negative }: Histogram, most: number = 96): Buckets {
  const [above, below] = [used(positive), used(negative)];
  let bins = 1;
  while (Math.ceil(above / bins) + Math.ceil(below / bins) > most) bins++;
  const sides = [grouped(negative, below, bins).reverse(), grouped(positive, above, bins)] as const;
  const width = bins * range / positive.length;
  return { from: sides[0].length === 0 ? 0 : -sides[0].length * width, width, zeros, counts: sides.flat() };
}

/** Share of the elements in bins that lie, as a whole, beyond a range: what is clipped, to the width of a bin. */
export function shareBeyond({ range, zeros, positive, negative }: Histogram, { min, max }: ValueRange): number {
  const width = range / positive.length;
  const beyond = (counts: Float64Array, bound: number): number => counts.reduce((sum, count, bin) => (bin * width >= bound ? sum + count : sum), 0);
  const total = zeros + beyond(positive, 0) + beyond(negative, 0);
  return total === 0 ? 0 : (beyond(positive, max) + beyond(negative, -min)) / total;
}

/** Bins up to the last one that is not empty. */
function used(counts: Float64Array): number {
  return counts.findLastIndex((count) => count > 0) + 1;
}

function grouped(counts: Float64Array, size: number, bins: number): number[] {
  return Array.from({ length: Math.ceil(size / bins) }, (_, bucket) => counts.subarray(bucket * bins, (bucket + 1) * bins).reduce((sum, count) => sum + count, 0));
}
