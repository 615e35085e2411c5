import { Diagnostic } from '../../ir/diagnostic.ts';
import { isFloat, isInteger, type DType } from '../../ir/dtype.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, shapeOf, type Dim } from '../../ir/type.ts';
import type { Feeds, Runtime, Session } from '../runtime.ts';
import { findBatch, outputAxis, type Batch } from './batch.ts';
import { joined, part } from './rows.ts';

/** The batch sizes at which a model must agree with single runs: one, the smallest batch, and one that no axis is likely to divide. */
const batchSizes = [1, 2, 5] as const;

/** Lengths tried for other symbolic axes, until the model runs: a multiple of usual strides, and smaller ones. */
const lengths = [64, 16, 1, 224, 512, 3] as const;

/** Integers are below one of these, the first with which the model runs: bytes, small classes, flags. */
const ranges = [256, 10, 2] as const;

/**
 * Largest difference from the single run, as a share of the largest output: kernels may order sums differently for other batch sizes. Half
 * precision has three decimals.
 */
const tolerances: Readonly<Partial<Record<DType, number>>> = { float: 1e-5, double: 1e-12, float16: 4e-3, bfloat16: 3e-2 };

/**
 * Runs the model at batch 1, 2 and 5 on seeded random inputs and compares every output with runs of the original on single samples. Throws
 * `export/batch-differs` with the first node whose values differ or which fails, and `export/batch-unproved` where the original does not run
 * on such inputs, or not twice with the same result. `twins` leads from values of the original to those of the dynamic model.
 */
export async function proveBatch(
  original: Model, dynamic: Model, twins: ReadonlyMap<Value, Value | undefined>, runtime: Runtime, signal: AbortSignal,
  progress: (done: number, total: number, what?: string) => void,
): Promise<void> {
  const batch = findBatch(original.graph);
  const count = Math.max(...batchSizes);
  const reference = await runtime.open(original);
  const opened = await runtime.open(dynamic);
  try {
    const { samples, results } = await singleRuns(original, batch, reference, count, signal);
    refuseEmpty(original, results);
    for (const [done, size] of batchSizes.entries()) {
      progress(done, batchSizes.length, `batch ${size}`);
      const feeds = batchFeeds(batch, samples.slice(count - size));
      const failed = await difference(opened, feeds, results.slice(count - size), batch, original, signal);
      if (failed !== undefined) throw await located(failed, size, { original, dynamic, twins, runtime, batch, samples, signal });
    }
  } finally {
    await reference.release();
    await opened.release();
  }
}

/** An output without elements, such as the boxes that a detector does not find in noise, agrees with anything. */
function refuseEmpty({ graph }: Model, results: readonly ReadonlyMap<string, Tensor>[]): void {
  const empty = graph.outputs.find(({ name, type, value }) => !shapeOf(type ?? value.type)?.includes(0) && results.every((result) => result.get(name)!.size === 0));
  if (empty === undefined) return;
  throw new Diagnostic('export/batch-unproved', `the batch cannot be made dynamic: output '${empty.name}' has no elements for random inputs, so there is nothing to compare`, {
    suggestion: 'Leave `dynamicBatch` out, or export the model with a symbolic batch.',
  });
}

/** What is wrong at one batch size; undefined if nothing is. */
async function difference(
  session: Session, feeds: Feeds, results: readonly ReadonlyMap<string, Tensor>[], batch: Batch, original: Model, signal: AbortSignal,
): Promise<{ readonly why: string; readonly cause?: Diagnostic } | undefined> {
  let outputs: Map<string, Tensor>;
  try {
    outputs = await session.run(feeds, signal);
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    return { why: `it does not run: ${error.message}`, cause: error };
  }
  for (const { name, type, value } of original.graph.outputs) {
    const shape = shapeOf(type ?? value.type);
    const axis = outputAxis(shape, batch.symbol);
    const rows = results.map((result) => part(result.get(name)!, axis, batch.size));
    if (rows.some((row) => row === undefined)) return { why: `output '${name}' has no batch along axis ${axis}` };
    const why = differ(outputs.get(name)!, joined(rows as Tensor[], axis));
    if (why !== undefined) return { why: `output '${name}' differs from single runs: ${why}` };
  }
  return undefined;
}

