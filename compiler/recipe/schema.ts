/**
 * The part of JSON Schema (draft-07) that recipes use, as plain data. Envelope and generated schema use all of it; the options of a pass are
 * a closed subset (object, array, string, number, integer, boolean, enum, default, minimum, maximum, pattern, unit, description).
 */
export interface Schema {
  readonly $schema?: string;
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  /** What the value is called in messages: `a step`, `a selector`. */
  readonly title?: string;
  readonly description?: string;
  readonly markdownDescription?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly dependencies?: Readonly<Record<string, readonly string[] | Schema>>;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** `bytes` may be written 1MiB; anything else is for people to read. */
  readonly unit?: string;
  /** `path`: relative to the file in which it is written. `path-or-word`: likewise if it has a `/` or a `.`. */
  readonly format?: string;
  readonly oneOf?: readonly (Schema | boolean)[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly if?: Schema;
  readonly then?: Schema | boolean;
  readonly else?: Schema | boolean;
}

/** Exactly one of these keys must be present. */
export function exactlyOne(...keys: readonly string[]): readonly Schema[] {
  return keys.map((key) => ({ required: [key] }));
}
