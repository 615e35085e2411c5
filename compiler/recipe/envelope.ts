import { targetNames } from '../targets.ts';
import { inputReader, reader } from './data-schema.ts';
import { exactlyOne, type Schema } from './schema.ts';
import { conditionSchema, selectorSchema } from './select-schema.ts';

/** A name that other places of the recipe refer to. */
const nameSchema: Schema = { pattern: '^[A-Za-z_][\\w.-]*$', maxLength: 64 };

const measures: Readonly<Record<string, string>> = {
  size: 'Bytes of the written file', nodes: 'Number of nodes', parameters: 'Number of weights', macs: 'Multiply-adds of one sample',
  latency: 'Milliseconds of one run', top1: 'Top-1 accuracy in percent', top5: 'Top-5 accuracy in percent', map: 'Mean average precision in percent',
  auc: 'Area under the ROC curve in percent', agreement: 'Share of samples in percent on which the original says the same', cosine: 'Cosine between the outputs and the original\'s',
  sqnr: 'Signal to quantization noise of the outputs in dB', kl: 'Kullback-Leibler divergence from the original\'s outputs', maxError: 'Largest absolute error of an output',
  metricDrop: 'Loss of the data\'s own metric in percentage points; of `sqnr`, the noise in percent of the signal (0.1 is 30 dB)', top1Drop: 'Loss of top-1 accuracy in percentage points', top5Drop: 'Loss of top-5 accuracy in percentage points',
  agreementDrop: 'Share of samples in percent on which the original says something else',
  mapDrop: 'Loss of mean average precision in percentage points', aucDrop: 'Loss of the area under the ROC curve in percentage points',
};

function measure(name: string, description: string): Schema {
  const bound: Schema = name === 'size' ? { type: 'integer', minimum: 0, unit: 'bytes' } : { type: 'number' };
  return {
    type: 'object', title: `the budget of \`${name}\``, additionalProperties: false, minProperties: 1, description: `${description}.`,
    properties: { min: { ...bound, description: 'Least value that is accepted.' }, max: { ...bound, description: 'Greatest value that is accepted.' } },
  };
}

const acceptance: Schema = {
  type: 'object',
  title: 'an acceptance',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    ...Object.fromEntries(Object.entries(measures).map(([name, description]) => [name, measure(name, description)])),
    onFail: { type: 'string', enum: ['error', 'warn', 'revert'], default: 'error', description: 'What a missed budget does: end with exit code 3, warn, or take the step back (steps only).' },
  },
};

const dims: Schema = { type: 'array', items: { type: 'integer', minimum: 0, maximum: 2147483647 }, maxItems: 16 };

const profile: Schema = {
  type: 'object',
  title: 'an input profile',
  additionalProperties: false,
  properties: {
    shape: { ...dims, description: 'The one shape of this input.' },
    min: { ...dims, description: 'Smallest shape.' },
    opt: { ...dims, description: 'Shape for which the engine is made fastest.' },
    max: { ...dims, description: 'Largest shape.' },
  },
  oneOf: exactlyOne('shape', 'opt'),
  dependencies: { min: ['max', 'opt'], max: ['min', 'opt'], opt: ['min', 'max'] },
};

const stepParts: Readonly<Record<string, Schema>> = {
  with: { type: 'object', title: '`with`', description: 'The options of the pass.' },
  where: { $ref: '#/definitions/selector', description: 'The nodes that the pass may touch; all that it can handle if absent.' },
  when: { $ref: '#/definitions/condition', description: 'The step is skipped unless this holds.' },
  accept: { $ref: '#/definitions/acceptance', description: 'Budgets that must hold after the step.' },
};

/** A step in its long form; the options under `with` are judged by the schema of the pass. */
export const stepSchema: Schema = {
  type: 'object',
  title: 'a step',
  additionalProperties: false,
  required: ['pass'],
  properties: {
    pass: { type: 'string', minLength: 1, maxLength: 128, description: 'Name of the pass; `onnxpress passes` lists them.' },
    id: { type: 'string', pattern: '^[A-Za-z_][\\w./-]*$', maxLength: 128, description: 'Name of the step in patches, messages and reports; the name of the pass if absent.' },
    ...stepParts,
  },
};

