import { expect } from 'chai';
import { defineRecipe, type Recipe } from '../../../compiler/recipe/define.ts';
import { planRecipe, recipeFromObject } from '../../../compiler/recipe/recipe.ts';
import { printPlan } from '../../../compiler/recipe/print.ts';
import { fakePasses } from './fake-passes.ts';
import { planned } from './planning.ts';

const recipe = defineRecipe({
  version: 1,
  vars: { amount: 0.3 },
  model: 'a.onnx',
  target: 'tensorrt-10',
  select: { head: { between: { from: 'a', to: 'b' } } },
  steps: [
    'fold',
    { pass: 'structured-prune', where: { all: [{ op: 'Conv' }, { not: '$head' }] }, with: { amount: '${vars.amount}' } },
    { pass: 'export', with: { output: 'b.onnx' } },
  ],
});

const messages = (object: unknown): string[] => planRecipe(recipeFromObject(object as Recipe, 'recipe.ts'), fakePasses).diagnostics.map(({ code, message }) => `${code}: ${message}`);

describe('defineRecipe', () => {
  it('plans to what the same recipe in YAML plans to', () => {
    const { plan } = planRecipe(recipeFromObject(recipe, 'recipe.ts'), fakePasses);
    expect(printPlan(plan!)).to.equal(printPlan(planned(JSON.stringify(recipe))));
  });

  const circle: Record<string, unknown> = {};
  circle['again'] = circle;
  const cases: [string, unknown, string[]][] = [
    ['an option out of range', { ...recipe, steps: [{ pass: 'structured-prune', with: { amount: 2 } }, { pass: 'export', with: { output: 'b' } }] },
      ['recipe/out-of-range: `amount` of `structured-prune` must be at most 1, and it is 2, at steps[0].with.amount']],
    ['an unknown option', { ...recipe, steps: [{ pass: 'fold', with: { nothing: 2 } }] }, ['recipe/unknown-option: `fold` has no option "nothing", at steps[0].with.nothing']],
    ['a function', { ...recipe, model: () => 'a' }, ['recipe/bad-type: a recipe holds plain data, not a function, at model']],
    ['an instance', { ...recipe, vars: { a: new Date(0) } }, ['recipe/bad-type: a recipe holds plain data, not a Date, at vars.a']],
    ['an infinity', { ...recipe, vars: { 'a b': [1, Infinity] } }, ['recipe/bad-number: Infinity is not a finite number, at vars["a b"][1]']],
    ['a file\'s own key', { ...recipe, extends: 'a.yaml' }, ['recipe/unknown-key: a recipe has no key "extends", at extends']],
    ['another version', { ...recipe, version: 2 }, ['recipe/version: this version of onnxpress reads recipes of version 1, and this one says the number 2, at version']],
    ['nothing', undefined, ['recipe/bad-type: a recipe holds plain data, not a undefined, at the recipe']],
    ['a list', [], ['recipe/bad-type: a recipe is a map, and this is a list, at the recipe']],
  ];
  for (const [title, object, expected] of cases) it(`names the path of ${title}`, () => { expect(messages(object)).to.deep.equal(expected); });

  it('stops at circles', () => {
    expect(messages({ ...recipe, vars: circle })[0]).to.match(/^recipe\/limit: objects are nested more than 64 deep, or in a circle, at vars\.again/);
  });

  it('ignores what is undefined', () => {
    expect(messages({ ...recipe, accept: undefined })).to.deep.equal([]);
  });
});
