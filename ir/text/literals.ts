import { dtypeNumber, isDType, type DType } from '../dtype.ts';
import type { SparseTensorProto, StringStringEntryProto, TensorProto } from '../onnx/fields.ts';
import { writeTensor } from '../onnx/tensor-proto.ts';
import { sizeOf, type Tensor } from '../tensor.ts';
import { printType, staticShape, type Dim, type TensorType, type Type } from '../type.ts';
import { parseElements } from './elements.ts';
import type { Lexer, Token } from './lexer.ts';
import { isTypeWord } from './words.ts';

/** Where the elements of tensors come from that the text does not hold. */
export interface TensorSources {
  /** Finds the tensor that was printed as its hash, SHA-256 in hexadecimal. */
  readonly tensor?: (hash: string) => Tensor | undefined;
  /** Makes a tensor of elements that are described by any other words, as in `float[64,3,7,7] w = "random 1"`; undefined if it does not know them. */
  readonly fill?: (words: string, dtype: DType, shape: readonly number[]) => Tensor | undefined;
}

/** Levels of types in types, and of graphs in graphs. A file with deeper ones is refused by ONNX Runtime as well. */
export const maxDepth = 30;

/** A type; the next token is its first word. */
export function parseType(lexer: Lexer, depth = 0): Type {
  const word = lexer.peek();
  if (word.kind !== 'name' || !isTypeWord(word.text)) throw lexer.unexpected('a type, such as float[N,3]');
  if (depth > maxDepth) throw lexer.error('text/too-deep', `types are nested more than ${maxDepth} deep`, word);
  lexer.next();
  if (word.text === 'undefined' || isDType(word.text)) return parseTensorType(lexer, word.text);
  lexer.expect('(');
  const type = parseBracketed(lexer, word.text, depth + 1);
  lexer.expect(')');
  return type;
}

function parseBracketed(lexer: Lexer, word: string, depth: number): Type {
  switch (word) {
    case 'seq':
      return { kind: 'sequence', element: parseElementType(lexer, depth) };
    case 'optional':
      return { kind: 'optional', element: parseElementType(lexer, depth) };
    case 'map': {
      const key = parseDType(lexer);
      lexer.expect(',');
      return { kind: 'map', key, value: parseElementType(lexer, depth) };
    }
    case 'sparse_tensor':
      return { ...parseTensorType(lexer, parseDTypeWord(lexer)), sparse: true };
    default:
      return parseOpaque(lexer);
  }
}

/** The type inside another one; `?` where a file says nothing. */
function parseElementType(lexer: Lexer, depth: number): Type | undefined {
  return lexer.accept('?') ? undefined : parseType(lexer, depth);
}

function parseDTypeWord(lexer: Lexer): DType | 'undefined' {
  const { kind, text } = lexer.peek();
  if (kind !== 'name' || !(text === 'undefined' || isDType(text))) throw lexer.unexpected('an element type');
  lexer.next();
  return text;
}

function parseDType(lexer: Lexer): DType | undefined {
  const word = parseDTypeWord(lexer);
  return word === 'undefined' ? undefined : word;
}

/** `float` is a scalar, `float[]` a tensor of unknown rank. */
function parseTensorType(lexer: Lexer, word: DType | 'undefined'): TensorType {
  const dtype = word === 'undefined' ? undefined : word;
  if (!lexer.accept('[')) return { kind: 'tensor', dtype, shape: [] };
  if (lexer.accept(']')) return { kind: 'tensor', dtype, shape: undefined };
  const shape: Dim[] = [];
  do shape.push(parseDim(lexer)); while (lexer.accept(','));
  lexer.expect(']', "',' or ']'");
  return { kind: 'tensor', dtype, shape };
}

function parseDim(lexer: Lexer): Dim {
  const token = lexer.peek();
  const { kind, text } = token;
  if (kind !== '?' && kind !== 'int' && kind !== 'name' && kind !== 'string') throw lexer.unexpected('a dimension: a length, a name or ?');
  lexer.next();
  if (kind === '?') return undefined;
  if (kind !== 'int') return text;
  const length = Number(text);
  if (length < 0) return undefined; // how some exporters write «unknown»; see onnx/type-proto.ts
  if (!Number.isSafeInteger(length)) throw lexer.error('text/number', `${text} is no length of an axis`, token);
  return length;
}

/** `opaque()`, `opaque(name)` or `opaque(domain, name)`; a domain may have points. */
function parseOpaque(lexer: Lexer): Type {
  if (lexer.peek().kind === ')') return { kind: 'opaque', domain: undefined, name: undefined };
  const first = parseQualified(lexer);
  return lexer.accept(',') ? { kind: 'opaque', domain: first, name: parseQualified(lexer) } : { kind: 'opaque', domain: undefined, name: first };
}