/** Why two tensors are not the same result; undefined if they are. */
function differ(found: Tensor, expected: Tensor): string | undefined {
  if (found.shape.join() !== expected.shape.join()) return `its shape is [${found.shape.join(', ')}], and [${expected.shape.join(', ')}] is expected`;
  if (found.dtype === 'string') return found.strings().join('\0') === expected.strings().join('\0') ? undefined : 'its strings are others';
  const [a, b] = [found.floats(), expected.floats()];
  let [largest, scale] = [0, 0];
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at]!, b[at]!];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) {
      if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
      continue;
    }
    const gap = Math.abs(x - y);
    largest = Math.max(largest, Number.isNaN(gap) ? Infinity : gap);
    if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
  }
  const limit = (tolerances[found.dtype] ?? 0) * scale;
  return largest <= limit ? undefined : `the largest difference is ${largest.toPrecision(3)}, where ${limit.toPrecision(3)} is allowed`;
}

interface Case {
  readonly original: Model;
  readonly dynamic: Model;
  readonly twins: ReadonlyMap<Value, Value | undefined>;
  readonly runtime: Runtime;
  readonly batch: Batch;
  readonly samples: readonly Feeds[];
  readonly signal: AbortSignal;
}

/** The refusal, with the first node in the original's order whose values differ at the largest batch; the node that failed to run is known already. */
async function located({ why, cause }: { readonly why: string; readonly cause?: Diagnostic }, size: number, known: Case): Promise<Diagnostic> {
  const node = cause?.node ?? (await firstDifference(known))?.reference;
  return new Diagnostic('export/batch-differs', `the batch cannot be made dynamic: at batch ${size}, ${why}`, {
    ...(node && { node }),
    suggestion: `${node ? 'The node named here is the first that goes wrong: it mixes samples, or holds the batch in a form that is not rewritten. ' : ''}Leave \`dynamicBatch\` out, or export the model with a symbolic batch.`,
  });
}

async function firstDifference({ original, dynamic, twins, runtime, batch, samples, signal }: Case): Promise<Node | undefined> {
  const counts = shapeArithmetic(original);
  const values = [...original.graph.nodes()].flatMap((node) => node.outputs).filter((value): value is Value => {
    const dtype = dtypeOfType(value?.type);
    return value !== undefined && !counts.has(value) && twins.get(value) !== undefined && dtype !== undefined && ((isFloat(dtype) && dtype in tolerances) || dtype === 'int64' || dtype === 'int32' || dtype === 'bool');
  });
  const reference = await runtime.open(original, { fetch: values });
  const opened = await runtime.open(dynamic, { fetch: values.map((value) => twins.get(value)!) });
  try {
    const outputs = await opened.run(batchFeeds(batch, samples), signal);
    const results: Map<string, Tensor>[] = [];
    for (const one of samples) results.push(await reference.run(batchFeeds(batch, [one], batch.size), signal));
    return values.find((value) => {
      const found = outputs.get(twins.get(value)!.name);
      const singles = results.map((result) => result.get(value.name));
      return found !== undefined && singles.every((single) => single !== undefined) && !agrees(found, singles, batch.size);
    })?.producer;
  } finally {
    await reference.release();
    await opened.release();
  }
}

/** Values that are made of shapes and constants alone: they may differ with the batch and be right. */
function shapeArithmetic({ graph }: Model): ReadonlySet<Value> {
  const found = new Set<Value>();
  for (const node of graph.nodes()) {
    if (!node.is('Shape', 'Size') && !node.inputs.every((value) => value === undefined || value.constant !== undefined || found.has(value))) continue;
    for (const output of node.outputs) if (output !== undefined) found.add(output);
  }
  return found;
}

/** True if a value at a batch is what single runs give, whichever its batch axis is, or does not depend on the sample. */
function agrees(found: Tensor, singles: readonly Tensor[], size: number): boolean {
  const [first] = singles;
  if (singles.every((single) => differ(single, first!) === undefined) && differ(found, first!) === undefined) return true;
  return first!.shape.some((_, axis) => {
    const rows = singles.map((single) => part(single, axis, size));
    return rows.every((row) => row !== undefined) && differ(found, joined(rows, axis)) === undefined;
  });
}

