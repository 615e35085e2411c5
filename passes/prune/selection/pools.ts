import type { Box, Channels } from '../groups.ts';
import { unitsOf, type Unit } from '../units.ts';

/** Groups whose channels are chosen together, since they stand in boxes together; mostly one. */
export interface Pool {
  /** Places in the list of groups, ascending. */
  readonly groups: readonly number[];
  readonly boxes: readonly Box[];
}

/** A unit that can go. */
export interface Candidate {
  readonly unit: Unit;
  readonly score: number;
  readonly pool: number;
  /** Place in its pool, for ties. */
  readonly position: number;
}

/** What a pool offers for removal. */
export interface Offer {
  readonly candidates: readonly Candidate[];
  /** Why not all of its free channels are offered. */
  readonly reason?: string;
}

/** Puts groups that share a box into one pool. */
export function poolsOf({ groups, boxes }: Channels): Pool[] {
  const groupOf = new Map(groups.flatMap(({ channels }, index) => channels.map(({ root }) => [root, index] as const)));
  const poolOf = groups.map((_, index) => index);
  const touched = boxes.map(({ roots }) => [...new Set(Array.from(roots, (root) => groupOf.get(root)).filter((group) => group !== undefined))]);
  for (const [first, ...others] of touched) {
    for (const other of others) {
      const [to, from] = [poolOf[first!]!, poolOf[other]!];
      poolOf.forEach((pool, group) => { if (pool === from) poolOf[group] = to; });
    }
  }
  return [...new Set(poolOf)].map((pool) => {
    const own = [...groups.keys()].filter((group) => poolOf[group] === pool);
    return { groups: own, boxes: boxes.filter((_, box) => touched[box]!.some((group) => own.includes(group))) };
  });
}

/** The units of a pool with their scores. `scoreOf` gives NaN for a channel that must stay. */
export function offerOf(index: number, { groups: own, boxes }: Pool, { groups }: Channels, scoreOf: (root: number) => number, combine: (scores: readonly number[]) => number): Offer {
  const roots = own.map((group) => groups[group]!.channels.map(({ root }) => root));
  const { units, reason } = unitsOf(roots, boxes, (root) => !Number.isNaN(scoreOf(root)), scoreOf);
  const candidates = units.map((unit, position) => ({ unit, score: combine(unit.map(scoreOf)), pool: index, position }));
  return { candidates, ...(reason !== undefined && { reason }) };
}
