import type { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, shapeOf, tensorType, type Dim } from '../../ir/type.ts';
import { hasFixedBias, linearOf, readsNoPadding, scaleInputs, type Linear } from '../fold/linear.ts';
import { Decline } from '../rewrite.ts';
import type { Feeds } from '../runtime.ts';

/** A graph input, float, that one linear operator reads, straight or transposed. */
export interface LinearInput {
  readonly input: Value;
  /** What the operator reads. */
  readonly read: Value;
  readonly linear: Linear;
  /** Axis of the operator's input channels in `input`, and their number. */
  readonly axis: number;
  readonly channels: number;
}

/** Graph inputs that could be centred. */
export function linearInputs(model: Model, select: (node: Node) => boolean): LinearInput[] {
  return [...model.graph.nodes()].flatMap((node): LinearInput[] => {
    const linear = linearOf(node);
    const [read] = node.inputs;
    if (linear === false || linear instanceof Decline || read === undefined || !select(node) || !hasFixedBias(linear)) return [];
    if (!node.is('Conv', 'Gemm') || node.string('auto_pad', 'NOTSET').startsWith('SAME') || read.uses.length > 1) return [];
    let [input, axis] = [read, 1];
    while (input.producer?.is('Transpose') === true && input.uses.length === 1) {
      const rank = shapeOf(input.type)?.length ?? 0;
      axis = input.producer.ints('perm', Array.from({ length: rank }, (_, each) => rank - 1 - each))[axis]!;
      input = input.producer.inputs[0]!;
    }
    const known = input.isInput && input.tensor === undefined && dtypeOfType(input.type) === 'float' && shapeOf(input.type)?.[axis] === linear.inputs;
    return known ? [{ input, read, linear, axis, channels: linear.inputs }] : [];
  });
}

/** Distinct numbers of one channel that are told apart: what an 8-bit source can hold. */
const most = 256;

/** Values of one channel while samples come in: extremes, and the numbers themselves as long as there are few. */
export class ChannelValues {
  min: number = Infinity;
  max: number = -Infinity;
  private distinct: Set<number> | undefined = new Set();

  add(x: number): void {
    if (x < this.min) this.min = x;
    if (x > this.max) this.max = x;
    if (this.distinct === undefined || this.distinct.has(x)) return;
    if (this.distinct.size === most) this.distinct = undefined;
    else this.distinct.add(x);
  }

  /**
   * The distance between the codes of a grid of 256 that starts at the smallest value: that of the values themselves where they are multiples of one
   * number, as those of pixels are (then no value is rounded at all), else that which the range needs.
   */
  get step(): number {
    const range = this.max - this.min;
    const sorted = [...this.distinct ?? []].sort((a, b) => a - b);
    const gap = sorted.reduce((least, x, index) => (index === 0 ? least : Math.min(least, x - sorted[index - 1]!)), Infinity);
    const count = Math.round(range / gap);
    const exact = range / count;
    const even = count > 0 && count < most && sorted.every((x) => Math.abs((x - this.min) / exact - Math.round((x - this.min) / exact)) < unevenness);
    return even ? exact : range / (most - 1);
  }
}

/** How far values may lie beside multiples of their distance: the rounding of float32 arithmetic that made them. */
const unevenness = 1e-3;

/** Takes in a batch: the channels of one input. */
export function look(feeds: Feeds, { input, axis }: LinearInput, channels: readonly ChannelValues[]): void {
  const tensor = feeds.get(input.name);
  if (tensor === undefined) return;
  const elements = tensor.floats();
  const inner = tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  for (let at = 0; at < elements.length;) {
    for (const channel of channels) for (const end = at + inner; at < end; at++) channel.add(elements[at]!);
  }
}

/** How much finer the grid must become, at least, for an input to be centred: 1 dB less noise for two operations on a small tensor. */
const worthwhile = 1.12;

/** What is subtracted from each channel, and by what the rest is divided. */
export interface Centring {
  readonly offsets: Float64Array;
  readonly factors: Float64Array;
  /** The grid of all channels before and after: steps of the channel with the coarsest one. */
  readonly gain: number;
}

/**
 * Centres the channels of an input in the codes of an int8 grid without zero point: the smallest value of each becomes −128 steps. Images and features of 8 bits, whose
 * range is on one side of zero or differs between colours, else lose up to a bit before the first layer. Undefined where it is not worthwhile.
 */
export function centringOf(channels: readonly ChannelValues[]): Centring | undefined {
  if (channels.some(({ min, max }) => !Number.isFinite(min) || !Number.isFinite(max))) return undefined;
  const steps = channels.map(({ step }) => step);
  const step = Math.max(...steps);
  const gain = Math.max(...channels.map(({ min, max }) => Math.max(-min, max))) / 127 / step;
  if (!(step > 0) || gain < worthwhile) return undefined;
  // A channel that never varies takes the common grid.
  const own = steps.map((each) => (each > 0 ? each : step));
  return { offsets: Float64Array.from(channels, ({ min }, channel) => min + 128 * own[channel]!), factors: Float64Array.from(own, (each) => each / step), gain };
}

/**
 * Subtracts the offsets and divides by the factors before the linear operator, whose weights and bias make up for it. Zeros that it pads are written out before that.
 * False if its weights cannot take it.
 */
export function centre({ read, linear }: LinearInput, { offsets, factors }: Centring, model: Model, edit: Editor): boolean {
  const { node } = linear;
  // Its weights may have been changed since it was found.
  const now = linearOf(node);
  if (now === false || now instanceof Decline) return false;
  const rescaled = scaleInputs(now, { scale: factors, shift: offsets });
  if (rescaled instanceof Decline) return false;
  const { graph } = node;
  const rank = shapeOf(read.type)!.length;
  const place = { before: node };
  const from = [node];
  let value = read;
  if (!readsNoPadding(node)) {
    const pads = node.ints('pads', []);
    const half = pads.length / 2;
    const all = [0, 0, ...pads.slice(0, half), 0, 0, ...pads.slice(half)];
    const padded = (dim: Dim, axis: number): Dim => (typeof dim === 'number' ? dim + all[axis]! + all[axis + rank]! : all[axis] === 0 && all[axis + rank] === 0 ? dim : undefined);
    const outputs = [tensorType('float', shapeOf(read.type)!.map(padded))];
    value = (model.opset() ?? 0) >= 11
      ? edit.insert({ op: 'Pad', inputs: [value, edit.constant(graph, Tensor.of('int64', all), `${read.name}_pads`)], name: `${read.name}_Pad`, from, outputs }, place).output
      : edit.insert({ op: 'Pad', inputs: [value], attributes: { pads: all }, name: `${read.name}_Pad`, from, outputs }, place).output;
    edit.setAttribute(node, 'pads', pads.map(() => 0));
  }
  const shape = Array.from({ length: rank }, (_, axis) => (axis === 1 ? offsets.length : 1));
  const step = (op: string, numbers: Float64Array, base: string): void => {
    value = edit.insert({ op, inputs: [value, edit.constant(graph, Tensor.of('float', numbers, shape), `${read.name}_${base}`)], name: `${read.name}_${op}`, from, outputs: [value.type] }, place).output;
  };
  step('Sub', offsets, 'offset');
  if (factors.some((factor) => factor !== 1)) step('Div', factors, 'factor');
  edit.setInput(node, 0, value);
  edit.setInput(node, 1, edit.constant(graph, rescaled.weight, linear.weight.name));
  edit.setInput(node, 2, edit.constant(graph, Tensor.of('float', rescaled.bias), linear.bias?.name ?? `${node.name}_bias`));
  return true;
}
