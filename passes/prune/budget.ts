import { Diagnostic } from '../../ir/diagnostic.ts';
import type { SelectionOptions } from './options.ts';
import type { PrunedCost } from './recount.ts';

/** Shares of the original cost that may stay. */
export type Budget = NonNullable<SelectionOptions['budget']>;

const kinds = ['macs', 'parameters', 'bytes', 'latency'] as const;
const named: Readonly<Record<keyof Budget, string>> = { macs: 'multiply-accumulates', parameters: 'parameters', bytes: 'bytes', latency: 'predicted time' };

/** True if a budget limits something. */
export function limits(budget: Budget | undefined): budget is Budget {
  return budget !== undefined && kinds.some((kind) => budget[kind] !== undefined);
}

/** True if every figure of the budget is met. With `progress` below 1 the budget is that of a step on the way. */
export function isMet(budget: Budget, cost: PrunedCost, before: PrunedCost, progress = 1): boolean {
  return kinds.every((kind) => budget[kind] === undefined || cost[kind] <= (1 - (1 - budget[kind]) * progress) * before[kind]);
}

/** What is gained between two costs, as a share of the original one, over all figures of the budget. */
export function gainOf(budget: Budget, from: PrunedCost, to: PrunedCost, before: PrunedCost): number {
  return kinds.reduce((sum, kind) => (budget[kind] === undefined ? sum : sum + (from[kind] - to[kind]) / before[kind]), 0);
}

/** Throws `prune/budget` for a budget of something that cannot be counted: of shares of nothing none is too large. */
export function checkCounted(budget: Budget, before: PrunedCost): void {
  const uncounted = kinds.find((kind) => budget[kind] !== undefined && before[kind] === 0);
  if (uncounted === undefined) return;
  throw new Diagnostic('prune/budget', `the ${named[uncounted]} of this model cannot be counted`, { suggestion: 'Give sizes for the symbolic axes of its inputs, under `inputs` of the recipe, or a budget of something else.' });
}

/** The smallest number from 0 to `most` for which a condition holds that, once it holds, holds for all larger ones; undefined if it does not hold for `most`. */
export function smallest(most: number, holds: (count: number) => boolean): number | undefined {
  if (!holds(most)) return undefined;
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The refusal of a budget that cannot be met: what is asked, what is reached at most, and what holds the rest. */
export function unmet(budget: Budget, cost: PrunedCost, before: PrunedCost, held: readonly string[]): Diagnostic {
  const missed = kinds.filter((kind) => budget[kind] !== undefined && cost[kind] > budget[kind] * before[kind]);
  const figures = missed.map((kind) => `${(100 * cost[kind] / before[kind]).toFixed(1)} % of the ${named[kind]} stay where ${(100 * budget[kind]!).toFixed(1)} % may`);
  return new Diagnostic('prune/unreachable', `the budget cannot be met: with all removed that may go, ${figures.join(', and ')}`, {
    notes: held.map((message) => ({ message })),
    suggestion: 'Raise the budget, select more layers, or loosen `maxRatio`, `minKeep` and `roundTo`; `onnxpress inspect MODEL --groups` says what can be removed.',
  });
}
