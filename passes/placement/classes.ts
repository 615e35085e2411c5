import type { Value } from '../../ir/model.ts';
import { dataOf, passes } from './flow.ts';
import type { KernelContext } from './kernels.ts';
import type { Demands } from './pairs.ts';
import type { PlacementOptions, ScaleClass } from './placement.ts';
import { hasUnitRange, roleOf } from './roles.ts';

/** The classes, and which one each pair belongs to. */
export interface Classes {
  readonly classes: readonly ScaleClass[];
  readonly indexOf: (value: Value) => number;
}

/** Joins pairs that must have one scale: on both sides of copies, and, where the target asks for it, around Concat. */
export function classesOf(demands: Demands, context: KernelContext): Classes {
  const { view, facts, options } = context;
  const parents = new Map<Value, Value>();
  const find = (value: Value): Value => {
    let root = value;
    for (let up = parents.get(root); up !== undefined; up = parents.get(root)) root = up;
    for (let at = value; at !== root;) {
      const up = parents.get(at)!;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  /** The root is the member that comes first, whatever the order of joining. */
  const join = (a: Value, b: Value): void => {
    const [x, y] = [find(a), find(b)];
    if (x === y) return;
    if (view.place(x) < view.place(y)) parents.set(y, x);
    else parents.set(x, y);
  };
  /** The pair whose codes a value carries, looked for through copies. */
  const origins = new Map<Value, Value>();
  const originOf = (value: Value): Value | undefined => (demands.has(value) ? value : origins.get(value));
  const copied = new Set<Value>();
  const shares = options.concat === 'always' || (options.concat === 'auto' && facts.concat === 'one-scale');
  for (const node of view.order) {
    if (!passes(node, context)) continue;
    const copy = roleOf(node) === 'copy';
    const before = dataOf(node, context).map(originOf).filter((value) => value !== undefined);
    for (const output of node.outputs) {
      if (output === undefined) continue;
      if (copy && before[0] !== undefined) {
        if (!demands.has(output)) origins.set(output, before[0]);
        else {
          join(output, before[0]);
          copied.add(output);
        }
      } else if (!copy && shares && demands.has(output)) {
        for (const value of before) if (options.concat === 'always' || !isMuchNarrower(value, output, options)) join(value, output);
      }
    }
  }
  const groups = new Map<Value, Value[]>();
  for (const value of demands.keys()) {
    const root = find(value);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [value]);
    else group.push(value);
  }
  const roots = [...groups.keys()];
  const indices = new Map(roots.map((root, index) => [root, index]));
  const classes = roots.map((root): ScaleClass => {
    const observe = groups.get(root)!.filter((value) => !copied.has(value));
    return observe.every(isUnit) ? { observe, fixed: { min: 0, max: 1 } } : { observe };
  });
  return { classes, indexOf: (value) => indices.get(find(value))! };
}

/** True if sharing a scale would cost the value more than two of its eight bits, where a requantization costs one cheap kernel. */
function isMuchNarrower(value: Value, output: Value, { magnitude }: PlacementOptions): boolean {
  const [narrow, wide] = [magnitude?.(value), magnitude?.(output)];
  return narrow !== undefined && wide !== undefined && narrow > 0 && wide > 4 * narrow;
}

/** True if the value lies in [0, 1] whatever the sample. */
function isUnit(value: Value): boolean {
  let at: Value | undefined = value;
  for (let steps = 0; at?.producer !== undefined && steps < 16; steps++) {
    if (hasUnitRange(at.producer)) return true;
    if (roleOf(at.producer) !== 'copy') return false;
    at = at.producer.inputs[0];
  }
  return false;
}
