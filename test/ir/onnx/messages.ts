import fc from 'fast-check';
import { messages, schema, type Field, type MessageName, type Messages, type MessageSpec } from '../../../ir/onnx/fields.ts';

type Fields = Record<string, unknown>;

/** Fields of enum types: protobufjs keeps a number that is none of the enum's among the unknown fields, where we keep it in its field. */
const enums = new Set([...messages.values()].flatMap(({ name, fields }) => fields.filter((field) => schema.messages[name][field.name]![1] in schema.enums)));

/** One of each oneof's members stays: the one that `choose` picks among those present. */
function exclusive(message: Fields, spec: MessageSpec, choose: (count: number) => number): Fields {
  const result = { ...message };
  for (const field of spec.fields) {
    const present = [field.name, ...field.rivals].filter((name) => name in result);
    if (field.rivals.length === 0 || present.length < 2) continue;
    const kept = spec.fields.filter(({ name }) => present.includes(name))[choose(present.length)]!.name;
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- presence is what is tested
    for (const name of present) if (name !== kept) delete result[name];
  }
  return result;
}

/** A model in which every message and every field of the schema occurs, members of oneofs in turn, with unknown fields in every message. */
export function everything(covered: Set<string> = new Set()): Messages['ModelProto'] {
  const turns = new Map<MessageSpec, number>();
  let count = 0;
  const value = (field: Field, path: readonly MessageSpec[]): unknown => {
    count++;
    switch (field.type) {
      case 'message': return build(field.message!, path);
      case 'string': return `${field.name} ${count} äöü €`;
      case 'bytes': return Uint8Array.of(count & 255, 0, 255, 128);
      case 'float': return Math.fround(count / 3);
      case 'double': return count / 3;
      case 'int32': return enums.has(field) ? 1 : count % 2 === 0 ? count : -count;
      case 'int64': return count % 3 === 0 ? -(2n ** 63n) : count % 3 === 1 ? -count : 2 ** 40 + count;
      case 'uint64': return 2n ** 64n - BigInt(count);
    }
  };
  const repeated = (field: Field, path: readonly MessageSpec[]): unknown => {
    const values = Array.from({ length: field.message ? 1 : 3 }, () => value(field, path));
    if (!field.array) return values;
    const like = (field.type === 'int64' || field.type === 'uint64' ? values.map((item) => BigInt(item as number)) : values) as never;
    return (field.array as unknown as { from(items: never): unknown }).from(like);
  };
  const build = (spec: MessageSpec, path: readonly MessageSpec[]): Fields => {
    const message: Fields = {};
    for (const field of spec.fields) {
      // A message inside one of its own kind has scalars only, else there would be no end.
      if (field.message && path.includes(spec)) continue;
      message[field.name] = field.repeated ? repeated(field, [...path, spec]) : value(field, [...path, spec]);
    }
    const kept = exclusive(message, spec, (of) => {
      const turn = turns.get(spec) ?? 0;
      turns.set(spec, turn + 1);
      return turn % of;
    });
    for (const name of Object.keys(kept)) covered.add(`${spec.name}.${name}`);
    return { ...kept, unknown: [Uint8Array.of(0xc0, 0x3e, 0x96, 0x01, 0xca, 0x3e, 0x02, count & 255, 7)] };
  };
  return build(messages.get('ModelProto')!, []);
}

/** Arbitrary messages of the schema, `depth` levels deep. */
export function arbitraryMessage<N extends MessageName>(name: N, depth = 3): fc.Arbitrary<Messages[N]> {
  return arbitraryOf(messages.get(name)!, depth);
}

const known = new Map<string, fc.Arbitrary<Fields>>();

function arbitraryOf(spec: MessageSpec, depth: number): fc.Arbitrary<Fields> {
  const key = `${spec.name} ${depth}`;
  let made = known.get(key);
  if (made === undefined) {
    const fields = spec.fields.filter((field) => !field.message || depth > 0);
    // Of many possible fields a few are enough, else messages explode.
    made = fc.tuple(fc.subarray(fields, { maxLength: Math.min(4, fields.length) }), fc.nat(7)).chain(([chosen, pick]) =>
      fc.record(Object.fromEntries(chosen.map((field) => [field.name, field.repeated ? list(field, depth) : single(field, depth)])))
        .map((message) => exclusive(message, spec, (of) => pick % of)));
    known.set(key, made);
  }
  return made;
}

function single(field: Field, depth: number): fc.Arbitrary<unknown> {
  switch (field.type) {
    case 'message': return arbitraryOf(field.message!, depth - 1);
    case 'string': return fc.string({ unit: 'binary', maxLength: 40 });
    case 'bytes': return fc.oneof({ weight: 9, arbitrary: fc.uint8Array({ maxLength: 20 }) }, { weight: 1, arbitrary: fc.nat(200).map((extra) => new Uint8Array(4000 + extra).fill(extra)) });
    case 'float': return fc.float({ noNaN: true });
    case 'double': return fc.double({ noNaN: true });
    case 'int32': return enums.has(field) ? fc.nat(1) : fc.integer();
    case 'int64': return fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }));
    case 'uint64': return fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }));
  }
}

function list(field: Field, depth: number): fc.Arbitrary<unknown> {
  const length = { minLength: 1, maxLength: 4 };
  if (!field.array) return fc.array(single(field, depth), length);
  switch (field.type) {
    case 'float': return fc.float32Array(length);
    case 'double': return fc.float64Array(length);
    case 'int32': return fc.int32Array(length);
    case 'int64': return fc.bigInt64Array(length);
    default: return fc.bigUint64Array(length);
  }
}
