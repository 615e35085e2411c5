/** Bins of each half. */
export const bins = 4096;

/**
 * Counts of the elements of a value, in equal bins over (0, range] for each sign. The range is a power of two and a bin includes its upper edge, so that
 * doubling the range adds pairs of bins and is exact: histograms of parts, merged in any order, equal the histogram of the whole, bin for bin.
 */
export interface Histogram {
  /** Smallest power of two that is not below any magnitude seen, 2^-100 at least; 0 if nothing but zeros was seen. */
  readonly range: number;
  /** Elements that are exactly zero. */
  readonly zeros: number;
  /** Bin k counts elements x with k < |x| · bins / range ≤ k + 1. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

/** The smallest range: below it, elements would be subnormal floats, whose exponents do not tell their size. */
const smallestRange = 2 ** -100;

/** The range that holds a finite magnitude. */
export function rangeFor(magnitude: number): number {
  if (magnitude === 0) return 0;
  let range = 2 ** Math.ceil(Math.log2(magnitude));
  // The logarithm may be off by one unit in the last place.
  while (range < magnitude) range *= 2;
  while (range / 2 >= magnitude) range /= 2;
  return Math.max(range, smallestRange);
}

/** Most elements that 32-bit counts hold. */
const mostPending = 2 ** 31 - 1;

/** A histogram that grows. */
export class HistogramBuilder {
  private range = 0;
  private zeros = 0;
  private positive: Float64Array = new Float64Array(bins);
  private negative: Float64Array = new Float64Array(bins);
  /** Counts of the present range that are not among those above yet, as `tally` leaves them. */
  private readonly table = new Int32Array(2 * bins + 2);
  private pending = 0;

  /** Adds finite elements of which none is larger in magnitude than `magnitude`. */
  add(elements: Float32Array, magnitude: number): void {
    this.widen(rangeFor(magnitude));
    if (this.range === 0) {
      this.zeros += elements.length;
      return;
    }
    if (this.pending + elements.length > mostPending) this.flush();
    this.pending += elements.length;
    tally(new Int32Array(elements.buffer, elements.byteOffset, elements.length), 127 + Math.log2(this.range), this.table);
  }

  finish(): Histogram {
    this.flush();
    const { range, zeros, positive, negative } = this;
    return { range, zeros, positive, negative };
  }

  private flush(): void {
    if (this.pending === 0) return;
    const { table, positive, negative } = this;
    table[0]! -= table[positiveZeros]!;
    table[bins]! -= table[negativeZeros]!;
    this.zeros += table[positiveZeros]! + table[negativeZeros]!;
    for (let k = 0; k < bins; k++) {
      positive[k]! += table[k]!;
      negative[k]! += table[bins + k]!;
    }
    table.fill(0);
    this.pending = 0;
  }

  private widen(range: number): void {
    if (range <= this.range) return;
    const { positive, negative } = widened(this.finish(), range);
    this.range = range;
    this.positive = positive;
    this.negative = negative;
  }
}

/** Where `tally` counts how many zeros were among the elements, by their sign. */
const positiveZeros = 2 * bins;
const negativeZeros = 2 * bins + 1;

/**
 * Counts floats, given as their bits, into bins of the range 2^(top − 127): positive ones from 0 on, negative ones from `bins` on, zeros in the first bin of
 * their sign, and once more apart. All in integers and without a branch, since half of the
 * elements behind a Relu are zeros that no processor foresees: with mantissa m (24 bits) and exponent e, k < m · 2^(e − top − 11) ≤ k + 1 means k = (m − 1) >> (top + 11 − e).
 */
function tally(bits: Int32Array, top: number, counts: Int32Array): void {
  const base = top + 11;
  let zeros = 0;
  let negatives = 0;
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    const magnitude = word & 0x7fffffff;
    const zero = (magnitude - 1) >> 31;
    zeros -= zero;
    negatives += zero & (word >>> 31);
    const shift = base - (magnitude >>> 23);
    // A shift counts modulo 32: beyond 31 all bits are gone.
    counts[((word >>> 19) & bins) + ((((magnitude & 0x7fffff) | 0x800000) - 1) >>> (shift | ((31 - shift) >> 31)))]!++;
  }
  counts[positiveZeros]! += zeros - negatives;
  counts[negativeZeros]! += negatives;
}

/** The same elements in bins over a range that is at least as large. */
export function widened({ range, zeros, positive, negative }: Histogram, wider: number): Histogram {
  const factor = range === 0 ? 1 : wider / range;
  return { range: wider, zeros, positive: coarser(positive, factor), negative: coarser(negative, factor) };
}

function coarser(counts: Float64Array, factor: number): Float64Array {
  if (factor === 1) return counts;
  const sums = new Float64Array(bins);
  counts.forEach((count, k) => { if (count !== 0) sums[Math.floor(k / factor)]! += count; });
  return sums;
}

/** The histogram of both. */
export function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  const range = Math.max(a.range, b.range);
  const [one, other] = [widened(a, range), widened(b, range)];
  const sum = (x: Float64Array, y: Float64Array): Float64Array => x.map((count, k) => count + y[k]!);
  return { range, zeros: a.zeros + b.zeros, positive: sum(one.positive, other.positive), negative: sum(one.negative, other.negative) };
}

/** A histogram of nothing. */
export function emptyHistogram(): Histogram {
  return { range: 0, zeros: 0, positive: new Float64Array(bins), negative: new Float64Array(bins) };
}
