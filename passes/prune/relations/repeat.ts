import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Layout, Part } from '../layout.ts';
import type { Relation, Relations, Rewire } from '../relation.ts';
import { entriesOf, numberOf, rewrite, settle, type Entry, type AxesOf } from './lengths.ts';

/** The atoms of an axis along which one element is repeated as often as an entry says: those of the axis whose length is read, or new ones, which go only with what they are combined with. */
function repeated(flow: Flow, axis: number, length: number | undefined, entry: Entry): Layout {
  if (entry === undefined || length === undefined || length < 2) return [];
  if ('number' in entry) return [{ axes: [axis], ids: flow.fresh(length) }];
  const part = flow.part(entry.of, entry.axis);
  return part?.axes.length === 1 ? [{ axes: [axis], ids: part.ids }] : [];
}

/** Axes of length 1 are repeated, the others stand at the right as they are, whatever the shape says of them. */
const expand: Relation = {
  relate(node, flow) {
    const [x, shape] = node.inputs;
    const [y] = node.outputs;
    const [own, rank] = [flow.rank(x), flow.rank(y)];
    if (x === undefined || y === undefined) return;
    const entries = entriesOf(shape, (value) => flow.axes(value));
    if (own === undefined || rank === undefined || entries === undefined) {
      flow.rigidAll(x, 'is expanded to a shape that only running the model tells');
      return;
    }
    const entryOf = (axis: number): Entry => entries[axis - rank + entries.length];
    const layout: Part[] = flow.layout(x).map(({ axes, ids }) => ({ axes: axes.map((axis) => axis + rank - own), ids }));
    for (let axis = 0; axis < rank; axis++) {
      const from = axis - rank + own;
      if (from < 0 || flow.length(x, from) === 1) layout.push(...repeated(flow, axis, flow.length(y, axis), entryOf(axis)));
    }
    flow.set(y, layout);
    for (let axis = Math.max(0, rank - entries.length); axis < rank; axis++) {
      tie(flow, y, axis, entryOf(axis));
      settle(flow, y, axis, entryOf(axis));
    }
  },
  rewire: writeLengths(1),
};

/** Where an axis is expanded to the length of another one that it has already, the two shrink as one. */
function tie(flow: Flow, y: Value, axis: number, entry: Entry): void {
  if (entry === undefined || 'number' in entry) return;
  const [part, other] = [flow.part(y, axis), flow.part(entry.of, entry.axis)];
  if (part?.axes.length === 1 && other?.axes.length === 1 && part.ids.length === other.ids.length) flow.unite(part.ids, other.ids);
}

/** A constant of one number; its shape is all there is to it. */
const constantOfShape: Relation = {
  relate(node, flow) {
    const [shape] = node.inputs;
    const [y] = node.outputs;
    const entries = entriesOf(shape, (value) => flow.axes(value));
    if (y === undefined || entries === undefined) return;
    flow.set(y, entries.flatMap((entry, axis) => repeated(flow, axis, flow.length(y, axis), entry)));
    entries.forEach((entry, axis) => { settle(flow, y, axis, entry); });
  },
  rewire: writeLengths(0),
};

/** Writes the new lengths of the output into a list that is aligned with it at the right; 1 leaves an axis as it is. */
function writeLengths(input: number): Rewire {
  return (node, survivors, edit) => {
    const [y] = node.outputs;
    if (y === undefined) return;
    const axesOf: AxesOf = (value) => survivors.before(value);
    const [before, after] = [survivors.before(y), survivors.after(y)];
    const entries = entriesOf(node.inputs[input], axesOf);
    const shift = after.length - (entries?.length ?? 0);
    const wanted = entries?.map((entry, at) => {
      const number = numberOf(entry);
      return number === undefined || number === 1 || before[at + shift] === after[at + shift] ? undefined : after[at + shift];
    });
    if (wanted !== undefined) rewrite(node, input, wanted, edit, axesOf);
  };
}

/** The channels stand on the axis again and again. An axis of length 1 is as long as its factor. */
const tile: Relation = {
  relate(node, flow) {
    const [x, repeats] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined) return;
    const rank = flow.rank(x);
    const [before, after] = [flow.axes(x), flow.axes(y)];
    if (rank === undefined || after === undefined) {
      flow.rigidAll(x, 'is repeated as often as only running the model tells');
      return;
    }
    for (const { axes } of flow.layout(x)) for (const axis of axes) if (after[axis] === undefined) flow.rigid(x, axis, 'is repeated as often as only running the model tells');
    const layout: Part[] = flow.layout(x).filter(({ axes }) => axes.every((axis) => after[axis] !== undefined))
      .map((part) => ({ axes: part.axes, ids: tiled(part.ids, part.axes.map((axis) => before![axis]!), part.axes.map((axis) => after[axis]!)) }));
    const entries = entriesOf(repeats, (value) => flow.axes(value));
    for (let axis = 0; axis < rank; axis++) {
      const entry = entries?.[axis];
      if (before![axis] === 1 && numberOf(entry) !== undefined) layout.push(...repeated(flow, axis, after[axis], entry));
    }
    flow.set(y, layout);
  },
  rewire(node, survivors, edit) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined) return;
    const axesOf: AxesOf = (value) => survivors.before(value);
    const [source, before, after] = [survivors.before(x), survivors.before(y), survivors.after(y)];
    rewrite(node, 1, before.map((length, axis) => (source[axis] === 1 && length !== after[axis] ? after[axis] : undefined)), edit, axesOf);
  },
};

/** A row-major array repeated along its axes up to longer lengths. */
function tiled(items: Int32Array, lengths: readonly number[], longer: readonly number[]): Int32Array {
  const result = new Int32Array(longer.reduce((total, length) => total * length, 1));
  for (let at = 0; at < result.length; at++) {
    let [rest, from, stride] = [at, 0, 1];
    for (let axis = lengths.length - 1; axis >= 0; axis--) {
      from += (rest % longer[axis]! % lengths[axis]!) * stride;
      rest = Math.floor(rest / longer[axis]!);
      stride *= lengths[axis]!;
    }
    result[at] = items[from]!;
  }
  return result;
}

export const repeats: Relations = { Expand: expand, Tile: tile, ConstantOfShape: constantOfShape };