/** Schemas that others refer to by name. */
export const definitions: Readonly<Record<string, Schema>> = { selector: selectorSchema, condition: conditionSchema, reader, inputReader, acceptance, step: stepSchema };

/** Keys of the recipe itself, each with its meaning. `steps` is in its long form here. */
const recipeKeys: Readonly<Record<string, Schema>> = {
  version: { const: 1, description: 'Version of the recipe language.' },
  plugins: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 256 }, uniqueItems: true, description: 'Packages whose passes this recipe uses: the only way in which code gets loaded.' },
  vars: { type: 'object', title: '`vars`', propertyNames: nameSchema, description: 'Variables for `${vars.NAME}`, overridden by `--set vars.NAME=VALUE`.' },
  env: { type: 'array', items: { type: 'string', pattern: '^[A-Za-z_]\\w*$' }, uniqueItems: true, description: 'Environment variables that `${env.NAME}` may read; they are part of the cache key.' },
  model: { type: 'string', minLength: 1, format: 'path', description: 'The ONNX file to compile, relative to this file.' },
  target: { type: 'string', enum: targetNames, default: 'portable', description: 'Where the compiled model is going to run.' },
  inputs: { type: 'object', title: '`inputs`', additionalProperties: profile, description: 'Shapes of the inputs, by input name.' },
  data: { type: 'object', title: '`data`', propertyNames: nameSchema, additionalProperties: { $ref: '#/definitions/reader' }, description: 'Named readers of samples, for calibration and validation.' },
  select: { type: 'object', title: '`select`', propertyNames: nameSchema, additionalProperties: { $ref: '#/definitions/selector' }, description: 'Named selectors, used as `$name`.' },
  steps: { type: 'array', items: { $ref: '#/definitions/step' }, minItems: 1, description: 'The passes, in the order in which they run.' },
  accept: { $ref: '#/definitions/acceptance', description: 'Budgets that the compiled model must hold.' },
};

/** A recipe after inheritance and substitution. */
export const recipeSchema: Schema = {
  definitions, type: 'object', title: 'a recipe', required: ['version'], additionalProperties: false, properties: recipeKeys,
};

const position = ['before', 'after', 'first', 'last'] as const;

/** The list under `patch`, whose values are judged once they are in place. */
export const patchSchema: Schema = {
  type: 'array',
  items: {
    type: 'object',
    title: 'an edit',
    additionalProperties: false,
    properties: {
      edit: { type: 'string', description: 'Id of the inherited step to change.' },
      with: { description: 'Options to change, key by key.' },
      where: { description: 'The new selector.' },
      when: { description: 'The new condition.' },
      accept: { description: 'Budgets to change, key by key.' },
      insert: { type: ['string', 'object'], description: 'A new step.' },
      before: { type: 'string', description: 'Id of the inherited step before which it goes.' },
      after: { type: 'string', description: 'Id of the inherited step after which it goes.' },
      first: { const: true, description: 'It goes before all others.' },
      last: { const: true, description: 'It goes after all others.' },
      remove: { type: 'string', description: 'Id of the inherited step to leave out.' },
    },
    oneOf: exactlyOne('edit', 'insert', 'remove'),
    if: { required: ['insert'] },
    then: { oneOf: exactlyOne(...position) },
    dependencies: {
      ...Object.fromEntries(Object.keys(stepParts).map((key) => [key, ['edit']])),
      ...Object.fromEntries(position.map((key) => [key, ['insert']])),
    },
  },
};

/** What only a single file has, before it is merged with the one that it extends. */
export const fileKeys: Readonly<Record<string, Schema>> = {
  extends: { type: 'string', minLength: 1, description: 'A recipe whose values this one changes: a path relative to this file.' },
  patch: { ...patchSchema, description: 'Edits of the inherited steps, by step id.' },
};
