import type { Node } from '../../ir/model.ts';
import { costOf } from '../cost.ts';
import type { PassContext } from '../pass.ts';
import type { PlacedPair, Placement } from '../placement/placement.ts';
import { bucketsOf, shareBeyond } from '../statistics/buckets.ts';
import type { LayerResult } from './layers.ts';
import { decibels } from './measured-noise.ts';
import type { ClassScale } from './ranges.ts';
import type { LayerNoise, NoisyLayer } from './trials.ts';
import type { ClassRecord, LayerRecord, PlacementRecord, TensorRecord } from './record.ts';

type Reporting = Pick<PassContext<unknown>, 'record' | 'remark' | 'stat' | 'sizes'>;

/**
 * Tells what became of every node that could have been quantized: remarks for people, one record for reports, counts for the table of steps. `forced` says why nodes stay float that need not. Returns what runs in
 * int8 with its predicted noise.
 */
export function explain(placement: Placement, scales: readonly ClassScale[], layers: ReadonlyMap<Node, LayerResult>, forced: ReadonlyMap<Node, FloatReason>, { record, remark, stat, sizes }: Reporting): LayerNoise {
  const noises = new Map<Node, NoisyLayer>();
  const members = new Map(placement.regions.map(({ head, members: all }) => [head, all]));
  const read = inputsOf(placement, scales);
  const fused = new Map(placement.regions.map(({ head, members }) => [head, members.slice(1).map(({ name }) => name)]));
  const rows = placement.decisions.map(({ node, int8, rule, reason }): LayerRecord => {
    const said = forced.get(node) ?? { rule, reason };
    remark({ kind: int8 ? 'applied' : 'missed', rule: said.rule, message: said.reason, node });
    const layer = layers.get(node);
    if (layer !== undefined) for (const [kind, topic, message] of notes(layer)) remark({ kind, rule: topic, message, node });
    const input = read.get(node)?.[0];
    const noise = noiseOf(read.get(node) ?? [], layer);
    const { macs } = costOf(node, sizes);
    if (int8) noises.set(node, { nodes: members.get(node) ?? [node], computes: layer !== undefined || node.is('Gemm', 'MatMul', 'Add', 'Sub', 'Mul'), macs, noise: layer?.drowned ?? noise });
    return {
      node: node.name, op: node.op, origin: node.origin, int8, ...said, macs: macs ?? null,
      ...(fused.get(node)?.length && { fused: fused.get(node)! }),
      ...(int8 && input && { input: input.tensor, ...figuresOf(input.scale) }),
      ...(layer && {
        weights: {
          axis: layer.weights.axis ?? null, channels: layer.weights.scales.length, scale: extremes(layer.weights.scales), rounding: layer.rounding,
          ...(layer.noise !== undefined && { sqnr: decibels(layer.noise) }),
        },
        biasCorrection: layer.corrected ?? null,
      }),
      ...(int8 && noise !== undefined && { sqnr: decibels(noise) }),
    };
  });
  const tensors = placement.pairs.map(({ value, consumers, scaleClass, rules }): TensorRecord => {
    const scale = scales[scaleClass]!;
    return { tensor: value.name, class: scaleClass, rules, consumers: consumers.map(({ node }) => node.name), ...figuresOf(scale), ...(scale.noise !== undefined && { sqnr: decibels(scale.noise) }) };
  });
  const { int8, eligible } = placement.macs;
  record('placement', { layers: rows, tensors, classes: scales.map(classRecord), macs: { int8, eligible, share: eligible > 0 ? int8 / eligible : null } } satisfies PlacementRecord);
  stat('int8 layers', placement.weights.length);
  stat('pairs', placement.pairs.length);
  if (eligible > 0) stat('int8 multiply-adds, percent', Math.round(int8 / eligible * 1000) / 10);
  return noises;
}

/** Why a node stays float. */
export interface FloatReason {
  readonly rule: string;
  readonly reason: string;
}

interface ReadTensor {
  readonly tensor: string;
  readonly scale: ClassScale;
}

/** What each node reads in int8, in the order of its inputs. */
function inputsOf({ pairs }: Placement, scales: readonly ClassScale[]): ReadonlyMap<Node, readonly ReadTensor[]> {
  const reads = new Map<Node, { readonly input: number; readonly pair: PlacedPair }[]>();
  for (const pair of pairs) for (const { node, input } of pair.consumers) reads.set(node, [...reads.get(node) ?? [], { input, pair }]);
  return new Map([...reads].map(([node, list]) => [
    node, list.sort((a, b) => a.input - b.input).map(({ pair }) => ({ tensor: pair.value.name, scale: scales[pair.scaleClass]! })),
  ]));
}

/** Error power over output power of one node: its inputs' and its weights', as if they were independent. Undefined where one is not known. */
function noiseOf(inputs: readonly ReadTensor[], layer: LayerResult | undefined): number | undefined {
  const parts = [...inputs.map(({ scale }) => scale.noise), ...(layer ? [layer.noise] : [])];
  return parts.length === 0 ? undefined : parts.reduce((sum, part) => (sum === undefined || part === undefined ? undefined : sum + part));
}

function* notes({ weights: { dead, raised, scales }, biasOverflow }: LayerResult): Iterable<['missed' | 'analysis', string, string]> {
  if (dead.length > 0) yield ['analysis', 'dead-channels', `all weights of ${dead.length} of ${scales.length} output channels are zero: pruning would remove them`];
  if (raised.length > 0) yield ['analysis', 'small-channels', `${raised.length} of ${scales.length} output channels have weights below a hundredth of the largest one, and are rounded as if they had that much`];
  const subnormal = scales.filter((scale) => scale < 2 ** -14).length;
  if (subnormal > 0) yield ['analysis', 'small-scales', `${subnormal} of ${scales.length} weight scales are below 2^-14, where half precision loses bits`];
  if (biasOverflow) yield ['missed', 'bias-overflow', 'its bias is too large for an int32 of its scales and stays float: the runtime computes the layer in float'];
}

function figuresOf({ grid: { scale, zeroPoint }, range: { min, max }, method }: ClassScale): Pick<ClassRecord, 'scale' | 'zeroPoint' | 'range' | 'method'> {
  return { scale, zeroPoint, range: [min, max], method };
}

function classRecord(scale: ClassScale): ClassRecord {
  const { seen, grid: { scale: step, zeroPoint, low, high } } = scale;
  const holds = { min: step * (low - zeroPoint), max: step * (high - zeroPoint) };
  const rounded = { min: holds.min - step / 2, max: holds.max + step / 2 };
  return {
    ...figuresOf(scale), holds: [holds.min, holds.max], ...(seen && { seen: [seen.min, seen.max] }),
    ...(seen?.histogram && { clipped: shareBeyond(seen.histogram, rounded), histogram: bucketsOf(seen.histogram) }),
  };
}

function extremes(scales: Float32Array): [number, number] {
  return [scales.reduce((a, b) => Math.min(a, b), Infinity), scales.reduce((a, b) => Math.max(a, b), 0)];
}
