import { readInto, type ByteSource, type Chunk } from '../bytes.ts';
import { Diagnostic } from '../diagnostic.ts';
import { messages } from './fields.ts';
import type { Field, Int64, MessageName, Messages, MessageSpec } from './fields.ts';
import { Gathering } from './packed.ts';
import { recognise } from './signature.ts';
import { decodeUtf8 } from './utf8.ts';

/** What a reader is willing to spend on a file that it does not trust. */
export interface DecodeLimits {
  /** Messages inside messages; a subgraph takes three levels. 100 unless told, where the parsers of ONNX Runtime and Python stop too; at most 1000. */
  readonly depth?: number;
  /** Estimated bytes of memory for everything but payloads (objects, texts, lists of numbers). Unless told, 32 times the size of the source, but 256 MiB to 1 GiB. */
  readonly memory?: number;
}

/** Payloads from this size on are left in a file, and are never copied. */
export const largePayload = 4096;
/** Bytes that are read at once from a source that is not in memory: few behind a payload, since another may follow, and more and more from then on. */
const firstWindow = 2048;
const largestWindow = 65536;
/** Estimated cost of an object, such as a message or a view. */
const objectCost = 100;
/** Bytes of text or of packed numbers in one field, beyond which no JavaScript value can hold them. */
const maxText = 2 ** 28;
const maxPacked = 2 ** 31;
const empty = new Uint8Array(0);

type Fields = Record<string, unknown>;

/**
 * Decodes a message from all bytes of a source. Bytes fields are views of a source in memory; in other sources those of 4 KiB or more stay there
 * as ranges, and the rest is read through a window, so that a file of any size costs only its structure.
 * Repeated scalars are accepted packed and unpacked; of a singular field that occurs twice the last wins, messages are merged (protobuf's rules).
 *
 * Throws `model/truncated`, `model/malformed`, `model/too-deep`, `model/too-large`, each with the byte offset and the path of the message,
 * and `model/empty` or `model/not-onnx` for a ModelProto that is none.
 */
export function decode<N extends MessageName>(source: ByteSource, message: N, limits: DecodeLimits = {}): Messages[N] {
  const spec = messages.get(message)!;
  if (message !== 'ModelProto') return new Decoder(source, limits).run(spec) as Messages[N];
  const { name, size } = source;
  if (size === 0) {
    throw new Diagnostic('model/empty', `${name} is empty, not an ONNX model`, { file: name, suggestion: 'Export or download the model again.' });
  }
  let model: Messages['ModelProto'];
  try {
    model = new Decoder(source, limits).run(spec) as Messages['ModelProto'];
  } catch (error) {
    throw (Diagnostic.is(error) && notOnnx(source, error)) || error;
  }
  if (model.graph === undefined && model.ir_version === undefined) {
    throw notOnnx(source) ?? new Diagnostic('model/not-onnx', `${name} is not an ONNX model: it has neither an IR version nor a graph`, {
      file: name, suggestion: 'Give a file that holds a ModelProto, as onnx.save and torch.onnx.export write it.',
    });
  }
  return model;
}

function notOnnx(source: ByteSource, cause?: Diagnostic): Diagnostic | undefined {
  const found = recognise(source);
  return found && new Diagnostic('model/not-onnx', `${source.name} is not an ONNX model: it is ${found.what}`, {
    file: source.name, suggestion: found.suggestion, cause,
  });
}

class Decoder {
  private readonly source: ByteSource;
  private readonly lazy: boolean;
  private readonly maxDepth: number;
  private readonly memory: number;
  private free: number;
  /** The window: bytes of the source from `base` on; the next byte is at `base + at`. */
  private bytes: Uint8Array;
  private view: DataView;
  private base = 0;
  private at = 0;
  /** Where windows are read to, one after the other; what outlives one is copied. */
  private readonly buffer: Uint8Array;
  private nextWindow = firstWindow;
  /** The scalar that was read last, as two unsigned halves. */
  private low = 0;
  private high = 0;
  private readonly scratch = new DataView(new ArrayBuffer(8));
  /** Where the reader is: the field at each depth, and its index where it is repeated. */
  private depth = 0;
  private readonly names: (string | undefined)[] = [];
  private readonly indices: number[] = [];
  private readonly gatherings: { readonly out: Fields; readonly name: string; readonly gathering: Gathering }[] = [];
  private compact = false;

  constructor(source: ByteSource, { depth = 100, memory = Math.min(2 ** 30, Math.max(2 ** 28, 32 * source.size)) }: DecodeLimits) {
    const bytes = source.memory ?? empty;
    this.source = source;
    this.lazy = source.memory === undefined;
    this.maxDepth = Math.min(depth, 1000);
    this.memory = this.free = memory;
    this.bytes = plain(bytes);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.buffer = this.lazy ? new Uint8Array(Math.min(largestWindow, source.size)) : empty;
  }

  run(spec: MessageSpec): unknown {
    const out: Fields = {};
    this.message(spec, out, this.source.size);
    for (const { out, name, gathering } of this.gatherings) out[name] = gathering.finish();
    if (this.compact && spec.name === 'ModelProto') out['compact'] = true;
    return out;
  }

