import type { Diagnostic } from '../../ir/diagnostic.ts';
import type { Pass } from '../../passes/pass.ts';
import { schemaMistake } from '../options-schema.ts';
import type { Recipe } from '../recipe/define.ts';
import { planRecipe, recipeFromObject } from '../recipe/recipe.ts';

/** What is wrong with the declaration of a pass, in words; undefined if nothing is. */
export function declarationMistake(pass: Pass): string | undefined {
  if (!/^([a-z][a-z0-9-]*\/)?[a-z][a-z0-9-]*$/.test(pass.name)) return `the name '${pass.name}' is not in kebab-case, with or without a vendor in front`;
  if (!Number.isInteger(pass.version) || pass.version < 1) return `the version is ${pass.version}; it counts from 1`;
  if (!/^[^\n]{10,}\.$/.test(pass.summary)) return `the summary is not one sentence with a full stop: '${pass.summary}'`;
  const mistake = schemaMistake(pass.options);
  return mistake === undefined ? undefined : `its options are not declared in the form that onnxpress reads: ${mistake}`;
}

/**
 * Options as the pass receives them when a recipe gives these: validated by the recipe's own front end, with defaults; or all that it says against
 * them. Tokens that the pass needs count as given.
 */
export function bindOptions(pass: Pass, given: Readonly<Record<string, unknown>>): { readonly options?: Readonly<Record<string, unknown>>; readonly mistakes: readonly Diagnostic[] } {
  const recipe = { version: 1, model: 'model.onnx', steps: [{ pass: pass.name, with: given }] } as Recipe;
  const { plan, diagnostics } = planRecipe(recipeFromObject(recipe, 'case'), [{ ...pass, needs: [], keeps: [] }]);
  const options = plan?.steps[0]?.options;
  return { ...(options && { options }), mistakes: diagnostics.filter(({ severity }) => severity === 'error') };
}
