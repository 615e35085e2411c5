import type { Chunk } from './bytes.ts';
import type { Graph } from './model.ts';
import type { SparseTensor, Tensor } from './tensor.ts';
import type { Type } from './type.ts';

/** An int64: a number where it is exact, else a bigint. */
export type Int = number | bigint;

/** A byte string: a JavaScript string where it is valid UTF-8, else its bytes. */
export type Text = string | Uint8Array;

/** The payload of each kind of attribute. */
export interface AttributeValues {
  float: number;
  int: Int;
  string: Text;
  tensor: Tensor;
  sparseTensor: SparseTensor;
  graph: Graph;
  type: Type;
  floats: readonly number[];
  ints: readonly Int[];
  strings: readonly Text[];
  tensors: readonly Tensor[];
  sparseTensors: readonly SparseTensor[];
  graphs: readonly Graph[];
  types: readonly Type[];
}

export type AttributeKind = keyof AttributeValues;

interface AttributeExtras {
  readonly docString?: string;
  /** Wire fields that this version does not know, kept as they were read. */
  readonly unknown?: readonly Chunk[];
}

/** An attribute with a value of its own. */
export type ValueAttribute = { [K in AttributeKind]: AttributeExtras & { readonly kind: K; readonly value: AttributeValues[K] } }[AttributeKind];

/** Inside a function body: the value comes from the calling node's attribute of this name. */
export interface ReferenceAttribute extends AttributeExtras {
  readonly kind: 'reference';
  readonly name: string;
  readonly type: AttributeKind | undefined;
}

/** An attribute. Its name is the key in `Node.attributes`. */
export type Attribute = ValueAttribute | ReferenceAttribute;

/** What the editor and node builders accept in place of an Attribute: the kind follows from the JavaScript type. */
export type AttributeLike = Attribute | string | bigint | number | readonly number[] | readonly bigint[] | readonly string[];

/**
 * The attribute that `like` stands for: a string, an integer (number or bigint), or a non-empty list of them.
 * A fractional number or list is a float; pass an Attribute where a float happens to be whole, or for any other kind.
 */
export function attribute(like: AttributeLike): Attribute {
  if (typeof like === 'string') return { kind: 'string', value: like };
  if (typeof like === 'bigint') return { kind: 'int', value: like };
  if (typeof like === 'number') return Number.isSafeInteger(like) ? { kind: 'int', value: like } : { kind: 'float', value: like };
  if (!isList(like)) return like;
  if (like.every((item) => typeof item === 'string')) return like.length > 0 ? { kind: 'strings', value: like } : { kind: 'ints', value: [] };
  const numbers = like as readonly Int[];
  return numbers.every((item) => typeof item === 'bigint' || Number.isSafeInteger(item))
    ? { kind: 'ints', value: numbers }
    : { kind: 'floats', value: numbers.map(Number) };
}

/** A float attribute; needed where the value may be whole. */
export function floatAttribute(value: number): Attribute {
  return { kind: 'float', value };
}

/** The graphs that an attribute holds. */
export function graphsOf(attribute: Attribute): readonly Graph[] {
  if (attribute.kind === 'graph') return [attribute.value];
  return attribute.kind === 'graphs' ? attribute.value : [];
}

function isList(like: AttributeLike): like is readonly number[] | readonly bigint[] | readonly string[] {
  return Array.isArray(like);
}
