import { isFloat } from '../../ir/dtype.ts';
import type { Model } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Feeds, Runtime } from '../../passes/runtime.ts';
import { difference } from './compare.ts';
import { evaluateInFloat64 } from './float64.ts';

/** What two models made of the same inputs, outputs by name: that of the model itself, and that of what a pass made of it. */
export interface Contest {
  readonly model: Model;
  readonly feeds: Feeds;
  readonly before: ReadonlyMap<string, Tensor>;
  readonly after: ReadonlyMap<string, Tensor>;
}

/**
 * What is wrong with outputs after a pass that takes sums in another order; undefined if nothing is. Within `tolerance` of the largest output before they are
 * right. Where they are not, the model is evaluated in float64: each output must then be within `tolerance` of that, or no farther from it than the one before.
 */
export async function judge({ model, feeds, before, after }: Contest, tolerance: number, runtime: Runtime): Promise<string | undefined> {
  const differences = [...before].flatMap(([name, tensor]) => {
    const found = after.get(name);
    const what = found === undefined ? 'is missing' : difference(tensor, found, tolerance);
    return what === undefined ? [] : [{ name, what, comparable: found?.shape.join() === tensor.shape.join() && isFloat(found.dtype) && found.dtype === tensor.dtype }];
  });
  if (differences.length === 0) return undefined;
  const hopeless = differences.find(({ comparable }) => !comparable);
  if (hopeless !== undefined) return `'${hopeless.name}' ${hopeless.what}`;
  const truth = await evaluateInFloat64(model, feeds, runtime);
  for (const { name, what } of differences) {
    if (typeof truth === 'string') return `'${name}' ${what}; it cannot be judged in float64: ${truth}`;
    const [first, second] = [before, after].map((outputs) => distance(truth.get(name)!, outputs.get(name)!)) as [number, number];
    if (second > Math.max(first, tolerance)) return `'${name}' ${what}; it is ${second} of the largest output away from the result in float64, the one before ${first}`;
  }
  return undefined;
}

/** The largest distance of two tensors, as a share of the largest magnitude in the first. NaN and infinities must be in the same places, else it is infinite. */
export function distance(truth: Tensor, found: Tensor): number {
  const [wanted, actual] = [truth.floats(), found.floats()];
  let [largest, farthest] = [0, 0];
  for (let at = 0; at < wanted.length; at++) {
    const [x, y] = [wanted[at]!, actual[at]!];
    if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
    if (Object.is(x, y) || x === y) continue;
    const apart = Math.abs(x - y);
    farthest = Math.max(farthest, Number.isNaN(apart) ? Infinity : apart);
  }
  return farthest === 0 ? 0 : farthest / largest;
}
