import { dirname, isAbsolute, join, relative } from 'node:path';
import type { OptionSchema, OptionsSchema } from '../../passes/options.ts';
import { listTree, mapTree, scalarTree, type Entry, type ScalarTree, type Tree } from './tree.ts';
import type { Schema } from './schema.ts';

const factors: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Sizes as recipes write them, for schemas and messages. */
export const sizePattern = '^\\d+(\\.\\d+)? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)$';

/** Bytes of `64kB`, `1.5 MiB`; undefined for what is no size or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text) ?? [];
  if (number === undefined || unit === undefined || !Object.hasOwn(factors, unit)) return undefined;
  const bytes = Number(number) * factors[unit]!;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * The tree in the form that schemas describe: sizes as numbers, and paths relative to the folder of `recipe`, whichever file of the chain
 * they are written in. Follows `properties`, `additionalProperties`, `items`, `if`/`then`/`else` and references.
 */
export function normalise(tree: Tree, schema: Schema, recipe: string, definitions: Readonly<Record<string, Schema>> = {}): Tree {
  const resolved = schema.$ref === undefined ? schema : definitions[schema.$ref.slice('#/definitions/'.length)] ?? {};
  if (tree.kind === 'scalar') return normaliseScalar(tree, resolved, recipe);
  const branch = (['then', 'else'] as const).map((key) => resolved[key]).find((part): part is Schema => typeof part === 'object' && (part.properties !== undefined));
  if (tree.kind === 'list') {
    const { items } = resolved;
    return items ? listTree(tree.place, tree.items.map((item) => normalise(item, items, recipe, definitions)), tree.via) : tree;
  }
  const properties = { ...resolved.properties, ...branch?.properties };
  const rest = typeof resolved.additionalProperties === 'object' ? resolved.additionalProperties : undefined;
  const entries = [...tree.entries].map(([key, entry]): [string, Entry] => {
    const part = Object.hasOwn(properties, key) ? properties[key] : rest;
    return [key, part ? { key: entry.key, value: normalise(entry.value, part, recipe, definitions) } : entry];
  });
  return mapTree(tree.place, new Map(entries), tree.via);
}

function normaliseScalar(tree: ScalarTree, { unit, format }: Schema, recipe: string): Tree {
  if (typeof tree.value !== 'string') return tree;
  if (unit === 'bytes') {
    const bytes = parseSize(tree.value);
    return bytes === undefined ? tree : { ...tree, value: bytes };
  }
  const isPath = format === 'path' || (format === 'path-or-word' && /[./]/.test(tree.value));
  return isPath && tree.value !== '' ? { ...tree, value: pathFrom(tree.value, tree.base, recipe) } : tree;
}

/** The path `written` in file `base`, as it is relative to the folder of `recipe`, with `/` between folders. */
export function pathFrom(written: string, base: string, recipe: string): string {
  if (isAbsolute(written) || base === recipe || dirname(base) === dirname(recipe)) return written;
  return relative(dirname(recipe), join(dirname(base), written)).replaceAll('\\', '/');
}

/** The options with every default filled in; a default says so in place of a file. Nested objects are always there. */
export function withDefaults(tree: Tree | undefined, schema: OptionsSchema, pass: string): Tree {
  const given = tree?.kind === 'map' ? tree : undefined;
  const entries = new Map<string, Entry>();
  for (const [name, part] of Object.entries<OptionSchema>(schema.properties)) {
    const entry = given?.entries.get(name);
    if (part.type === 'object') {
      entries.set(name, { key: entry?.key, value: withDefaults(entry?.value, part, pass) });
    } else if (entry) {
      entries.set(name, part.type === 'array' ? { key: entry.key, value: itemDefaults(entry.value, part.items, pass) } : entry);
    } else if (part.default !== undefined) {
      entries.set(name, { key: undefined, value: treeOf(part.default, `default of ${pass}`) });
    }
  }
  const via = given ? given.via : { message: `default of ${pass}` };
  return mapTree(given?.place, entries, via);
}

function itemDefaults(tree: Tree, items: OptionSchema, pass: string): Tree {
  if (tree.kind !== 'list' || items.type !== 'object') return tree;
  return listTree(tree.place, tree.items.map((item) => withDefaults(item, items, pass)), tree.via);
}

/** A tree of plain data that nobody wrote. */
export function treeOf(value: unknown, why: string): Tree {
  const via = { message: why };
  if (Array.isArray(value)) return listTree(undefined, value.map((item) => treeOf(item, why)), via);
  if (typeof value === 'object' && value !== null) {
    return mapTree(undefined, new Map(Object.entries(value).map(([key, part]) => [key, { key: undefined, value: treeOf(part, why) }])), via);
  }
  return scalarTree(undefined, value as ScalarTree['value'], '', String(value), via);
}
