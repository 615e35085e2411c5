import { isFloat } from '../../ir/dtype.ts';
import type { Model, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { randomFrom } from '../random.ts';
import type { Feeds, Runtime } from '../runtime.ts';
import type { DimsOf } from './flow.ts';

/** The output of two models that differs most. */
export interface Difference {
  readonly output: string;
  /** Largest absolute difference, as a share of the largest number of the output. Infinity where shapes or which numbers are finite differ. */
  readonly relative: number;
}

/** Numbers for every input, seeded: floats from −1 to 1, integers 0 and 1, at the lengths at which the channels were followed. Undefined if an input is no tensor of a known shape. */
export function feedsAt(model: Model, dims: DimsOf, seed = 1): Feeds | undefined {
  const random = randomFrom(seed);
  const feeds = new Map<string, Tensor>();
  for (const input of model.graph.inputs) {
    if (input.tensor !== undefined) continue;
    const shape = dims(input);
    const dtype = dtypeOfType(input.type);
    if (dtype === undefined || dtype === 'string' || shape === undefined || !shape.every((dim): dim is number => dim !== undefined)) return undefined;
    const numbers = Float64Array.from({ length: sizeOf(shape) }, () => (isFloat(dtype) ? 2 * random() - 1 : Math.floor(2 * random())));
    feeds.set(input.name, isFloat(dtype) ? Tensor.of(dtype, Float32Array.from(numbers), shape) : Tensor.of(dtype, Array.from(numbers), shape));
  }
  return feeds;
}

/** Runs both models on the same inputs and compares what they give, and other values of the same label if asked. */
export async function differenceOf(expected: Model, found: Model, feeds: Feeds, runtime: Pick<Runtime, 'open'>, inner: readonly (readonly [Value, Value])[] = []): Promise<Difference> {
  const [a, b] = [await outputsOf(expected, feeds, runtime, inner.map(([value]) => value)), await outputsOf(found, feeds, runtime, inner.map(([, value]) => value))];
  let worst: Difference = { output: '', relative: 0 };
  for (const [name, tensor] of a) {
    const relative = apart(tensor, b.get(name));
    if (relative > worst.relative) worst = { output: name, relative };
  }
  return worst;
}

function apart(expected: Tensor, found: Tensor | undefined): number {
  if (found === undefined || expected.shape.join() !== found.shape.join()) return Infinity;
  if (expected.dtype === 'string') return expected.strings().join('\0') === found.strings().join('\0') ? 0 : Infinity;
  const [a, b] = [expected.floats(), found.floats()];
  let [largest, difference] = [0, 0];
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at]!, b[at]!];
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      if (!Object.is(x, y)) return Infinity;
      continue;
    }
    largest = Math.max(largest, Math.abs(x));
    difference = Math.max(difference, Math.abs(x - y));
  }
  return difference === 0 ? 0 : difference / Math.max(largest, 1e-30);
}

async function outputsOf(model: Model, feeds: Feeds, runtime: Pick<Runtime, 'open'>, also: readonly Value[]): Promise<Map<string, Tensor>> {
  const session = await runtime.open(model, { threads: 1, fetch: also });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
