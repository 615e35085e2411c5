/**
 * The closed subset of JSON Schema that options are declared in: plain data, so that validation, types, help, editor completion and
 * reference pages all come from one place. Every option has a description; sizes have a unit.
 */
export type OptionSchema = StringOption | NumberOption | BooleanOption | ArrayOption | OptionsSchema;

interface Described {
  readonly description: string;
}

export interface StringOption extends Described {
  readonly type: 'string';
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly default?: string;
  /** `path`: a file named relative to the recipe. `reader`: a name under `data`. `selector`: a selector name. Shown in the reference, checked by the recipe front end. */
  readonly format?: 'path' | 'reader';
}

export interface NumberOption extends Described {
  readonly type: 'number' | 'integer';
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly default?: number;
  /** `bytes` lets a recipe write `1MiB`. */
  readonly unit?: 'bytes' | 'samples' | 'percent' | 'ratio' | 'seconds';
}

export interface BooleanOption extends Described {
  readonly type: 'boolean';
  readonly default?: boolean;
}

export interface ArrayOption extends Described {
  readonly type: 'array';
  readonly items: OptionSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly default?: readonly unknown[];
}

/** An object of options; the outermost one is a pass's `options`. */
export interface OptionsSchema {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly description?: string;
  readonly properties: Readonly<Record<string, OptionSchema>>;
  readonly required?: readonly string[];
}

/** The TypeScript type of one option. */
export type OptionOf<S> =
  S extends { readonly type: 'string'; readonly enum: readonly (infer E)[] } ? E
  : S extends { readonly type: 'string' } ? string
  : S extends { readonly type: 'number' | 'integer' } ? number
  : S extends { readonly type: 'boolean' } ? boolean
  : S extends { readonly type: 'array'; readonly items: infer I } ? readonly OptionOf<I>[]
  : S extends OptionsSchema ? OptionsOf<S>
  : never;

type Present<S extends OptionsSchema> = {
  [K in keyof S['properties']]:
    S['properties'][K] extends { readonly default: unknown } | OptionsSchema ? K
    : S extends { readonly required: readonly (infer R)[] } ? K extends R ? K : never
    : never
}[keyof S['properties']];

/**
 * The TypeScript type of an object of options after defaults were filled in: options with a default and nested objects are always there,
 * required ones too, all others may be absent.
 */
export type OptionsOf<S extends OptionsSchema> =
  { readonly [K in Present<S>]: OptionOf<S['properties'][K]> }
  & { readonly [K in Exclude<keyof S['properties'], Present<S>>]?: OptionOf<S['properties'][K]> };
