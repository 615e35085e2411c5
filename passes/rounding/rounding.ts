import type { LayerMoments } from '../statistics/statistics.ts';
import { descend } from './descent.ts';
import { enumerable, enumerate } from './enumeration.ts';
import { gptq } from './gptq.ts';
import { groupGrams, outputError, roundNearest, type Gram, type GroupGrams, type RoundingProblem } from './problem.ts';

/** The rounding of one layer, and what it is worth on the inputs that were held out (on those it was fitted on, where none were). */
export interface Rounding {
  /** Codes of all groups, one after the other. */
  readonly codes: Int8Array;
  readonly method: 'nearest' | 'gptq' | 'enumerated';
  /** Mean squared output error of rounding to nearest, and of these codes. */
  readonly before: number;
  readonly after: number;
  /** False where the error was judged on the inputs that the codes were fitted to. */
  readonly heldOut: boolean;
}

/** Columns for each row of the moments below which, without columns held out, a fit would be trusted too easily. */
const trusted = 4;

/**
 * Rounds the weights of a layer so that its outputs change least: all combinations for small kernels, GPTQ followed by coordinate descent
 * for the others. Accepted for the layer only if the error on held-out inputs falls; else, or where
 * nothing was held out and there were few columns, every weight is rounded to nearest.
 * `groups` holds one problem for each group of the layer. `centred` says that the layer's bias takes up the mean of the error.
 */
export function roundLayer(groups: readonly RoundingProblem[], moments: LayerMoments, centred: boolean): Rounding {
  const results = groups.map((problem, group) => roundGroup(problem, groupGrams(moments, group, centred)));
  const total = (pick: (result: GroupRounding) => number): number => results.reduce((sum, result) => sum + pick(result), 0);
  const [before, after] = [total((result) => result.before), total((result) => result.after)];
  const better = after < before && (moments.holdOut !== undefined || moments.columns >= trusted * moments.size);
  return {
    codes: concatenated(results.map(({ nearest, fitted }) => (better ? fitted : nearest))),
    method: !better ? 'nearest' : groups.every(({ columns }) => columns <= enumerable) ? 'enumerated' : 'gptq',
    before, after: better ? after : before, heldOut: moments.holdOut !== undefined,
  };
}

interface GroupRounding {
  readonly nearest: Int8Array;
  readonly fitted: Int8Array;
  readonly before: number;
  readonly after: number;
}

function roundGroup(problem: RoundingProblem, { fit, holdOut }: GroupGrams): GroupRounding {
  const nearest = roundNearest(problem);
  const fitted = fittedCodes(problem, fit) ?? nearest;
  const judge = holdOut ?? fit;
  return { nearest, fitted, before: outputError(problem, nearest, judge), after: outputError(problem, fitted, judge) };
}

function fittedCodes(problem: RoundingProblem, gram: Gram): Int8Array | undefined {
  if (problem.columns <= enumerable) return enumerate(problem, gram);
  const codes = gptq(problem, gram);
  if (codes !== undefined) descend(problem, codes, gram);
  return codes;
}

function concatenated(parts: readonly Int8Array[]): Int8Array {
  const whole = new Int8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
