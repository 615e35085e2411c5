import { dirname, isAbsolute, join } from 'node:path';
import { recipeSizeLimit, type RecipeFiles } from './files.ts';
import { mergeRecipes } from './merge.ts';
import { parseRecipe } from './parse.ts';
import { applyPatch } from './patch.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Problems } from './problems.ts';
import { describe, mapTree, markOf, quote, stringOf, type MapTree, type Tree } from './tree.ts';

/** Longest chain of recipes, the first one included. */
export const extendsLimit = 8;

/** What a chain of recipes comes to. */
export interface Inherited {
  /** The merged recipe; undefined if some file could not be read or parsed. */
  readonly tree: MapTree | undefined;
  /** Text of every file that was read, by path, the recipe itself first. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Reads a recipe and what it extends, and merges them: maps by key, everything else replaced, steps edited by `patch`. */
export function readChain(file: string, files: RecipeFiles, problems: Problems): Inherited {
  const sources = new Map<string, string>();
  const chain: MapTree[] = [];
  for (let next: string | undefined = file; next !== undefined;) {
    const path: string = next;
    const text = readOne(path, files, problems);
    if (text === undefined) return { tree: undefined, sources };
    sources.set(path, text);
    const tree = parseRecipe(path, text, problems);
    if (!tree || !isRecipe(tree, problems)) return { tree: undefined, sources };
    chain.push(tree);
    next = parentOf(tree, path, sources, problems);
  }
  return { tree: mergeChain(chain, problems), sources };
}

/** The text of one file of a chain. What cannot be read is reported where it is asked for: at `extends`. */
function readOne(path: string, files: RecipeFiles, problems: Problems): string | undefined {
  try {
    return files.readText(path, recipeSizeLimit);
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    problems.add(error.code, error.message, problems.inherited.get(path) ?? { file: path }, { suggestion: unreadableHint(path, problems) });
    return undefined;
  }
}

/** Merges recipes, the most derived first. */
function mergeChain(chain: readonly MapTree[], problems: Problems): MapTree {
  return chain.reduceRight<MapTree>((parent, tree) => mergeRecipes(applyPatch(parent, tree, problems), tree), mapTree(undefined, new Map()));
}

/** True if the document is a map and says `version: 1`; adds the problem otherwise. A recipe of another version is not looked at any further. */
export function isRecipe(tree: Tree, problems: Problems): tree is MapTree {
  if (tree.kind !== 'map') {
    const what = tree.kind === 'scalar' && tree.value === null ? 'the recipe is empty' : `a recipe is a map, and this is ${describe(tree)}`;
    problems.add('recipe/bad-type', what, markOf({ tree, key: undefined }), { expected: ['a map'], suggestion: 'begin with `version: 1`; `onnxpress init MODEL` writes a starter recipe' });
    return false;
  }
  const version = tree.entries.get('version');
  if (version?.value.kind === 'scalar' && version.value.value === 1) return true;
  if (version) {
    problems.add('recipe/version', `this version of onnxpress reads recipes of version 1, and this one says ${describe(version.value)}`, markOf({ tree: version.value, key: version.key }), {
      expected: ['1'], suggestion: 'write `version: 1`, or install the onnxpress that the recipe was written for',
    });
  } else {
    problems.add('recipe/version', 'the recipe does not say its version', markOf({ tree, key: undefined }), { expected: ['version: 1'], suggestion: 'write `version: 1` as its first line' });
  }
  return false;
}

/** Path of the recipe that this one extends, if it names one that may be read. */
function parentOf(tree: MapTree, file: string, sources: ReadonlyMap<string, string>, problems: Problems): string | undefined {
  const entry = tree.entries.get('extends');
  if (!entry) return undefined;
  const { value, key } = entry;
  const place = markOf({ tree: value, key });
  const written = stringOf(value);
  if (written === undefined) {
    problems.add('recipe/bad-type', `\`extends\` names one recipe, and this is ${describe(value)}`, place, { expected: ['a path relative to this file'] });
    return undefined;
  }
  if (written === '' || isAbsolute(written) || /^[a-z][\w+.-]*:/i.test(written) || /[\\\0]/.test(written)) {
    problems.add('recipe/extends-path', `\`extends\` takes a path relative to this file with \`/\` between folders, not ${quote(written)}`, place, { suggestion: 'write something like `./base.recipe.yaml`' });
    return undefined;
  }
  const path = join(dirname(file), written);
  if (sources.has(path)) {
    problems.add('recipe/extends-cycle', `${file} extends ${path}, which leads back to it`, place, { suggestion: 'remove one `extends` of the circle', notes: [{ message: `read so far: ${[...sources.keys()].join(' → ')}` }] });
    return undefined;
  }
  if (sources.size >= extendsLimit) {
    problems.add('recipe/extends-depth', `recipes may extend each other ${extendsLimit} deep, and ${path} would be one more`, place, { suggestion: 'merge some of them', notes: [{ message: `read so far: ${[...sources.keys()].join(' → ')}` }] });
    return undefined;
  }
  if (place) problems.inherited.set(path, place);
  return path;
}

/** What to do about a file that cannot be read: a recipe that another extends, or the one that is asked for. */
function unreadableHint(path: string, problems: Problems): string {
  if (problems.inherited.has(path)) return 'paths are relative to the file in which they are written';
  return /\.onnx$/i.test(path) ? 'this is a model: `onnxpress init MODEL` writes a recipe for it' : 'check the path; `onnxpress init MODEL` writes a starter recipe';
}
