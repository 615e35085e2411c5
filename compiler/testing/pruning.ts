import { inferTypes } from '../manager.ts';
import { cloneModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { sortModel } from '../../ir/order.ts';
import { randomFrom } from '../../passes/random.ts';
import type { Runtime } from '../../passes/runtime.ts';
import { followChannels } from '../../passes/prune/channels.ts';
import { concreteDims } from '../../passes/prune/concrete.ts';
import { cut } from '../../passes/prune/cut.ts';
import type { DimsOf, HeadMode } from '../../passes/prune/flow.ts';
import { channelsOf, type Channels } from '../../passes/prune/groups.ts';
import { permuted, zeroReaders } from '../../passes/prune/oracle.ts';
import { differenceOf, feedsAt, type Difference } from '../../passes/prune/proof.ts';
import { expectationOf, replay } from '../../passes/prune/replay.ts';
import { Ragged, survivorsOf, type Survivors } from '../../passes/prune/survivors.ts';

/** A model whose channels have been followed. */
export interface Followed {
  readonly model: Model;
  readonly channels: Channels;
  readonly dims: DimsOf;
  readonly sizes: ReadonlyMap<string, number>;
}

export async function followed(model: Model, runtime: Runtime, heads: HeadMode = 'heads', sizes: ReadonlyMap<string, number> = new Map()): Promise<Followed> {
  await inferTypes(model, runtime);
  const dims = await concreteDims(model, sizes, runtime);
  return { model, dims, sizes: dims.sizes, channels: channelsOf(followChannels(model, { dims, heads })) };
}

/** Channels at random, about this share of each group; a part that must stay a box, and a value of which nothing would stay, lose none. */
export function randomRemoval({ channels: { flow, groups, boxes } }: Followed, share: number, random: () => number): Set<number> {
  const removed = new Set<number>();
  for (const { channels } of groups) for (const { root, pin } of channels) if (pin === undefined && random() < share) removed.add(root);
  const spare = (roots: Iterable<number>): void => { for (const root of roots) removed.delete(root); };
  for (const { lengths, roots } of boxes) {
    // As many of each row of the first axis as of the row that loses fewest.
    const row = roots.length / lengths[0]!;
    const rows = Array.from({ length: lengths[0]! }, (_, at) => roots.subarray(at * row, (at + 1) * row));
    const fewest = Math.min(...rows.map((own) => own.filter((root) => removed.has(root)).length));
    for (const own of rows) spare([...new Set(own)].filter((root) => removed.has(root)).slice(lengths.length > 2 ? 0 : fewest));
  }
  for (let changed = true; changed;) {
    changed = false;
    const survivors = survivorsOf(flow, removed);
    for (const [value, layout] of flow.entries()) {
      for (const { ids } of layout) {
        if (ids.length > 0 && ids.every((id) => removed.has(flow.atoms.root(id)))) {
          spare([flow.atoms.root(ids[0]!)]);
          changed = true;
        }
      }
      if (changed) break;
      try {
        survivors.kept(value);
      } catch (error) {
        if (!(error instanceof Ragged)) throw error;
        for (const { axes, ids } of layout) if (axes.length > 1) spare(Array.from(ids, (id) => flow.atoms.root(id)));
        changed = true;
        break;
      }
    }
  }
  return removed;
}

/** What a pruned or permuted model differs by from what it must equal; `exact` is false where removal has no such equal. */
export interface Outcome extends Difference {
  readonly exact: boolean;
  readonly pruned: Model;
}

/** Removes channels and holds the result against the original whose readers were silenced (oracle A). */
export async function checkRemoval(subject: Followed, removed: ReadonlySet<number>, runtime: Runtime, seed = 1): Promise<Outcome> {
  const silenced = copyOf(subject.model);
  const exact = zeroReaders(subject.channels, removed, silenced);
  const { pruned, feeds } = await rearranged(subject, survivorsOf(subject.channels.flow, removed), runtime, seed);
  return { exact, pruned, ...(exact ? await differenceOf(silenced.model, pruned, feeds, runtime) : { output: '', relative: NaN }) };
}

/** Puts the channels of every group into another order, which must change nothing (oracle C). */
export async function checkPermutation(subject: Followed, runtime: Runtime, seed = 1): Promise<Outcome> {
  const before = cloneModel(subject.model);
  const { pruned, feeds } = await rearranged(subject, permuted(subject.channels, randomFrom(seed)), runtime, seed);
  return { exact: true, pruned, ...await differenceOf(before, pruned, feeds, runtime) };
}

/** Cuts the model and proves that the channels are where they should be; the subject's own model is put back afterwards by the caller's choice of a fresh one. */
async function rearranged({ model, channels: { flow }, dims, sizes }: Followed, survivors: Survivors, runtime: Runtime, seed: number) {
  const expectation = expectationOf(flow, survivors);
  const edit = new Editor(model);
  cut(model, flow, survivors, edit);
  sortModel(model);
  await inferTypes(model, runtime);
  replay(model, expectation, await concreteDims(model, sizes, runtime));
  const feeds = feedsAt(model, dims, seed);
  if (feeds === undefined) throw new Error('no inputs can be made for the model');
  return { pruned: model, feeds };
}

function copyOf(model: Model) {
  const nodes = new Map<Node, Node>();
  const values = new Map<Value, Value | undefined>();
  return { model: cloneModel(model, { nodes, values }), nodes, values };
}
