import type { Value } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import type { DistributionBuilder } from '../statistics/accumulator.ts';
import type { ObserverGraph } from './graph.ts';
import type { Taker } from './portion.ts';
import { isPerSample } from './sampling.ts';

/** How one value is observed. */
export interface DistributionPlan {
  readonly name: string;
  readonly value: Value;
  /** Bytes of one sample, as float32. */
  readonly bytes: number;
  readonly histogram: boolean;
  /** Look at every element here, and leave no reduction to the graph: for values with elements that are not finite or none at all, or without an axis for the samples of a batch. */
  readonly scan: boolean;
}

/**
 * Observes the distributions of values. Minimum, maximum and sum of each sample are reduced in the graph; values with a histogram are fetched, counted and dropped. A sum that is not finite tells
 * of elements that are not (or of an overflow): then the elements are looked at one by one. Values for which that happens although they are not fetched are added to `suspects`: their figures are void.
 */
export function observeDistributions(graph: ObserverGraph, plans: readonly DistributionPlan[], axis: Dim, suspects: Set<string>): Taker {
  const columns = new Map(plans.filter((plan) => !plan.scan).map((plan, index) => [plan, index]));
  const reduced = [...columns.keys()];
  // [samples, values] each.
  const [lows, highs, sums] = reduced.length === 0 ? [] : (['ReduceMin', 'ReduceMax', 'ReduceSum'] as const).map((op) => (
    graph.output(graph.concat(reduced.map(({ value }) => graph.reduceRows(op, value, isPerSample(value, axis))), 1))
  ));
  const fetched = new Map(plans.filter(({ histogram, scan }) => histogram || scan).map((plan) => [plan, graph.output(graph.float(plan.value))]));
  const sizes = new Map(plans.filter((plan) => !fetched.has(plan) && Number.isNaN(elementsOf(plan.value, axis))).map((plan) => [plan, graph.output(graph.size(plan.value))]));

  return ({ outputs, size }, slab, accumulator) => {
    const floats = (name: string | undefined): Float32Array | undefined => (name === undefined ? undefined : outputs.get(name)!.floats() as Float32Array);
    const [low, high, sum] = [floats(lows), floats(highs), floats(sums)];
    for (const plan of plans) {
      const { name, value } = plan;
      const builder = accumulator.tensors.get(name)!;
      const at = accumulator.layout.tensors.get(name)!;
      const perSample = isPerSample(value, axis);
      const elements = floats(fetched.get(plan));
      const column = columns.get(plan);
      const cell = (sample: number): number => sample * columns.size + column!;
      let finite = column !== undefined;
      for (let sample = 0; finite && sample < size; sample++) finite = Number.isFinite(sum![cell(sample)]);
      if (!finite) {
        if (elements === undefined) suspects.add(name);
        else scan(elements, size, perSample, builder, slab, at);
        continue;
      }
      let [min, max] = [Infinity, -Infinity];
      for (let sample = 0; sample < size; sample++) {
        const [least, most] = [low![cell(sample)]!, high![cell(sample)]!];
        slab[at]! += least;
        slab[at + 1]! += most;
        min = Math.min(min, least);
        max = Math.max(max, most);
      }
      builder.extend(elements?.length ?? (sizes.has(plan) ? outputs.get(sizes.get(plan)!)!.ints()[0]! : elementsOf(value, axis) * size), min, max);
      if (elements !== undefined) builder.histogram?.add(elements, Math.max(-min, max));
    }
  };
}

/** Elements of one sample by the type; NaN if it does not tell. */
export function elementsOf(value: Value, axis: Dim): number {
  const shape = shapeOf(value.type);
  const own = isPerSample(value, axis) ? shape?.slice(1) : shape;
  return own?.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : NaN), 1) ?? NaN;
}

/** Looks at all elements of a batch; those that are not finite are counted and left out. A value without an axis for samples stands for each of them, and counts once. */
function scan(elements: Float32Array, size: number, perSample: boolean, builder: DistributionBuilder, slab: Float64Array, at: number): void {
  const parts = perSample ? size : 1;
  const length = elements.length / parts;
  for (let part = 0; part < parts; part++) {
    const all = elements.subarray(part * length, (part + 1) * length);
    const own = all.filter(Number.isFinite);
    let [min, max, nan] = [Infinity, -Infinity, 0];
    for (const element of all) if (Number.isNaN(element)) nan++;
    builder.nan += nan;
    builder.infinite += all.length - own.length - nan;
    if (own.length === 0) continue;
    for (const element of own) {
      if (element < min) min = element;
      if (element > max) max = element;
    }
    slab[at]! += min * (size / parts);
    slab[at + 1]! += max * (size / parts);
    builder.extend(own.length, min, max);
    builder.histogram?.add(own, Math.max(-min, max));
  }
}
