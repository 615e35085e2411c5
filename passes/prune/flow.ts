import type { Node, Value } from '../../ir/model.ts';
import { sizeOf } from '../../ir/tensor.ts';
import type { Atoms, Pin } from './atoms.ts';
import { partOn, stridesOf, type Layout, type Part } from './layout.ts';

/** What a weight's axis is to the channels on it. */
export type Role =
  /** The channels are made here: the output axis of a weight, the features of an embedding. */
  | 'producer'
  /** The channels end here: they are summed over, each with a weight of its own. */
  | 'consumer'
  /** The channels are reduced here without weights (a mean over features): removing one changes the others. */
  | 'reduction'
  /** The channels end here: they are summed over in a product with something that is no weight (queries with keys). */
  | 'contraction';

/** One axis of a weight, or of what a reduction reads, with the atom of each index on it. */
export interface Member {
  readonly role: Role;
  readonly node: Node;
  /** The weight as the node reads it (a constant, or what a DequantizeLinear or Transpose makes of one); for a reduction or contraction the operand. */
  readonly value: Value;
  readonly axis: number;
  readonly ids: Int32Array;
}

/** Lengths of the axes of a value, all of them numbers; an axis is undefined where only running the model tells. Undefined if the rank is not known. */
export type DimsOf = (value: Value) => readonly (number | undefined)[] | undefined;

/** How heads of attention shrink: whole heads go, or the same features of all heads. */
export type HeadMode = 'heads' | 'features';

/**
 * The channels of a model while they are followed through it, from producers to readers. Rules (see relations/) ask it for the layout of what a node reads, tie atoms
 * together, and give layouts to what the node writes. Inputs of the graph have no layout: all their axes stay.
 */
export class Flow {
  readonly atoms: Atoms;
  readonly members: Member[] = [];
  readonly heads: HeadMode;
  private readonly layouts = new Map<Value, Layout>();
  private readonly dims: DimsOf;
  /** The node whose rule is at work. */
  private node: Node | undefined;

  /** True where a model that was cut is followed: a channel that is left alone on its axis is still followed. */
  private readonly keepsSingles: boolean;

  constructor(atoms: Atoms, dims: DimsOf, heads: HeadMode = 'heads', keepsSingles = false) {
    this.keepsSingles = keepsSingles;
    this.atoms = atoms;
    this.dims = dims;
    this.heads = heads;
  }

  /** Names the node whose rule runs next: what it ties and pins is put down to it. */
  enter(node: Node | undefined): void {
    this.node = node;
  }

  /** Lengths of all axes; undefined if one of them or the rank is not known. */
  shape(value: Value | undefined): readonly number[] | undefined {
    const dims = this.axes(value);
    return dims?.every((dim): dim is number => dim !== undefined) ? dims : undefined;
  }

  /** Lengths of the axes, as far as they are known. */
  axes(value: Value | undefined): readonly (number | undefined)[] | undefined {
    return value === undefined ? undefined : value.constant?.shape ?? this.dims(value);
  }

  rank(value: Value | undefined): number | undefined {
    return this.axes(value)?.length;
  }

  length(value: Value, axis: number): number | undefined {
    return this.axes(value)?.[axis];
  }

  /** True for a constant that no rule has asked about yet: it can still take any layout. */
  isFree(value: Value): boolean {
    return value.constant !== undefined && !this.layouts.has(value);
  }

  /**
   * What of a value can shrink. A constant that is asked for the first time gets atoms of its own for every axis that is longer than 1. Axes along which a
   * part of several axes has one channel throughout have left it.
   */
  layout(value: Value | undefined): Layout {
    if (value === undefined) return [];
    const known = this.layouts.get(value);
    if (known === undefined) return value.constant === undefined ? [] : this.begin(value);
    if (!this.keepsSingles && known.every(({ axes }) => axes.length === 1)) return known;
    // Where one channel is left, several places of it do not tell which of the axes it was on.
    const reduced = known.map((part) => this.reduced(part, value)).filter(({ ids }) => !this.keepsSingles || ids.length === 1 || !this.isConstantAlong(ids, 1, ids.length));
    this.layouts.set(value, reduced);
    return reduced;
  }

  part(value: Value | undefined, axis: number): Part | undefined {
    return partOn(this.layout(value), axis);
  }

  /** Says what of a value can shrink: of an output, or of a constant that is free. Axes of length 1 never shrink and are left out; a channel that is alone on one stays. */
  set(value: Value | undefined, layout: Layout): void {
    if (value === undefined) return;
    if (!this.keepsSingles) for (const { axes, ids } of layout) if (ids.length === 1) this.pin(ids, 'is alone on its axis', value, axes[0]);
    this.layouts.set(value, this.keepsSingles ? layout : layout.filter(({ ids }) => ids.length > 1));
  }

  /** The layouts of all values that have one, when everything has been followed. */
  *entries(): Iterable<readonly [value: Value, layout: Layout]> {
    for (const value of this.layouts.keys()) yield [value, this.layout(value)];
  }

