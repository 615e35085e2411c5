import type { Node, Value } from '../../ir/model.ts';
import { isInteger } from '../../ir/dtype.ts';
import { dtypeOfType, type Dim } from '../../ir/type.ts';
import { dimsOf, listOf, numbersOf, rankOf } from './operands.ts';

/** How many nodes one question may look at: shape arithmetic is short, anything longer is data. */
const budget = 128;

/**
 * The elements of an integer scalar or vector that is computed from shapes: numbers where they are certain, symbols where an element
 * certainly equals the axis of that name, undefined otherwise. Undefined as a whole if not even the number of elements is known.
 * All arithmetic is on lengths, which are not negative and far below 2^53.
 */
export function dimensionsOf(value: Value | undefined): readonly Dim[] | undefined {
  return new Dimensions().of(value);
}

class Dimensions {
  private left = budget;
  private readonly known = new Map<Value, readonly Dim[] | undefined>();

  of(value: Value | undefined): readonly Dim[] | undefined {
    if (value === undefined) return undefined;
    if (!this.known.has(value)) {
      this.known.set(value, undefined); // what a cycle would find
      this.known.set(value, this.compute(value));
    }
    return this.known.get(value);
  }

  private compute(value: Value): readonly Dim[] | undefined {
    if (value.constant !== undefined) {
      // Beyond 2^53 numbers are rounded: such an element is known not to be a length, and no more.
      const elements = isInteger(value.constant.dtype) && value.constant.shape.length <= 1 ? numbersOf(value) : undefined;
      return elements?.map((item) => (Number.isSafeInteger(item) ? item : undefined));
    }
    const node = value.producer;
    if (node === undefined || this.left-- <= 0 || node.domain !== '') return this.unknown(value);
    return restrict(value, this.evaluate(node)) ?? this.unknown(value);
  }

  /** As many unknown elements as the type says. */
  private unknown(value: Value): readonly Dim[] | undefined {
    const dims = dimsOf(value);
    const dtype = dtypeOfType(value.type);
    if (dims === undefined || dims.length > 1 || dtype === undefined || !isInteger(dtype)) return undefined;
    const length = dims.length === 0 ? 1 : dims[0];
    return typeof length === 'number' && length <= 64 ? new Array<Dim>(length).fill(undefined) : undefined;
  }

  private evaluate(node: Node): readonly Dim[] | undefined {
    const [x] = node.inputs;
    switch (node.op) {
      case 'Shape': {
        const dims = dimsOf(x);
        const end = node.int('end');
        return dims?.slice(node.int('start', 0), end);
      }
      case 'Size': {
        const dims = dimsOf(x);
        return dims?.every((dim) => typeof dim === 'number') ? [dims.reduce((product, dim) => product * dim, 1)] : [undefined];
      }
      case 'Identity':
        return this.of(x);
      case 'Cast':
        return this.of(x);
      case 'Unsqueeze':
        return rankOf(x) === 0 ? this.of(x) : undefined;
      case 'Squeeze':
        return rankOf(x) === 1 && rankOf(node.output) === 0 ? this.of(x) : undefined;
      case 'Reshape':
      case 'Flatten':
        return (rankOf(node.output) ?? 2) <= 1 ? this.of(x) : undefined;
      case 'Concat': {
        const parts = node.inputs.map((input) => this.of(input));
        return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
      }
      case 'Gather':
        return this.gather(node);
      case 'Slice':
        return this.slice(node);
      case 'Add':
      case 'Sub':
      case 'Mul':
      case 'Div':
        return this.arithmetic(node);
      default:
        return undefined;
    }
  }

  private gather(node: Node): readonly Dim[] | undefined {
    const data = this.of(node.inputs[0]);
    const indices = numbersOf(node.inputs[1]);
    if (data === undefined || indices === undefined || rankOf(node.inputs[0]) !== 1 || (node.inputs[1]!.constant?.shape.length ?? 2) > 1) return undefined;
    const places = indices.map((index) => (index < 0 ? index + data.length : index));
    return places.every((place) => place >= 0 && place < data.length) ? places.map((place) => data[place]) : undefined;
  }

  private slice(node: Node): readonly Dim[] | undefined {
    const data = this.of(node.inputs[0]);
    const [start, ...moreStarts] = listOf(node, 1, 'starts', undefined) ?? [];
    const [end] = listOf(node, 2, 'ends', undefined) ?? [];
    const steps = node.inputs[4] === undefined ? [1] : numbersOf(node.inputs[4]);
    if (data === undefined || start === undefined || end === undefined || moreStarts.length > 0 || steps?.[0] !== 1 || rankOf(node.inputs[0]) !== 1) return undefined;
    return data.slice(start, end);
  }

  private arithmetic(node: Node): readonly Dim[] | undefined {
    const [a, b] = node.inputs.map((input) => this.of(input));
    if (a === undefined || b === undefined || (a.length !== b.length && a.length !== 1 && b.length !== 1)) return undefined;
    const length = a.length === 0 || b.length === 0 ? 0 : Math.max(a.length, b.length);
    return Array.from({ length }, (_, index) => combine(node.op, a[a.length === 1 ? 0 : index], b[b.length === 1 ? 0 : index]));
  }
}

/**
 * What the type of a value leaves of its elements. Elements are told apart by one index only, so more axes than one say nothing; narrow integers wrap,
 * and a length is at home in int64 and int32 alone.
 */
function restrict(value: Value, elements: readonly Dim[] | undefined): readonly Dim[] | undefined {
  const dims = dimsOf(value);
  const dtype = dtypeOfType(value.type);
  if (elements === undefined || dims === undefined || dims.length > 1 || (dtype !== 'int64' && dtype !== 'int32')) return undefined;
  const length = dims.length === 0 ? 1 : dims[0];
  if (typeof length === 'number' && length !== elements.length) return undefined;
  return dtype === 'int64' ? elements : elements.map((item) => (typeof item !== 'number' || item === (item | 0) ? item : undefined));
}

function combine(op: string, a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') {
    const result = op === 'Add' ? a + b : op === 'Sub' ? a - b : op === 'Mul' ? a * b : b === 0 ? undefined : Math.trunc(a / b);
    return result !== undefined && Number.isSafeInteger(result) ? result : undefined;
  }
  if (op === 'Mul') return a === 1 ? b : b === 1 ? a : undefined;
  if (op === 'Add') return a === 0 ? b : b === 0 ? a : undefined;
  return (op === 'Div' && b === 1) || (op === 'Sub' && b === 0) ? a : undefined;
}
