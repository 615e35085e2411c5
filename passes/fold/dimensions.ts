import type { Node, Value } from '../../ir/model.ts';
import { isInteger } from '../../ir/dtype.ts';
import { dtypeOfType, shapeOf, type Dim, type Type } from '../../ir/type.ts';
import { axisOf, listOf, numbersOf } from './operands.ts';

/** How many nodes one question may look at: shape arithmetic is short, anything longer is data. */
const budget = 128;
/** Elements of the largest tensor that is followed. */
const largest = 64;

type Elements = readonly Dim[];

/** `Dimensions.of` with the types that the values of the model have. */
export function dimensionsOf(value: Value | undefined): Elements | undefined {
  return new Dimensions((each) => each.type).of(value);
}

/**
 * Computes the elements of small integer tensors that are made from shapes: numbers where they are certain, symbols where an element certainly equals
 * the axis of that name, undefined otherwise. All arithmetic is on lengths, which are not negative and far below 2^53. Answers are remembered;
 * `renew` after types have changed.
 */
export class Dimensions {
  private readonly typeOf: (value: Value) => Type | undefined;
  private left = budget;
  private readonly known = new Map<Value, Elements | undefined>();

  constructor(typeOf: (value: Value) => Type | undefined) {
    this.typeOf = typeOf;
  }

  /** The elements of a value in row-major order; undefined as a whole if not even their number is known. */
  of(value: Value | undefined): Elements | undefined {
    this.left = budget;
    return this.ask(value);
  }

  /** Forgets all answers that better types may make better. */
  renew(): void {
    for (const [value, elements] of this.known) if (elements?.every((item) => typeof item === 'number') !== true) this.known.delete(value);
  }

  private ask(value: Value | undefined): Elements | undefined {
    if (value === undefined) return undefined;
    if (!this.known.has(value)) {
      this.known.set(value, undefined); // what a cycle would find
      this.known.set(value, this.compute(value));
    }
    return this.known.get(value);
  }

  private compute(value: Value): Elements | undefined {
    if (value.constant !== undefined) {
      const { dtype, shape } = value.constant;
      // Beyond 2^53 numbers are rounded: such an element is known not to be a length, and no more.
      const elements = isInteger(dtype) || dtype === 'bool' ? numbersOf(value) : undefined;
      return shape.length > 1 && elements !== undefined && elements.length > largest ? undefined : elements?.map((item) => (Number.isSafeInteger(item) ? item : undefined));
    }
    const node = value.producer;
    if (node === undefined || this.left-- <= 0 || node.domain !== '') return this.unknown(value);
    return this.restrict(value, this.evaluate(node)) ?? this.unknown(value);
  }

  private dims(value: Value | undefined): readonly Dim[] | undefined {
    return value === undefined ? undefined : value.constant?.shape ?? shapeOf(this.typeOf(value));
  }

  private rank(value: Value | undefined): number | undefined {
    return this.dims(value)?.length;
  }

  /** The shape of a value that is small enough. */
  private shape(value: Value | undefined): readonly number[] | undefined {
    const dims = this.dims(value);
    return dims?.every((dim) => typeof dim === 'number') && dims.reduce((size, dim) => size * dim, 1) <= largest ? dims : undefined;
  }

  /** As many unknown elements as the type says. */
  private unknown(value: Value): Elements | undefined {
    const dtype = dtypeOfType(this.typeOf(value));
    const shape = dtype !== undefined && (isInteger(dtype) || dtype === 'bool') ? this.shape(value) : undefined;
    return shape && new Array<Dim>(shape.reduce((size, dim) => size * dim, 1)).fill(undefined);
  }

  /**
   * What the type of a value leaves of its elements: narrow integers wrap, and a length is at home in int64 and int32 alone. Truth values are 0 and 1.
   * Of a value of more axes than one the shape must be known.
   */
  private restrict(value: Value, elements: Elements | undefined): Elements | undefined {
    const dtype = dtypeOfType(this.typeOf(value));
    if (elements === undefined || (dtype !== 'int64' && dtype !== 'int32' && dtype !== 'bool')) return undefined;
    const shape = this.shape(value);
    if (shape === undefined ? this.rank(value) !== 1 || elements.length > largest : shape.reduce((size, dim) => size * dim, 1) !== elements.length) return undefined;
    if (dtype === 'bool') return elements.map((item) => (item === 0 || item === 1 ? item : undefined));
    return dtype === 'int64' ? elements : elements.map((item) => (typeof item !== 'number' || item === (item | 0) ? item : undefined));
  }

  private evaluate(node: Node): Elements | undefined {
    const [x] = node.inputs;
    switch (node.op) {
      case 'Shape':
        return this.dims(x)?.slice(node.int('start', 0), node.int('end'));
      case 'Size':
        return [this.dims(x)?.reduce((product, dim) => combine(node, product, dim), 1)];
      case 'Identity':
      case 'Cast':
      case 'Unsqueeze':
      case 'Squeeze':
      case 'Reshape':
      case 'Flatten':
        return this.ask(x);
      case 'Concat':
        return this.concat(node);
      case 'Gather':
        return this.gather(node);
      case 'Slice':
        return this.slice(node);
      case 'Transpose':
        return this.transpose(node);
      case 'ConstantOfShape':
        return this.filled(node);
      case 'ReduceProd':
        return this.rank(x) === 1 && node.int('noop_with_empty_axes', 0) === 0 ? [this.ask(x)?.reduce((product, dim) => combine(node, product, dim), 1)] : undefined;
      case 'Add':
      case 'Sub':
      case 'Mul':
      case 'Div':
      case 'Mod':
      case 'Equal':
        return this.zip(node, ([a, b]) => combine(node, a, b));
      case 'Where':
        return this.zip(node, ([condition, a, b]) => (condition === undefined ? (a === b ? a : undefined) : condition === 0 ? b : a));
      default:
        return undefined;
    }
  }

