import type { DType } from './dtype.ts';
import { isIdentifier, nameText, quoted } from './text/words.ts';

/** One axis: a length, a symbol (equal symbols are equal lengths), or undefined where nothing is known. */
export type Dim = number | string | undefined;

/** What a Value holds. A tensor without `shape` has unknown rank; `shape: []` is a scalar. */
export type Type = TensorType | SequenceType | OptionalType | MapType | OpaqueType;

/** A dense (or, with `sparse`, sparse) tensor. */
export interface TensorType {
  readonly kind: 'tensor';
  /** Undefined only where a file leaves the element type out. */
  readonly dtype: DType | undefined;
  readonly shape: readonly Dim[] | undefined;
  readonly sparse?: true;
  /** Semantic annotations (`DATA_BATCH`, …), one for each axis; kept, never interpreted. */
  readonly denotations?: readonly (string | undefined)[];
  readonly denotation?: string;
}

export interface SequenceType {
  readonly kind: 'sequence';
  readonly element: Type | undefined;
  readonly denotation?: string;
}

export interface OptionalType {
  readonly kind: 'optional';
  readonly element: Type | undefined;
  readonly denotation?: string;
}

export interface MapType {
  readonly kind: 'map';
  readonly key: DType | undefined;
  readonly value: Type | undefined;
  readonly denotation?: string;
}

export interface OpaqueType {
  readonly kind: 'opaque';
  readonly domain: string | undefined;
  readonly name: string | undefined;
  readonly denotation?: string;
}

/** A dense tensor type. */
export function tensorType(dtype: DType, shape?: readonly Dim[]): TensorType {
  return { kind: 'tensor', dtype, shape };
}

/** The shape of a value if it is a tensor of known rank. */
export function shapeOf(type: Type | undefined): readonly Dim[] | undefined {
  return type?.kind === 'tensor' ? type.shape : undefined;
}

/** The element type of a value if it is a tensor whose element type is known. */
export function dtypeOfType(type: Type | undefined): DType | undefined {
  return type?.kind === 'tensor' ? type.dtype : undefined;
}

/** The shape if every axis is a number. */
export function staticShape(type: Type | undefined): readonly number[] | undefined {
  const shape = shapeOf(type);
  return shape?.every((dim): dim is number => typeof dim === 'number') ? shape : undefined;
}

/** True if two axes certainly have the same length: equal numbers or equal symbols. Unknown equals nothing. */
export function sameDim(a: Dim, b: Dim): boolean {
  return a !== undefined && a === b;
}

/** True if two shapes certainly are the same. */
export function sameShape(a: readonly Dim[] | undefined, b: readonly Dim[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((dim, axis) => sameDim(dim, b[axis]));
}

/** Structural equality of types; two unknown axes count as equal here. Denotations are ignored. */
export function sameType(a: Type | undefined, b: Type | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  switch (a.kind) {
    case 'tensor':
      return b.kind === 'tensor' && a.dtype === b.dtype && a.sparse === b.sparse && a.shape?.length === b.shape?.length
        && (a.shape ?? []).every((dim, axis) => dim === b.shape![axis]);
    case 'sequence':
    case 'optional':
      return b.kind === a.kind && sameType(a.element, b.element);
    case 'map':
      return b.kind === 'map' && a.key === b.key && sameType(a.value, b.value);
    case 'opaque':
      return b.kind === 'opaque' && a.domain === b.domain && a.name === b.name;
  }
}

/**
 * The text form's spelling: `float[N,3,?]`, `float` for a scalar, `float[]` for unknown rank, `seq(int64[?])`. Symbols that are no identifiers are
 * quoted. What a file leaves out is `undefined` (an element type) or `?` (the type in a sequence, map or optional).
 */
export function printType(type: Type | undefined): string {
  if (type === undefined) return '?';
  switch (type.kind) {
    case 'tensor': {
      const dims = type.shape?.map((dim) => (typeof dim === 'string' ? nameText(dim) : dim ?? '?'));
      const dense = `${type.dtype ?? 'undefined'}${dims?.length === 0 ? '' : `[${dims?.join(',') ?? ''}]`}`;
      return type.sparse ? `sparse_tensor(${dense})` : dense;
    }
    case 'sequence':
      return `seq(${printType(type.element)})`;
    case 'optional':
      return `optional(${printType(type.element)})`;
    case 'map':
      return `map(${type.key ?? 'undefined'}, ${printType(type.value)})`;
    case 'opaque': {
      const parts = [type.domain, type.name].map((part) => (part === undefined || part.split('.').every(isIdentifier) ? part : quoted(part)));
      return `opaque(${parts.filter((part) => part !== undefined).join(', ')})`;
    }
  }
}