/** Random samples, and what the original makes of each. Other symbolic axes get the first length at which it runs. */
async function singleRuns(
  { graph }: Model, batch: Batch, session: Session, count: number, signal: AbortSignal,
): Promise<{ readonly samples: readonly Feeds[]; readonly results: readonly Map<string, Tensor>[] }> {
  const required = graph.inputs.filter(({ tensor }) => tensor === undefined);
  const free = required.some((input) => shapeOf(input.type)?.some((dim, axis) => typeof dim !== 'number' && axis !== batch.axes.get(input)));
  let failure: unknown;
  const counted = required.some((input) => isInteger(dtypeOfType(input.type) ?? 'float'));
  const attempts = (free ? lengths : [1]).flatMap((length) => (counted ? ranges : [2]).map((range) => ({ length, range })));
  for (const attempt of attempts) {
    const samples = Array.from({ length: count }, (_, index) => new Map(required.map((input, place) => [input.name, sample(input, batch, attempt, 1 + index + place * count)])));
    try {
      const results: Map<string, Tensor>[] = [];
      for (const one of samples) results.push(await session.run(batchFeeds(batch, [one], batch.size), signal));
      const again = await session.run(batchFeeds(batch, [samples[0]!], batch.size), signal);
      const unsteady = [...again].find(([name, tensor]) => differ(tensor, results[0]!.get(name)!) !== undefined);
      if (unsteady === undefined) return { samples, results };
      failure = new Diagnostic('export/batch-unproved', `output '${unsteady[0]}' is another one each time that the model runs on the same input`);
    } catch (error) {
      if (!Diagnostic.is(error)) throw error;
      failure = error;
    }
  }
  throw new Diagnostic('export/batch-unproved', `the batch cannot be made dynamic: its results cannot be compared: ${(failure as Diagnostic).message}`, {
    cause: failure, suggestion: 'Leave `dynamicBatch` out, or export the model with a symbolic batch and fixed lengths of all other axes.',
  });
}

/** One sample of an input (batch 1 where it has a batch), from a fixed seed: floats between −1 and 1, integers from 0 to below `range`. */
function sample(input: Value, { axes }: Batch, { length, range }: { readonly length: number; readonly range: number }, seed: number): Tensor {
  const dtype = dtypeOfType(input.type) ?? 'float';
  const dims: readonly Dim[] = shapeOf(input.type)!;
  const shape = dims.map((dim, axis) => (axis === axes.get(input) ? 1 : typeof dim === 'number' ? dim : length));
  const random = generator(seed);
  const size = sizeOf(shape);
  if (isFloat(dtype)) return Tensor.of(dtype, Float64Array.from({ length: size }, () => 2 * random() - 1), shape);
  const top = dtype === 'bool' ? 2 : Math.min(range, dtype === 'int8' ? 128 : 256);
  if (isInteger(dtype) || dtype === 'bool') return Tensor.of(dtype, Array.from({ length: size }, () => Math.floor(top * random())), shape);
  throw new Diagnostic('export/batch-unproved', `the batch cannot be made dynamic: no random samples can be made for input '${input.name}' (${dtype})`, { suggestion: 'Leave `dynamicBatch` out.' });
}

/** A linear congruential generator (Numerical Recipes, 32 bits); values in [0, 1). */
function generator(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Samples one behind the other, each as often as `repeat` says. Inputs without batch are those of the first sample. */
function batchFeeds({ axes }: Batch, samples: readonly Feeds[], repeat = 1): Feeds {
  const axisOf = new Map([...axes].map(([input, axis]) => [input.name, axis]));
  return new Map([...samples[0]!].map(([name, first]) => {
    const axis = axisOf.get(name);
    if (axis === undefined) return [name, first];
    return [name, joined(samples.flatMap((one) => Array.from({ length: repeat }, () => one.get(name)!)), axis)];
  }));
}