  private concat(node: Node): Elements | undefined {
    if (axisOf(node.int('axis', 0), this.rank(node.inputs[0])) !== 0) return undefined;
    const parts = node.inputs.map((input) => this.ask(input));
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
  }

  private gather(node: Node): Elements | undefined {
    const data = this.ask(node.inputs[0]);
    const indices = numbersOf(node.inputs[1]);
    if (data === undefined || indices === undefined || this.rank(node.inputs[0]) !== 1) return undefined;
    const places = indices.map((index) => (index < 0 ? index + data.length : index));
    return places.every((place) => place >= 0 && place < data.length) ? places.map((place) => data[place]) : undefined;
  }

  /** Along one axis. */
  private slice(node: Node): Elements | undefined {
    const [x] = node.inputs;
    const [data, from, to] = [this.ask(x), this.shape(x), this.shape(node.outputs[0])];
    const [starts, ends] = [listOf(node, 1, 'starts', undefined), listOf(node, 2, 'ends', undefined)];
    const axes = listOf(node, 3, 'axes', [0]);
    const [step] = node.inputs[4] === undefined ? [1] : numbersOf(node.inputs[4]) ?? [];
    if (data === undefined || starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || step === undefined) return undefined;
    if (this.rank(x) === 1 && step === 1) return data.slice(starts[0], ends[0]);
    const axis = axisOf(axes[0]!, from?.length);
    const dim = axis === undefined ? undefined : from?.[axis];
    if (from === undefined || to === undefined || axis === undefined || dim === undefined) return undefined;
    const start = starts[0]! < 0 ? starts[0]! + dim : starts[0]!;
    const strides = stridesOf(from);
    const first = Math.min(Math.max(start, 0), step > 0 ? dim : dim - 1);
    return strided(data, to, strides.map((stride, each) => (each === axis ? stride * step : stride)), first * strides[axis]!);
  }

  private transpose(node: Node): Elements | undefined {
    const [data, from, to] = [this.ask(node.inputs[0]), this.shape(node.inputs[0]), this.shape(node.outputs[0])];
    if (data === undefined || from === undefined || to === undefined) return undefined;
    const strides = stridesOf(from);
    return strided(data, to, node.ints('perm', from.map((_, axis) => from.length - 1 - axis)).map((axis) => strides[axis] ?? 0), 0);
  }

  private filled(node: Node): Elements | undefined {
    const shape = this.shape(node.outputs[0]) ?? this.ask(node.inputs[0]);
    const size = shape?.reduce((product, dim) => combine(node, product, dim), 1);
    const value = node.attributes.get('value');
    if (typeof size !== 'number' || size < 0 || size > largest || value?.kind !== 'tensor' || !isInteger(value.value.dtype) || value.value.size !== 1) return undefined;
    const [item] = value.value.floats();
    return new Array<Dim>(size).fill(Number.isSafeInteger(item) ? item : undefined);
  }

  /** An elementwise operator on tensors of one shape, or of one element. */
  private zip(node: Node, result: (items: Elements) => Dim): Elements | undefined {
    const lists: Elements[] = [];
    const shapes = new Set<string>();
    for (const input of node.inputs) {
      const list = this.ask(input);
      if (list === undefined) return undefined;
      lists.push(list);
      if (list.length !== 1) shapes.add(String(this.dims(input)));
    }
    if (shapes.size > 1) return undefined;
    const length = lists.find((list) => list.length !== 1)?.length ?? 1;
    return Array.from({ length }, (_, index) => result(lists.map((list) => list[list.length === 1 ? 0 : index])));
  }
}

/** Arithmetic on lengths. Symbols are not negative. Operators other than these multiply. */
function combine(node: Node, a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') {
    const result = calculate(node, a, b);
    return Number.isSafeInteger(result) ? result! + 0 : undefined; // integers have no −0
  }
  switch (node.op) {
    case 'Equal':
      if (a === undefined || b === undefined) return undefined;
      return a === b ? 1 : Number(a) < 0 || Number(b) < 0 ? 0 : undefined;
    case 'Add':
      return a === 0 ? b : b === 0 ? a : undefined;
    case 'Sub':
      return b === 0 ? a : undefined;
    case 'Div':
      return b === 1 ? a : undefined;
    case 'Mod':
      return undefined;
    default:
      return a === 1 ? b : b === 1 ? a : undefined;
  }
}

function calculate(node: Node, a: number, b: number): number | undefined {
  switch (node.op) {
    case 'Equal':
      return Number(a === b);
    case 'Add':
      return a + b;
    case 'Sub':
      return a - b;
    case 'Div':
      return b === 0 ? undefined : Math.trunc(a / b);
    case 'Mod':
      return b === 0 ? undefined : node.int('fmod', 0) === 0 ? a - b * Math.floor(a / b) : a % b;
    default:
      return a * b;
  }
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, stride = 1; axis >= 0; stride *= shape[axis]!, axis--) strides[axis] = stride;
  return strides;
}

/** The elements of a view: the first one, and the distance of neighbours along each axis. */
function strided(data: Elements, shape: readonly number[], strides: readonly number[], first: number): Elements {
  let places = [first];
  shape.forEach((dim, axis) => { places = places.flatMap((place) => Array.from({ length: dim }, (_, index) => place + index * strides[axis]!)); });
  return places.map((place) => data[place]);
}
