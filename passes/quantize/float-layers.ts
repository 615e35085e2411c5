import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model, Node } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import { quiet, spareNoisiest } from './dominant.ts';
import type { FloatReason } from './explain.ts';
import { fallBack, shown } from './fallback.ts';
import { decibels, NoiseMeter } from './measured-noise.ts';
import { byPrediction, computingLayers, nodesOf, noiseBeside, rankLayers, sensitivityRecord, suspects, type Sensitivity } from './sensitivity.ts';
import { Trials, type Kept, type LayerNoise, type Quantizer } from './trials.ts';

/** What a recipe says about layers that may stay float. */
export interface FloatOptions {
  readonly maxDrop?: number | undefined;
  readonly maxFloatLayers?: number | undefined;
  /** In percent of the multiply-adds. */
  readonly maxFloatMacs: number;
  readonly data?: string | undefined;
  readonly sensitivity?: number | undefined;
}

/** What `quantize-int8` leaves for the report, under the name `noise`, where it looked for layers that make most of the noise. Signal over noise of the outputs in dB; null where there is no noise. */
export interface NoiseRecord {
  readonly data: string;
  /** With all layers in int8, and as it is now. */
  readonly int8: number | null;
  readonly now: number | null;
  /** Share of the multiply-adds in float for it, 0 to 1. */
  readonly macs: number;
  /** The layers in float for it, in the order in which they were chosen, and the share that each one removed of the noise that was left. */
  readonly float: readonly { readonly node: string; readonly removed: number }[];
}

/** Layers that are measured where a budget is missed and the recipe does not say how many. */
const measuredLayers = 16;

const forAccuracy: FloatReason = { rule: 'float-for-accuracy', reason: 'it stays float because the model would lose more than `maxDrop` otherwise' };

/** Decides by trials on copies of the model which layers stay float for the sake of accuracy: by the budget `maxDrop`, or without one by the noise of the outputs. */
export async function chooseFloat<O extends FloatOptions>(model: Model, context: PassContext<O>, quantizer: Quantizer<O>): Promise<Kept> {
  const { options: { maxDrop, maxFloatMacs, sensitivity } } = context;
  const trials = new Trials(model, context, quantizer);
  const data = maxDrop === undefined && maxFloatMacs > 0 ? context.statistics.get()?.source : undefined;
  if (data === undefined && maxDrop === undefined && sensitivity === undefined) return { float: new Map(), roundings: trials.roundings };
  const { model: int8, noise } = trials.quantized([]);
  const float = data === undefined ? new Map<Node, FloatReason>() : await floatForNoise(model, int8, noise, trials, data, context);
  if (maxDrop !== undefined || sensitivity !== undefined) for (const node of await floatForDrop(model, int8, noise, trials, context)) float.set(node, forAccuracy);
  return { float, roundings: trials.roundings };
}

/** The layers that make most of the noise, each with its reason, if they make up no more than `maxFloatMacs`. */
async function floatForNoise<O extends FloatOptions>(model: Model, int8: Model, noise: LayerNoise, trials: Trials<O>, data: string, context: PassContext<O>): Promise<Map<Node, FloatReason>> {
  const { options: { maxFloatMacs }, record, remark, stat, progress } = context;
  const layers = computingLayers(noise);
  if (layers.length === 0) return new Map();
  const meter = await meterOf(model, data, context);
  if (meter === undefined) return new Map();
  const all = layers.reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  const before = await meter.noise(int8);
  const beside = noiseBeside(trials, meter);
  let measurements = 0;
  const { float, noise: after } = await spareNoisiest(layers, before, {
    maxMacs: all * maxFloatMacs / 100,
    measure: (some) => {
      progress(measurements, ++measurements, 'measurements');
      return beside(some);
    },
  });
  const spared = float.reduce((sum, { layer }) => sum + layer.macs!, 0);
  const share = all === 0 ? 0 : spared / all;
  record('noise', { data, int8: decibels(before), now: decibels(after), macs: share, float: float.map(({ layer, removed }) => ({ node: layer.node.name, removed })) } satisfies NoiseRecord);
  if (before > quiet) {
    const how = float.length === 0 ? ', and no few layers make most of it'
      : `, ${after > 0 ? `and ${shown(decibels(after)!)} dB` : 'and have none'} with ${float.length} of ${layers.length} layers and ${shown(100 * share)} % of the multiply-adds in float`;
    remark({ kind: 'analysis', rule: 'noise', message: `on samples of '${data}' the outputs stand ${shown(decibels(before)!)} dB above their noise with all layers in int8${how}` });
  }
  stat('layers left float', float.length);
  return new Map(float.flatMap(({ layer: { nodes }, removed }) => {
    const reason = { rule: 'float-for-noise', reason: `it stays float because the noise of the outputs falls by ${Math.round(100 * removed)} % with it, within \`maxFloatMacs\`` };
    return nodes.map((node) => [node, reason] as const);
  }));
}

/** Reads the data that the statistics are of. With statistics from a file they need not be there, and the model need not run: that is no reason to fail. */
async function meterOf<O>(model: Model, data: string, context: PassContext<O>): Promise<NoiseMeter | undefined> {
  try {
    return await NoiseMeter.of(model, data, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!Diagnostic.is(error)) throw error;
    context.remark({ kind: 'missed', rule: 'noise', message: `no layer stays float for its noise, which could not be measured: ${error.message}` });
    return undefined;
  }
}

/** Ranks the layers, and chooses those that stay float for `maxDrop`. */
async function floatForDrop<O extends FloatOptions>(model: Model, int8: Model, noise: LayerNoise, trials: Trials<O>, context: PassContext<O>): Promise<Node[]> {
  const { options: { maxDrop, maxFloatLayers = Infinity, sensitivity, data = 'validation' }, measure, record, remark, stat } = context;
  const layers = computingLayers(noise);
  let ranking: readonly Sensitivity[] | undefined;
  const rank = async (count: number, dominant: boolean): Promise<readonly Sensitivity[]> => {
    if (ranking !== undefined || layers.length === 0) return ranking ??= [];
    if (count === 0 && !dominant) return ranking = byPrediction(layers);
    const meter = await NoiseMeter.of(model, data, context);
    return ranking = await rankLayers(noise, layers, await suspects(layers, count, dominant, trials, meter), trials, meter, context);
  };
  if (sensitivity !== undefined) await rank(sensitivity, false);
  const found = maxDrop === undefined ? undefined : await fallBack(await measure(int8, data), () => rank(measuredLayers, true), {
    maxDrop, maxFloatLayers, measure: (some) => measure(trials.quantized(nodesOf(some)).model, data),
  });
  if (ranking !== undefined) record('sensitivity', sensitivityRecord(ranking));
  if (found === undefined) return [];
  const { float, before, after } = found;
  const price = float.length === 0 ? '' : `, and ${shown(after.drop)} with ${float.length} of ${layers.length} layers in float`;
  remark({ kind: 'analysis', rule: 'drop', message: `on '${data}' ${before.metric} falls by ${shown(before.drop)}${price}` });
  stat('layers left float', float.length);
  return nodesOf(float);
}
