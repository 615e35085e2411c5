import type { Node, Value } from '../../ir/model.ts';

/** Why something cannot shrink. */
export interface Pin {
  /** Ends a sentence that begins with the name of a layer: "… is an output of the graph". */
  readonly reason: string;
  /** Where: the operator, if there is one, and the value and axis. */
  readonly node?: Node | undefined;
  readonly value?: Value | undefined;
  readonly axis?: number | undefined;
}

/** Two atoms that became one channel, and the node that did it. */
interface Link {
  readonly to: number;
  readonly node: Node | undefined;
}

/**
 * Atoms and the channels that they form: an atom is one index on one axis of one value, and atoms that can only be removed together are one channel
 * (union-find; the smallest atom stands for its channel, whatever the order). What must stay is pinned, with the reason.
 */
export class Atoms {
  private readonly parents: number[] = [];
  private readonly pins = new Map<number, Pin>();
  /** The links that joined channels: a forest, so that there is one way from an atom to another one of its channel. */
  private readonly links = new Map<number, Link[]>();
  /** The atom at which a pin was set, for each pinned channel. */
  private readonly pinnedAt = new Map<number, number>();

  get count(): number {
    return this.parents.length;
  }

  fresh(count: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.parents.push(this.parents.length) - 1);
  }

  /** The channel of an atom. */
  root(atom: number): number {
    let at = atom;
    while (this.parents[at] !== at) {
      this.parents[at] = this.parents[this.parents[at]!]!;
      at = this.parents[at]!;
    }
    return at;
  }

  /** Makes one channel of two. */
  unite(a: number, b: number, node?: Node): void {
    const [one, other] = [this.root(a), this.root(b)];
    if (one === other) return;
    const [first, second] = one < other ? [one, other] : [other, one];
    this.parents[second] = first;
    this.link(a, { to: b, node });
    this.link(b, { to: a, node });
    const pin = this.pins.get(second);
    if (pin === undefined) return;
    this.pins.delete(second);
    if (this.pins.has(first)) return;
    this.pins.set(first, pin);
    this.pinnedAt.set(first, this.pinnedAt.get(second)!);
  }

  /** Says that a channel stays. The first reason is kept. */
  pin(atom: number, pin: Pin): void {
    const root = this.root(atom);
    if (this.pins.has(root)) return;
    this.pins.set(root, pin);
    this.pinnedAt.set(root, atom);
  }

  pinOf(atom: number): Pin | undefined {
    return this.pins.get(this.root(atom));
  }

  /** The nodes that tie an atom to the one at which its channel is pinned, from the atom to the pin; empty if it is not pinned. */
  chain(atom: number): Node[] {
    const goal = this.pinnedAt.get(this.root(atom));
    if (goal === undefined) return [];
    const from = new Map<number, { readonly atom: number; readonly node: Node | undefined }>([[atom, { atom, node: undefined }]]);
    const queue = [atom];
    for (const at of queue) {
      if (at === goal) break;
      for (const { to, node } of this.links.get(at) ?? []) {
        if (from.has(to)) continue;
        from.set(to, { atom: at, node });
        queue.push(to);
      }
    }
    const nodes: Node[] = [];
    for (let at = goal; at !== atom;) {
      const step = from.get(at)!;
      if (step.node !== undefined && nodes.at(-1) !== step.node) nodes.push(step.node);
      at = step.atom;
    }
    return nodes.reverse();
  }

  private link(from: number, link: Link): void {
    const known = this.links.get(from);
    if (known === undefined) this.links.set(from, [link]);
    else known.push(link);
  }
}
