import { isFloat } from '../../../ir/dtype.ts';
import type { Model, Node, Value } from '../../../ir/model.ts';
import type { Flow, Member } from '../flow.ts';
import type { Weights } from '../importance/weights.ts';
import { stridesOf } from '../layout.ts';
import { copies, functions, inOrder, keepsZero, pure } from './operators.ts';

/**
 * What a channel holds in a value: the number that it is everywhere, or a name. Two channels with the same name in one value are equal there for every input. Nothing where neither is known.
 */
export type Content = number | string;

/**
 * Follows through the model what channels hold: a channel without weights is its bias, equal weights make equal channels, and what lies behind makes equal things of equal ones. Numbers are rounded to float32
 * at every step, as the model rounds them; products with zero are taken to be zero (finite inputs).
 */
export class Contents {
  private readonly flow: Flow;
  private readonly weights: Weights;
  private readonly known = new Map<Value, ReadonlyMap<number, Content>>();
  private readonly names = new Map<string, string>();
  private readonly stands = new Map<Value, ReadonlyMap<number, number>>();
  private readonly numbers = new Map<Node | Value, number>();
  private readonly membersOf = new Map<Node, Member[]>();

  constructor(model: Model, flow: Flow, weights: Weights) {
    this.flow = flow;
    this.weights = weights;
    for (const member of flow.members) this.membersOf.set(member.node, [...this.membersOf.get(member.node) ?? [], member]);
    for (const node of model.graph.walk()) this.follow(node);
  }

  /** What a channel holds in a value. */
  of(value: Value | undefined, root: number): Content | undefined {
    if (value === undefined) return undefined;
    if (value.constant !== undefined && !this.known.has(value)) this.known.set(value, this.constants(value));
    return this.known.get(value)?.get(root);
  }

  /** How many places a channel has in a value; a channel that stands in two parts of it has none that count. */
  places(value: Value | undefined): ReadonlyMap<number, number> {
    if (value === undefined || (value.constant !== undefined && this.flow.isFree(value))) return new Map();
    const known = this.stands.get(value);
    if (known !== undefined) return known;
    const counts = new Map<number, number>();
    const seen = new Map<number, number>();
    this.flow.layout(value).forEach(({ ids }, part) => {
      for (const id of ids) {
        const root = this.flow.atoms.root(id);
        // Rows and columns of the same channels: what holds in one direction does not in the other.
        counts.set(root, seen.has(root) && seen.get(root) !== part ? NaN : (counts.get(root) ?? 0) + 1);
        seen.set(root, part);
      }
    });
    this.stands.set(value, counts);
    return counts;
  }

  private follow(node: Node): void {
    // In training, it draws lots.
    if (node.domain !== '' || (node.op === 'Dropout' && node.inputs[2] !== undefined)) return;
    const [y] = node.outputs;
    if (node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) this.known.set(y!, this.linear(node));
    else if (node.op === 'BatchNormalization') this.each(node, 0, (root) => this.normalized(node, root));
    else if (pure.has(node.op)) this.each(node, 0, (root) => this.combined(node, root));
    else if (copies.has(node.op) || keepsZero.has(node.op)) for (let index = 0; index < (node.op === 'Split' ? node.outputs.length : 1); index++) this.each(node, index, (root) => this.moved(node, index, root));
  }

  private each(node: Node, index: number, content: (root: number) => Content | undefined): void {
    const value = node.outputs[index];
    if (value === undefined) return;
    const found = new Map<number, Content>();
    for (const [root, count] of this.places(value)) {
      const own = Number.isNaN(count) ? undefined : content(root);
      if (own !== undefined && !Number.isNaN(own)) found.set(root, own === 0 ? 0 : own);
    }
    this.known.set(value, found);
  }

  /** Place by place. */
  private combined(node: Node, root: number): Content | undefined {
    const operands = node.inputs.map((value) => (value === undefined ? '' : this.operand(value, root)));
    if (node.op === 'Mul' && operands.includes(0)) return 0;
    if (operands.includes(undefined)) return undefined;
    const apply = functions[node.op];
    const numbers = operands.map((each) => (each === '' ? undefined : each));
    if (apply !== undefined && numbers.every((each): each is number | undefined => typeof each !== 'string')) {
      const number = Math.fround(apply(numbers as number[], node));
      return Number.isNaN(number) ? undefined : number;
    }
    return this.name(node, ...operands as Content[]);
  }

