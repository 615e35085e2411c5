import type { Pass } from '../../passes/pass.ts';
import { definitions, fileKeys, recipeSchema, stepSchema } from './envelope.ts';
import { sizePattern } from './options.ts';
import type { Schema } from './schema.ts';

/** A value, or a reference to a variable or to the environment in its place. */
const reference = '\\$\\{(vars|env)\\.';

/**
 * The JSON Schema (draft-07, the one with the widest editor support) of recipe files with these passes: descriptions, defaults and enums for
 * completion, `if`/`then` on `pass` for the options. A file that the validator accepts, this accepts; what needs more than one place of the
 * file (variables, tokens, ids) only the validator sees.
 */
export function recipeJsonSchema(passes: Iterable<Pass>): Schema {
  const list = [...passes];
  const { required, type, properties } = open(recipeSchema);
  const keys = { ...properties, ...mapSchemas(fileKeys) };
  const patch = fileKeys['patch']!;
  const edit = open(patch.items!);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'onnxpress recipe',
    description: 'What onnxpress compiles: a model, data and an ordered list of passes.',
    ...(type !== undefined && { type }), ...(required && { required }),
    properties: {
      ...keys,
      version: { const: 1, ...describe(recipeSchema.properties!['version']!) },
      steps: { ...keys['steps'], items: { $ref: '#/definitions/step' } },
      patch: { ...open(patch), items: { ...edit, properties: { ...edit.properties, insert: { $ref: '#/definitions/step' } } } },
    },
    patternProperties: { '^x-': {} },
    additionalProperties: false,
    dependencies: { patch: { required: ['extends'], properties: { steps: false as unknown as Schema } } },
    definitions: { ...mapSchemas(definitions), step: stepOf(list), ...Object.fromEntries(list.map((pass) => [`options of ${pass.name}`, optionsOf(pass)])) },
  };
}

const describe = ({ description }: Schema): Schema => (description === undefined ? {} : { description, markdownDescription: description });
const mapSchemas = (schemas: Readonly<Record<string, Schema>>): Record<string, Schema> => Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, open(schema)]));

/** A step in either form, with the options of each pass. */
function stepOf(passes: readonly Pass[]): Schema {
  const { title, ...long } = open(stepSchema);
  const names = passes.map(({ name }) => name);
  const alone = passes.filter(({ options }) => !needsOptions(options as Schema)).map(({ name }) => name);
  return {
    title: title ?? 'a step',
    type: ['string', 'object'],
    if: { type: 'string' },
    then: orReference({ enum: alone }),
    else: {
      ...long,
      properties: { ...long.properties, pass: { ...long.properties!['pass'], type: 'string', ...orReference({ enum: names }) } },
      allOf: passes.map((pass): Schema => ({
        if: { properties: { pass: { const: pass.name } }, required: ['pass'] },
        then: { properties: { with: { $ref: `#/definitions/${encodeURIComponent(`options of ${pass.name}`)}` } }, ...(needsOptions(pass.options as Schema) && { required: ['with'] }) },
      })),
    },
  };
}

const needsOptions = ({ required }: Schema): boolean => (required?.length ?? 0) > 0;

/** The options of a pass; `with` may be a variable as a whole. */
function optionsOf({ name, summary, options }: Pass): Schema {
  return { title: `options of ${name}`, description: summary, ...open(options as Schema) };
}

const orReference = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'string', pattern: reference }] });

/** The schema as a file must be judged before variables are filled in: every scalar may be a reference, a size may have a unit. */
function open(schema: Schema): Schema {
  const { unit, type, pattern, enum: values, ...rest } = schema;
  const text = unit === 'bytes' ? `(${sizePattern})|${reference}` : pattern === undefined ? reference : `(${pattern})|${reference}`;
  const types = type === undefined ? [] : [type].flat();
  const opened: Schema = {
    ...without(rest, 'format'),
    ...describe(schema),
    ...(schema.properties && { properties: mapSchemas(schema.properties) }),
    ...(typeof schema.additionalProperties === 'object' && { additionalProperties: open(schema.additionalProperties) }),
    ...(schema.items && { items: open(schema.items) }),
    ...openBranches(schema),
    ...(values && (types.length > 0 ? orReference({ enum: values }) : { anyOf: [{ enum: values }, { type: 'string', pattern: reference }] })),
  };
  if (types.length === 0) return pattern === undefined ? opened : { ...opened, pattern: text };
  const isText = types.includes('string');
  return { ...opened, type: isText ? single(types) : [...types, 'string'], ...((!isText || pattern !== undefined) && { pattern: text }) };
}

/** The formats are for the compiler: to JSON Schema they are unknown. */
function without(schema: Schema, keyword: keyof Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== keyword));
}

const single = (types: readonly string[]): string | readonly string[] => (types.length === 1 ? types[0]! : types);

function openBranches(schema: Schema): Schema {
  const branches: Record<string, Schema> = {};
  for (const key of ['then', 'else'] as const) {
    const branch = schema[key];
    if (typeof branch === 'object') branches[key] = open(branch);
  }
  return branches;
}
