import type { Value } from '../../ir/model.ts';
import type { Linear } from '../fold/linear.ts';
import type { ChannelStatistics } from '../statistics/statistics.ts';
import type { ChannelClasses } from './channels.ts';

/** A tensor that will have one scale, with what its channels hold. */
export interface ObservedValue {
  readonly value: Value;
  readonly statistics: ChannelStatistics;
  /** The linear operators that read it. */
  readonly readers: readonly Linear[];
}

/** Factor of each class of channels, by its root: values are divided by it, the weights that read them multiplied. Classes that are absent keep 1. */
export type Factors = ReadonlyMap<number, number>;

/** No channel is blown up by more than this: what is nearly dead stays small. */
const smallest = 2 ** -7;

/** Strengths that are tried: 0 leaves a group alone, 1 gives every channel the range of the largest one. */
const strengths = [0, 0.25, 0.5, 0.75, 1];

/**
 * Factors that let the channels of each tensor use its range evenly. A class gets max over its tensors of (range of the channel / range of
 * the tensor), to the power of a strength, so that the range of no tensor grows. Classes that share a tensor form a group; each group takes
 * the strength with the least noise: that of rounding the inputs of its readers, and that of rounding their weights, whose rows become
 * uneven as the inputs become even. Both follow from uniform rounding errors of variance Δ²/12 (Nagel et al. 2019, arXiv:1906.04721 for
 * the idea of equal ranges across layers; Xiao et al. 2022, arXiv:2211.10438 for the strength).
 */
export function chooseFactors(observed: readonly ObservedValue[], classes: ChannelClasses): { readonly factors: Factors; readonly groups: readonly Group[] } {
  const groups = groupsOf(observed, classes).map((values): Group => {
    const full = fullFactors(values, classes);
    const [best] = strengths.map((strength) => ({ strength, noise: noiseOf(values, raised(full, strength), classes) })).sort((a, b) => a.noise - b.noise || a.strength - b.strength);
    return { values: values.map(({ value }) => value), strength: best!.strength, gain: -best!.noise, factors: raised(full, best!.strength) };
  });
  return { factors: new Map(groups.flatMap(({ factors }) => [...factors])), groups };
}

/** Tensors whose channels can only be scaled together. */
export interface Group {
  readonly values: readonly Value[];
  readonly strength: number;
  /** Expected fall of the noise of its readers, in dB, on average. */
  readonly gain: number;
  readonly factors: Factors;
}

/** Tensors that share classes, in order. */
function groupsOf(observed: readonly ObservedValue[], classes: ChannelClasses): ObservedValue[][] {
  const groups: { readonly roots: Set<number>; readonly values: ObservedValue[] }[] = [];
  for (const each of observed) {
    const roots = new Set([...(classes.of(each.value)?.ids ?? [])].filter((id) => !classes.isPinned(id)).map((id) => classes.root(id)));
    if (roots.size === 0) continue;
    const touching = groups.filter((group) => [...roots].some((root) => group.roots.has(root)));
    const [first] = touching;
    if (first === undefined) {
      groups.push({ roots, values: [each] });
      continue;
    }
    for (const root of roots) first.roots.add(root);
    first.values.push(each);
    for (const other of touching.slice(1)) {
      for (const root of other.roots) first.roots.add(root);
      first.values.push(...other.values);
      groups.splice(groups.indexOf(other), 1);
    }
  }
  return groups.map(({ values }) => values);
}

function fullFactors(values: readonly ObservedValue[], classes: ChannelClasses): Map<number, number> {
  const factors = new Map<number, number>();
  for (const { value, statistics } of values) {
    const range = largest(statistics.absMax);
    if (!(range > 0)) continue;
    classes.of(value)!.ids.forEach((id, channel) => {
      if (classes.isPinned(id)) return;
      const root = classes.root(id);
      factors.set(root, Math.max(factors.get(root) ?? smallest, statistics.absMax[channel]! / range));
    });
  }
  return factors;
}

function raised(full: Factors, strength: number): Map<number, number> {
  return new Map([...full].map(([root, factor]) => [root, factor ** strength]));
}

const largest = (list: Iterable<number>): number => {
  let most = 0;
  for (const item of list) most = Math.max(most, item);
  return most;
};

/** The noise of all readers beside that without factors: mean of the ratios in dB. */
function noiseOf(values: readonly ObservedValue[], factors: Factors, classes: ChannelClasses): number {
  let total = 0;
  let readers = 0;
  for (const { value, statistics, readers: linears } of values) {
    const ids = classes.of(value)!.ids;
    const of = (channel: number): number => factors.get(classes.root(ids[channel]!)) ?? 1;
    for (const linear of linears) {
      const before = readerNoise(linear, statistics, () => 1);
      const after = readerNoise(linear, statistics, of);
      if (!(before > 0 && after > 0)) continue;
      total += 10 * Math.log10(after / before);
      readers++;
    }
  }
  return readers === 0 ? 0 : total / readers;
}

/** Variance of the outputs of one reader, summed over its channels, in units of (1/127)²/12: from rounding its inputs, and its weights. */
function readerNoise({ weight, rows, columns, taps, outputs, inputOf, outputOf }: Linear, { absMax, meanSquare }: ChannelStatistics, factor: (channel: number) => number): number {
  const w = weight.constant.floats();
  const step = largest(absMax.map((range, channel) => range / factor(channel)));
  const energy = absMax.map((_, channel) => meanSquare[channel]! / factor(channel) ** 2);
  const rowRange = new Float64Array(outputs);
  const rowEnergy = new Float64Array(outputs);
  let inputNoise = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const channel = inputOf(row, column);
      const output = outputOf(row, column);
      const scale = factor(channel);
      for (const end = at + taps; at < end; at++) {
        const size = Math.abs(w[at]!) * scale;
        inputNoise += size ** 2;
        if (size > rowRange[output]!) rowRange[output] = size;
        rowEnergy[output]! += energy[channel]!;
      }
    }
  }
  let weightNoise = 0;
  for (let output = 0; output < outputs; output++) weightNoise += rowRange[output]! ** 2 * rowEnergy[output]!;
  return step ** 2 * inputNoise + weightNoise;
}
