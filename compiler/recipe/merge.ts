import { readerSources } from './data-schema.ts';
import { mapTree, type Entry, type MapTree, type Tree } from './tree.ts';

/** How a value combines with the one that it inherits. */
type Rule = (parent: Tree, tree: Tree) => Tree;

const replaced: Rule = (_parent, tree) => tree;
const maps = (rule: (key: string) => Rule): Rule => (parent, tree) => (parent.kind === 'map' && tree.kind === 'map' ? mergeMaps(parent, tree, rule) : tree);

/** Maps by key at every depth; scalars and lists replace. */
export const mergeByKey: (parent: Tree, tree: Tree) => Tree = maps(() => mergeByKey);

/** A reader that names another source is another reader; one that names none adjusts the inherited one. */
const reader: Rule = (parent, tree) => (tree.kind === 'map' && readerSources.some((source) => tree.entries.has(source)) ? tree : mergeByKey(parent, tree));

/** Sections whose entries are not merged by key throughout: half a selector or half a profile means nothing. */
const sections: Readonly<Record<string, Rule>> = { select: maps(() => replaced), inputs: maps(() => replaced), data: maps(() => reader) };

/** Keys that concern one file alone: how it inherits, and its holders of anchors. */
const ownKey = (key: string): boolean => key === 'extends' || key === 'patch' || key.startsWith('x-');

/** A recipe over the one that it extends. */
export function mergeRecipes(parent: MapTree, tree: MapTree): MapTree {
  const own = mapTree(tree.place, new Map([...tree.entries].filter(([key]) => !ownKey(key))));
  return mergeMaps(parent, own, (key) => (Object.hasOwn(sections, key) ? sections[key]! : mergeByKey));
}

function mergeMaps(parent: MapTree, tree: MapTree, rule: (key: string) => Rule): MapTree {
  const entries = new Map<string, Entry>(parent.entries);
  for (const [key, entry] of tree.entries) {
    const before = entries.get(key);
    entries.set(key, before ? { key: entry.key, value: rule(key)(before.value, entry.value) } : entry);
  }
  return mapTree(tree.place, entries);
}
