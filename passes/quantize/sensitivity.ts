import { isFloat } from '../../ir/dtype.ts';
import type { Model, Node } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import type { Feeds } from '../runtime.ts';
import type { LayerNoise, Trials } from './trials.ts';

/** How much a layer in int8 changes what the model computes. */
export interface Sensitivity {
  readonly node: Node;
  /** What runs in its kernel. */
  readonly nodes: readonly Node[];
  /** Share of what the layer's outputs tell that drowns, as the statistics predict it (see `drownedShare`); for operators without weights, error power over power of what they read. */
  readonly predicted: number | undefined;
  /** Error power over power of the model's outputs with this layer alone in int8: the sum over the outputs. Undefined for layers that were not measured. */
  readonly measured: number | undefined;
}

/** What `quantize-int8` leaves for the report, under the name `sensitivity`: the worst layer first. Signal over noise in dB; null where there is no noise or nothing is known. */
export type SensitivityRecord = readonly { readonly node: string; readonly predicted: number | null; readonly measured: number | null }[];

/** Samples on which layers are measured. */
const measuredSamples = 8;

/**
 * Ranks the layers that became int8, the worst one first: the `count` worst by the prediction are measured, each alone in int8, on a few samples of the data, and stand in front by what was measured; the others
 * follow by their prediction.
 */
export async function rankLayers<O>(model: Model, noise: LayerNoise, count: number, trials: Trials<O>, data: string, context: Pick<PassContext<O>, 'data' | 'runtime' | 'signal' | 'progress'>): Promise<Sensitivity[]> {
  const everything = Array.from(noise, ([node, { nodes }]) => ({ node, nodes }));
  const predicted = [...noise].filter(([, { computes }]) => computes).map(([node, { nodes, noise: predictedNoise }]): Sensitivity => ({ node, nodes, predicted: predictedNoise, measured: undefined })).sort((a, b) => (b.predicted ?? 0) - (a.predicted ?? 0));
  const worst = predicted.slice(0, count);
  if (worst.length === 0) return predicted;
  const samples: Feeds[] = [];
  for await (const { feeds } of (await context.data(data)).batches({ last: measuredSamples, signal: context.signal })) samples.push(feeds);
  const reference = await outputsOf(model, samples, context);
  const measured: Sensitivity[] = [];
  for (const each of worst) {
    context.progress(measured.length, worst.length, 'layers');
    const alone = trials.quantized(everything.flatMap(({ node, nodes }) => (node === each.node ? [] : nodes)));
    measured.push({ ...each, measured: noiseBetween(reference, await outputsOf(alone.model, samples, context)) });
  }
  return [...measured.sort((a, b) => b.measured! - a.measured!), ...predicted.slice(count)];
}

export function sensitivityRecord(ranking: readonly Sensitivity[]): SensitivityRecord {
  const decibels = (noise: number | undefined): number | null => (noise === undefined || !(noise > 0) ? null : Math.round(-1000 * Math.log10(noise)) / 100);
  return ranking.map(({ node, predicted, measured }) => ({ node: node.name, predicted: decibels(predicted), measured: decibels(measured) }));
}

async function outputsOf(model: Model, samples: readonly Feeds[], { runtime, signal }: Pick<PassContext<unknown>, 'runtime' | 'signal'>): Promise<Feeds[]> {
  const session = await runtime.open(model);
  try {
    const outputs: Feeds[] = [];
    for (const feeds of samples) outputs.push(await session.run(feeds, signal));
    return outputs;
  } finally {
    await session.release();
  }
}

/** Σ over the outputs of Σ (y − ŷ)² / Σ y². */
function noiseBetween(reference: readonly Feeds[], outputs: readonly Feeds[]): number {
  let total = 0;
  for (const [name, { dtype }] of reference[0] ?? []) {
    if (!isFloat(dtype)) continue;
    let [signal, noise] = [0, 0];
    for (const [index, feeds] of reference.entries()) {
      const [expected, found] = [feeds.get(name)!.floats(), outputs[index]!.get(name)!.floats()];
      // Outputs whose number depends on the values cannot be compared one by one.
      for (let at = 0; at < Math.min(expected.length, found.length); at++) {
        signal += expected[at]! ** 2;
        noise += (expected[at]! - found[at]!) ** 2;
      }
    }
    if (signal > 0) total += noise / signal;
  }
  return total;
}
