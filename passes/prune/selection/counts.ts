/** Rounds to the nearest integer, halves to the even one, as Python's `round` does (and PyTorch with it, for the number of channels to remove). */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** The largest number of channels that is no more than this share of them. A share that is meant to be whole (0.7 of 10) is not lost to rounding. */
export function atMost(share: number, count: number): number {
  return Math.min(count, Math.floor(share * count + 1e-9 * count));
}

/**
 * How many of the units that would go do go when widths are rounded up to a multiple: the largest number, no more than `count`, that leaves each width a multiple of `roundTo`; 0 if only all of them are one. `widths` are what is kept of each
 * axis with nothing removed, `taken[axis][unit]` what each unit takes off it, in the order in which they go.
 */
export function roundedCount(count: number, widths: readonly number[], taken: readonly (readonly number[])[], roundTo: number): number {
  if (roundTo === 1) return count;
  const left = widths.map((width, axis) => width - taken[axis]!.slice(0, count).reduce((sum, each) => sum + each, 0));
  for (let units = count; units > 0; units--) {
    if (left.every((width) => width % roundTo === 0)) return units;
    left.forEach((_, axis) => { left[axis]! += taken[axis]![units - 1]!; });
  }
  return 0;
}
