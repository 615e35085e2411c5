import { validator } from './recipe/validate.ts';
import type { Schema } from './recipe/schema.ts';

type Keywords = Readonly<Record<string, (value: unknown) => boolean>>;

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const anything = (): boolean => true;
const described: Keywords = { type: isText, description: isText };
const number: Keywords = {
  ...described, default: isNumber, minimum: isNumber, maximum: isNumber, exclusiveMinimum: isNumber,
  unit: (value) => ['bytes', 'samples', 'percent', 'ratio', 'seconds'].includes(value as string),
};

/** The closed subset of JSON Schema for options: the keywords of each type, and what they may be. See passes/options.ts. */
const keywords: Readonly<Record<string, Keywords>> = {
  string: {
    ...described, default: (value) => typeof value === 'string', pattern: isText, format: (value) => value === 'path' || value === 'reader',
    enum: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
  },
  number,
  integer: number,
  boolean: { ...described, default: (value) => typeof value === 'boolean' },
  array: { ...described, items: anything, minItems: isNumber, maxItems: isNumber, default: Array.isArray },
  object: {
    ...described, additionalProperties: (value) => value === false, properties: (value) => typeof value === 'object' && value !== null,
    required: (value) => Array.isArray(value) && value.every(isText),
  },
};

/**
 * The first thing that is wrong with the declaration of a pass's options, in words, or undefined: every option described, no keyword outside
 * the subset, defaults that the option itself accepts, camelCase names. TypeScript sees most of it, but not misspelt keywords, and nothing in plain JavaScript.
 */
export function schemaMistake(options: unknown): string | undefined {
  return mistakeIn(options, 'options', true);
}

function mistakeIn(schema: unknown, path: string, outermost: boolean): string | undefined {
  if (typeof schema !== 'object' || schema === null) return `${path} is no schema`;
  const { type, description, properties, items, additionalProperties, required } = schema as Schema;
  const known = typeof type === 'string' && Object.hasOwn(keywords, type) ? keywords[type]! : undefined;
  if (known === undefined || (outermost && type !== 'object')) return `${path} has the type ${JSON.stringify(type)}; it must be ${outermost ? 'object' : Object.keys(keywords).join(', ')}`;
  for (const [keyword, value] of Object.entries(schema)) {
    if (!Object.hasOwn(known, keyword)) return `${path} has the keyword \`${keyword}\`, which is not one of ${Object.keys(known).join(', ')}`;
    if (!known[keyword]!(value)) return `${path} has an unusable \`${keyword}\`: ${JSON.stringify(value)}`;
  }
  if (!outermost && description === undefined) return `${path} has no description`;
  if (type === 'array') return mistakeIn(items, `${path}[]`, false);
  if (type !== 'object') return 'default' in schema && !validator(schema)(schema.default) ? `${path} has the default ${JSON.stringify(schema.default)}, which it would refuse` : undefined;
  if (additionalProperties !== false) return `${path} must say \`additionalProperties: false\``;
  const names = Object.keys(properties ?? {});
  const unknown = required?.find((name) => !names.includes(name));
  if (unknown !== undefined) return `${path} requires \`${unknown}\`, which it does not have`;
  for (const name of names) {
    if (!/^[a-z][A-Za-z0-9]*$/.test(name)) return `${path}.${name} is not in camelCase`;
    const mistake = mistakeIn(properties![name], `${path}.${name}`, false);
    if (mistake !== undefined) return mistake;
  }
  return undefined;
}
