/** Bins of each half. */
export const bins = 4096;

/**
 * Counts of the elements of a value, in equal bins over (0, range] for each sign. The range is a power of two, so that doubling it adds
 * pairs of bins and is exact: histograms of parts, merged in any order, equal the histogram of the whole, bin for bin.
 */
export interface Histogram {
  /** Smallest power of two that is not below any magnitude seen; 0 if all were zero. */
  readonly range: number;
  /** Elements that are exactly zero. */
  readonly zeros: number;
  /** Bin k counts elements x with k ≤ |x| · bins / range < k + 1; |x| = range belongs to the last one. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}
