import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Problems, ProblemDetails } from './problems.ts';
import type { Schema } from './schema.ts';
import { didYouMean, nearNames } from './suggest.ts';
import { describe, isBroken, locate, markOf, plain, quote, type Place, type Tree } from './tree.ts';

/** What messages call the value that is validated, and the key under which it stands. */
export interface Subject {
  readonly key?: Place | undefined;
  /** `a recipe`, `patch`; for the options of a pass, the name of the pass with `options` set. */
  readonly what: string;
  readonly options?: boolean;
  /** Hint for an unknown key that belongs elsewhere; undefined where there is none. What its map lacks besides is not reported then. */
  readonly elsewhere?: (key: string, path: readonly string[]) => string | undefined;
  /** Keys that are not missing, but stand in the wrong place, which is reported there. */
  readonly misplaced?: readonly string[];
}

const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, validateFormats: false, messages: false });
const compiled = new WeakMap<Schema, ValidateFunction>();

/** The validator of a schema, compiled once. */
export function validator(schema: Schema): ValidateFunction {
  const known = compiled.get(schema);
  if (known) return known;
  const validate = ajv.compile(schema);
  compiled.set(schema, validate);
  return validate;
}

/** Validates a tree and adds one problem for each mistake, at the token that is wrong. True if there is none. */
export function validateTree(schema: Schema, tree: Tree, problems: Problems, subject: Subject): boolean {
  const validate = validator(schema);
  if (validate(plain(tree))) return true;
  const found = mistakes(validate.errors ?? []);
  const moved = new Set(found.filter(({ keyword, instancePath, params }) => (
    keyword === 'additionalProperties' && subject.elsewhere?.(String(params['additionalProperty']), segments(instancePath)) !== undefined
  )).map(({ instancePath }) => instancePath));
  for (const error of found) {
    const { keyword, instancePath, params } = error;
    const follows = keyword === 'required' && (moved.has(instancePath) || (instancePath === '' && subject.misplaced?.includes(String(params['missingProperty']))));
    if (!follows) report(error, tree, problems, subject);
  }
  return false;
}

type Mistake = Omit<ErrorObject, 'parentSchema' | 'schema' | 'params'> & { readonly params: Readonly<Record<string, unknown>>; readonly parentSchema?: Schema; readonly schema?: unknown };

const segments = (pointer: string): string[] => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** One error for each mistake: what ajv adds about branches is left out, and so is what follows from a wrong type or a misspelt key. */
function mistakes(errors: readonly ErrorObject[]): Mistake[] {
  const list = (errors as readonly Mistake[]).filter(({ keyword, schemaPath, propertyName }) => keyword !== 'if' && propertyName === undefined && !/\/oneOf\/\d/.test(schemaPath));
  const mistyped = new Set(list.filter(({ keyword }) => keyword === 'type').map(({ instancePath }) => instancePath));
  const misspelt = new Map<string, Set<string>>();
  for (const { keyword, instancePath, params, parentSchema } of list) {
    if (keyword !== 'additionalProperties') continue;
    const meant = misspelt.get(instancePath) ?? new Set();
    for (const name of nearNames(String(params['additionalProperty']), Object.keys(parentSchema?.properties ?? {}))) meant.add(name);
    misspelt.set(instancePath, meant);
  }
  const dependent = new Set(list.filter(({ keyword }) => keyword === 'dependencies').map(({ instancePath }) => instancePath));
  const seen = new Set<string>();
  return list.filter(({ keyword, instancePath, params, schema }) => {
    if (mistyped.has(instancePath) && keyword !== 'type') return false;
    if (keyword === 'oneOf' && dependent.has(instancePath)) return false;
    const meant = misspelt.get(instancePath);
    if (keyword === 'required' && meant?.has(String(params['missingProperty']))) return false;
    if (keyword === 'oneOf' && meant && alternatives(schema).some((name) => meant.has(name))) return false;
    const key = `${instancePath} ${keyword} ${JSON.stringify(params)}`;
    return !seen.has(key) && Boolean(seen.add(key));
  });
}

const alternatives = (oneOf: unknown): string[] => (oneOf as readonly Schema[]).flatMap(({ required }) => required ?? []);

