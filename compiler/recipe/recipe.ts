import type { Diagnostic } from '../../ir/diagnostic.ts';
import type { Pass } from '../../passes/pass.ts';
import { diskFiles, type RecipeFiles } from './files.ts';
import { isRecipe, readChain } from './inherit.ts';
import { planDocument, type Plan } from './plan.ts';
import { Problems } from './problems.ts';
import { objectTree, type Recipe } from './define.ts';
import { child, stringOf, type MapTree } from './tree.ts';
import { substituteAll, type Surroundings } from './variables.ts';

/** What reading a recipe needs from outside. */
export interface RecipeHost extends Surroundings {
  /** Where recipes are read from; the disk if absent. */
  readonly files?: RecipeFiles;
}

/** A recipe that was read, merged with what it extends, and whose variables are filled in. Nothing is validated yet, no pass is known. */
export interface RecipeDocument {
  readonly file: string;
  /** Undefined when the recipe cannot be read at all; the problems say why. */
  readonly tree: MapTree | undefined;
  /** Text of every recipe file that was read, by path, for printing diagnostics. */
  readonly sources: ReadonlyMap<string, string>;
  /** Packages that must be loaded before the recipe can be planned. */
  readonly plugins: readonly string[];
  /** The declared environment variables, with their values. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly problems: Problems;
}

/** What planning a recipe gives. */
export interface PlanResult {
  /** Undefined if there is an error among the diagnostics. */
  readonly plan: Plan | undefined;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, string>;
}

/** Reads a recipe file (YAML or JSON) and all that it extends. Never throws a Diagnostic: mistakes are in `problems`. */
export function readRecipe(file: string, host: RecipeHost = {}): RecipeDocument {
  const problems = new Problems();
  const { tree, sources } = readChain(file, host.files ?? diskFiles, problems);
  return finish(file, tree, sources, host, problems);
}

/** Takes a recipe that is an object, as `defineRecipe` types it. `file` names the module; relative paths are relative to its folder. */
export function recipeFromObject(recipe: Recipe, file: string, host: Surroundings = {}): RecipeDocument {
  const problems = new Problems();
  const tree = problems.guard(() => objectTree(recipe, file));
  const merged = tree && isRecipe(tree, problems) ? tree : undefined;
  return finish(file, merged, new Map(), host, problems);
}

function finish(file: string, merged: MapTree | undefined, sources: ReadonlyMap<string, string>, host: Surroundings, problems: Problems): RecipeDocument {
  const tree = merged && problems.guard(() => substituteAll(merged, host, problems));
  const texts = (key: string): string[] => {
    const list = child(tree, key);
    return list?.kind === 'list' ? list.items.map(stringOf).filter((text) => text !== undefined) : [];
  };
  const env = Object.fromEntries(texts('env').map((name) => [name, Object.hasOwn(host.env ?? {}, name) ? host.env![name] : undefined]));
  return { file, tree, sources, plugins: texts('plugins'), env, problems };
}

/** Validates the recipe against these passes and plans it; all mistakes of one run are among the diagnostics. */
export function planRecipe(document: RecipeDocument, passes: Iterable<Pass>): PlanResult {
  const plan = document.problems.guard(() => planDocument(document, passes));
  return { plan: document.problems.failed ? undefined : plan, diagnostics: document.problems.sorted([...document.sources.keys()]), sources: document.sources };
}
