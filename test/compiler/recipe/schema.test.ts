import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { parse } from 'yaml';
import { recipeJsonSchema } from '../../../compiler/recipe/json-schema.ts';
import { builtInPasses } from '../../../passes/index.ts';
import { root } from '../../paths.ts';
import { fakePasses } from './fake-passes.ts';
import { diagnose, goldenFolder } from './plan-golden.ts';

/** Codes for mistakes that a schema can see, since they need no more than one place of one file. */
const structural = new Set(['version', 'unknown-key', 'unknown-option', 'missing-key', 'bad-type', 'bad-value', 'exclusive-keys', 'unknown-target', 'unknown-pass', 'patch-conflict', 'bad-reference', 'out-of-range']
  .map((name) => `recipe/${name}`));

/** YAML that has no value to judge, and what a schema sees differently: an infinity is a number to JSON Schema, a null prototype key is not there. */
const unreadable = new Set(['recipe/syntax', 'recipe/tag', 'recipe/merge-key', 'recipe/duplicate-key', 'recipe/reserved-key', 'recipe/unknown-alias', 'recipe/limit', 'recipe/bad-number', 'recipe/extends-path', 'recipe/variable-type']);

const schema = recipeJsonSchema(fakePasses);
const validate = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true, keywords: ['markdownDescription'] }).compile(schema);

describe('the generated JSON Schema', () => {
  for (const entry of readdirSync(goldenFolder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const { diagnostics } = diagnose(join(goldenFolder, entry.name));
    const codes = diagnostics.map(({ code }) => code);
    if (codes.some((code) => unreadable.has(code))) continue;
    it(`gives the verdict of the validator on ${entry.name}`, () => {
      const recipe: unknown = parse(readFileSync(join(goldenFolder, entry.name, 'recipe.yaml'), 'utf8'));
      const mistakes = diagnostics.filter(({ code, file }) => structural.has(code) && file === 'recipe.yaml');
      expect(validate(recipe), JSON.stringify(validate.errors?.slice(0, 3))).to.equal(mistakes.length === 0);
    });
  }

  const complete = { version: 1, model: 'a.onnx', steps: ['fold', { pass: 'export', with: { output: 'b.onnx' } }] };
  const cases: [string, unknown, boolean][] = [
    ['a complete recipe', complete, true],
    ['variables in place of numbers, flags and words', {
      ...complete, target: '${vars.t}', vars: { t: 'portable', n: 3, b: true },
      steps: [{ pass: 'fold', with: { maxGrowth: '${vars.n}', batchNorm: '${vars.b}' } }, { pass: 'structured-prune', with: { importance: '${vars.i}' } }],
    }, true],
    ['a size with a unit', { ...complete, steps: [{ pass: 'fold', with: { maxGrowth: '1MiB' } }] }, true],
    ['a size without a number', { ...complete, steps: [{ pass: 'fold', with: { maxGrowth: 'big' } }] }, false],
    ['free keys at the top', { ...complete, 'x-mine': [1] }, true],
    ['free keys elsewhere', { ...complete, steps: [{ pass: 'fold', 'x-mine': 1 }] }, false],
    ['a patch', { version: 1, extends: './a.yaml', patch: [{ edit: 'fold', with: { anything: 1 } }, { insert: 'fold', first: true }] }, true],
    ['a patch beside steps', { ...complete, extends: './a.yaml', patch: [{ remove: 'fold' }] }, false],
    ['a pass that needs options, alone', { ...complete, steps: ['export'] }, false],
    ['nested selectors', { ...complete, steps: [{ pass: 'fold', where: { all: [{ op: ['Conv', 'Gemm'] }, { not: '$head' }] } }] }, true],
    ['a selector with two forms, deep inside', { ...complete, steps: [{ pass: 'fold', where: { not: { any: [{ op: 'A', name: 'b' }] } } }] }, false],
  ];
  for (const [title, recipe, verdict] of cases) {
    it(`${verdict ? 'accepts' : 'refuses'} ${title}`, () => {
      expect(validate(recipe), JSON.stringify(validate.errors)).to.equal(verdict);
    });
  }

  it('describes every key and option, with the defaults, for completion', () => {
    const options = schema.definitions!['options of structured-prune']!.properties!;
    expect(options['amount']).to.include({ default: 0.5, description: 'Share of channels that is removed.', markdownDescription: 'Share of channels that is removed.' });
    expect(options['importance']!.anyOf![0]!.enum).to.deep.equal(['l1', 'l2', 'taylor']);
    const missing = Object.entries(schema.properties!).filter(([, part]) => part.description === undefined && part.$ref === undefined).map(([key]) => key);
    expect(missing).to.deep.equal([]);
  });

  it('is in specs/recipe.schema.json for the built-in passes (UPDATE=1 writes it)', () => {
    const file = join(root, 'specs/recipe.schema.json');
    const text = `${JSON.stringify(recipeJsonSchema(builtInPasses), undefined, 2)}\n`;
    if (process.env['UPDATE'] === '1') writeFileSync(file, text);
    expect(readFileSync(file, 'utf8')).to.equal(text);
  });
});
