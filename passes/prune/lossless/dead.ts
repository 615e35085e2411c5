import { isFloat } from '../../../ir/dtype.ts';
import type { Node } from '../../../ir/model.ts';
import type { Member } from '../flow.ts';
import type { Channels, ChannelGroup } from '../groups.ts';
import type { Weights } from '../importance/weights.ts';
import { stridesOf } from '../layout.ts';
import type { Content, Contents } from './contents.ts';

/**
 * Why nobody misses a channel: `zero` where all that reads it reads zeros; `unread` where all weights that read it are zero (those of channels that have gone do not count), or where zeros meet zeros;
 * `constant` where it is a number that biases can take up; `twin` where another channel that stays holds the same, or a multiple of it, so that this one's weights can take up those that read it.
 */
export type DeadKind = 'zero' | 'unread' | 'constant' | 'twin';

/** A channel that can go without a change of any output, and what must be done for it where it was read. */
export interface DeadChannel {
  readonly root: number;
  readonly kind: DeadKind;
  readonly shifts: readonly Shift[];
  readonly merges: readonly Merge[];
  /** The channel that must stay for it. */
  readonly keeper: number | undefined;
}

/** The bias of a layer takes up a number times the weights of a channel. */
export interface Shift {
  readonly member: Member;
  readonly root: number;
  readonly number: number;
}

/** The weights of the channel `into` take up `factor` times those of `root`. */
export interface Merge {
  readonly member: Member;
  readonly root: number;
  readonly into: number;
  readonly factor: number;
}

/** What one reader wants when a channel goes: nothing, a bias, or a twin with the same content. */
type Need = { readonly kind: 'zero' | 'unread' } | { readonly kind: 'shift'; readonly shift: Shift } | { readonly kind: 'twin'; readonly content: Content; readonly member: Member };

/** Finds channels that nobody would miss. */
export class DeadChannels {
  private readonly channels: Channels;
  private readonly weights: Weights;
  private readonly contents: Contents;
  private readonly readers = new Map<number, Member[]>();

  constructor(channels: Channels, weights: Weights, contents: Contents) {
    this.channels = channels;
    this.weights = weights;
    this.contents = contents;
    const { atoms, members } = channels.flow;
    for (const member of members) {
      if (member.role === 'producer') continue;
      for (const root of new Set(Array.from(member.ids, (id) => atoms.root(id)))) this.readers.set(root, [...this.readers.get(root) ?? [], member]);
    }
  }

  /** Those that can go when some have gone already, in the order of the groups. Channels in `kept` stay. */
  find(removed: ReadonlySet<number>, kept: ReadonlySet<number>): DeadChannel[] {
    const heard = new Map<Member, ReadonlySet<number>>();
    const hears = (member: Member, root: number): boolean => {
      const known = heard.get(member) ?? this.heard(member, removed);
      heard.set(member, known);
      return known.has(root);
    };
    return this.channels.groups.flatMap((group) => this.ofGroup(group, removed, kept, hears));
  }

  private ofGroup({ channels }: ChannelGroup, removed: ReadonlySet<number>, kept: ReadonlySet<number>, hears: (member: Member, root: number) => boolean): DeadChannel[] {
    const dead: DeadChannel[] = [];
    const likes = new Map<string, { readonly root: number; readonly needs: readonly Need[] }[]>();
    for (const { root, pin } of channels) {
      if (pin !== undefined || removed.has(root)) continue;
      const needs = (this.readers.get(root) ?? []).map((member) => this.need(member, root, hears));
      if (!needs.every((need) => need !== undefined)) continue;
      const twins = needs.filter((need) => need.kind === 'twin');
      if (twins.length > 0) {
        const key = needs.map((need) => (need.kind === 'twin' ? typeof need.content === 'number' ? 'number' : need.content : need.kind)).join();
        likes.set(key, [...likes.get(key) ?? [], { root, needs }]);
      } else if (!kept.has(root)) {
        const shifts = needs.flatMap((need) => (need.kind === 'shift' ? [need.shift] : []));
        const kind = shifts.length > 0 ? 'constant' : needs.length > 0 && needs.every((need) => need.kind === 'zero') ? 'zero' : 'unread';
        dead.push({ root, kind, shifts, merges: [], keeper: undefined });
      }
    }
    return [...dead, ...[...likes.values()].flatMap((alike) => twinsOf(alike, kept))];
  }

