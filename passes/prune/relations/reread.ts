import { sizeOf } from '../../../ir/tensor.ts';
import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import { stridesOf, type Layout, type Part } from '../layout.ts';

/** Elements of the largest array of atoms that is made for axes that a reshape mixes. */
const largest = 1 << 22;

/** Axes of the input and of the output that hold the same elements in the same order, apart from all others. */
interface Segment {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * The same elements, read row by row with other lengths. Both shapes are cut into the smallest segments that hold as many elements; what shrinks in a segment is written out for each of its elements and read with the output's lengths.
 * Of several axes that shrink by themselves and come into one segment, the outermost does so on; the others stay.
 */
export function reread(flow: Flow, x: Value, y: Value): Layout {
  if (flow.layout(x).length === 0) return [];
  const [before, after] = [flow.shape(x), flow.shape(y)];
  if (before === undefined || after === undefined || sizeOf(before) !== sizeOf(after) || sizeOf(before) === 0) {
    flow.rigidAll(x, 'is reshaped to lengths that are not known');
    return [];
  }
  return blocksOf(segmentsOf(before, after), flow.layout(x)).flatMap(({ from, to, parts }) => {
    const part = parts.find(({ ids }) => ids.some((id) => flow.atoms.pinOf(id) === undefined)) ?? parts[0]!;
    for (const other of parts) if (other !== part) flow.pin(other.ids, 'is merged by a reshape with others that can shrink', x, other.axes[0]);
    if (from.length === 1 && to.length === 1) return [{ axes: to, ids: part.ids }];
    const lengths = from.map((axis) => before[axis]!);
    if (sizeOf(lengths) <= largest) return [{ axes: to, ids: spread(part, from, lengths) }];
    flow.pin(part.ids, 'is mixed by a reshape with too many other elements', x, part.axes[0]);
    return [];
  });
}

/** One part under other lengths, without the axes along which nothing changes. Lengths must hold as many elements. */
export function readAs(part: Part, before: readonly number[], after: readonly number[]): Part {
  const { from, to } = blocksOf(segmentsOf(before, after), [part])[0]!;
  return varying({ axes: to, ids: spread(part, from, from.map((axis) => before[axis]!)) }, after);
}

/** Without the axes along which all atoms are the same. */
function varying({ axes, ids }: Part, shape: readonly number[]): Part {
  const lengths = axes.map((axis) => shape[axis]!);
  const strides = stridesOf(lengths);
  const kept = axes.filter((_, at) => ids.some((id, place) => id !== ids[place - (Math.floor(place / strides[at]!) % lengths[at]!) * strides[at]!]));
  const isFirst = (place: number): boolean => axes.every((axis, at) => kept.includes(axis) || Math.floor(place / strides[at]!) % lengths[at]! === 0);
  return { axes: kept, ids: ids.filter((_, place) => isFirst(place)) };
}

/** Axes of length 1 belong nowhere. */
function segmentsOf(before: readonly number[], after: readonly number[]): Segment[] {
  const [left, right] = [before, after].map((shape) => [...shape.keys()].filter((axis) => shape[axis] !== 1)) as [number[], number[]];
  const segments: Segment[] = [];
  while (left.length > 0) {
    const [from, to] = [[left.shift()!], [right.shift()!]];
    let [own, other] = [before[from[0]!]!, after[to[0]!]!];
    while (own !== other) {
      if (own < other) {
        from.push(left.shift()!);
        own *= before[from.at(-1)!]!;
      } else {
        to.push(right.shift()!);
        other *= after[to.at(-1)!]!;
      }
    }
    segments.push({ from, to });
  }
  return segments;
}

/** Segments that a part of several axes links are one block; those in which nothing shrinks are left out. */
function blocksOf(segments: readonly Segment[], layout: Layout): (Segment & { readonly parts: readonly Part[] })[] {
  let blocks: { segments: Segment[]; parts: Part[] }[] = segments.map((segment) => ({ segments: [segment], parts: [] }));
  for (const part of layout) {
    const touches = ({ segments: own }: { readonly segments: readonly Segment[] }): boolean => own.some(({ from }) => from.some((axis) => part.axes.includes(axis)));
    const met = blocks.filter(touches);
    const one = { segments: met.flatMap(({ segments: own }) => own), parts: [...met.flatMap(({ parts }) => parts), part] };
    blocks = [...blocks.filter((block) => !met.includes(block)), one];
  }
  const ascending = (a: number, b: number): number => a - b;
  return blocks.filter(({ segments: own, parts }) => own.length > 0 && parts.length > 0).map(({ segments: own, parts }) => ({
    from: own.flatMap(({ from }) => from).sort(ascending), to: own.flatMap(({ to }) => to).sort(ascending),
    parts: parts.sort((a, b) => a.axes[0]! - b.axes[0]!),
  }));
}

/** The atoms of a part, written out over more axes: the same all along those that are not its own. */
function spread({ axes, ids }: Part, over: readonly number[], lengths: readonly number[]): Int32Array {
  const strides = stridesOf(axes.map((axis) => lengths[over.indexOf(axis)]!));
  const steps = over.map((axis) => strides[axes.indexOf(axis)] ?? 0);
  const result = new Int32Array(sizeOf(lengths));
  const place = lengths.map(() => 0);
  for (let at = 0, from = 0; at < result.length; at++) {
    result[at] = ids[from]!;
    for (let axis = place.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++place[axis]! < lengths[axis]!) break;
      from -= lengths[axis]! * steps[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}
