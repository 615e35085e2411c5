import type { Attribute, AttributeKind, AttributeValues, Text } from '../attribute.ts';
import { Diagnostic } from '../diagnostic.ts';
import type { Graph } from '../model.ts';
import type { AttributeProto, GraphProto, SparseTensorProto } from './fields.ts';
import { bytesOf, readSparse, readTensor, writeSparse, writeTensor, type ExternalOpener } from './tensor-proto.ts';
import { readType, writeType } from './type-proto.ts';
import { encodeUtf8, textOrBytes } from './utf8.ts';

/** Kind, number in AttributeProto.AttributeType, and the field that holds the value. */
const rows = [
  ['float', 1, 'f'], ['int', 2, 'i'], ['string', 3, 's'], ['tensor', 4, 't'], ['graph', 5, 'g'],
  ['floats', 6, 'floats'], ['ints', 7, 'ints'], ['strings', 8, 'strings'], ['tensors', 9, 'tensors'], ['graphs', 10, 'graphs'],
  ['sparseTensor', 11, 'sparse_tensor'], ['sparseTensors', 12, 'sparse_tensors'], ['type', 13, 'tp'], ['types', 14, 'type_protos'],
] as const satisfies readonly (readonly [AttributeKind, number, keyof AttributeProto])[];

const byNumber = new Map<number, (typeof rows)[number]>(rows.map((row) => [row[1], row]));
const byKind = new Map<AttributeKind, (typeof rows)[number]>(rows.map((row) => [row[0], row]));

/** What reading an attribute needs of the reader around it. */
export interface AttributeReader {
  readonly open: ExternalOpener | undefined;
  graph(proto: GraphProto): Graph;
}

/** AttributeProto → Attribute. `where` says whose attribute it is. An attribute without type (IR 1) has the type of the value that is there. */
export function readAttribute(proto: AttributeProto, where: string, reader: AttributeReader): Attribute {
  const row = proto.type ? byNumber.get(proto.type) : rows.find(([, , field]) => proto[field] !== undefined);
  const extras = proto.doc_string === undefined && proto.unknown === undefined ? undefined
    : { ...(proto.doc_string !== undefined && { docString: proto.doc_string }), ...(proto.unknown && { unknown: proto.unknown }) };
  const kind = row?.[0];
  if (proto.ref_attr_name) return { kind: 'reference', name: proto.ref_attr_name, type: kind, ...extras };
  if (kind === undefined) {
    throw new Diagnostic('model/attribute', proto.type ? `${where} has type ${proto.type}, which ONNX does not define` : `${where} has neither type nor value`, {
      suggestion: 'Export the model with an ONNX version up to 1.23 (IR 14).',
    });
  }
  const value = readValue(kind, proto, where, reader);
  return (extras === undefined ? { kind, value } : { kind, value, ...extras }) as Attribute;
}

function readValue(kind: AttributeKind, proto: AttributeProto, where: string, reader: AttributeReader): AttributeValues[AttributeKind] {
  const sparse = (item: SparseTensorProto): AttributeValues['sparseTensor'] => readSparse(item, where, reader.open);
  const type = (item: NonNullable<AttributeProto['tp']>): AttributeValues['type'] => needed(readType(item, where), where, 'a type');
  switch (kind) {
    case 'float': return proto.f ?? 0;
    case 'int': return proto.i ?? 0;
    case 'string': return textOrBytes(bytesOf(proto.s ?? new Uint8Array(0)));
    case 'tensor': return readTensor(needed(proto.t, where, 'a tensor'), where, reader.open);
    case 'graph': return reader.graph(needed(proto.g, where, 'a graph'));
    case 'sparseTensor': return sparse(needed(proto.sparse_tensor, where, 'a sparse tensor'));
    case 'type': return type(needed(proto.tp, where, 'a type'));
    case 'floats': return Array.from(proto.floats ?? []);
    case 'ints': return proto.ints ?? [];
    case 'strings': return (proto.strings ?? []).map((item) => textOrBytes(bytesOf(item)));
    case 'tensors': return (proto.tensors ?? []).map((item, index) => readTensor(item, `${where}[${index}]`, reader.open));
    case 'graphs': return (proto.graphs ?? []).map((item) => reader.graph(item));
    case 'sparseTensors': return (proto.sparse_tensors ?? []).map(sparse);
    case 'types': return (proto.type_protos ?? []).map(type);
  }
}

function needed<T>(value: T | undefined, where: string, what: string): T {
  if (value !== undefined) return value;
  throw new Diagnostic('model/attribute', `${where} should hold ${what}, but holds nothing`, { suggestion: 'The file was written wrongly; export the model again.' });
}

/** Attribute → AttributeProto with this name; `writeGraph` writes bodies. */
export function writeAttribute(name: string, attribute: Attribute, writeGraph: (graph: Graph) => GraphProto): AttributeProto {
  const [, type, field] = byKind.get(attribute.kind === 'reference' ? attribute.type ?? 'int' : attribute.kind)!;
  const proto: AttributeProto = { name };
  if (attribute.docString !== undefined) proto.doc_string = attribute.docString;
  if (attribute.unknown) proto.unknown = [...attribute.unknown];
  if (attribute.kind === 'reference') {
    proto.ref_attr_name = attribute.name;
    if (attribute.type !== undefined) proto.type = type;
    return proto;
  }
  proto.type = type;
  return Object.assign(proto, { [field]: writeValue(attribute, writeGraph) });
}

function writeValue(attribute: Exclude<Attribute, { kind: 'reference' }>, writeGraph: (graph: Graph) => GraphProto): AttributeProto[(typeof rows)[number][2]] {
  switch (attribute.kind) {
    case 'float':
    case 'int':
      return attribute.value;
    case 'string': return byteString(attribute.value);
    case 'tensor': return writeTensor(attribute.value, attribute.value.storage.name);
    case 'graph': return writeGraph(attribute.value);
    case 'sparseTensor': return writeSparse(attribute.value, attribute.value.values.storage.name);
    case 'type': return writeType(attribute.value);
    case 'floats': return Float32Array.from(attribute.value);
    case 'ints': return [...attribute.value];
    case 'strings': return attribute.value.map(byteString);
    case 'tensors': return attribute.value.map((item) => writeTensor(item, item.storage.name));
    case 'graphs': return attribute.value.map((item) => writeGraph(item));
    case 'sparseTensors': return attribute.value.map((item) => writeSparse(item, item.values.storage.name));
    case 'types': return attribute.value.map(writeType);
  }
}

function byteString(text: Text): Uint8Array {
  return typeof text === 'string' ? encodeUtf8(text) : text;
}
