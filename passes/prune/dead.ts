import type { Model, Node, Value } from '../../ir/model.ts';
import type { Flow, Member } from './flow.ts';
import type { Channels } from './groups.ts';
import { slabSums } from './importance/slabs.ts';

/** Channels that can go without a change of any output, and why. */
export interface DeadChannels {
  /** By the atoms that stand for them: `zero` where all that reads them reads zeros, `unread` where all weights that read them are zero. */
  readonly zero: ReadonlySet<number>;
  readonly unread: ReadonlySet<number>;
}

/** The number that a channel is everywhere in a value, by channel; channels that vary, or of which nothing is known, are absent. */
type Constants = ReadonlyMap<number, number>;

/**
 * Finds channels that nobody would miss. A channel whose weights are all zero is its bias everywhere; the number is followed through what comes behind (normalization with fixed statistics, activations, pools, sums, movement of data) up to
 * the layers that read it. What is followed is a float, so a number that is not exactly zero there keeps its channel.
 */
export function deadChannels(model: Model, { flow, groups }: Channels): DeadChannels {
  const known = new Map<Value, Constants>();
  for (const node of model.graph.walk()) {
    const found = constantsOf(node, flow, known);
    if (found !== undefined && found.size > 0) for (const value of node.outputs) if (value !== undefined) known.set(value, found);
  }
  const [zero, unread] = [new Set<number>(), new Set<number>()];
  for (const { channels, consumers, reductions } of groups) {
    for (const { root, pin } of channels) {
      // A mean over channels counts those that are zero.
      if (pin !== undefined || reductions.some(({ ids }) => ids.some((id) => flow.atoms.root(id) === root))) continue;
      const readers = consumers.filter(({ ids }) => ids.some((id) => flow.atoms.root(id) === root));
      if (flow.members.some(({ role, ids }) => role === 'contraction' && ids.some((id) => flow.atoms.root(id) === root))) continue;
      if (readers.every(({ node }) => known.get(node.inputs[0]!)?.get(root) === 0)) zero.add(root);
      else if (readers.every((member) => isSilent(member, root, flow))) unread.add(root);
    }
  }
  return { zero, unread };
}

/** True if a layer has only zeros for a channel. */
function isSilent({ value, axis, ids }: Member, root: number, { atoms }: Flow): boolean {
  const tensor = value.constant;
  if (tensor === undefined) return false;
  const sums = slabSums(tensor.floats(), tensor.shape, axis, Math.abs);
  return ids.every((id, at) => atoms.root(id) !== root || sums[at] === 0);
}

/** Activations that make one number of one number. */
const functions: Readonly<Record<string, (x: number, node: Node) => number>> = {
  Relu: (x) => Math.max(0, x),
  LeakyRelu: (x, node) => (x < 0 ? Math.fround(x * node.float('alpha', 0.01)) : x),
  Clip: (x, node) => Math.min(Math.max(x, limit(node, 1, 'min', -Infinity)), limit(node, 2, 'max', Infinity)),
  Abs: Math.abs, Neg: (x) => -x, Identity: (x) => x, Dropout: (x) => x, GlobalAveragePool: (x) => x, GlobalMaxPool: (x) => x,
  Transpose: (x) => x, Reshape: (x) => x, Flatten: (x) => x, Squeeze: (x) => x, Unsqueeze: (x) => x, Split: (x) => x, Slice: (x) => x,
  // Places of padding are zero, or do not count.
  MaxPool: (x, node) => (x === 0 || isUnpadded(node) ? x : NaN),
  AveragePool: (x, node) => (x === 0 || isUnpadded(node) ? x : NaN),
};

function limit(node: Node, index: number, attribute: string, fallback: number): number {
  const value = node.inputs[index];
  if (value === undefined) return node.float(attribute, fallback);
  return value.constant?.floats()[0] ?? NaN;
}

const isUnpadded = (node: Node): boolean => node.string('auto_pad', 'NOTSET') === 'NOTSET' && node.ints('pads', []).every((pad) => pad === 0) && node.int('ceil_mode', 0) === 0;

