/** A difference, and the limits between which it lies with 95 % confidence. */
export interface Interval {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantile of the normal distribution. */
const z = 1.959963984540054;

/**
 * The mean of `b − a` over samples that both models saw, with its 95 % interval. Where every value is 0 or `right` (wrong or right), the interval is
 * that of Bonett and Price 2012 for paired proportions (one discordant pair of each kind is added), which holds for few and for no
 * differences; else the normal one for the mean of the paired differences.
 */
export function pairedInterval(a: readonly number[], b: readonly number[], right = 100): Interval {
  const count = a.length;
  const differences = a.map((value, index) => b[index]! - value);
  const difference = differences.reduce((sum, value) => sum + value, 0) / count;
  if ([a, b].every((values) => values.every((value) => value === 0 || value === right))) {
    const gained = (differences.filter((value) => value > 0).length + 1) / (count + 2);
    const lost = (differences.filter((value) => value < 0).length + 1) / (count + 2);
    const middle = gained - lost;
    const half = z * Math.sqrt((gained + lost - middle ** 2) / (count + 2));
    return { difference, low: right * Math.max(middle - half, -1), high: right * Math.min(middle + half, 1) };
  }
  const variance = differences.reduce((sum, value) => sum + (value - difference) ** 2, 0) / Math.max(count - 1, 1);
  const half = z * Math.sqrt(variance / count);
  return { difference, low: difference - half, high: difference + half };
}
