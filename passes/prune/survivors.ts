import type { Value } from '../../ir/model.ts';
import type { Flow } from './flow.ts';
import type { Layout, Part } from './layout.ts';

/** What is left of one part: positions on its axes (row-major, in the new order) and the new lengths of its axes. */
export interface Kept {
  readonly axes: readonly number[];
  readonly lengths: readonly number[];
  readonly positions: Int32Array;
}

/** What stays of every value, as those see it who rewire operators and count costs. Lengths are those at the sizes at which the channels were followed. */
export interface Survivors {
  /** Lengths of the axes before and after; an axis is undefined where it is not known, and then it does not change. */
  before(value: Value): readonly (number | undefined)[];
  after(value: Value): readonly (number | undefined)[];
  /** The parts of a value in which something changes. */
  kept(value: Value): readonly Kept[];
  /** The positions that stay on an axis that shrinks by itself, in their new order; undefined if all stay where they are. Throws a TypeError for an axis that shrinks together with others. */
  positions(value: Value, axis: number): Int32Array | undefined;
}

/** A part that would not be a box any more. */
export class Ragged extends Error {
  readonly value: Value;
  readonly axes: readonly number[];

  constructor(value: Value, axes: readonly number[]) {
    super(`'${value.name}' would not have rows of one length along its axes ${axes.join(' and ')}`);
    this.value = value;
    this.axes = axes;
  }
}

/** What stays when these channels (by the atoms that stand for them) are removed. Looking at a value of which no box would be left throws `Ragged`. */
export function survivorsOf(flow: Flow, removed: ReadonlySet<number>): Survivors {
  const gone = (id: number): boolean => removed.has(flow.atoms.root(id));
  return arranged(flow, ({ ids }) => (ids.some(gone) ? Int32Array.from(ids.keys()).filter((at) => !gone(ids[at]!)) : undefined));
}

/** What is left if `positionsOf` says which places of a part stay, in their new order; undefined where all stay where they are. */
export function arranged(flow: Flow, positionsOf: (part: Part) => Int32Array | undefined): Survivors {
  const layouts = new Map<Value, Layout>(flow.entries());
  const known = new Map<Value, readonly Kept[]>();
  const keptOf = (value: Value): readonly Kept[] => (layouts.get(value) ?? []).flatMap((part) => {
    const positions = positionsOf(part);
    return positions === undefined ? [] : [{ axes: part.axes, positions, lengths: boxOf(value, part.axes, part.axes.map((axis) => flow.length(value, axis)!), positions) }];
  });
  const kept = (value: Value): readonly Kept[] => {
    const found = known.get(value) ?? keptOf(value);
    known.set(value, found);
    return found;
  };
  const before = (value: Value): readonly (number | undefined)[] => flow.axes(value) ?? [];
  return {
    before, kept,
    after(value) {
      const lengths = [...before(value)];
      for (const part of kept(value)) part.axes.forEach((axis, at) => { lengths[axis] = part.lengths[at]!; });
      return lengths;
    },
    positions(value, axis) {
      const part = kept(value).find(({ axes }) => axes.includes(axis));
      if (part !== undefined && part.axes.length > 1) throw new TypeError(`axis ${axis} of '${value.name}' shrinks together with others`);
      return part?.positions;
    },
  };
}

/** The lengths of the box that the kept places form, each row in the order of `positions`. Throws `Ragged` if they form none. */
export function boxOf(value: Value, axes: readonly number[], lengths: readonly number[], positions: Int32Array): number[] {
  const box: number[] = [];
  let rows = 1;
  for (let axis = 0; axis < lengths.length; axis++) {
    // Places with the same index on all axes up to this one stand together.
    const block = lengths.slice(axis + 1).reduce((total, length) => total * length, 1);
    const starts = positions.filter((place, at) => at === 0 || Math.floor(place / block) !== Math.floor(positions[at - 1]! / block)).length;
    if (starts % rows !== 0 || positions.length % starts !== 0) throw new Ragged(value, axes);
    box.push(starts / rows);
    rows = starts;
  }
  // Equal numbers in all are not enough: each row must have its share.
  const perRow = positions.length / (box[0] ?? 1);
  if (lengths.length > 1) {
    const block = lengths.slice(1).reduce((total, length) => total * length, 1);
    for (let row = 0; row < box[0]!; row++) {
      const own = positions.subarray(row * perRow, (row + 1) * perRow);
      if (own.some((place) => Math.floor(place / block) !== Math.floor(own[0]! / block))) throw new Ragged(value, axes);
      boxOf(value, axes, lengths.slice(1), own.map((place) => place % block)).forEach((length, at) => { if (length !== box[at + 1]) throw new Ragged(value, axes); });
    }
  }
  return box;
}