function report(error: Mistake, tree: Tree, problems: Problems, subject: Subject): void {
  const path = segments(error.instancePath);
  const located = locate(tree, path, subject.key);
  if (isBroken(located.tree)) return;
  const mark = markOf(located);
  const name = valueName(path, subject);
  const via = located.tree.via && { via: located.tree.via };
  const add = (code: string, message: string, place: Place | undefined, details: ProblemDetails = {}): void => {
    problems.add(code, message, place, { ...via, ...details });
  };
  const { params, parentSchema = {} } = error;
  switch (error.keyword) {
    case 'additionalProperties': {
      unknownKey(String(params['additionalProperty']), Object.keys(parentSchema.properties ?? {}), path, error, located.tree, problems, subject);
      return;
    }
    case 'required': {
      const missing = String(params['missingProperty']);
      const meaning = parentSchema.properties?.[missing]?.description;
      add('recipe/missing-key', `${owner(path, error, subject)} needs the ${keyWord(path, subject)} \`${missing}\`${meaning === undefined ? '' : `: ${meaning.replace(/\.$/, '')}`}`, mark, { suggestion: `add \`${missing}\`` });
      return;
    }
    case 'oneOf': {
      const keys = alternatives(error.schema);
      const present = located.tree.kind === 'map' ? [...located.tree.entries.keys()].filter((key) => keys.includes(key)) : [];
      const second = present[1] === undefined || located.tree.kind !== 'map' ? mark : located.tree.entries.get(present[1])?.key ?? mark;
      const found = present.length === 0 ? 'and has none of them' : `and has ${present.map((key) => `\`${key}\``).join(' and ')}`;
      const combine = parentSchema.title === 'a selector' && present.length > 1 ? 'combine selectors with `all` or `any`' : undefined;
      add('recipe/exclusive-keys', `${owner(path, error, subject)} has exactly one of ${keys.map((key) => `\`${key}\``).join(', ')}, ${found}`, second, {
        expected: keys, suggestion: combine ?? (present.length > 1 ? 'keep one of them' : 'add one of them'),
      });
      return;
    }
    case 'dependencies': {
      const [key, missing] = [String(params['property']), String(params['missingProperty'])];
      const place = located.tree.kind === 'map' ? located.tree.entries.get(key)?.key : undefined;
      add('recipe/exclusive-keys', `\`${key}\` goes with \`${missing}\`, which ${owner(path, error, subject)} does not have here`, place ?? mark, { suggestion: `add \`${missing}\`, or remove \`${key}\`` });
      return;
    }
    case 'type': {
      const types = [params['type']].flat() as string[];
      const wanted = parentSchema.unit === 'bytes' ? 'a number of bytes, such as 1048576, 64kB or 1MiB' : orList(types.map((type) => typeNames[type] ?? type));
      const hint = typeHint(types, located.tree, parentSchema);
      add('recipe/bad-type', `${name} must be ${wanted}, not ${describe(located.tree)}`, mark, hint === undefined ? {} : { suggestion: hint });
      return;
    }
    case 'enum':
    case 'const': {
      const allowed = (error.keyword === 'enum' ? error.schema as readonly unknown[] : [parentSchema.const]).map(String);
      const near = located.tree.kind === 'scalar' ? didYouMean(located.tree.text, allowed) : undefined;
      // The command line takes targets too, and says the same of them.
      const code = error.instancePath === '/target' && !subject.options ? 'recipe/unknown-target' : 'recipe/bad-value';
      add(code, `${name} cannot be ${describe(located.tree)}`, mark, { expected: allowed, suggestion: near ?? `write ${allowed.length === 1 ? allowed[0]! : 'one of these'}` });
      return;
    }
    case 'pattern': {
      const meaning = located.tree.kind === 'scalar' && typeof parentSchema.description === 'string' ? parentSchema.description : undefined;
      if (parentSchema.pattern?.startsWith('^\\$')) {
        const text = located.tree.kind === 'scalar' && located.tree.text.length <= 60 ? located.tree.text : '…';
        add('recipe/bad-value', `${name} cannot be ${describe(located.tree)}: a text that selects is \`$name\``, mark, {
          suggestion: `write \`{ op: ${text} }\` for an operator, or \`{ name: ${JSON.stringify(text)} }\` for a glob on names`,
        });
        return;
      }
      add('recipe/bad-value', `${name} has a form that is not allowed: ${describe(located.tree)}`, mark, {
        expected: [`text like ${parentSchema.pattern ?? String(params['pattern'])}`], suggestion: meaning ?? 'follow the pattern',
      });
      return;
    }
    case 'propertyNames': {
      const key = String(params['propertyName']);
      const place = located.tree.kind === 'map' ? located.tree.entries.get(key)?.key : undefined;
      add('recipe/bad-value', `${quote(key)} cannot be a name`, place ?? mark, { suggestion: 'a name begins with a letter or `_` and goes on with letters, digits, `_`, `-` and `.`; at most 64 characters' });
      return;
    }
    default: {
      const limit = boundText(error);
      add('recipe/out-of-range', `${name} must ${limit}${located.tree.kind === 'scalar' ? `, and it is ${located.tree.text === '' ? 'empty' : located.tree.text.slice(0, 60)}` : ''}`, mark, { suggestion: allowedText(parentSchema) ?? (located.tree.kind === 'scalar' ? 'change the value' : 'change what it holds, or leave it out') });
    }
  }
}