  /** Atoms that nothing is tied to yet. */
  fresh(count: number): Int32Array {
    return this.atoms.fresh(count);
  }

  /** Ties atoms one by one: those at the same place become one channel. Lists of different length are refused with a TypeError: a rule is wrong. */
  unite(a: Int32Array, b: Int32Array): void {
    if (a.length !== b.length) throw new TypeError(`${this.node?.name ?? 'graph'}: ${a.length} atoms cannot be tied to ${b.length}`);
    for (let at = 0; at < a.length; at++) this.join(a[at]!, b[at]!);
  }

  /** Makes one channel of two atoms. */
  join(a: number, b: number): void {
    if (a !== b) this.atoms.unite(a, b, this.node);
  }

  /** Makes one channel of all. */
  merge(ids: ArrayLike<number>): void {
    for (let at = 1; at < ids.length; at++) this.join(ids[0]!, ids[at]!);
  }

  /** Says that channels stay, and why. */
  pin(ids: Int32Array, reason: string, value?: Value, axis?: number): void {
    const pin: Pin = { reason, node: this.node, value, axis };
    for (const id of ids) this.atoms.pin(id, pin);
  }

  /** Says that an axis stays as long as it is. What shares a part with it can then only go whole along it. */
  rigid(value: Value | undefined, axis: number, reason: string): void {
    const part = this.part(value, axis);
    if (value === undefined || part === undefined) return;
    if (part.axes.length === 1 || !this.isMeasured(value, part)) this.pin(part.ids, reason, value, axis);
    else this.level(value, part, axis);
  }

  /** All axes stay. */
  rigidAll(value: Value | undefined, reason: string): void {
    for (const { axes, ids } of this.layout(value)) this.pin(ids, reason, value, axes[0]);
  }

  /** All axes but one stay; returns the atoms on that one, or nothing if it stays as well. */
  only(value: Value | undefined, axis: number, reason: string): Int32Array | undefined {
    for (const { axes } of this.layout(value)) for (const other of axes) if (other !== axis) this.rigid(value, other, reason);
    const part = this.part(value, axis);
    return part?.axes.length === 1 ? part.ids : undefined;
  }

  /** Takes an axis out of a part of several axes, by the mode of heads: either it stays, or the others do. Returns the atoms on it if it can still shrink. */
  separate(value: Value | undefined, axis: number): Int32Array | undefined {
    const part = this.part(value, axis);
    if (part === undefined || part.axes.length === 1) return part?.ids;
    const others = part.axes.filter((other) => other !== axis);
    // Whole heads go: the first axis is the one that stays free, wherever it stands beside the one in question.
    if (this.heads === 'heads' || others.length > 1) this.rigid(value, axis, 'is summed over within each head');
    else for (const other of others) this.rigid(value, other, 'counts heads');
    const left = this.part(value, axis);
    return left?.axes.length === 1 ? left.ids : undefined;
  }

  /** Puts down that channels are made, end, or are reduced on an axis. */
  member(role: Role, value: Value, axis: number, ids: Int32Array): void {
    this.members.push({ role, node: this.node!, value, axis, ids });
  }

  private begin(value: Value): Layout {
    const layout = (value.constant!.shape).flatMap((length, axis) => (length > 1 ? [{ axes: [axis], ids: this.fresh(length) }] : []));
    this.layouts.set(value, layout);
    return layout;
  }

  /** Ties together what differs along one axis only, so that the part can do without it. */
  private level(value: Value, { axes, ids }: Part, axis: number): void {
    const lengths = axes.map((each) => this.length(value, each)!);
    const at = axes.indexOf(axis);
    const stride = stridesOf(lengths)[at]!;
    for (let index = 0; index < ids.length; index++) {
      const own = Math.floor(index / stride) % lengths[at]!;
      if (own > 0) this.join(ids[index - own * stride]!, ids[index]!);
    }
  }

  private isMeasured(value: Value, { axes }: Part): boolean {
    return axes.every((axis) => this.length(value, axis) !== undefined);
  }

  /** Without the axes along which nothing changes. */
  reduced(part: Part, value: Value): Part {
    let { axes, ids } = part;
    if (!this.isMeasured(value, part)) return part;
    for (let at = 0; at < axes.length && axes.length > 1;) {
      const lengths = axes.map((each) => this.length(value, each)!);
      const [stride, length] = [stridesOf(lengths)[at]!, lengths[at]!];
      if (!this.isConstantAlong(ids, stride, length)) { at++; continue; }
      const kept = new Int32Array(sizeOf(lengths) / length);
      for (let index = 0, to = 0; index < ids.length; index++) if (Math.floor(index / stride) % length === 0) kept[to++] = ids[index]!;
      [axes, ids] = [axes.filter((_, other) => other !== at), kept];
    }
    return { axes, ids };
  }

  private isConstantAlong(ids: Int32Array, stride: number, length: number): boolean {
    for (let index = 0; index < ids.length; index++) {
      const own = Math.floor(index / stride) % length;
      if (own > 0 && this.atoms.root(ids[index]!) !== this.atoms.root(ids[index - own * stride]!)) return false;
    }
    return true;
  }
}