  private get position(): number {
    return this.base + this.at;
  }

  private message(spec: MessageSpec, out: Fields, end: number): void {
    let unknownFrom = -1;
    while (this.position < end) {
      const start = this.position;
      this.names[this.depth] = undefined;
      this.varint();
      const number = this.low >>> 3;
      const wire = this.low & 7;
      if (this.high !== 0 || number === 0) throw this.malformed(start, 'no field can have this tag');
      const field = spec.byNumber.get(number);
      const packed = wire === 2 && field !== undefined && field.repeated && field.wire !== 2;
      if (field && (wire === field.wire || packed)) {
        if (unknownFrom >= 0) this.keepUnknown(out, unknownFrom, start);
        unknownFrom = -1;
        this.names[this.depth] = field.name;
        this.indices[this.depth] = -1;
        if (packed) {
          this.packed(field, out, end);
        } else if (wire === 2) {
          this.delimited(field, out, end);
        } else {
          this.compact ||= field.packed;
          this.scalar(field, out);
        }
      } else {
        if (unknownFrom < 0) unknownFrom = start;
        this.skip(wire, end);
      }
      if (this.position > end) throw this.overrun(end);
    }
    if (unknownFrom >= 0) this.keepUnknown(out, unknownFrom, end);
  }

  private scalar(field: Field, out: Fields): void {
    const start = this.position;
    this.element(field.wire);
    if (field.type === 'int32' && this.low >= 2 ** 31 && this.position - start < 10) this.compact = true;
    if (field.array) {
      this.charge(field.array.BYTES_PER_ELEMENT);
      this.gathering(field, out).push(this.low, this.high);
    } else if (field.repeated) {
      this.charge(8);
      append(field, out, this.value(field));
    } else {
      set(field, out, this.value(field));
    }
  }

  private packed(field: Field, out: Fields, end: number): void {
    const length = this.prefix(end);
    const stop = this.position + length;
    if (length === 0) return;
    this.compact ||= !field.packed;
    if (length > maxPacked) throw this.tooLarge(`holds ${length} bytes of numbers`, 'Store the tensor in raw_data or as external data.');
    if (field.array && field.wire !== 0) {
      const width = field.array.BYTES_PER_ELEMENT;
      if (length % width !== 0) throw this.malformed(stop - length, `${length} bytes are not a whole number of elements of ${width} bytes`);
      this.gathering(field, out).append(this.slice(this.position, length, true));
      this.seek(stop);
    } else {
      while (this.position < stop) this.scalar(field, out);
      if (this.position > stop) throw this.overrun(stop);
    }
  }

  private delimited(field: Field, out: Fields, end: number): void {
    const length = this.prefix(end);
    if (field.message) {
      this.charge(objectCost);
      const child = (field.repeated ? undefined : (out[field.name] as Fields | undefined)) ?? {};
      if (field.repeated) this.indices[this.depth] = append(field, out, child);
      else set(field, out, child);
      if (++this.depth > this.maxDepth) {
        throw new Diagnostic('model/too-deep', this.say(this.position, `messages are nested more than ${this.maxDepth} deep`), {
          file: this.source.name, suggestion: 'ONNX Runtime refuses such files as well; if it is meant, raise limits.depth.',
        });
      }
      this.message(field.message, child, this.position + length);
      this.depth--;
      return;
    }
    if (field.repeated) this.indices[this.depth] = (out[field.name] as unknown[] | undefined)?.length ?? 0;
    const from = this.position;
    const value = field.type === 'string' ? this.text(from, length) : this.payload(from, length);
    this.seek(from + length);
    if (field.repeated) append(field, out, value);
    else set(field, out, value);
  }

  private text(from: number, length: number): string {
    if (length > maxText) throw this.tooLarge(`is a text of ${length} bytes`, 'Remove the text from the model.');
    this.charge(objectCost / 2 + length * 2);
    return decodeUtf8(this.slice(from, length, false));
  }

  private payload(from: number, length: number): Chunk {
    this.charge(objectCost);
    return this.lazy && length >= largePayload ? { source: this.source, offset: from, length } : this.slice(from, length, true);
  }

