import type { Candidate } from './pools.ts';

/** Candidates that are ranked together. */
export interface Ranking {
  readonly pools: readonly number[];
  /** Units at the beginning, before any step. */
  readonly size: number;
  /** Units that have gone in earlier steps. */
  readonly gone: number;
  readonly candidates: readonly Candidate[];
  /** How many go in all, whatever the amount or budget: what the recipe says about these layers. */
  readonly fixed?: number;
}

/** One unit to remove, and its ranking. */
export interface Taken {
  readonly candidate: Candidate;
  readonly ranking: number;
}

/** By score; of equals the earlier pool first, then the earlier position. */
export function byScore(a: Candidate, b: Candidate): number {
  return a.score - b.score || a.pool - b.pool || a.position - b.position;
}

/**
 * The order in which units go as the amount grows: rankings side by side, each by its share, worst first. `admit` decides, with all before it gone, whether a unit may go as well; the next one of its ranking takes the place of one that may not.
 * Every beginning of the list is a selection.
 */
export function removalOrder(rankings: readonly Ranking[], admit: (candidate: Candidate) => boolean): Taken[] {
  const sorted = rankings.map(({ candidates }) => candidates.toSorted(byScore));
  const slots = rankings.flatMap(({ size, gone, fixed }, ranking) => (
    Array.from({ length: fixed === undefined ? sorted[ranking]!.length : Math.max(0, fixed - gone) }, (_, at) => ({
      ranking, share: fixed === undefined ? (gone + at + 0.5) / size : -1, score: sorted[ranking]![at]?.score ?? 0,
    }))
  ));
  slots.sort((a, b) => a.share - b.share || a.score - b.score || a.ranking - b.ranking);
  const next = rankings.map(() => 0);
  const order: Taken[] = [];
  for (const { ranking } of slots) {
    const own = sorted[ranking]!;
    while (next[ranking]! < own.length) {
      const candidate = own[next[ranking]!++]!;
      if (!admit(candidate)) continue;
      order.push({ candidate, ranking });
      break;
    }
  }
  return order;
}
