import type { Model } from '../../../ir/model.ts';
import { shapeOf } from '../../../ir/type.ts';
import { inputChannelAxis } from '../../quantize/channels.ts';
import type { StatisticsRequest } from '../../statistics/request.ts';
import type { ChannelGroup } from '../groups.ts';
import type { SelectionOptions } from '../options.ts';
import { activation } from './activation.ts';
import { bnScale } from './bn-scale.ts';
import type { Aggregate, Family, Normalize, Scoring } from './family.ts';
import { fpgm } from './fpgm.ts';
import { lamp, lampScores } from './lamp.ts';
import { l1, l2 } from './norms.ts';
import { random } from './random.ts';
import { reconstruction } from './reconstruction.ts';

/** The facet table of importances. */
const families: Readonly<Record<SelectionOptions['importance'], Family>> = { l1, l2, 'bn-scale': bnScale, fpgm, lamp, activation, reconstruction, random };

/** How channels are scored. */
export type ImportanceOptions = Pick<SelectionOptions, 'importance' | 'aggregate' | 'normalize'>;

/** One score for each channel of a group, those of NaN left out of everything; or why there are none. */
export function scoresOf(group: ChannelGroup, { importance, aggregate, normalize }: ImportanceOptions, scoring: Scoring): Float64Array | string {
  const family = families[importance];
  const places = family.score(group, scoring);
  if (typeof places === 'string') return places;
  const combine = aggregates[aggregate ?? family.aggregate];
  const combined = Float64Array.from(group.channels, (_, channel) => combine(places.map((scores) => scores[channel]!).filter((score) => !Number.isNaN(score))));
  return normalized(combined, normalize ?? family.normalize);
}

/** How several scores become one; NaN where there are none. */
export const combineFor = ({ importance, aggregate }: ImportanceOptions): ((scores: readonly number[]) => number) => aggregates[aggregate ?? families[importance].aggregate];

/** True if the scores of an importance are losses that add up. */
export const addsUp = (importance: SelectionOptions['importance']): boolean => families[importance].adds === true;

const sum = (scores: readonly number[]): number => scores.reduce((total, score) => total + score, 0);

const aggregates: Readonly<Record<Aggregate, (scores: readonly number[]) => number>> = {
  mean: (scores) => sum(scores) / scores.length,
  sum: (scores) => (scores.length === 0 ? NaN : sum(scores)),
  max: (scores) => (scores.length === 0 ? NaN : Math.max(...scores)),
  first: (scores) => scores[0] ?? NaN,
};

/** Scores that can be compared with those of other groups. A divisor of 0 changes nothing: all scores are 0. */
export function normalized(scores: Float64Array, by: Normalize): Float64Array {
  if (by === 'lamp') return lampScores(scores);
  if (by === 'none') return scores;
  const valid = [...scores].filter((score) => !Number.isNaN(score));
  const divisor = { mean: sum(valid) / valid.length, sum: sum(valid), max: Math.max(...valid) }[by];
  return divisor > 0 && divisor < Infinity ? scores.map((score) => score / divisor) : scores;
}

/** The statistics of a model that an importance wants to see. */
export function statisticsFor(importance: SelectionOptions['importance'], model: Model): StatisticsRequest {
  const layers = importance === 'activation' || importance === 'reconstruction' ? [...model.graph.walk()].filter((node) => node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul') && node.inputs[1]?.constant !== undefined) : [];
  if (importance === 'reconstruction') return { ranges: [], channels: [], moments: layers.filter((node) => !node.is('ConvTranspose') && node.int('group', 1) === 1).map(({ name }) => name) };
  const channels = layers.flatMap((node) => {
    const value = node.inputs[0];
    const axis = inputChannelAxis(node, shapeOf(value?.type)?.length);
    return value === undefined || axis === undefined ? [] : [[value.name, { value: value.name, axis }] as const];
  });
  return { ranges: [], channels: [...new Map(channels).values()], moments: [] };
}