function parseQualified(lexer: Lexer): string {
  const parts = [lexer.accept('string')?.text ?? lexer.expect('name').text];
  while (lexer.accept('.')) parts.push(lexer.expect('name').text);
  return parts.join('.');
}

/**
 * What follows the type (and name) of a tensor: elements in braces, entries of external data in brackets, or the hash of an elided tensor.
 * `type` must be a tensor type with numbers for axes; a sparse type is followed by its values and indices.
 */
export function parseData(lexer: Lexer, type: Type, name: string | undefined, typeToken: Token, sources: TensorSources): TensorProto {
  const shape = staticShape(type);
  if (type.kind !== 'tensor' || type.sparse || type.dtype === undefined || shape === undefined) {
    throw lexer.error('text/tensor-type', `${printType(type)} is no type for the elements of a tensor: it needs an element type and a length for every axis`, typeToken);
  }
  if (!Number.isSafeInteger(sizeOf(shape) * 16)) throw lexer.error('text/number', `${printType(type)} is too large a tensor`, typeToken);
  const { dtype } = type;
  const token = lexer.peek();
  if (token.kind === '{') {
    lexer.next();
    return writeTensor(parseElements(lexer, dtype, shape, token), name);
  }
  if (token.kind === 'string') {
    lexer.next();
    return writeTensor(findElided(lexer, dtype, shape, token, sources).withStorage({}), name);
  }
  if (!lexer.accept('[')) throw lexer.unexpected('elements in { }', 'the place of external data in [ ]');
  const entries = parseEntries(lexer);
  return { data_type: dtypeNumber(dtype), ...(shape.length > 0 && { dims: [...shape] }), ...(name !== undefined && { name }), data_location: 1, external_data: entries };
}

function findElided(lexer: Lexer, dtype: DType, shape: readonly number[], token: Token, sources: TensorSources): Tensor {
  const hash = /^sha256:([0-9a-f]{64})$/.exec(token.text)?.[1];
  const tensor = hash === undefined ? sources.fill?.(token.text, dtype, shape) : sources.tensor?.(hash);
  if (hash === undefined && tensor === undefined) throw lexer.error('text/syntax', 'an elided tensor is written "sha256:" and 64 hexadecimal digits', token);
  if (tensor === undefined) {
    throw lexer.error('text/elided-tensor', `the elements of this ${dtype}[${shape.join(',')}] were left out of the text, and nothing here has them`, token, {
      suggestion: 'Print the model without eliding tensors, or read the text beside the weights that it was written with.',
    });
  }
  if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join()) {
    throw lexer.error('text/elided-tensor', `the tensor found for this is ${tensor.dtype}[${tensor.shape.join(',')}], not ${dtype}[${shape.join(',')}]`, token);
  }
  return tensor;
}

/** Sparse data: `{values, indices}`, each a tensor with its type: `sparse_tensor(float[100]) w = {float[2] {1, 2}, int64[2] {3, 70}}`. */
export function parseSparseData(lexer: Lexer, type: Type, name: string | undefined, typeToken: Token, sources: TensorSources): SparseTensorProto {
  const dims = staticShape(type);
  if (dims === undefined) throw lexer.error('text/tensor-type', `${printType(type)} needs a length for every axis`, typeToken);
  lexer.expect('{');
  const values = parseTensor(lexer, sources);
  lexer.expect(',');
  const indices = parseTensor(lexer, sources);
  lexer.expect('}');
  return { values: { ...values, ...(name !== undefined && { name }) }, indices, dims: [...dims] };
}

/** A tensor with its type and, maybe, its name. */
export function parseTensor(lexer: Lexer, sources: TensorSources): TensorProto {
  const typeToken = lexer.peek();
  const type = parseType(lexer);
  const name = parseTensorName(lexer);
  return parseData(lexer, type, name, typeToken, sources);
}

/** The name and the `=`, both optional, between a tensor's type and its elements. */
export function parseTensorName(lexer: Lexer): string | undefined {
  const name = (lexer.accept('name') ?? lexer.accept('string'))?.text;
  lexer.accept('=');
  return name;
}

/** `"key": "value", …` up to the closing bracket, which is taken. */
export function parseEntries(lexer: Lexer): StringStringEntryProto[] {
  const entries: StringStringEntryProto[] = [];
  if (lexer.accept(']')) return entries;
  do {
    const key = lexer.expect('string').text;
    lexer.expect(':');
    entries.push({ key, value: lexer.expect('string').text });
  } while (lexer.accept(','));
  lexer.expect(']', "',' or ']'");
  return entries;
}
