import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import { partOn, renumbered, type Layout, type Part } from '../layout.ts';

/** One operand: its axes under the numbers of the output's axes; an axis that maps to undefined is not broadcast (it is summed over). */
export interface Operand {
  readonly value: Value;
  readonly axisOf: (axis: number) => number | undefined;
}

/** Operands aligned at the right, as ONNX broadcasts. */
export function rightAligned(flow: Flow, values: readonly (Value | undefined)[], rank: number): Operand[] {
  return values.flatMap((value) => {
    const own = flow.rank(value);
    if (own === undefined) flow.rigidAll(value, 'is combined with something else, but its shape is not known');
    return value === undefined || own === undefined ? [] : [{ value, axisOf: (axis) => axis + rank - own }];
  });
}

/**
 * The layout of what operands become when they are combined place by place: channels at the same place are one channel. An operand of length 1 on an axis has no say there; one that
 * varies along an axis and cannot shrink keeps it for all. Constants that are free take the layout of the others, as far as they vary along it.
 */
export function broadcast(flow: Flow, operands: readonly Operand[]): Layout {
  const views = operands.map((operand) => new View(flow, operand));
  for (const view of views) if (view.isFree) view.adopt(views.filter((other) => other !== view && !other.isFree));
  while (views.some((view) => views.some((other) => view !== other && view.yieldTo(other))));
  const found: Part[] = [];
  for (const view of views) {
    for (const part of view.layout()) {
      const known = partOn(found, part.axes[0]!);
      if (known === undefined) found.push(part);
      else flow.unite(known.ids, part.ids);
    }
  }
  return found;
}

/** An operand seen on the axes of the output. */
class View {
  private readonly flow: Flow;
  private readonly value: Value;
  /** The operand's axis for each of the output's axes along which it varies, or on which a single channel is followed. */
  private readonly own = new Map<number, number>();

  constructor(flow: Flow, { value, axisOf }: Operand) {
    this.flow = flow;
    this.value = value;
    if (flow.axes(value) === undefined) flow.rigidAll(value, 'is combined with something else, but its shape is not known');
    for (const [axis, length] of (flow.axes(value) ?? []).entries()) {
      const to = axisOf(axis);
      if (to !== undefined && (length !== 1 || (!flow.isFree(value) && flow.part(value, axis) !== undefined))) this.own.set(to, axis);
    }
  }

  get isFree(): boolean {
    return this.flow.isFree(this.value);
  }

  layout(): Layout {
    const to = new Map(Array.from(this.own, ([output, axis]) => [axis, output]));
    const parts = this.flow.layout(this.value).filter(({ axes }) => axes.every((axis) => to.has(axis)));
    return renumbered(parts, (axis) => to.get(axis)!, (axis) => this.flow.length(this.value, axis)!);
  }

  /** Takes the parts of others along whose axes this constant varies; along the others' axes on which nothing can shrink it stays, along those that it alone has it begins new atoms. */
  adopt(others: readonly View[]): void {
    const layout: Part[] = [];
    const taken = new Set<number>();
    for (const part of others.flatMap((other) => other.layout())) {
      const axes = part.axes.filter((axis) => this.own.has(axis) && !taken.has(axis));
      for (const axis of axes) taken.add(axis);
      if (axes.length === part.axes.length) layout.push(part);
      else if (axes.length > 0) layout.push({ axes, ids: this.flow.fresh(axes.reduce((total, axis) => total * this.lengthOf(axis), 1)) });
    }
    for (const axis of this.own.keys()) {
      if (taken.has(axis) || others.some((other) => other.own.has(axis))) continue;
      layout.push({ axes: [axis], ids: this.flow.fresh(this.lengthOf(axis)) });
    }
    this.flow.set(this.value, renumbered(layout, (axis) => this.own.get(axis)!, (axis) => this.lengthOf(axis)));
  }

  /** Gives up what does not fit the other operand; true if something changed. */
  yieldTo(other: View): boolean {
    for (const part of this.layout()) {
      for (const axis of part.axes) {
        if (!other.own.has(axis)) {
          if (part.axes.length > 1 && part.axes.some((shared) => other.own.has(shared))) return this.rigid(axis, part);
          continue;
        }
        const theirs = partOn(other.layout(), axis);
        if (theirs === undefined) {
          if (this.isPinned(part)) continue;
          return this.rigid(axis, part);
        }
        if (part.axes.some((each) => !theirs.axes.includes(each) && other.own.has(each))) return this.rigid(part.axes.find((each) => !theirs.axes.includes(each) && other.own.has(each))!, part);
      }
    }
    return false;
  }

  private rigid(axis: number, part: Part): boolean {
    if (part.axes.length === 1 && this.isPinned(part)) return false;
    this.flow.rigid(this.value, this.own.get(axis)!, 'is combined with something that cannot shrink');
    return true;
  }

  private isPinned({ ids }: Part): boolean {
    return ids.every((id) => this.flow.atoms.pinOf(id) !== undefined);
  }

  private lengthOf(axis: number): number {
    return this.flow.length(this.value, this.own.get(axis)!)!;
  }
}
