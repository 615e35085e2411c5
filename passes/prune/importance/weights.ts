import type { Model, Node, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import type { Runtime } from '../../runtime.ts';
import { cutTensor } from '../cut.ts';
import type { Flow, Member } from '../flow.ts';
import type { Channels, ChannelGroup } from '../groups.ts';
import { survivorsOf, type Survivors } from '../survivors.ts';

/** Where weights hold something for channels: an axis of a value, and the atoms on it. */
export type Place = Pick<Member, 'node' | 'value' | 'axis' | 'ids'>;

/** What a place holds for the channels that are left. */
export interface Slabs {
  /** Row-major. */
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
  readonly axis: number;
  /** The atom of each index on the axis. */
  readonly ids: Int32Array;
  /** Where these indices stood before anything was removed. */
  readonly positions: Int32Array;
}

/** One number for each index on an axis of a row-major array. */
export type Measure = (data: Float32Array | Float64Array, shape: readonly number[], axis: number) => Float64Array;

/** Weights as numbers, whatever they are stored as, without the channels that have been removed. */
export class Weights {
  private readonly flow: Flow;
  private readonly tensors: ReadonlyMap<Value, Tensor>;
  private readonly survivors: Survivors;
  readonly removed: ReadonlySet<number>;

  private constructor(flow: Flow, tensors: ReadonlyMap<Value, Tensor>, removed: ReadonlySet<number>) {
    this.flow = flow;
    this.tensors = tensors;
    this.removed = removed;
    this.survivors = survivorsOf(flow, removed);
  }

  /** Reads all weights that make or read channels; what nodes make of constants is evaluated. */
  static async read(model: Model, { flow }: Channels, runtime: Pick<Runtime, 'evaluate'>): Promise<Weights> {
    const places = [
      ...flow.members.filter(({ role }) => role === 'producer' || role === 'consumer'),
      ...[...model.graph.walk()].filter((node) => node.is('BatchNormalization')).map((node) => ({ node, value: node.inputs[1]! })),
    ];
    const tensors = new Map<Value, Tensor>();
    const computed = new Set<Value>();
    for (const { node, value } of places) {
      if (value.constant === undefined) computed.add(value);
      else if (!tensors.has(value)) tensors.set(value, realWeights(node, value));
    }
    for (const [value, tensor] of await evaluated(computed, runtime)) tensors.set(value, asFloats(tensor));
    return new Weights(flow, tensors, new Set());
  }

  /** The same weights with more channels removed. */
  without(removed: ReadonlySet<number>): Weights {
    return new Weights(this.flow, this.tensors, removed);
  }

  rootOf(id: number): number {
    return this.flow.atoms.root(id);
  }

  /** The atoms on an axis of a value, if it can shrink by itself. */
  along(value: Value, axis: number): Int32Array | undefined {
    const part = this.flow.part(value, axis);
    return part?.axes.length === 1 ? part.ids : undefined;
  }

  /** The whole weights, with nothing removed; undefined if they cannot be read. */
  whole(value: Value): Tensor | undefined {
    return this.tensors.get(value);
  }

  /** The positions that are left on an axis. */
  left(value: Value, axis: number, length: number): Int32Array {
    const part = this.survivors.kept(value).find(({ axes }) => axes.includes(axis));
    return part?.axes.length === 1 ? part.positions : Int32Array.from({ length }, (_, at) => at);
  }

  slabs({ value, axis, ids }: Place): Slabs | undefined {
    const whole = this.tensors.get(value);
    if (whole === undefined) return undefined;
    const tensor = cutTensor(whole, this.survivors.kept(value));
    const positions = this.left(value, axis, ids.length);
    return { data: tensor.floats(), shape: tensor.shape, axis, positions, ids: positions.map((at) => ids[at]!) };
  }

  /** Measures what each place holds for each index and adds up what belongs to one channel; `finish` makes the score of the sum. Or says which weights cannot be read, as families do. */
  scores(group: ChannelGroup, places: readonly Place[], measure: Measure, finish: (sum: number) => number = (sum) => sum): Float64Array[] | string {
    const found: Float64Array[] = [];
    for (const place of places) {
      const slabs = this.slabs(place);
      if (slabs === undefined) return unreadable(place);
      found.push(this.perChannel(group, slabs.ids, measure(slabs.data, slabs.shape, slabs.axis)).map(finish));
    }
    return found;
  }

  /** Adds up the numbers of one channel; NaN for channels that are not there. */
  perChannel({ channels }: ChannelGroup, ids: Int32Array, numbers: Float64Array): Float64Array {
    const index = new Map(channels.map(({ root }, at) => [root, at]));
    const sums = new Float64Array(channels.length).fill(NaN);
    ids.forEach((id, at) => {
      const channel = index.get(this.rootOf(id));
      if (channel !== undefined) sums[channel] = (Number.isNaN(sums[channel]) ? 0 : sums[channel]!) + numbers[at]!;
    });
    return sums;
  }
}

/** Why a group has no scores: weights that only running the model tells. */
export function unreadable({ node, value }: Place): string {
  return `has weights that cannot be read: '${value.name}' of '${node.name}'`;
}

/** Operators that read integers as weights: where the weights, their scale (if any) and their zero point stand, and the axis that the scale goes along, counted from the end where it is negative. */
const quantized: Readonly<Record<string, { readonly weight: number; readonly scale?: number; readonly zeroPoint: number; readonly axis: number }>> = {
  ConvInteger: { weight: 1, zeroPoint: 3, axis: 0 },
  MatMulInteger: { weight: 1, zeroPoint: 3, axis: -1 },
  QLinearConv: { weight: 3, scale: 4, zeroPoint: 5, axis: 0 },
  QLinearMatMul: { weight: 3, scale: 4, zeroPoint: 5, axis: -1 },
};

/** Elements as numbers; codes of quantized operators by their scale and zero point. */
function realWeights(node: Node, value: Value): Tensor {
  const tensor = value.constant!;
  const facts = node.domain === '' ? quantized[node.op] : undefined;
  if (facts === undefined || node.inputs[facts.weight] !== value) return asFloats(tensor);
  const operand = (index: number | undefined): ArrayLike<number> | undefined => (index === undefined ? undefined : node.inputs[index]?.constant?.floats());
  const [scale, zeroPoint] = [operand(facts.scale), operand(facts.zeroPoint)];
  const axis = facts.axis < 0 ? tensor.shape.length + facts.axis : facts.axis;
  const inner = tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const at = (list: ArrayLike<number> | undefined, element: number, none: number): number => (list === undefined ? none : list[list.length === 1 ? 0 : Math.floor(element / inner) % tensor.shape[axis]!] ?? none);
  return Tensor.of('double', Float64Array.from(tensor.floats(), (code, element) => (code - at(zeroPoint, element, 0)) * at(scale, element, 1)), tensor.shape);
}

function asFloats(tensor: Tensor): Tensor {
  if (tensor.dtype === 'float' || tensor.dtype === 'double') return tensor;
  const numbers = tensor.floats();
  return Tensor.of(numbers instanceof Float64Array ? 'double' : 'float', numbers, tensor.shape);
}

/** Evaluates what DequantizeLinear, Transpose and the like make of constants. */
async function evaluated(values: ReadonlySet<Value>, runtime: Pick<Runtime, 'evaluate'>): Promise<Map<Value, Tensor>> {
  const nodes = new Map<Value['graph'], Set<Node>>();
  const collect = (value: Value | undefined): void => {
    const node = value?.producer;
    if (node === undefined) return;
    const own = nodes.get(node.graph) ?? new Set();
    nodes.set(node.graph, own);
    if (own.has(node)) return;
    own.add(node);
    node.inputs.forEach(collect);
  };
  values.forEach(collect);
  const found = new Map<Value, Tensor>();
  for (const [graph, own] of nodes) for (const [value, tensor] of await runtime.evaluate(graph, [...own])) if (values.has(value)) found.set(value, tensor);
  return found;
}
