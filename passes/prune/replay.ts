import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { Atoms, type Pin } from './atoms.ts';
import { followGraph } from './channels.ts';
import { Flow, type DimsOf } from './flow.ts';
import type { Layout } from './layout.ts';
import type { Survivors } from './survivors.ts';

/** What every value is expected to be after the cut: the channels on its parts, in order, and its lengths. */
export interface Expectation {
  readonly atoms: Atoms;
  readonly heads: Flow['heads'];
  readonly layouts: ReadonlyMap<Value, Layout>;
  readonly lengths: ReadonlyMap<Value, readonly (number | undefined)[]>;
}

/** Put down before the cut what it must leave. */
export function expectationOf(flow: Flow, survivors: Survivors): Expectation {
  const layouts = new Map<Value, Layout>();
  const lengths = new Map<Value, readonly (number | undefined)[]>();
  for (const [value, layout] of flow.entries()) {
    const kept = survivors.kept(value);
    layouts.set(value, layout.map((part) => {
      const own = kept.find(({ axes }) => axes[0] === part.axes[0]);
      return own === undefined ? part : { axes: part.axes, ids: Int32Array.from(own.positions, (at) => part.ids[at]!) };
    }));
    lengths.set(value, survivors.after(value));
  }
  return { atoms: flow.atoms, heads: flow.heads, layouts, lengths };
}

/**
 * Translation validation: follows the channels through the model that was rewired, from the lists with which its weights were cut. Where the same rules now meet different channels at one place, or find a value with other channels or lengths
 * than it must have, something was rewired wrongly: throws `prune/inconsistent`, which names the node, the axis and the channel.
 */
export function replay(model: Model, { atoms, heads, layouts, lengths }: Expectation, dims: DimsOf): void {
  const known = new SettledAtoms(atoms);
  const flow = new Flow(known, dims, heads, true);
  for (const [value, layout] of layouts) if (value.constant !== undefined) flow.set(value, layout);
  followGraph(model.graph, flow);
  const lost = new Set<Value>();
  for (const [value, layout] of layouts) {
    if (value.graph.owner === undefined || !isPresent(value)) continue;
    const found = flow.axes(value);
    const expected = lengths.get(value)!;
    const axis = found?.findIndex((length, at) => length !== undefined && expected[at] !== undefined && length !== expected[at]) ?? -1;
    if (axis >= 0) throw inconsistent(value.producer, `axis ${axis} of '${value.name}' has length ${found![axis]!} where ${expected[axis]!} channels stay`);
    const now = flow.layout(value);
    for (const each of layout) {
      const { axes, ids } = flow.reduced(each, value);
      // A row of which one is left is no axis of the part any more.
      const part = now.find((other) => other.axes.some((each) => axes.includes(each)));
      const place = part === undefined ? 0 : ids.findIndex((id, at) => known.differ(id, part.ids[at]));
      if (part !== undefined && place < 0 && part.ids.length === ids.length) continue;
      if (ids.every((id) => atoms.pinOf(id) !== undefined)) continue;
      // A single channel that is left is not followed where a reshape makes several places of an axis of length 1: there is nothing to confuse. Nor is what is made of it.
      if (part === undefined && (ids.every((id) => known.root(id) === known.root(ids[0]!)) || value.producer?.inputs.some((input) => input !== undefined && lost.has(input)))) {
        lost.add(value);
        continue;
      }
      throw inconsistent(value.producer, `place ${place} on axis ${axes.join(',')} of '${value.name}' holds channel ${part === undefined ? 'none' : String(known.root(part.ids[place] ?? -1))} where ${known.root(ids[place]!)} was kept`);
    }
  }
}

/** A value that the rewired model still has. */
function isPresent(value: Value): boolean {
  return value.producer === undefined ? value.uses.length > 0 : value.producer.outputs.includes(value) && (value.producer.previous !== undefined || value.producer.graph.first === value.producer);
}

/** Atoms whose channels are settled: only new atoms (of padding, say) can still be tied to others. */
class SettledAtoms extends Atoms {
  private readonly settled: Atoms;
  private readonly own: number;

  constructor(settled: Atoms) {
    super();
    this.settled = settled;
    this.fresh(settled.count);
    this.own = settled.count;
  }

  override root(atom: number): number {
    const root = super.root(atom);
    return root < this.own ? this.settled.root(root) : root;
  }

  /** What was pinned stays so: rules that ask decide as they did. */
  override pinOf(atom: number): Pin | undefined {
    const root = this.root(atom);
    return (root < this.own ? this.settled.pinOf(root) : undefined) ?? super.pinOf(root);
  }

  /** True if both are channels of before, and not the same. */
  differ(expected: number, found: number | undefined): boolean {
    if (found === undefined) return true;
    const root = this.root(found);
    return root < this.own && root !== this.root(expected) && this.settled.pinOf(root) === undefined;
  }

  override unite(a: number, b: number, node?: Node): void {
    const [one, other] = [this.root(a), this.root(b)];
    if (one === other) return;
    // What is pinned has lost nothing; it can meet others where a node of several groups has become one of a single group.
    if ([one, other].some((root) => root < this.own && this.settled.pinOf(root) !== undefined)) return;
    if (one < this.own && other < this.own) throw inconsistent(node, `channel ${one} meets channel ${other} at one place`);
    super.unite(one, other, node);
  }
}

function inconsistent(node: Node | undefined, what: string): Diagnostic {
  return new Diagnostic('prune/inconsistent', `the pruned model does not hold together${node === undefined ? '' : ` at '${node.name}' (${node.op})`}: ${what}`, {
    ...(node !== undefined && { node: node.reference }), suggestion: 'This is a defect in a relation of channels. Leave the layer out with `where`, and report it with the model.',
  });
}
