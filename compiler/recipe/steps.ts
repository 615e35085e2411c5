import { child, listTree, mapTree, scalarTree, stringOf, withEntries, type ListTree, type MapTree, type Tree } from './tree.ts';

/** A step as it is written, in its long form, with the id that patches and messages use. */
export interface IdentifiedStep {
  readonly id: string;
  readonly tree: Tree;
  /** False for an id that was made from the pass name. */
  readonly explicit: boolean;
}

/** The long form of a step: the text `fold` stands for `{ pass: fold }`. */
export function longForm(step: Tree): Tree {
  return stringOf(step) === undefined ? step : mapTree(step.place, new Map([['pass', { key: step.place, value: step }]]));
}

/** The list with every step in its long form; anything else comes back as it is, for the validator to refuse. */
export function longForms(steps: Tree): Tree {
  return steps.kind === 'list' ? listTree(steps.place, steps.items.map(longForm), steps.via) : steps;
}

/**
 * Gives every step an id: its own, or the name of its pass, with `-2`, `-3`, … from the second on. Ids that are written are taken first, so
 * that adding a step never renames one that has an id.
 */
export function identify(steps: readonly Tree[]): IdentifiedStep[] {
  const taken = new Set(steps.map((step) => stringOf(child(step, 'id'))).filter((id) => id !== undefined));
  return steps.map((step) => {
    const tree = longForm(step);
    const own = stringOf(child(tree, 'id'));
    if (own !== undefined) return { id: own, tree, explicit: true };
    const id = freeId(stringOf(child(tree, 'pass')) ?? 'step', taken);
    taken.add(id);
    return { id, tree, explicit: false };
  });
}

/** `name`, or the first of `name-2`, `name-3`, … that is not taken. */
export function freeId(name: string, taken: ReadonlySet<string>): string {
  for (let n = 1; ; n++) {
    const id = n === 1 ? name : `${name}-${n}`;
    if (!taken.has(id)) return id;
  }
}

/** The steps as a list again, each with its id written down, so that later patches find it under the same name. */
export function pinned(steps: readonly IdentifiedStep[], list: ListTree): ListTree {
  return listTree(list.place, steps.map(({ id, tree, explicit }) => (explicit || tree.kind !== 'map' ? tree : withId(tree, id))), list.via);
}

function withId(tree: MapTree, id: string): MapTree {
  const { place } = tree.entries.get('pass')?.value ?? tree;
  return withEntries(tree, [['id', { key: place, value: scalarTree(place, id, place?.file ?? '') }]]);
}
