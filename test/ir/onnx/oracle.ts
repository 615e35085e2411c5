import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import type { ByteSource, Chunk } from '../../../ir/bytes.ts';
import { messages, type Field, type MessageSpec } from '../../../ir/onnx/fields.ts';
import { root } from '../../paths.ts';

// protobufjs throws unknown fields away unless told not to.
(protobuf.Reader as unknown as { discardUnknown: boolean }).discardUnknown = false;

/** The ONNX schema as protobufjs parses it from a .proto text of its own, not from the table under test. */
export const oracle: protobuf.Root = protobuf.parse(readFileSync(join(root, 'test/ir/onnx/onnx-schema.proto'), 'utf8'), { keepCase: true }).root;

interface OnnxProto {
  readonly onnx: { readonly ModelProto: { decode(bytes: Uint8Array): object } };
}

/** The reader of the package onnx-proto, which knows IR versions up to 8. */
export const onnxProto: OnnxProto['onnx'] = (createRequire(import.meta.url)('onnx-proto') as OnnxProto).onnx;

type Fields = Readonly<Record<string, unknown>>;

/** How a library keeps a field: the property's name, and where the unknown fields are. */
export interface Dialect {
  readonly property: (field: string) => string;
  readonly unknown: (message: Fields) => readonly Chunk[];
}

export const ours: Dialect = { property: (field) => field, unknown: (message) => (message['unknown'] ?? []) as Chunk[] };
export const protobufjs: Dialect = { property: (field) => field, unknown: (message) => (message['$unknowns'] ?? []) as Chunk[] };
export const camelCase: Dialect = { property: (field) => field.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), unknown: () => [] };

/** A message as plain lists of [field, value], the same for all libraries; presence, bits of floats and all integers are exact. Equal texts are equal messages. */
export function canonical(message: object, dialect: Dialect, name = 'ModelProto'): string {
  return JSON.stringify(plain(message as Fields, messages.get(name)!, dialect));
}

function plain(message: Fields, spec: MessageSpec, dialect: Dialect): unknown {
  const entries: unknown[] = [];
  for (const field of spec.fields) {
    const property = dialect.property(field.name);
    const value = Object.hasOwn(message, property) ? message[property] : undefined;
    if (value === undefined || value === null) continue;
    if (!field.repeated) entries.push([field.name, leaf(value, field, dialect)]);
    else if ((value as ArrayLike<unknown>).length > 0) entries.push([field.name, Array.from(value as ArrayLike<unknown>, (item) => leaf(item, field, dialect))]);
  }
  const unknown = dialect.unknown(message).map((chunk) => Buffer.from(bytesOf(chunk)).toString('hex')).join('');
  return unknown === '' ? entries : [...entries, ['unknown', unknown]];
}

function leaf(value: unknown, field: Field, dialect: Dialect): unknown {
  switch (field.type) {
    case 'message': return plain(value as Fields, field.message!, dialect);
    case 'bytes': return createHash('sha1').update(bytesOf(value as Chunk)).digest('hex');
    case 'int64':
    case 'uint64': return String(value);
    case 'float': return new Uint32Array(Float32Array.of(value as number).buffer)[0];
    case 'double': return String(new BigUint64Array(Float64Array.of(value as number).buffer)[0]);
    default: return value;
  }
}

function bytesOf(chunk: Chunk): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : chunk.source.read(chunk.offset, chunk.length);
}

/** A source that is not in memory, as a file is; it counts what is read and refuses to read beyond its end. */
export function fileLike(bytes: Uint8Array, name = 'file'): ByteSource & { readonly reads: { bytes: number } } {
  const reads = { bytes: 0 };
  return {
    name,
    size: bytes.length,
    reads,
    read(offset: number, length: number): Uint8Array {
      if (offset < 0 || length < 0 || offset + length > bytes.length) throw new Error(`read of ${length} bytes at ${offset} of ${bytes.length}`);
      reads.bytes += length;
      return bytes.slice(offset, offset + length);
    },
  };
}
