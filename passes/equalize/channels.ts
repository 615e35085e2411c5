import type { Model, Node, Value } from '../../ir/model.ts';
import { shapeOf } from '../../ir/type.ts';

/** Classes of the channels of one value, along one of its axes. Channels of one class can only be scaled together. */
export interface ValueChannels {
  readonly axis: number;
  readonly ids: Int32Array;
}

/**
 * Which channels of which values are the same thing under scaling. Every linear operator starts new classes for its output channels and may
 * take up a factor of its input channels; what lies between carries classes along (Relu, pools, copies) or ties them (Add). A class that
 * meets something else is pinned: its factor is 1.
 */
export class ChannelClasses {
  private readonly parents: number[] = [];
  private readonly pins = new Set<number>();
  private readonly values = new Map<Value, ValueChannels>();

  /** The channels of a value; nothing if it has none that could be scaled. */
  of(value: Value | undefined): ValueChannels | undefined {
    return value && this.values.get(value);
  }

  /** The class of a channel id. */
  root(id: number): number {
    let at = id;
    while (this.parents[at] !== at) {
      this.parents[at] = this.parents[this.parents[at]!]!;
      at = this.parents[at]!;
    }
    return at;
  }

  isPinned(id: number): boolean {
    return this.pins.has(this.root(id));
  }

  /** Gives a value new classes. */
  start(value: Value, axis: number, count: number): Int32Array {
    const ids = Int32Array.from({ length: count }, () => this.parents.push(this.parents.length) - 1);
    this.set(value, axis, ids);
    return ids;
  }

  set(value: Value, axis: number, ids: Int32Array): void {
    this.values.set(value, { axis, ids });
  }

  pin(value: Value | undefined): void {
    for (const id of this.of(value)?.ids ?? []) this.pins.add(this.root(id));
  }

  /** Makes one class of two. The smaller id stands for it, whatever the order. */
  unite(a: number, b: number): void {
    const [first, second] = [this.root(a), this.root(b)].sort((x, y) => x - y) as [number, number];
    if (first === second) return;
    this.parents[second] = first;
    if (this.pins.delete(second)) this.pins.add(first);
  }
}

/** What an operator does with the channels of its inputs; false if it cannot be followed. Values that it must not scale it pins. */
export type ChannelRule = (node: Node, classes: ChannelClasses) => boolean;

/** False for a value that a body or the graph's own caller reads, and for one whose type does not show the channels that were followed to it. */
function staysInside(value: Value, { graph }: Model, classes: ChannelClasses): boolean {
  const channels = classes.of(value);
  return channels === undefined || (shapeOf(value.type)?.[channels.axis] === channels.ids.length && value.uses.every(({ user }) => 'op' in user && user.graph === graph));
}

/** Follows the channels through the main graph. Graph inputs have none; graph outputs, what bodies read, and inputs of operators without a rule are pinned. */
export function followChannels(model: Model, ruleOf: (node: Node) => ChannelRule | undefined): ChannelClasses {
  const classes = new ChannelClasses();
  for (const node of model.graph.nodes()) {
    if (ruleOf(node)?.(node, classes) !== true) for (const value of node.inputs) classes.pin(value);
    for (const value of node.outputs) if (value !== undefined && !staysInside(value, model, classes)) classes.pin(value);
  }
  return classes;
}