function constantsOf(node: Node, flow: Flow, known: ReadonlyMap<Value, Constants>): Constants | undefined {
  if (node.is('Conv', 'Gemm', 'MatMul')) return biasesOf(node, flow);
  if (node.is('BatchNormalization')) return normalized(node, flow, known);
  if (node.is('Add', 'Sub', 'Mul')) return combined(node, flow, known);
  if (node.is('Concat')) return new Map(node.inputs.flatMap((value) => [...(value === undefined ? [] : known.get(value)) ?? []]).filter(([root, x], _, all) => all.every(([other, y]) => other !== root || x === y) && node.inputs.every((value) => !stands(value, root, flow) || known.get(value!)?.get(root) === x)));
  const apply = node.domain === '' ? functions[node.op] : undefined;
  const input = node.inputs[0];
  if (apply === undefined || input === undefined) return undefined;
  return new Map([...known.get(input) ?? []].map(([root, x]) => [root, apply(x, node)] as const).filter(([, x]) => !Number.isNaN(x)));
}

/** True if a channel stands on an axis of a value. */
function stands(value: Value | undefined, root: number, flow: Flow): boolean {
  return flow.layout(value).some(({ ids }) => ids.some((id) => flow.atoms.root(id) === root));
}

/** Channels whose weights are zero are their bias. */
function biasesOf(node: Node, flow: Flow): Constants {
  const found = new Map<number, number>();
  const made = flow.members.filter((member) => member.node === node && member.role === 'producer');
  const bias = node.inputs[2];
  if (made.length !== 1 || (bias !== undefined && (bias.constant === undefined || flow.rank(bias) !== 1)) || (node.is('Gemm') && node.float('beta', 1) !== 1)) return found;
  const [{ value, axis, ids }] = made as [Member];
  const tensor = value.constant;
  if (tensor === undefined || node.inputs[1] !== value) return found;
  const sums = slabSums(tensor.floats(), tensor.shape, axis, Math.abs);
  const shifts = bias?.constant!.floats();
  if (shifts !== undefined && shifts.length !== ids.length) return found;
  return agreed(ids, flow, (at) => (sums[at] === 0 ? shifts?.[at] ?? 0 : undefined));
}

/** A number for each channel, where all of its places have the same one. */
function agreed(ids: Int32Array, flow: Flow, at: (place: number) => number | undefined): Constants {
  const found = new Map<number, number | undefined>();
  ids.forEach((id, place) => {
    const [root, x] = [flow.atoms.root(id), at(place)];
    found.set(root, found.has(root) && found.get(root) !== x ? undefined : x);
  });
  return new Map([...found].flatMap(([root, x]) => (x === undefined ? [] : [[root, x] as const])));
}

/** γ (x − μ) / √(σ² + ε) + β, of a number, or of anything where γ is zero. */
function normalized(node: Node, flow: Flow, known: ReadonlyMap<Value, Constants>): Constants | undefined {
  const [x, ...parameters] = node.inputs;
  const [scale, shift, mean, variance] = parameters.map((value) => value?.constant?.floats());
  const ids = flow.part(parameters[0], 0)?.ids;
  if (x === undefined || ids === undefined || !scale || !shift || !mean || !variance || node.int('training_mode', 0) !== 0) return undefined;
  const epsilon = node.float('epsilon', 1e-5);
  return agreed(ids, flow, (at) => {
    if (scale[at] === 0) return shift[at];
    const own = known.get(x)?.get(flow.atoms.root(ids[at]!));
    return own === undefined ? undefined : Math.fround((scale[at]! * (own - mean[at]!)) / Math.sqrt(variance[at]! + epsilon) + shift[at]!);
  });
}

/** Sums and products of two values that have the channels in common; a product with zero is zero. */
function combined(node: Node, flow: Flow, known: ReadonlyMap<Value, Constants>): Constants | undefined {
  const [a, b] = node.inputs.map((value) => (value === undefined ? undefined : known.get(value) ?? ownConstants(value, flow)));
  if (a === undefined || b === undefined) return undefined;
  const found = new Map<number, number>();
  for (const root of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(root), b.get(root)];
    if (node.is('Mul') && (x === 0 || y === 0)) found.set(root, 0);
    else if (x !== undefined && y !== undefined) found.set(root, Math.fround(node.is('Mul') ? x * y : node.is('Add') ? x + y : x - y));
  }
  return found;
}

/** The numbers of a constant that has one for each channel. */
function ownConstants(value: Value, flow: Flow): Constants {
  const tensor = value.constant;
  const [part, ...others] = tensor === undefined || flow.isFree(value) ? [] : flow.layout(value);
  if (tensor === undefined || part === undefined || others.length > 0 || part.ids.length !== tensor.size || tensor.dtype === 'string') return new Map();
  const elements = tensor.floats();
  return agreed(part.ids, flow, (at) => elements[at]);
}
