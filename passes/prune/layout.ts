/**
 * Axes of one value that shrink together. Most parts have one axis: `ids` then holds the atom of each index on it. Where a reshape has split an axis
 * that can shrink (channels into groups × channels, features into heads × features), the part has several axes, and `ids` holds the atom of each
 * place on them, row by row in the order of `axes`. A part must stay a box: what is removed of it must leave whole rows and columns.
 */
export interface Part {
  /** In ascending order. */
  readonly axes: readonly number[];
  readonly ids: Int32Array;
}

/** What of a value can shrink: parts with no axis in common. An axis in no part stays as long as it is. */
export type Layout = readonly Part[];

/** The part that an axis belongs to, if it can shrink. */
export function partOn(layout: Layout, axis: number): Part | undefined {
  return layout.find(({ axes }) => axes.includes(axis));
}

/** The same parts under other numbers of axes (`to[axis]`), each put into ascending order. */
export function renumbered(layout: Layout, to: (axis: number) => number, lengthOf: (axis: number) => number): Layout {
  return layout.map(({ axes, ids }) => {
    const moved = axes.map(to);
    const order = moved.map((_, at) => at).sort((a, b) => moved[a]! - moved[b]!);
    const sorted = order.map((at) => moved[at]!);
    if (order.every((at, index) => at === index)) return { axes: sorted, ids };
    return { axes: sorted, ids: transposed(ids, axes.map(lengthOf), order) };
  });
}

/** A row-major array with its axes in another order: axis `i` of the result is axis `order[i]` of `items`. */
export function transposed(items: Int32Array, lengths: readonly number[], order: readonly number[]): Int32Array {
  const strides = stridesOf(lengths);
  const moved = order.map((axis) => lengths[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const result = new Int32Array(items.length);
  const place = moved.map(() => 0);
  for (let at = 0, from = 0; at < result.length; at++) {
    result[at] = items[from]!;
    for (let axis = moved.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++place[axis]! < moved[axis]!) break;
      from -= moved[axis]! * steps[axis]!;
      place[axis] = 0;
    }
  }
  return result;
}

/** Distance between neighbours along each axis of a row-major array. */
export function stridesOf(lengths: readonly number[]): number[] {
  const strides = lengths.map(() => 1);
  for (let axis = lengths.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * lengths[axis + 1]!;
  return strides;
}