  private skip(wire: number, end: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1 || wire === 5) this.element(wire);
    else if (wire === 2) this.seek(this.prefix(end) + this.position);
    else throw this.malformed(this.position, wire < 5 ? 'groups do not occur in ONNX' : `there is no wire type ${wire}`);
  }

  /** One slice holds unknown fields that follow each other. */
  private keepUnknown(out: Fields, from: number, end: number): void {
    ((out['unknown'] ??= []) as Chunk[]).push(this.payload(from, end - from));
  }

  private gathering(field: Field, out: Fields): Gathering {
    const present = out[field.name] as Gathering | undefined;
    if (present) return present;
    const gathering = new Gathering(field.array!);
    this.charge(2 * objectCost);
    this.gatherings.push({ out, name: field.name, gathering });
    out[field.name] = gathering;
    return gathering;
  }

  /** The scalar that was read last, as a value. */
  private value({ type }: Field): Int64 {
    const { low, high, scratch } = this;
    if (type === 'int32') return low | 0;
    if (type === 'float' || type === 'double') {
      scratch.setUint32(0, low, true);
      scratch.setUint32(4, high, true);
      return type === 'float' ? scratch.getFloat32(0, true) : scratch.getFloat64(0, true);
    }
    const top = type === 'uint64' ? high : high | 0;
    const value = top * 2 ** 32 + low;
    return Number.isSafeInteger(value) ? value : BigInt(top) * 2n ** 32n + BigInt(low);
  }

  /** Reads a length and checks that so many bytes are left in the message. */
  private prefix(end: number): number {
    const start = this.position;
    this.varint();
    const length = this.high * 2 ** 32 + this.low;
    const room = end - this.position;
    if (length <= room) return length;
    if (this.position + length > this.source.size) throw this.truncated(length);
    throw this.malformed(start, `a length of ${length} bytes is more than the ${Math.max(room, 0)} bytes left in the message around it`);
  }

  private element(wire: 0 | 1 | 2 | 5): void {
    if (wire === 0) {
      this.varint();
      return;
    }
    const width = wire === 1 ? 8 : 4;
    if (this.at + width > this.bytes.length) this.refill(width);
    this.low = this.view.getUint32(this.at, true);
    this.high = wire === 1 ? this.view.getUint32(this.at + 4, true) : 0;
    this.at += width;
  }

  private varint(): void {
    const start = this.position;
    if (this.at + 10 > this.bytes.length) this.refill(1);
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw this.truncated(1);
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        if (shift === 63 && bits > 1) break;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw this.malformed(start, 'a number takes more than 64 bits');
  }

  /** Bytes of the source, a view where possible; `keep` says that they outlive the window. */
  private slice(from: number, length: number, keep: boolean): Uint8Array {
    const start = from - this.base;
    if (start < 0 || start + length > this.bytes.length) return plain(this.source.read(from, length));
    return keep && this.lazy ? this.bytes.slice(start, start + length) : this.bytes.subarray(start, start + length);
  }

  private seek(position: number): void {
    const at = position - this.base;
    if (at <= this.bytes.length) {
      this.at = at;
    } else {
      if (at - this.bytes.length >= largePayload) this.nextWindow = firstWindow;
      this.look(position, empty);
    }
  }

  /** Moves the window so that it starts here, and makes sure of the next `needed` bytes. */
  private refill(needed: number): void {
    const left = this.source.size - this.position;
    if (left < needed) throw this.truncated(needed);
    if (this.base + this.bytes.length >= this.source.size) return;
    const window = this.buffer.subarray(0, Math.min(this.nextWindow, left));
    readInto(this.source, this.position, window);
    this.look(this.position, window);
    this.nextWindow = Math.min(2 * this.nextWindow, largestWindow);
  }

  private look(base: number, bytes: Uint8Array): void {
    this.base = base;
    this.at = 0;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private charge(bytes: number): void {
    if ((this.free -= bytes) < 0) throw this.tooLarge(`takes the model beyond ${this.memory} bytes of structure`, 'If the file is trusted, raise limits.memory.');
  }

  private truncated(needed: number): Diagnostic {
    const { name, size } = this.source;
    return new Diagnostic('model/truncated', this.say(this.position, `the file ends at byte ${size}, where ${needed} more bytes were expected`), {
      file: name, suggestion: 'Download or copy the file again: it is incomplete.',
    });
  }

  private overrun(end: number): Diagnostic {
    return this.malformed(this.position, `a value goes beyond the end of its message at byte ${end}`);
  }

  private malformed(offset: number, what: string): Diagnostic {
    return new Diagnostic('model/malformed', this.say(offset, what), {
      file: this.source.name, suggestion: 'The file is damaged or not an ONNX model: download or export it again.',
    });
  }

  private tooLarge(what: string, suggestion: string): Diagnostic {
    return new Diagnostic('model/too-large', this.say(this.position, what), { file: this.source.name, suggestion });
  }

  private say(offset: number, what: string): string {
    const path = this.names.slice(0, this.depth + 1).flatMap((name, depth) => {
      const index = this.indices[depth]!;
      return name === undefined ? [] : [index < 0 ? name : `${name}[${index}]`];
    });
    return `${this.source.name}: at byte ${offset}, in ${path.join('.') || 'the outermost message'}: ${what}`;
  }
}

/** The same bytes without the ways of a Buffer, whose `slice` does not copy. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Adds an element to a repeated field and returns its index. A list starts with its first element: an empty one that grows takes room for seventeen. */
function append({ name }: Field, out: Fields, value: unknown): number {
  const list = out[name] as unknown[] | undefined;
  if (list !== undefined) return list.push(value) - 1;
  out[name] = [value];
  return 0;
}

function set(field: Field, out: Fields, value: unknown): void {
  out[field.name] = value;
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- presence is what a oneof is about
  for (const rival of field.rivals) if (rival in out) delete out[rival];
}
