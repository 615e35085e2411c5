import type { Pin } from './atoms.ts';
import type { Flow, Member } from './flow.ts';

/** What can only be removed together, named by the atom that stands for it. */
export interface Channel {
  readonly root: number;
  /** Why it stays, if it does. */
  readonly pin: Pin | undefined;
}

/** Channels that are made by the same layers: what a layer's width is. */
export interface ChannelGroup {
  /** Name of the first node that makes them. */
  readonly name: string;
  /** In the order in which they stand in what that node makes. */
  readonly channels: readonly Channel[];
  readonly producers: readonly Member[];
  readonly consumers: readonly Member[];
  readonly reductions: readonly Member[];
}

/** Channels (row-major) that must leave a box with these lengths: whole rows may go, or as many of each row. */
export interface Box {
  readonly lengths: readonly number[];
  readonly roots: Int32Array;
}

/** The channels of a model, as they can be removed. */
export interface Channels {
  readonly flow: Flow;
  readonly groups: readonly ChannelGroup[];
  readonly boxes: readonly Box[];
}

/** Puts channels into groups: those that have a producer's axis in common, directly or over others. Groups are in the order of their first producers. */
export function channelsOf(flow: Flow): Channels {
  const { atoms } = flow;
  const producers = flow.members.filter(({ role }) => role === 'producer');
  const groupOf = new Map<number, Set<number>>();
  for (const { ids } of producers) {
    const group = new Set(Array.from(ids, (id) => atoms.root(id)));
    for (const known of new Set(Array.from(group, (root) => groupOf.get(root)))) for (const root of known ?? []) group.add(root);
    for (const root of group) groupOf.set(root, group);
  }
  const members = new Map<Set<number>, Member[]>();
  for (const set of new Set(producers.map(({ ids }) => groupOf.get(atoms.root(ids[0]!))!))) members.set(set, []);
  for (const member of flow.members) {
    for (const set of new Set(Array.from(member.ids, (id) => groupOf.get(atoms.root(id))))) if (set !== undefined) members.get(set)!.push(member);
  }
  const groups = Array.from(members, ([set, all]): ChannelGroup => {
    const of = (role: Member['role']): Member[] => all.filter((member) => member.role === role);
    const made = of('producer');
    const order = new Set(made.flatMap(({ ids }) => Array.from(ids, (id) => atoms.root(id))).filter((root) => set.has(root)));
    return {
      name: made[0]!.node.name, producers: made, consumers: of('consumer'), reductions: of('reduction'),
      channels: Array.from(order, (root) => ({ root, pin: atoms.pinOf(root) })),
    };
  });
  return { flow, groups, boxes: boxesOf(flow) };
}

/** The parts of several axes, each arrangement of channels once. */
function boxesOf(flow: Flow): Box[] {
  const boxes = new Map<string, Box>();
  for (const [value, layout] of flow.entries()) {
    for (const { axes, ids } of layout) {
      if (axes.length === 1) continue;
      const box = { lengths: axes.map((axis) => flow.length(value, axis)!), roots: ids.map((id) => flow.atoms.root(id)) };
      boxes.set(`${box.lengths.join()}:${box.roots.join()}`, box);
    }
  }
  return [...boxes.values()];
}
