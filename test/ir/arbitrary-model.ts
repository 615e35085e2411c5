import fc from 'fast-check';
import type { Attribute } from '../../ir/attribute.ts';
import { byteLengthOf, dtypes, type DType } from '../../ir/dtype.ts';
import type { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { printModel } from '../../ir/text/index.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { tensorType, type Dim, type Type } from '../../ir/type.ts';
import { addFunction, randomModel, steps } from './build.ts';

/** Names of all sorts: plain ones, the syntax's own words, and any characters. */
export const names: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/) },
  { weight: 1, arbitrary: fc.constantFrom('float', 'seq', 'undefined', 'inf', 'nan', 'a.b', '/layer/Conv_1', 'x:0', 'has space', '"', '\\', 'two\nlines', '# no comment', '---') },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }) },
);

const dims: fc.Arbitrary<Dim> = fc.oneof(fc.nat(5), names, fc.constant(undefined));

/** Types of every kind, nested a little. */
export const types: fc.Arbitrary<Type> = fc.letrec<{ type: Type }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.record({ kind: fc.constant('tensor' as const), dtype: fc.constantFrom(...dtypes), shape: fc.option(fc.array(dims, { maxLength: 3 }), { nil: undefined }) }),
    fc.record({ kind: fc.constant('tensor' as const), sparse: fc.constant(true as const), dtype: fc.constantFrom(...dtypes), shape: fc.array(dims, { maxLength: 2 }) }),
    fc.record({ kind: fc.constantFrom('sequence' as const, 'optional' as const), element: tie('type') }),
    fc.record({ kind: fc.constant('map' as const), key: fc.constantFrom<DType>('int64', 'string'), value: tie('type') }),
    fc.record({ kind: fc.constant('opaque' as const), domain: fc.constantFrom('a', 'a.b'), name: names }),
  ),
})).type;

const shapes = fc.array(fc.nat(3), { maxLength: 3 });

/** Tensors of every element type with any elements; a NaN of float, double or complex has its usual bits. */
export const tensors: fc.Arbitrary<Tensor> = fc.tuple(fc.constantFrom(...dtypes), shapes).chain(([dtype, shape]) => tensorsOf(dtype, shape));

/** Tensors of one element type and shape. */
export function tensorsOf(dtype: DType, shape: readonly number[]): fc.Arbitrary<Tensor> {
  const size = sizeOf(shape);
  const exactly = { minLength: size, maxLength: size };
  if (dtype === 'string') return fc.array(fc.oneof(names, fc.uint8Array({ maxLength: 4 })), exactly).map((strings) => Tensor.fromStrings(shape, strings));
  if (dtype === 'float') return fc.array(fc.float(), exactly).map((items) => Tensor.of('float', items, shape));
  if (dtype === 'double') return fc.array(fc.double(), exactly).map((items) => Tensor.of('double', items, shape));
  if (dtype === 'complex64' || dtype === 'complex128') {
    return tensorsOf(dtype === 'complex64' ? 'float' : 'double', [size * 2]).map((parts) => Tensor.fromBytes(dtype, shape, parts.bytes()));
  }
  const length = byteLengthOf(dtype, size);
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Tensor.fromBytes(dtype, shape, clean(bytes, dtype, size)));
}

/** Bytes that some tensor has: bool is 0 or 1, and bits behind the last element are 0. */
function clean(bytes: Uint8Array, dtype: DType, size: number): Uint8Array {
  if (dtype === 'bool') return bytes.map((byte) => byte & 1);
  const used = { uint4: 4, int4: 4, float4e2m1: 4, uint2: 2, int2: 2, float6e2m3: 6, float6e3m2: 6 }[dtype as string] ?? 8;
  const rest = (size * used) % 8;
  return rest === 0 ? bytes : bytes.map((byte, index) => (index === bytes.length - 1 ? byte & ((1 << rest) - 1) : byte));
}

const ints = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((item) => !Number.isSafeInteger(Number(item))));
const texts = fc.oneof(names, fc.constant(''), fc.constant(Uint8Array.of(0xff, 0x22, 0x5c, 0xc3)));

