import type { Chunk } from '../bytes.ts';
import { Diagnostic } from '../diagnostic.ts';
import { largePayload } from './decode.ts';
import { messages } from './fields.ts';
import type { Field, Int64, MessageName, Messages, MessageSpec, TypedArray } from './fields.ts';
import { wordsOf } from './packed.ts';
import { encodeUtf8 } from './utf8.ts';

const blockSize = 65536;
const maxDepth = 1000;

/**
 * Encodes a message: fields in the order of their numbers, then what was unknown. The result is a scatter list: small parts are gathered in blocks,
 * payloads of 4 KiB or more are there by reference, so they must not change until the list is written.
 * Throws `model/number` for an integer outside its field's range, `model/text` for text that UTF-8 cannot hold, `model/too-deep` beyond 1000 levels.
 */
export function encode<N extends MessageName>(message: Messages[N], name: N): Chunk[] {
  const encoder = new Encoder('compact' in message && message.compact);
  encoder.message(messages.get(name)!, message as Record<string, unknown>, 0);
  return encoder.finish();
}

/** Writes from the last byte to the first, so that the length of a message is known when its prefix is due. */
class Encoder {
  private readonly compact: boolean;
  /** Pieces of the result, the last one first. */
  private readonly chunks: Chunk[] = [];
  private finished = 0;
  /** Of the block, what lies from `at` to `end` is written and not yet among the chunks. */
  private block = new Uint8Array(blockSize);
  private view = new DataView(this.block.buffer);
  private at = blockSize;
  private end = blockSize;
  private low = 0;
  private high = 0;
  private readonly scratch = new DataView(new ArrayBuffer(8));

  constructor(compact: boolean) {
    this.compact = compact;
  }

  finish(): Chunk[] {
    this.flush();
    return this.chunks.reverse();
  }

  message(spec: MessageSpec, message: Record<string, unknown>, depth: number): void {
    if (depth > maxDepth) {
      throw new Diagnostic('model/too-deep', `messages are nested more than ${maxDepth} deep, at ${spec.name}`, {
        suggestion: 'Flatten the subgraphs: no reader accepts such a model.',
      });
    }
    const unknown = (message['unknown'] ?? []) as readonly Chunk[];
    for (let i = unknown.length - 1; i >= 0; i--) this.bytes(unknown[i]!);
    for (let i = spec.fields.length - 1; i >= 0; i--) {
      const field = spec.fields[i]!;
      const value = message[field.name];
      if (value === undefined) continue;
      if (field.array) {
        this.typed(field, value as TypedArray);
      } else if (field.repeated) {
        const values = value as readonly unknown[];
        const start = this.length;
        const packed = field.wire !== 2 && this.packs(field, values.length);
        for (let k = values.length - 1; k >= 0; k--) {
          this.value(spec, field, values[k], depth);
          if (!packed) this.tag(field.number, field.wire);
        }
        if (packed) this.prefix(field, start);
      } else {
        this.value(spec, field, value, depth);
        this.tag(field.number, field.wire);
      }
    }
  }

  private get length(): number {
    return this.finished + this.end - this.at;
  }

  /** Whether so many elements are packed: as the schema says, or whichever is shorter. */
  private packs(field: Field, count: number): boolean {
    return count > 0 && (this.compact && count !== 2 ? count > 2 : field.packed);
  }