function unknownKey(key: string, legal: readonly string[], path: readonly string[], error: Mistake, tree: Tree, problems: Problems, subject: Subject): void {
  const place = tree.kind === 'map' ? tree.entries.get(key)?.key : undefined;
  const elsewhere = subject.elsewhere?.(key, path);
  const near = didYouMean(key, legal);
  const code = subject.options ? 'recipe/unknown-option' : 'recipe/unknown-key';
  problems.add(code, `${owner(path, error, subject)} has no ${keyWord(path, subject)} ${quote(key)}`, place ?? tree.place, {
    expected: legal, suggestion: elsewhere ?? near ?? (legal.length === 0 ? 'remove it' : 'use one of these, or remove it'),
  });
}

const keyWord = (path: readonly string[], { options }: Subject): string => (options && path.length === 0 ? 'option' : 'key');

/** What has the keys: `a selector`, `\`fold\``, `\`budget\` of \`structured-prune\``. */
function owner(path: readonly string[], { parentSchema }: Mistake, { what, options }: Subject): string {
  if (path.length === 0) return options ? `\`${what}\`` : what;
  return parentSchema?.title ?? `\`${dotted(path)}\`${options ? ` of \`${what}\`` : ''}`;
}

/** What the value is called: `\`amount\` of \`structured-prune\``, `\`target\``. */
function valueName(path: readonly string[], { what, options }: Subject): string {
  if (path.length === 0) return options ? `the options of \`${what}\`` : what;
  return `\`${dotted(path)}\`${options ? ` of \`${what}\`` : ''}`;
}

/** A path as programs write it: `steps[2].with.amount`. */
export function dotted(path: readonly string[]): string {
  return path.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`)).join('').replace(/^\./, '');
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text', number: 'a number', integer: 'an integer', boolean: 'true or false', array: 'a list', object: 'a map', null: 'nothing',
};

function orList(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}

function typeHint(types: readonly string[], tree: Tree, { unit }: Schema): string | undefined {
  if (unit === 'bytes') return 'units are B, kB, MB, GB (powers of 1000) and KiB, MiB, GiB (powers of 1024)';
  if (tree.kind !== 'scalar') return types.includes('array') ? 'write it as a list: `[ … ]`' : undefined;
  const { value } = tree;
  if (value === null) return 'write the value after the key, or remove the key';
  if (types.includes('boolean') && /^(yes|no|on|off|true|false)$/i.test(tree.text)) return 'write true or false, without quotes';
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) && (types.includes('number') || types.includes('integer'))) return 'remove the quotes';
  if (types.includes('string') && typeof value !== 'string') return 'put quotes around it';
  if (types.includes('array')) return 'write it as a list: `[ … ]`';
  return types.includes('integer') && typeof value === 'number' ? 'write a whole number' : undefined;
}

function boundText({ keyword, params }: Mistake): string {
  const limit = String(params['limit']);
  const plural = limit === '1' ? '' : 's';
  const bounds: Readonly<Record<string, string>> = {
    minimum: `be at least ${limit}`, maximum: `be at most ${limit}`, exclusiveMinimum: `be greater than ${limit}`, exclusiveMaximum: `be less than ${limit}`,
    minItems: `have at least ${limit} item${plural}`, maxItems: `have at most ${limit} item${plural}`, uniqueItems: 'not repeat items', minProperties: `have at least ${limit} key${plural}`,
    minLength: limit === '1' ? 'not be empty' : `have at least ${limit} characters`, maxLength: `have at most ${limit} characters`,
  };
  return Object.hasOwn(bounds, keyword) ? bounds[keyword]! : `satisfy ${keyword}`;
}

/** What a number may be, where both or one of its bounds are known. */
function allowedText({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, type, unit }: Schema): string | undefined {
  const bounds = [
    minimum !== undefined && `from ${minimum}`, exclusiveMinimum !== undefined && `greater than ${exclusiveMinimum}`,
    maximum !== undefined && `up to ${maximum}`, exclusiveMaximum !== undefined && `less than ${exclusiveMaximum}`,
  ].filter((bound) => bound !== false);
  if (bounds.length === 0) return undefined;
  return `write ${[type].flat().includes('integer') ? 'an integer' : 'a number'}${unit === undefined ? '' : ` (${unit})`} ${bounds.join(' ')}`;
}
