/**
 * The threshold of NVIDIA's entropy calibration for |x|, as a number of bins: among all numbers of bins from `levels` on, the last one whose distribution, with what lies beyond
 * added to its last bin, is nearest in Kullback-Leibler divergence to its own form in `levels` levels. The first bin takes the count of the second one, since what is nearly
 * zero costs nothing. Reference: pytorch-quantization, `_compute_amax_entropy`. By prefix sums each candidate costs one step for each level.
 * With fewer bins than levels, all of them.
 */
export function entropyThreshold(counts: Float64Array, levels: number): number {
  const divergences = klDivergences(counts, levels);
  let best = counts.length;
  let least = Infinity;
  divergences.forEach((divergence, index) => {
    if (divergence <= least) [best, least] = [levels + index, divergence];
  });
  return best;
}

/** The divergence for each number of bins from `levels` to all. */
export function klDivergences(given: Float64Array, levels: number): Float64Array {
  const size = given.length;
  const counts = Float64Array.from(given);
  if (size > 1) counts[0] = counts[1]!;
  const sums = new Float64Array(size + 1);
  const filled = new Float64Array(size + 1);
  const logs = new Float64Array(size + 1);
  counts.forEach((count, k) => {
    sums[k + 1] = sums[k]! + count;
    filled[k + 1] = filled[k]! + (count > 0 ? 1 : 0);
    logs[k + 1] = logs[k]! + xlogx(count);
  });
  const total = sums[size]!;
  const divergences = new Float64Array(Math.max(0, size - levels + 1)).fill(Infinity);
  if (total === 0) return divergences;
  for (let used = levels; used <= size; used++) {
    const tail = total - sums[used]!;
    const last = counts[used - 1]!;
    if (sums[used] === 0 || (last === 0 && tail > 0)) continue;
    let cross = 0;
    let from = 0;
    for (let level = 0; level < levels; level++) {
      const to = Math.ceil((level + 1) * used / levels);
      const sum = sums[to]! - sums[from]!;
      // Levels of the model are even over their filled bins: each element of the reference costs the logarithm of that.
      if (sum > 0) cross += (level === levels - 1 ? sum + tail : sum) * Math.log(sum / (filled[to]! - filled[from]!));
      from = to;
    }
    divergences[used - levels] = (logs[used]! - xlogx(last) + xlogx(last + tail) - cross) / total - Math.log(total) + Math.log(sums[used]!);
  }
  return divergences;
}

function xlogx(x: number): number {
  return x > 0 ? x * Math.log(x) : 0;
}