  /** What an operand holds where a channel of the result stands: what it has no channel for is the same for all of them. */
  private operand(value: Value, root: number): Content | undefined {
    if (this.places(value).has(root)) return this.of(value, root);
    const tensor = value.constant;
    if (tensor === undefined || tensor.size === 1) return tensor !== undefined && isFloat(tensor.dtype) ? tensor.floats()[0] : `=${this.number(value)}`;
    // A list that nothing has followed may differ from channel to channel.
    return this.flow.isFree(value) ? undefined : `=${this.number(value)}`;
  }

  /** γ (x − μ) / √(σ² + ε) + β. */
  private normalized(node: Node, root: number): Content | undefined {
    if (node.int('training_mode', 0) !== 0) return undefined;
    const [x, ...parameters] = node.inputs.map((value) => (value === undefined ? undefined : this.operand(value, root)));
    const [scale, shift, mean, variance] = parameters;
    if (scale === 0 && typeof shift === 'number') return shift;
    const all = [x, scale, shift, mean, variance];
    if (all.includes(undefined)) return undefined;
    if (![x, scale, shift, mean, variance].every((each) => typeof each === 'number')) return this.name(node, ...all as Content[]);
    return Math.fround(((scale as number) * ((x as number) - (mean as number))) / Math.sqrt((variance as number) + node.float('epsilon', 1e-5)) + (shift as number));
  }

  /** Moved, repeated, or worked on in each channel by itself. */
  private moved(node: Node, index: number, root: number): Content | undefined {
    const holders = node.inputs.map((value) => (this.places(value).has(root) ? value : undefined));
    const contents = holders.map((value) => (value === undefined ? '-' : this.of(value, root)));
    const own = contents.filter((_, input) => holders[input] !== undefined);
    if (own.length === 0 || own.includes(undefined)) return undefined;
    const [first] = own;
    if (typeof first === 'number' && own.every((each) => each === first)) return (copies.has(node.op) ? copies : keepsZero).get(node.op)!(first, node) ? first : undefined;
    // Of several places of a channel, which comes first must be the same for all channels.
    const single = this.places(node.outputs[index]).get(root) === 1 && holders.every((value) => value === undefined || this.places(value).get(root) === 1);
    return single || inOrder.has(node.op) ? this.name(node, index, ...contents as Content[]) : undefined;
  }

  /** Convolutions and products with weights: what no weight feeds is its bias. */
  private linear(node: Node): Map<number, Content> {
    const found = new Map<number, Content>();
    const own = this.membersOf.get(node) ?? [];
    const [made, ...more] = own.filter(({ role }) => role === 'producer');
    const groups = node.is('Conv', 'ConvTranspose') ? node.int('group', 1) : 1;
    const tensor = made === undefined ? undefined : this.weights.whole(made.value);
    const side = made === undefined ? -1 : node.inputs.indexOf(made.value);
    if (made === undefined || more.length > 0 || tensor === undefined || side > 1 || (side === 0 && node.op !== 'MatMul') || (groups > 1 && node.op === 'ConvTranspose')) return found;
    const x = node.inputs[1 - side];
    const read = own.find(({ role, value }) => role === 'consumer' && value === made.value);
    const { atoms } = this.flow;
    const isZero = (root: number): boolean => this.of(x, root) === 0;
    const silent = read?.ids.map((id) => Number(isZero(atoms.root(id)))) ?? undefined;
    const [data, strides] = [tensor.floats(), stridesOf(tensor.shape)];
    const at = (element: number, axis: number): number => Math.floor(element / strides[axis]!) % tensor.shape[axis]!;
    const fed = new Uint8Array(made.ids.length);
    data.forEach((weight, element) => { if (weight !== 0 && silent?.[at(element, read!.axis)] !== 1) fed[at(element, made.axis)] = 1; });
    const bias = this.biases(node, made.ids.length);
    if (bias === undefined) return found;
    const places = new Map<number, number[]>();
    made.ids.forEach((id, place) => places.set(atoms.root(id), [...places.get(atoms.root(id)) ?? [], place]));
    const input = (root: number): Content | undefined => (groups > 1 ? this.of(x, root) : this.number(node).toString());
    for (const [root, rows] of places) {
      if (Number.isNaN(this.places(node.outputs[0]).get(root) ?? NaN)) continue;
      const idle = rows.every((row) => fed[row] === 0) || (groups > 1 && isZero(root));
      if (idle && rows.every((row) => bias[row] === bias[rows[0]!])) found.set(root, bias[rows[0]!]! + 0);
      // Channels that stay need no names.
      else if (!idle && atoms.pinOf(root) === undefined && input(root) !== undefined) {
        found.set(root, this.name(node, input(root)!, ...rows.flatMap((row) => [bias[row]!, text(rowOf(data, tensor.shape, strides, made.axis, row))])));
      }
    }
    return found;
  }

