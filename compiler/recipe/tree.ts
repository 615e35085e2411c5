import type { Range } from '../../ir/diagnostic.ts';

/** Where something is written: a file and a range in it, or a property path of an object that a program gave. */
export interface Place {
  readonly file: string;
  /** Absent for recipes that are objects, and for values from the command line. */
  readonly range?: Range;
  /** `steps[2].with.amount`, for recipes that are objects. */
  readonly path?: string;
}

interface Written {
  /** Where the value is written; undefined for a default. */
  readonly place: Place | undefined;
  /** Why the value is here though it is written elsewhere: a variable, the command line, the default of a pass. */
  readonly via?: Via;
  /** Number of nodes below this one, itself included, aliases counted as often as they are used. */
  readonly size: number;
  /** Levels of maps and lists, 0 for a scalar. */
  readonly depth: number;
}

/** How a value came to where it is used. */
export interface Via {
  readonly message: string;
  readonly place?: Place;
}

/** A single value. `text` is how it was written, so that a variable of type string can take `010` as it stands. */
export interface ScalarTree extends Written {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  readonly text: string;
  /** Folder or file that relative paths in this text refer to: that of whoever wrote its first component. */
  readonly base: string;
  /** True for what stands in for a value that could not be worked out; the reason is reported already, so nothing else is said of it. */
  readonly broken?: true;
}

export interface ListTree extends Written {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

export interface Entry {
  readonly key: Place | undefined;
  readonly value: Tree;
}

export interface MapTree extends Written {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
}

/** A recipe's value that knows where it was written. Trees are immutable and share parts. */
export type Tree = ScalarTree | ListTree | MapTree;

/** A map from entries. */
export function mapTree(place: Place | undefined, entries: ReadonlyMap<string, Entry>, via?: Via): MapTree {
  return { kind: 'map', place, entries, ...extent([...entries.values()].map(({ value }) => value)), ...(via && { via }) };
}

/** A list from items. */
export function listTree(place: Place | undefined, items: readonly Tree[], via?: Via): ListTree {
  return { kind: 'list', place, items, ...extent(items), ...(via && { via }) };
}

function extent(parts: readonly Tree[]): { size: number; depth: number } {
  return parts.reduce((sum, { size, depth }) => ({ size: sum.size + size, depth: Math.max(sum.depth, depth + 1) }), { size: 1, depth: 1 });
}

/** A scalar; `base` is the file whose folder relative paths refer to. */
export function scalarTree(place: Place | undefined, value: ScalarTree['value'], base: string, text: string = String(value), via?: Via): ScalarTree {
  return { kind: 'scalar', place, value, text, base, size: 1, depth: 0, ...(via && { via }) };
}

/** The stand-in for a value that could not be worked out. */
export function brokenTree(place: Place | undefined): ScalarTree {
  return { ...scalarTree(place, null, '', ''), broken: true };
}

/** True if nothing more is to be said of this value. */
export function isBroken(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.broken === true;
}

/** The entry's value, or undefined when `tree` is no map or has no such key. */
export function child(tree: Tree | undefined, key: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(key)?.value : undefined;
}

/** The string that a scalar holds, or undefined for everything else. */
export function stringOf(tree: Tree | undefined): string | undefined {
  return tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
}

/** The map with some entries replaced, or removed where the new value is undefined. */
export function withEntries(map: MapTree, changes: Iterable<readonly [string, Entry | undefined]>): MapTree {
  const entries = new Map(map.entries);
  for (const [key, entry] of changes) {
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
  }
  return mapTree(map.place, entries, map.via);
}

/** Plain data. Keys never reach a prototype: the parser refuses `__proto__`, and fromEntries defines own properties. */
export function plain(tree: Tree): unknown {
  switch (tree.kind) {
    case 'scalar': return tree.value;
    case 'list': return tree.items.map(plain);
    case 'map': return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plain(value)]));
  }
}

/** What a JSON pointer leads to: the tree, the place of the key under which it stands, and the way there. */
export interface Located {
  readonly tree: Tree;
  readonly key: Place | undefined;
}

/** Follows the segments of a path as far as the tree goes. */
export function locate(tree: Tree, path: readonly string[], key?: Place): Located {
  let at: Located = { tree, key };
  for (const segment of path) {
    const entry = at.tree.kind === 'map' ? at.tree.entries.get(segment) : undefined;
    const item = at.tree.kind === 'list' ? at.tree.items[Number(segment)] : undefined;
    if (entry) at = { tree: entry.value, key: entry.key };
    else if (item) at = { tree: item, key: undefined };
    else break;
  }
  return at;
}

/** The token to point at when a whole value is at fault: the scalar itself, else its key, else the first key inside it. */
export function markOf({ tree, key }: Located): Place | undefined {
  if (tree.kind === 'scalar') return tree.place ?? key;
  const own = tree.place?.range;
  if (own?.line === own?.endLine && tree.place && (own === undefined || key === undefined)) return tree.place;
  if (key) return key;
  if (tree.kind === 'map') {
    const first = tree.entries.values().next().value;
    return first?.key ?? tree.place;
  }
  return tree.place;
}

/** What users call the value: `a map`, `a list`, `the string "x"`, `the number 3`, `true`, `nothing`. */
export function describe(tree: Tree): string {
  if (tree.kind === 'map') return 'a map';
  if (tree.kind === 'list') return 'a list';
  if (tree.value === null) return 'nothing';
  if (typeof tree.value === 'string') return `the string ${quote(tree.value)}`;
  return typeof tree.value === 'number' ? `the number ${tree.text}` : String(tree.value);
}

/** JSON quoting, cut at 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}
