import type { Value } from '../../ir/model.ts';
import type { Flow } from './flow.ts';
import type { Part } from './layout.ts';
import { boxOf } from './survivors.ts';

/** Channels in one arrangement: one or more axes of one or many values on which the same channels stand in the same order. */
interface Arrangement {
  /** The channel at each place. */
  readonly roots: Int32Array;
  /** Lengths of the axes; one number where there is one axis. */
  readonly lengths: readonly number[];
  /** Places left. */
  left: number;
}

/** An axis group of a value, and where its channels are counted. */
interface Placed {
  readonly axes: readonly number[];
  readonly arrangement: number;
}

/**
 * Widths while channels are removed and put back: how many places are left on every axis. Parts with the same channels in the same order are counted once, so that trying a removal costs as much as what it changes.
 */
export class Widths {
  private readonly arrangements: Arrangement[] = [];
  private readonly placed = new Map<Value, Placed[]>();
  /** For each channel, the arrangements in which it stands, and at how many places. */
  private readonly standsIn = new Map<number, Map<number, number>>();
  private readonly gone = new Set<number>();
  private readonly changed = new Set<number>();

  constructor(flow: Flow) {
    const byIds = new Map<Int32Array, string>();
    const byRoots = new Map<string, number>();
    for (const [value, layout] of flow.entries()) {
      const placed = layout.map((part) => ({ axes: part.axes, arrangement: this.arrangementOf(part, value, flow, byIds, byRoots) }));
      if (placed.length > 0) this.placed.set(value, placed);
    }
  }

  get removed(): ReadonlySet<number> {
    return this.gone;
  }

  remove(root: number): void {
    if (this.gone.has(root)) return;
    this.gone.add(root);
    this.count(root, -1);
  }

  restore(root: number): void {
    if (this.gone.delete(root)) this.count(root, 1);
  }

  /** Removes and puts back what it takes to be at exactly this removal. */
  become(removed: ReadonlySet<number>): void {
    for (const root of [...this.gone]) if (!removed.has(root)) this.restore(root);
    for (const root of removed) this.remove(root);
  }

  /** True if some axis would have nothing left. */
  wouldEmpty(roots: readonly number[]): boolean {
    const lost = new Map<number, number>();
    for (const root of new Set(roots)) if (!this.gone.has(root)) for (const [at, times] of this.standsIn.get(root) ?? []) lost.set(at, (lost.get(at) ?? 0) + times);
    for (const [at, times] of lost) if (this.arrangements[at]!.left <= times) return true;
    return false;
  }

  /** Where channels stand, as a text: those with the same one change the same widths by as much. */
  footprint(roots: readonly number[]): string {
    const places = new Map<number, number>();
    for (const root of roots) for (const [at, times] of this.standsIn.get(root) ?? []) places.set(at, (places.get(at) ?? 0) + times);
    return [...places].sort(([a], [b]) => a - b).join(';');
  }

  /** The arrangements in which something changed since the last call. */
  takeChanged(): number[] {
    const changed = [...this.changed];
    this.changed.clear();
    return changed;
  }

  /** The arrangements on the axes of a value. */
  arrangementsOf(value: Value): number[] {
    return (this.placed.get(value) ?? []).map(({ arrangement }) => arrangement);
  }

  /** Lengths of the axes of a value as they are now. Throws `Ragged` if a part is no box any more. */
  lengths(value: Value, before: readonly number[]): readonly number[] {
    const placed = this.placed.get(value);
    if (placed === undefined) return before;
    const after = [...before];
    for (const { axes, arrangement } of placed) {
      const { roots, lengths, left } = this.arrangements[arrangement]!;
      if (left === roots.length) continue;
      if (axes.length === 1) after[axes[0]!] = left;
      else boxOf(value, axes, lengths, Int32Array.from(roots.keys()).filter((at) => !this.gone.has(roots[at]!))).forEach((length, at) => { after[axes[at]!] = length; });
    }
    return after;
  }

  private count(root: number, by: 1 | -1): void {
    for (const [at, times] of this.standsIn.get(root) ?? []) {
      this.arrangements[at]!.left += by * times;
      this.changed.add(at);
    }
  }

  private arrangementOf({ axes, ids }: Part, value: Value, flow: Flow, byIds: Map<Int32Array, string>, byRoots: Map<string, number>): number {
    const roots = ids.map((id) => flow.atoms.root(id));
    // Most values pass on the very list that they were given.
    const text = byIds.get(ids) ?? roots.join();
    byIds.set(ids, text);
    const lengths = axes.length === 1 ? [ids.length] : axes.map((axis) => flow.length(value, axis)!);
    const key = `${lengths.join('×')}:${text}`;
    const known = byRoots.get(key);
    if (known !== undefined) return known;
    const at = this.arrangements.push({ roots, lengths, left: roots.length }) - 1;
    byRoots.set(key, at);
    for (const root of roots) {
      const own = this.standsIn.get(root) ?? new Map<number, number>();
      this.standsIn.set(root, own.set(at, (own.get(at) ?? 0) + 1));
    }
    return at;
  }
}
