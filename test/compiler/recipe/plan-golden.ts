import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseModel } from '../../../ir/text/index.ts';
import type { Model } from '../../../ir/model.ts';
import { memoryFiles, type RecipeFiles } from '../../../compiler/recipe/files.ts';
import { planRecipe, readRecipe } from '../../../compiler/recipe/recipe.ts';
import { bindPlan, checkInputs } from '../../../compiler/prepare.ts';
import { diagnosticsOf } from '../../../compiler/host.ts';
import type { Plan } from '../../../compiler/recipe/plan.ts';
import { formatDiagnostics } from '../../../compiler/report/pretty.ts';
import type { Diagnostic } from '../../../ir/diagnostic.ts';
import { root } from '../../paths.ts';
import { fakePasses } from './fake-passes.ts';

/** The folder of golden recipes: one for each code, named after it. */
export const goldenFolder: string = join(root, 'test/compiler/recipe/golden');

/** Files below a folder, by paths relative to it, so that messages are the same on every machine. */
export function filesIn(folder: string): RecipeFiles {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return memoryFiles(Object.fromEntries(entries.map((file) => [relative(folder, file), readFileSync(file, 'utf8')])));
}

/** The small model that golden selectors are resolved against. */
export function toyModel(): Model {
  return parseModel(readFileSync(join(goldenFolder, 'toy.onnxtxt'), 'utf8'));
}

/** Everything that a user would be told about the recipe of a folder, with `--set` from set.txt. */
export function diagnose(folder: string): { diagnostics: readonly Diagnostic[]; text: string } {
  const setFile = join(folder, 'set.txt');
  const set = existsSync(setFile) ? readFileSync(setFile, 'utf8').trim().split('\n') : [];
  const document = readRecipe('recipe.yaml', { files: filesIn(folder), set, env: { HOME: '/home/user' } });
  const { plan, diagnostics: planned, sources } = planRecipe(document, fakePasses);
  const diagnostics = plan ? [...planned, ...mistakesWithModel(plan)] : planned;
  return { diagnostics, text: formatDiagnostics(diagnostics, { source: (file) => sources.get(file) }) };
}

function mistakesWithModel(plan: Plan): readonly Diagnostic[] {
  try {
    const model = toyModel();
    checkInputs(plan, model);
    bindPlan(plan, model);
    return [];
  } catch (error) {
    return diagnosticsOf(error);
  }
}
