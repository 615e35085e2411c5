import type { Box } from './groups.ts';

/** Channels that go together, by the atoms that stand for them. */
export type Unit = readonly number[];

/** What the channels of one or several groups can be removed in: any choice of these leaves every box a box. */
export interface Units {
  readonly units: readonly Unit[];
  /** Why there are none although channels are free: the end of a sentence that begins with the group. */
  readonly reason?: string;
}

/**
 * Puts channels into units. A channel in no box is a unit, and one that stands in all rows of its boxes alike. Where boxes want as many of each row, a unit is the k-th worst of each row together (for several boxes, of each cell of their
 * common refinement); where that cannot be, as behind a channel shuffle, a unit is a whole slice of the box. `groups` are the channels in question, in order; `boxes` those in which they stand; `isFree` says which of them can go; `score` which is worst.
 */
export function unitsOf(groups: readonly (readonly number[])[], boxes: readonly Box[], isFree: (root: number) => boolean, score: (root: number) => number): Units {
  const free = groups.flat().filter(isFree);
  const boxed = new Set(boxes.flatMap((box) => [...box.roots]));
  const single = free.filter((root) => !boxed.has(root)).map((root) => [root]);
  const inside = free.filter((root) => boxed.has(root));
  if (inside.length === 0) return { units: single };
  const alike = inside.map((root) => [root]).filter((unit) => boxes.every((box) => hitsEvenly(box, [unit])));
  const rest = ranked(inside.filter((root) => !alike.some(([own]) => own === root)), boxes, score);
  const choices = [boxes.every((box) => hitsEvenly(box, rest)) ? [...alike, ...rest] : alike, slices(inside, boxes, isFree)].map((units) => units.filter((unit) => !takesAll(unit, groups)));
  // Better several units of the second kind than one of the first, which leaves no choice.
  const found = choices.find(({ length }) => length > 1) ?? choices.find(({ length }) => length > 0) ?? [];
  if (found.length > 0) return { units: [...single, ...found] };
  const shapes = boxes.map(({ lengths }) => lengths.join('×')).join(', ');
  return { units: single, reason: `has channels in ${boxes.length === 1 ? 'an arrangement' : 'arrangements'} of ${shapes}, of which no choice leaves rows of one length` };
}

/** True if a unit has all channels of a group: it can never go. */
function takesAll(unit: Unit, groups: readonly (readonly number[])[]): boolean {
  const own = new Set(unit);
  return groups.some((group) => group.every((root) => own.has(root)));
}

/** The k-th worst channel of each cell together: cells are the channels that stand in the same rows of all boxes. */
function ranked(free: readonly number[], boxes: readonly Box[], score: (root: number) => number): Unit[] {
  const rowsOf = new Map(free.map((root) => [root, [] as string[]]));
  boxes.forEach(({ lengths, roots }, box) => {
    const row = lengths.at(-1)!;
    roots.forEach((root, place) => rowsOf.get(root)?.push(`${box}:${Math.floor(place / row)}`));
  });
  const cells = new Map<string, number[]>();
  for (const root of free) {
    const key = rowsOf.get(root)!.join();
    const cell = cells.get(key);
    if (cell === undefined) cells.set(key, [root]);
    else cell.push(root);
  }
  // The sort is stable: of equals the first goes first.
  const sorted = Array.from(cells.values(), (cell) => cell.sort((a, b) => score(a) - score(b)));
  return Array.from({ length: sorted.length === 0 ? 0 : Math.min(...sorted.map(({ length }) => length)) }, (_, rank) => sorted.map((cell) => cell[rank]!));
}

/** True if every unit stands equally often in all rows of a box, or nowhere in it. */
function hitsEvenly({ lengths, roots }: Box, units: readonly Unit[]): boolean {
  const row = lengths.at(-1)!;
  const unitOf = new Map(units.flatMap((unit, index) => unit.map((root) => [root, index] as const)));
  const hits = units.map(() => new Int32Array(roots.length / row));
  roots.forEach((root, place) => {
    const unit = unitOf.get(root);
    if (unit !== undefined) hits[unit]![Math.floor(place / row)]!++;
  });
  return hits.every((own) => own.every((count) => count === own[0]));
}

/** Whole slices of each box along the axis that leaves most units, tied together over all boxes. Slices with a channel that stays are none. */
function slices(free: readonly number[], boxes: readonly Box[], isFree: (root: number) => boolean): Unit[] {
  let classes = new Map<number, number>();
  for (const box of boxes) {
    const choices = box.lengths.map((_, axis) => tied(classes, box, axis));
    classes = choices.reduce((best, next) => (whole(free, next, isFree).length > whole(free, best, isFree).length ? next : best));
  }
  return whole(free, classes, isFree);
}

/** Classes (the first channel of a class for each channel) in which the channels of each slice along an axis are one class. */
function tied(before: ReadonlyMap<number, number>, { lengths, roots }: Box, axis: number): Map<number, number> {
  const classes = new Map(before);
  const find = (root: number): number => {
    let at = root;
    while ((classes.get(at) ?? at) !== at) at = classes.get(at)!;
    return at;
  };
  const stride = lengths.slice(axis + 1).reduce((product, length) => product * length, 1);
  const first = new Map<number, number>();
  roots.forEach((root, place) => {
    const slice = Math.floor(place / stride) % lengths[axis]!;
    const other = first.get(slice);
    if (!classes.has(root)) classes.set(root, root);
    if (other === undefined) first.set(slice, root);
    else classes.set(find(root), find(other));
  });
  for (const root of classes.keys()) classes.set(root, find(root));
  return classes;
}

/** The classes in which every channel can go, in the order of their first channels. */
function whole(free: readonly number[], classes: ReadonlyMap<number, number>, isFree: (root: number) => boolean): Unit[] {
  const units = new Map<number, number[]>();
  for (const root of free) units.set(classes.get(root) ?? root, []);
  for (const [root, of] of classes) units.get(of)?.push(root);
  const order = new Map(free.map((root, at) => [root, at]));
  return [...units.values()].filter((unit) => unit.every(isFree)).map((unit) => unit.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)));
}
