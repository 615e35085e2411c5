import type { Editor } from '../../../ir/edit.ts';
import type { Node, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { axisOf, listOf, numbersOf } from '../../fold/operands.ts';
import { cutTensor } from '../cut.ts';
import type { Layout } from '../layout.ts';
import type { Relation, Relations } from '../relation.ts';
import type { Survivors } from '../survivors.ts';
import { axisAttribute, listEntries, numberOf, rewriteList, type AxesOf } from './lengths.ts';
import { isWeight } from './matrix.ts';

/** One axis that a Slice cuts: entry `at` of its lists. A bound is undefined where only running the model tells. */
interface Cut {
  readonly axis: number;
  readonly at: number;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly step: number | undefined;
}

/** What is written into entry `at` of the lists of a Slice. */
interface Bounds {
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Beyond every axis, and at home in int32. */
const toTheEnd = 2 ** 31 - 1;

/** The axes that a Slice names; undefined if they cannot be told. */
function cutsOf(node: Node, rank: number, axesOf: AxesOf): Cut[] | undefined {
  const list = (input: number, name: string): readonly (number | undefined)[] | undefined => listEntries(node, input, name, axesOf)?.map(numberOf);
  const [starts, ends, steps] = [list(1, 'starts'), list(2, 'ends'), list(4, 'steps')];
  const axes = listOf(node, 3, 'axes', null);
  if (axes === undefined) return undefined;
  const count = axes?.length ?? starts?.length ?? ends?.length;
  if (count === undefined) return undefined;
  return Array.from({ length: count }, (_, at) => ({ at, axis: axisOf(axes?.[at] ?? at, rank)!, start: starts?.[at], end: ends?.[at], step: node.inputs[4] === undefined ? 1 : steps?.[at] }));
}

/** The positions that a Slice takes from an axis, in their order; undefined if its bounds are not known. */
function taken({ start, end, step }: Cut, length: number): number[] | undefined {
  if (start === undefined || end === undefined || step === undefined) return undefined;
  const [from, to] = [start, end].map((bound) => (bound < 0 ? bound + length : bound)) as [number, number];
  const clamp = (bound: number, low: number, high: number): number => Math.min(Math.max(bound, low), high);
  const positions: number[] = [];
  if (step > 0) for (let at = clamp(from, 0, length); at < clamp(to, 0, length); at += step) positions.push(at);
  else for (let at = clamp(from, 0, length - 1); at > clamp(to, -1, length - 1); at += step) positions.push(at);
  return positions;
}

const isWhole = (positions: readonly number[], length: number): boolean => positions.length === length && positions.every((position, at) => position === at);

/** What is cut off is free. The bounds are written anew; where what is wanted does not stand at equal distances any more, a Gather takes it. */
const slice: Relation = {
  relate(node, flow) {
    const [x] = node.inputs;
    const rank = flow.rank(x);
    if (x === undefined || rank === undefined) return;
    const cuts = cutsOf(node, rank, (value) => flow.axes(value));
    if (cuts === undefined) {
      flow.rigidAll(x, 'is cut along axes that only running the model tells');
      return;
    }
    const positions = new Map<number, readonly number[] | undefined>();
    for (const each of cuts) {
      const length = flow.length(x, each.axis);
      const own = length === undefined ? undefined : taken(each, length);
      if (own !== undefined && isWhole(own, length!)) continue;
      if (own === undefined) flow.rigid(x, each.axis, 'is cut at places that only running the model tells');
      else flow.separate(x, each.axis);
      positions.set(each.axis, own);
    }
    flow.set(node.outputs[0], flow.layout(x).flatMap(({ axes, ids }) => {
      const cut = axes.find((axis) => positions.has(axis));
      if (cut === undefined) return [{ axes, ids }];
      const own = positions.get(cut);
      return own === undefined ? [] : [{ axes, ids: Int32Array.from(own, (position) => ids[position]!) }];
    }));
  },
  rewire(node, survivors, edit) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (x === undefined || y === undefined) return;
    const before = survivors.before(x);
    const axesOf: AxesOf = (value) => survivors.before(value);
    const cuts = cutsOf(node, before.length, axesOf) ?? [];
    let data = x;
    let gathers = 0;
    const bounds: Bounds[] = [];
    for (const each of cuts) {
      const { axis, at } = each;
      const length = before[axis];
      const old = length === undefined ? undefined : taken(each, length);
      const wanted = old === undefined || isWhole(old, length!) ? undefined : moved(old, x, y, axis, survivors);
      if (wanted === undefined || sameList(taken(each, survivors.after(x)[axis]!)!, wanted)) continue;
      if (wanted.length === 0) {
        bounds.push({ at, start: 0, end: 0, step: each.step! });
        continue;
      }
      const step = distance(wanted);
      if (step !== undefined && (step === each.step || node.inputs.length > 1)) {
        // One before the first position is written as one that is too far below the last.
        const end = wanted.at(-1)! + Math.sign(step);
        bounds.push({ at, start: wanted[0]!, end: end < 0 ? -survivors.after(x)[axis]! - 1 : end, step });
      } else {
        const indices = edit.constant(node.graph, Tensor.of('int64', wanted), `${node.name}_positions`);
        data = edit.insert({ op: 'Gather', inputs: [data, indices], attributes: { axis }, name: `${node.name}_gather`, from: [node] }, { before: node }).output;
        bounds.push({ at, start: 0, end: toTheEnd, step: 1 });
        gathers++;
      }
    }
    if (gathers === cuts.length && gathers > 0) {
      edit.replaceUses(y, data);
      edit.remove(node);
      return;
    }
    edit.setInput(node, 0, data);
    if (bounds.length > 0) writeBounds(node, bounds, edit, axesOf);
  },
};

/** Where what `y` has of an axis of `x` (`old` holds the positions before) stands afterwards; undefined if nothing moves. */
function moved(old: readonly number[], x: Value, y: Value, axis: number, survivors: Survivors): number[] | undefined {
  const kept = survivors.positions(x, axis);
  if (kept === undefined) return undefined;
  const now = new Map(Array.from(kept, (position, at) => [position, at]));
  const places = survivors.positions(y, axis) ?? old.keys();
  return Array.from(places, (place) => now.get(old[place]!)!);
}

/** The distance between neighbours, if it is the same for all and not 0. */
function distance(positions: readonly number[]): number | undefined {
  const step = positions.length < 2 ? 1 : positions[1]! - positions[0]!;
  return step !== 0 && positions.every((position, at) => position === positions[0]! + at * step) ? step : undefined;
}

const sameList = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((item, at) => item === b[at]);

function writeBounds(node: Node, bounds: readonly Bounds[], edit: Editor, axesOf: AxesOf): void {
  const lists = { start: [] as number[], end: [] as number[], step: [] as number[] };
  for (const { at, ...bound } of bounds) for (const name of ['start', 'end', 'step'] as const) lists[name][at] = bound[name];
  if (node.inputs[4] === undefined && bounds.some(({ step }) => step !== 1)) {
    const count = listEntries(node, 1, 'starts', axesOf)!.length;
    edit.setInput(node, 4, edit.constant(node.graph, Tensor.of('int64', Array.from({ length: count }, (_, at) => lists.step[at] ?? 1)), `${node.name}_steps`));
  } else if (node.inputs[4] !== undefined) rewriteList(node, 4, 'steps', Array.from(lists.step), edit, axesOf);
  rewriteList(node, 1, 'starts', Array.from(lists.start), edit, axesOf);
  rewriteList(node, 2, 'ends', Array.from(lists.end), edit, axesOf);
}

/** Constant indices pick channels, also one several times, or a single one, with which the axis is gone. At indices that the model computes the axis stays; a table that is read so makes channels on its other axes. */
const gather: Relation = {
  relate(node, flow) {
    const [x, indices] = node.inputs;
    const rank = flow.rank(x);
    if (x === undefined || indices === undefined || rank === undefined) return;
    const axis = axisAttribute(node, rank, 0);
    const positions = indices.constant?.ints();
    const length = flow.length(x, axis);
    let own: Int32Array | undefined;
    if (positions === undefined || length === undefined) flow.rigid(x, axis, 'is read at places that only running the model tells');
    else own = flow.separate(x, axis);
    const more = flow.rank(indices);
    if (more === undefined) {
      for (const value of [x, indices]) flow.rigidAll(value, 'is read at indices of unknown shape');
      return;
    }
    const others = flow.layout(x).filter(({ axes }) => !axes.includes(axis));
    if (isWeight(x)) for (const { axes, ids } of others) if (axes.length === 1) flow.member('producer', x, axes[0]!, ids);
    const layout: Layout[number][] = others.map(({ axes, ids }) => ({ axes: axes.map((each) => (each < axis ? each : each + more - 1)), ids }));
    if (indices.constant === undefined) for (const { axes, ids } of flow.layout(indices)) layout.push({ axes: axes.map((each) => each + axis), ids });
    const picked = own && Int32Array.from(positions!, (index) => own[index < 0 ? index + length! : index]!);
    if (picked !== undefined && more > 0) layout.push({ axes: Array.from({ length: more }, (_, each) => axis + each), ids: picked });
    else if (picked !== undefined) flow.pin(picked, 'is picked by itself', x, axis);
    flow.set(node.outputs[0], layout);
  },
  rewire(node, survivors, edit) {
    const [x, indices] = node.inputs;
    const [y] = node.outputs;
    const tensor = indices?.constant;
    if (x === undefined || y === undefined || tensor === undefined) return;
    const axis = axisAttribute(node, survivors.before(x).length, 0);
    const kept = survivors.positions(x, axis);
    if (kept === undefined) return;
    const length = survivors.before(x)[axis]!;
    const now = new Map(Array.from(kept, (position, at) => [position, at]));
    const parts = survivors.kept(y).filter(({ axes }) => axes.every((each) => each >= axis && each < axis + tensor.shape.length));
    const left = cutTensor(tensor, parts.map((part) => ({ ...part, axes: part.axes.map((each) => each - axis) })));
    const moved = left.ints().map((index) => now.get(index < 0 ? index + length : index)!);
    edit.setInput(node, 1, edit.constant(node.graph, Tensor.of(tensor.dtype, moved, left.shape), indices!.name));
  },
};

/** A constant condition picks channels; what it is too short for goes as well. */
const compress: Relation = {
  relate(node, flow) {
    const [x, condition] = node.inputs;
    const rank = flow.rank(x);
    if (x === undefined || rank === undefined) return;
    if (!node.attributes.has('axis')) {
      flow.rigidAll(x, 'is flattened before it is picked from');
      return;
    }
    const axis = axisAttribute(node, rank, 0);
    const flags = numbersOf(condition);
    if (flags === undefined) flow.rigid(x, axis, 'is picked from at places that only running the model tells');
    const own = flags === undefined ? undefined : flow.separate(x, axis);
    const layout = flow.layout(x).filter(({ axes }) => !axes.includes(axis));
    flow.set(node.outputs[0], own === undefined ? layout : [...layout, { axes: [axis], ids: own.filter((_, at) => (flags![at] ?? 0) !== 0) }]);
  },
  rewire(node, survivors, edit) {
    const [x, condition] = node.inputs;
    const flags = numbersOf(condition);
    if (x === undefined || flags === undefined || !node.attributes.has('axis')) return;
    const kept = survivors.positions(x, axisAttribute(node, survivors.before(x).length, 0));
    if (kept !== undefined) edit.setInput(node, 1, edit.constant(node.graph, Tensor.of('bool', Array.from(kept, (position) => flags[position] ?? 0)), condition!.name));
  },
};

export const picks: Relations = { Slice: slice, Gather: gather, Compress: compress };