  /** What is added to each output; undefined if that cannot be told. */
  private biases(node: Node, outputs: number): ArrayLike<number> | undefined {
    const bias = node.inputs[2];
    if (bias === undefined) return new Float64Array(outputs);
    const tensor = bias.constant;
    if (tensor === undefined || !isFloat(tensor.dtype) || (tensor.size !== 1 && (tensor.size !== outputs || tensor.shape.at(-1) !== outputs))) return undefined;
    const [numbers, beta] = [tensor.floats(), node.op === 'Gemm' ? node.float('beta', 1) : 1];
    return Float64Array.from({ length: outputs }, (_, at) => Math.fround(beta * numbers[tensor.size === 1 ? 0 : at]!));
  }

  /** The channels of a constant that are one number. */
  private constants(value: Value): Map<number, Content> {
    const tensor = value.constant!;
    const found = new Map<number, Content>();
    if (!isFloat(tensor.dtype) || this.flow.isFree(value)) return found;
    const [data, strides] = [tensor.floats(), stridesOf(tensor.shape)];
    for (const { axes: [axis, ...more], ids } of this.flow.layout(value)) {
      if (more.length > 0) continue;
      const seen = new Map<number, number>();
      data.forEach((number, element) => {
        const root = this.flow.atoms.root(ids[Math.floor(element / strides[axis!]!) % ids.length]!);
        seen.set(root, seen.has(root) && seen.get(root) !== number ? NaN : number);
      });
      for (const [root, number] of seen) if (!Number.isNaN(number) && !Number.isNaN(this.places(value).get(root))) found.set(root, number === 0 ? 0 : number);
    }
    return found;
  }

  /** One short name for all that is put together in the same way. */
  private name(node: Node, ...parts: readonly Content[]): string {
    const key = `${this.number(node)}(${parts.map((part) => (typeof part === 'string' ? `${part.length}:${part}` : String(part))).join()})`;
    const known = this.names.get(key) ?? `#${this.names.size}`;
    this.names.set(key, known);
    return known;
  }

  private number(thing: Node | Value): number {
    const known = this.numbers.get(thing) ?? this.numbers.size;
    this.numbers.set(thing, known);
    return known;
  }
}

/** The elements with one index on an axis. */
function rowOf(data: Float32Array | Float64Array, shape: readonly number[], strides: readonly number[], axis: number, row: number): Float32Array | Float64Array {
  const [stride, length] = [strides[axis]!, shape[axis]!];
  const own = data.slice(0, data.length / length);
  for (let outer = 0, to = 0; to < own.length; outer++, to += stride) own.set(data.subarray((outer * length + row) * stride, (outer * length + row + 1) * stride), to);
  return own;
}

/** The bits of numbers as a text: equal texts, equal bits. */
function text(numbers: Float32Array | Float64Array): string {
  const units = new Uint16Array(numbers.buffer, numbers.byteOffset, numbers.byteLength / 2);
  let result = '';
  for (let from = 0; from < units.length; from += 8192) result += String.fromCharCode(...units.subarray(from, from + 8192));
  return result;
}