  /** What a reader needs when a channel goes; undefined if it would miss it. */
  private need(member: Member, root: number, hears: (member: Member, root: number) => boolean): Need | undefined {
    const { role, node, value } = member;
    // A mean over channels counts those that are zero.
    if (role === 'reduction') return undefined;
    const sums = node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul');
    const operands = sums ? node.inputs.slice(0, 2).filter((input) => role === 'contraction' || input !== value).map((input) => this.contents.of(input, root)) : [];
    if (operands.includes(0)) return { kind: 'zero' };
    if (role === 'contraction') return undefined;
    if (!hears(member, root)) return { kind: 'unread' };
    const [content] = operands;
    if (content === undefined) return undefined;
    if (typeof content === 'number' && canShift(member)) return { kind: 'shift', shift: { member, root, number: content } };
    return isOwn(member) ? { kind: 'twin', content, member } : undefined;
  }

  /** The channels that a reader has weights for that are not zero, but for outputs that are gone. */
  private heard(member: Member, removed: ReadonlySet<number>): ReadonlySet<number> {
    const { atoms } = this.channels.flow;
    const tensor = this.weights.whole(member.value);
    const roots = Array.from(member.ids, (id) => atoms.root(id));
    if (tensor === undefined) return new Set(roots);
    const [data, strides] = [tensor.floats(), stridesOf(tensor.shape)];
    const at = (element: number, axis: number): number => Math.floor(element / strides[axis]!) % tensor.shape[axis]!;
    const outputs = this.channels.flow.layout(member.value).filter(({ axes }) => axes.length === 1 && axes[0] !== member.axis)
      .map(({ axes, ids }) => ({ axis: axes[0]!, gone: Array.from(ids, (id) => removed.has(atoms.root(id))) })).filter(({ gone }) => gone.includes(true));
    const found = new Set<number>();
    data.forEach((weight, element) => { if (weight !== 0 && !outputs.some(({ axis, gone }) => gone[at(element, axis)])) found.add(roots[at(element, member.axis)]!); });
    return found;
  }
}

/** All but one of channels that hold the same, or a multiple of it: the one with the largest number stays, so that no weight grows. */
function twinsOf(alike: readonly { readonly root: number; readonly needs: readonly Need[] }[], kept: ReadonlySet<number>): DeadChannel[] {
  const size = (needs: readonly Need[]): number => Math.abs(needs.map((need) => (need.kind === 'twin' ? need.content : '')).find((content) => typeof content === 'number') ?? 0);
  const keeper = alike.find(({ root }) => kept.has(root)) ?? alike.reduce((best, next) => (size(next.needs) > size(best.needs) ? next : best));
  return alike.filter(({ root }) => root !== keeper.root && !kept.has(root)).map(({ root, needs }) => ({
    root, kind: 'twin', keeper: keeper.root, shifts: needs.flatMap((need) => (need.kind === 'shift' ? [need.shift] : [])),
    merges: needs.flatMap((need, at): Merge[] => {
      if (need.kind !== 'twin') return [];
      const [own, other] = [need.content, (keeper.needs[at] as typeof need).content];
      return [{ member: need.member, root, into: keeper.root, factor: typeof own === 'number' ? own / (other as number) : 1 }];
    }),
  }));
}

/** True if the weights can be changed for this reader alone. */
function isOwn({ node, value }: Member): boolean {
  return value.constant !== undefined && isFloat(value.constant.dtype) && value.uses.length === 1 && node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul');
}

/** True if a layer can take up a number in its bias: where there is padding, what it reads at the border is another one. */
function canShift({ node, value }: Member): boolean {
  const tensor = value.constant;
  const bias = node.inputs[2];
  if (tensor === undefined || !isFloat(tensor.dtype) || node.inputs[1] !== value || tensor.shape.length < 2) return false;
  if (node.is('MatMul')) return tensor.shape.length === 2;
  if (bias !== undefined && (bias.constant === undefined || bias.constant.size !== outputsOf(node, tensor.shape) || bias.constant.shape.at(-1) !== bias.constant.size)) return false;
  if (node.is('Gemm')) return node.float('alpha', 1) === 1 && node.float('beta', 1) === 1;
  return node.is('Conv') && node.int('group', 1) === 1 && ['NOTSET', 'VALID'].includes(node.string('auto_pad', 'NOTSET')) && node.ints('pads', []).every((pad) => pad === 0);
}

/** How many outputs a layer has for weights of this shape. */
export function outputsOf(node: Node, shape: readonly number[]): number {
  return shape[outputAxis(node)]!;
}

/** The axis of the weights that stands for the outputs. */
export function outputAxis(node: Node): number {
  return node.is('Conv') || (node.is('Gemm') && node.int('transB', 0) !== 0) ? 0 : 1;
}