/** Attributes of every kind that holds no graph. */
export const attributes: fc.Arbitrary<Attribute> = fc.oneof(
  fc.float().map((value): Attribute => ({ kind: 'float', value })), ints.map((value): Attribute => ({ kind: 'int', value })),
  texts.map((value): Attribute => ({ kind: 'string', value })), tensors.map((value): Attribute => ({ kind: 'tensor', value })),
  types.map((value): Attribute => ({ kind: 'type', value })),
  fc.array(fc.float(), { maxLength: 4 }).map((value): Attribute => ({ kind: 'floats', value })), fc.array(ints, { maxLength: 4 }).map((value): Attribute => ({ kind: 'ints', value })),
  fc.array(texts, { maxLength: 3 }).map((value): Attribute => ({ kind: 'strings', value })), fc.array(tensors, { maxLength: 2 }).map((value): Attribute => ({ kind: 'tensors', value })),
  fc.array(types, { maxLength: 2 }).map((value): Attribute => ({ kind: 'types', value })),
  tensorsOf('float', [2]).map((values): Attribute => ({ kind: 'sparseTensor', value: { values, indices: Tensor.of('int64', [1, 4]), shape: [7] } })),
);

interface Decoration {
  readonly names: readonly string[];
  readonly constants: readonly Tensor[];
  readonly attributes: readonly (readonly [string, Attribute])[];
  readonly types: readonly Type[];
  readonly producer: string | undefined;
}

/**
 * Sound models with what the format has: bodies in bodies that capture, constants of every element type and form, omitted inputs and outputs,
 * several outputs, one value in two slots, defaults of inputs, foreign domains and overloads, attributes of every kind, functions, and names of all sorts.
 * They are no models that a runtime would run: most operators are of the domain `test`.
 */
export const models: fc.Arbitrary<Model> = fc.tuple(steps(8), fc.record<Decoration>({
  names: fc.uniqueArray(names, { maxLength: 12 }), constants: fc.array(tensors, { maxLength: 4 }),
  attributes: fc.uniqueArray(fc.tuple(names, attributes), { maxLength: 6, selector: ([name]) => name }), types: fc.array(types, { maxLength: 4 }),
  producer: fc.option(names, { nil: undefined }),
})).map(([plan, decoration]) => {
  const { model, edit } = randomModel(plan);
  decorate(model, edit, decoration);
  // A counterexample is shown as text.
  return Object.defineProperty(model, fc.toStringMethod, { value: () => printModel(model) });
});

function decorate(model: Model, edit: Editor, decoration: Decoration): void {
  const { graph } = model;
  edit.setModel({ producerName: decoration.producer, modelVersion: decoration.names.length, opsets: new Map([...model.opsets, ['a.b', 3]]) });
  const constants = decoration.constants.map((tensor, index) => edit.constant(graph, tensor, 'given', index % 2 === 0 ? { kind: 'initializer' } : {
    kind: 'node', node: { name: '', domain: '', attribute: { name: 'value', attribute: { kind: 'tensor', value: tensor } } },
  }));
  const sink = edit.insert({
    op: 'Sink', domain: 'a.b', overload: 'o', name: 'sink', inputs: [undefined, ...constants], attributes: new Map(decoration.attributes), outputs: [...decoration.types, undefined, tensorType('float', [])],
  }, graph);
  edit.setOutput(graph, graph.outputs.length, sink.outputs.at(-1), 'sunk');
  edit.dropOutput(sink.outputs.at(-2)!);
  addFunction(model, 'twice', ['a'], (inner, body, [a]) => [inner.insert({
    op: 'Scale', domain: 'test', inputs: [a], attributes: { by: { kind: 'reference', name: 'factor', type: 'float' } },
  }, body).output], { overload: decoration.names.length % 2 === 0 ? '' : 'v2', attributes: ['factor'], defaults: new Map(decoration.attributes.slice(0, 1).filter(([name]) => name !== 'factor')) });
  const things: (Node | Value)[] = [...graph.walk(), ...graph.values()];
  decoration.names.forEach((name, index) => { edit.rename(things[(index * 7) % things.length]!, name); });
}