  private typed(field: Field, array: TypedArray): void {
    const start = this.length;
    const packed = this.packs(field, array.length);
    if (packed && field.wire !== 0) {
      this.bytes(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    } else {
      const words = wordsOf(array);
      const step = array.BYTES_PER_ELEMENT / 4;
      for (let i = words.length - step; i >= 0; i -= step) {
        this.low = words[i]!;
        this.high = step === 2 ? words[i + 1]! : 0;
        this.scalar(field);
        if (!packed) this.tag(field.number, field.wire);
      }
    }
    if (packed) this.prefix(field, start);
  }

  /** One element without its tag. */
  private value(spec: MessageSpec, field: Field, value: unknown, depth: number): void {
    const start = this.length;
    switch (field.type) {
      case 'message':
        this.message(field.message!, value as Record<string, unknown>, depth + 1);
        break;
      case 'string':
        this.text(value as string);
        break;
      case 'bytes':
        this.bytes(value as Chunk);
        break;
      default:
        this.split(spec, field, value as Int64);
        this.scalar(field);
        return;
    }
    this.size(this.length - start);
  }

  private prefix(field: Field, start: number): void {
    this.size(this.length - start);
    this.tag(field.number, 2);
  }

  private tag(number: number, wire: number): void {
    this.varint(number * 8 + wire, 0);
  }

  private text(text: string): void {
    const { length } = text;
    if (length <= 256) {
      this.reserve(length);
      let at = this.at;
      let i = length - 1;
      for (; i >= 0 && text.charCodeAt(i) < 0x80; i--) this.block[--at] = text.charCodeAt(i);
      if (i < 0) {
        this.at = at;
        return;
      }
    }
    this.bytes(encodeUtf8(text));
  }

  private bytes(chunk: Chunk): void {
    if (chunk.length >= largePayload) {
      this.flush();
      this.chunks.push(chunk);
      this.finished += chunk.length;
    } else {
      this.reserve(chunk.length);
      this.at -= chunk.length;
      this.block.set(chunk instanceof Uint8Array ? chunk : chunk.source.read(chunk.offset, chunk.length), this.at);
    }
  }

  /** Takes a number apart into `low` and `high`, the halves of its 64 bits. */
  private split(spec: MessageSpec, { name, type }: Field, value: Int64): void {
    const { scratch } = this;
    if (type === 'float' || type === 'double') {
      if (type === 'float') scratch.setFloat32(0, value as number, true);
      else scratch.setFloat64(0, value as number, true);
      this.low = scratch.getUint32(0, true);
      this.high = scratch.getUint32(4, true);
      return;
    }
    if (!fits(type, value)) {
      throw new Diagnostic('model/number', `${spec.name}.${name} cannot hold ${value}`, { expected: [type], suggestion: `Give an integer that fits ${type}.` });
    }
    this.low = typeof value === 'bigint' ? Number(value & 0xffffffffn) : value >>> 0;
    this.high = typeof value === 'bigint' ? Number((value >> 32n) & 0xffffffffn) : Math.floor(value / 2 ** 32) >>> 0;
  }

  /** The number in `low` and `high`, in the encoding of the field's type. */
  private scalar({ wire, type }: Field): void {
    const { low, high } = this;
    if (wire !== 0) {
      this.reserve(8);
      if (wire === 1) this.view.setUint32((this.at -= 4), high, true);
      this.view.setUint32((this.at -= 4), low, true);
    } else if (type === 'int32') {
      // Negative ones are extended to 64 bits, as protobuf wants it; its readers accept 32 bits as well.
      this.varint(low, low >= 2 ** 31 && !this.compact ? 2 ** 32 - 1 : 0);
    } else {
      this.varint(low, high);
    }
  }

  private varint(low: number, high: number): void {
    const bits = high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
    this.reserve(10);
    let at = (this.at -= Math.max(1, Math.ceil(bits / 7)));
    for (; high !== 0 || low >= 0x80; high >>>= 7) {
      this.block[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
    }
    this.block[at] = low;
  }

  private size(length: number): void {
    this.varint(length >>> 0, Math.floor(length / 2 ** 32));
  }

  private reserve(bytes: number): void {
    if (this.at >= bytes) return;
    this.flush();
    this.block = new Uint8Array(blockSize);
    this.view = new DataView(this.block.buffer);
    this.at = this.end = blockSize;
  }

  private flush(): void {
    if (this.at < this.end) this.chunks.push(this.block.subarray(this.at, this.end));
    this.finished += this.end - this.at;
    this.end = this.at;
  }
}

function fits(type: Field['type'], value: Int64): boolean {
  if (typeof value === 'bigint') return type !== 'int32' && value === (type === 'int64' ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
  return type === 'int32' ? value === (value | 0) : Number.isSafeInteger(value) && (type === 'int64' || value >= 0);
}
