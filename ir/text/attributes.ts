import type { AttributeKind } from '../attribute.ts';
import type { AttributeProto } from '../onnx/fields.ts';

/** How an attribute of each kind is spelled and stored: its word in the text form, its number and its field in AttributeProto; for lists, the kind of an element. */
interface Form {
  readonly word: string;
  readonly number: number;
  readonly field: Exclude<keyof AttributeProto, 'name' | 'type' | 'doc_string' | 'ref_attr_name' | 'unknown'>;
  readonly element?: AttributeKind;
}

export const attributeForms: Readonly<Record<AttributeKind, Form>> = {
  float: { word: 'float', number: 1, field: 'f' },
  int: { word: 'int', number: 2, field: 'i' },
  string: { word: 'string', number: 3, field: 's' },
  tensor: { word: 'tensor', number: 4, field: 't' },
  graph: { word: 'graph', number: 5, field: 'g' },
  floats: { word: 'floats', number: 6, field: 'floats', element: 'float' },
  ints: { word: 'ints', number: 7, field: 'ints', element: 'int' },
  strings: { word: 'strings', number: 8, field: 'strings', element: 'string' },
  tensors: { word: 'tensors', number: 9, field: 'tensors', element: 'tensor' },
  graphs: { word: 'graphs', number: 10, field: 'graphs', element: 'graph' },
  sparseTensor: { word: 'sparse_tensor', number: 11, field: 'sparse_tensor' },
  sparseTensors: { word: 'sparse_tensors', number: 12, field: 'sparse_tensors', element: 'sparseTensor' },
  type: { word: 'type_proto', number: 13, field: 'tp' },
  types: { word: 'type_protos', number: 14, field: 'type_protos', element: 'type' },
};

const kinds = Object.keys(attributeForms) as AttributeKind[];

/** The kind with this word in the text form. */
export function kindOfWord(word: string): AttributeKind | undefined {
  return kinds.find((kind) => attributeForms[kind].word === word);
}

/** The kind with this number in AttributeProto.AttributeType. */
export function kindOfNumber(number: number): AttributeKind | undefined {
  return kinds.find((kind) => attributeForms[kind].number === number);
}

/** The kind of lists whose elements are of this kind. */
export function listOf(element: AttributeKind): AttributeKind {
  return kinds.find((kind) => attributeForms[kind].element === element)!;
}
