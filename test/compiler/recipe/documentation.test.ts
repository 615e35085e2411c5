import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readerSources } from '../../../compiler/recipe/data-schema.ts';
import { fileKeys, recipeSchema, stepSchema } from '../../../compiler/recipe/envelope.ts';
import { selectorForms } from '../../../compiler/recipe/select-schema.ts';
import { targetNames } from '../../../compiler/targets.ts';
import { root } from '../../paths.ts';
import { planned } from './planning.ts';

const page = readFileSync(join(root, 'specs/recipe.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n([^]*?)```/g)].map((match) => match[1]!);

describe('specs/recipe.md', () => {
  it('has its examples', () => {
    expect(examples).to.have.length(4);
  });

  examples.forEach((example, index) => {
    it(`example ${index + 1} plans without a remark`, () => {
      const base = examples[2]!;
      const plan = planned({ 'recipe.yaml': example, 'base.recipe.yaml': base }, { env: { CALIBRATION_FOLDER: 'calib' } });
      expect(plan.outputs).to.have.length(1);
    });
  });

  const words = [...Object.keys(recipeSchema.properties!), ...Object.keys(fileKeys), ...Object.keys(stepSchema.properties!), ...selectorForms, ...readerSources, ...targetNames];
  for (const word of new Set(words)) {
    it(`mentions ${word}`, () => {
      expect(page).to.match(new RegExp(`[\`[ {]${word}[\`:, ]`));
    });
  }
});
