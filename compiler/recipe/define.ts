import { diagnosticAt } from './problems.ts';
import { depthLimit, nodeLimit } from './parse.ts';
import { listTree, mapTree, scalarTree, type Entry, type MapTree, type Place, type Tree } from './tree.ts';

type OneOrMore<T> = T | readonly T[];
type Scalar = string | number | boolean | null;

/** Which nodes: `$name`, or one form. */
export type Selector = `$${string}` | (SelectorForm & { readonly expect?: number; readonly optional?: boolean });
type SelectorForm =
  | { readonly name: OneOrMore<string> } | { readonly regex: string } | { readonly op: OneOrMore<string> } | { readonly tensor: OneOrMore<string> }
  | { readonly module: OneOrMore<string> } | { readonly between: { readonly from: OneOrMore<string>; readonly to: OneOrMore<string> } }
  | { readonly any: readonly Selector[] } | { readonly all: readonly Selector[] } | { readonly not: Selector };

/** When a step runs. */
export type Condition =
  | { readonly var: string; readonly is: Scalar } | { readonly var: string; readonly in: readonly Scalar[] } | { readonly var: string; readonly not: Scalar }
  | { readonly target: OneOrMore<string> } | { readonly opset: string | number } | { readonly matches: Selector }
  | { readonly any: readonly Condition[] } | { readonly all: readonly Condition[] } | { readonly not: Condition };

/** Budgets by measure, such as `{ top1Drop: { max: 0.5 } }`. */
export interface Acceptance {
  readonly onFail?: 'error' | 'warn' | 'revert';
  readonly [measure: string]: { readonly min?: number | string; readonly max?: number | string } | 'error' | 'warn' | 'revert' | undefined;
}

/** One step: a pass by name, or with options, selector, condition and budgets. */
export type RecipeStep = string | {
  readonly pass: string;
  readonly id?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly where?: Selector;
  readonly when?: Condition;
  readonly accept?: Acceptance;
};

/** A recipe as an object. Programs compute values in TypeScript, so it has no `extends`, `patch` or `x-` keys. */
export interface Recipe {
  readonly version: 1;
  readonly plugins?: readonly string[];
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly env?: readonly string[];
  readonly model: string;
  readonly target?: 'portable' | 'tensorrt-8' | 'tensorrt-10' | 'tensorrt-11' | 'onnxruntime-cpu';
  readonly inputs?: Readonly<Record<string, { readonly shape: readonly number[] } | { readonly min: readonly number[]; readonly opt: readonly number[]; readonly max: readonly number[] }>>;
  readonly data?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly select?: Readonly<Record<string, Selector>>;
  readonly steps: readonly RecipeStep[];
  readonly accept?: Acceptance;
}

/** Types a recipe that is written in TypeScript; the identity. `recipeFromObject` turns it into a document, with the same checks as YAML. */
export function defineRecipe(recipe: Recipe): Recipe {
  return recipe;
}

/** The object as a tree whose places are property paths. Throws a Diagnostic for what YAML could not say: functions, cycles, inexact numbers. */
export function objectTree(value: unknown, file: string): Tree {
  return new ObjectReader(file).read(value, '', 0);
}

class ObjectReader {
  private readonly file: string;
  private count = 0;

  constructor(file: string) {
    this.file = file;
  }

  read(value: unknown, path: string, depth: number): Tree {
    const place: Place = { file: this.file, path: path === '' ? 'the recipe' : path };
    if (depth > depthLimit || ++this.count > nodeLimit) {
      throw diagnosticAt('recipe/limit', depth > depthLimit ? `objects are nested more than ${depthLimit} deep, or in a circle` : `the recipe has more than ${nodeLimit} values`, place, { suggestion: 'make it smaller' });
    }
    if (Array.isArray(value)) return listTree(place, value.map((item, index) => this.read(item, `${path}[${index}]`, depth + 1)));
    if (typeof value === 'object' && value !== null) return this.object(value, path, place, depth);
    if (typeof value === 'number' && !Number.isFinite(value)) throw diagnosticAt('recipe/bad-number', `${value} is not a finite number`, place, { suggestion: 'write a finite number' });
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return scalarTree(place, value, this.file);
    throw diagnosticAt('recipe/bad-type', `a recipe holds plain data, not a ${typeof value}`, place, { expected: ['text, number, boolean, null, list or map'], suggestion: 'compute the value before defineRecipe' });
  }

  private object(value: object, path: string, place: Place, depth: number): MapTree {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw diagnosticAt('recipe/bad-type', `a recipe holds plain data, not a ${value.constructor.name}`, place, { expected: ['text, number, boolean, null, list or map'], suggestion: 'compute the value before defineRecipe' });
    }
    const entries = new Map<string, Entry>();
    for (const [key, part] of Object.entries(value)) {
      // An absent value is written as undefined in programs: { where: condition ? … : undefined }.
      if (part === undefined) continue;
      const inner = /^[A-Za-z_$][\w$]*$/.test(key) ? (path === '' ? key : `${path}.${key}`) : `${path}[${JSON.stringify(key)}]`;
      if (key === '__proto__') throw diagnosticAt('recipe/reserved-key', '`__proto__` cannot be a key', place, { suggestion: 'rename it' });
      entries.set(key, { key: { file: this.file, path: inner }, value: this.read(part, inner, depth + 1) });
    }
    return mapTree(place, entries);
  }
}
