import { expect } from 'chai';
import { memoryFiles } from '../../../compiler/recipe/files.ts';
import type { Plan } from '../../../compiler/recipe/plan.ts';
import { planRecipe, readRecipe, type PlanResult } from '../../../compiler/recipe/recipe.ts';
import { formatDiagnostics } from '../../../compiler/report/pretty.ts';
import type { Surroundings } from '../../../compiler/recipe/variables.ts';
import { fakePasses } from './fake-passes.ts';

/** Plans `recipe.yaml` among files in memory; a single text is that file. */
export function planTexts(texts: string | Readonly<Record<string, string>>, surroundings: Surroundings = {}, file = 'recipe.yaml'): PlanResult {
  const files = memoryFiles(typeof texts === 'string' ? { [file]: texts } : texts);
  return planRecipe(readRecipe(file, { files, ...surroundings }), fakePasses);
}

/** The plan of a recipe that must have no mistakes. */
export function planned(texts: string | Readonly<Record<string, string>>, surroundings: Surroundings = {}, file = 'recipe.yaml'): Plan {
  const { plan, diagnostics, sources } = planTexts(texts, surroundings, file);
  expect(plan, formatDiagnostics(diagnostics, { source: (path) => sources.get(path) })).to.not.equal(undefined);
  return plan!;
}

/** `code:line:column` of every diagnostic, in order. */
export function mistakes(result: PlanResult): string[] {
  return result.diagnostics.map(({ code, range }) => `${code}${range ? `:${range.line}:${range.column}` : ''}`);
}
