import type { Node } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import { dominantLayers } from './dominant.ts';
import { decibels, type NoiseMeter } from './measured-noise.ts';
import type { LayerNoise, Trials } from './trials.ts';

/** How much a layer in int8 changes what the model computes. */
export interface Sensitivity {
  readonly node: Node;
  /** What runs in its kernel. */
  readonly nodes: readonly Node[];
  /** Multiply-adds of one sample; undefined where they cannot be told. */
  readonly macs: number | undefined;
  /** Share of what the layer's outputs tell that drowns, as the statistics predict it (see `drownedShare`); for operators without weights, error power over power of what they read. */
  readonly predicted: number | undefined;
  /** Error power over power of the model's outputs with this layer alone in int8 (see `NoiseMeter`). Undefined for layers that were not measured. */
  readonly measured: number | undefined;
}

/** What `quantize-int8` leaves for the report, under the name `sensitivity`: the worst layer first. Signal over noise in dB; null where there is no noise or nothing is known. */
export type SensitivityRecord = readonly { readonly node: string; readonly predicted: number | null; readonly measured: number | null }[];

/** The layers that compute in int8, in graph order. */
export function computingLayers(noise: LayerNoise): Sensitivity[] {
  return [...noise].filter(([, { computes }]) => computes).map(([node, { nodes, macs, noise: predicted }]) => ({ node, nodes, macs, predicted, measured: undefined }));
}

/** All nodes of some layers. */
export const nodesOf = (layers: Iterable<{ readonly nodes: readonly Node[] }>): Node[] => Array.from(layers, ({ nodes }) => nodes).flat();

/** Noise of a quantized model with some of its layers in float. */
export function noiseBeside<O>(trials: Trials<O>, meter: NoiseMeter): (float: readonly Sensitivity[]) => Promise<number> {
  return (float) => meter.noise(trials.quantized(nodesOf(float)).model);
}

/**
 * The `count` layers for which the statistics predict the worst, and with `dominant` also those that were found to make much of the noise, wherever it comes from: predictions do not know what the layers behind
 * do with an error.
 */
export async function suspects<O>(layers: readonly Sensitivity[], count: number, dominant: boolean, trials: Trials<O>, meter: NoiseMeter): Promise<Set<Sensitivity>> {
  const worst = new Set(byPrediction(layers).slice(0, count));
  if (!dominant || layers.length <= count) return worst;
  const measure = noiseBeside(trials, meter);
  for (const { layer } of await dominantLayers(layers, await measure([]), measure)) worst.add(layer);
  return worst;
}

/**
 * Ranks the layers that became int8, the worst one first: the suspected ones are measured, each alone in int8, and stand in front by what was measured; the others follow by their prediction.
 */
export async function rankLayers<O>(noise: LayerNoise, layers: readonly Sensitivity[], suspected: ReadonlySet<Sensitivity>, trials: Trials<O>, meter: NoiseMeter, { progress }: Pick<PassContext<O>, 'progress'>): Promise<Sensitivity[]> {
  const everything = [...noise.values()];
  const measured: Sensitivity[] = [];
  for (const each of suspected) {
    progress(measured.length, suspected.size, 'layers');
    const others = everything.filter(({ nodes }) => nodes !== each.nodes);
    measured.push({ ...each, measured: await meter.noise(trials.quantized(nodesOf(others)).model) });
  }
  return [...measured.sort((a, b) => b.measured! - a.measured!), ...byPrediction(layers).filter((layer) => !suspected.has(layer))];
}

/** The worst one first, as the statistics predict it. */
export function byPrediction(layers: readonly Sensitivity[]): Sensitivity[] {
  return [...layers].sort((a, b) => (b.predicted ?? 0) - (a.predicted ?? 0));
}

export function sensitivityRecord(ranking: readonly Sensitivity[]): SensitivityRecord {
  return ranking.map(({ node, predicted, measured }) => ({ node: node.name, predicted: decibels(predicted), measured: decibels(measured) }));
}
