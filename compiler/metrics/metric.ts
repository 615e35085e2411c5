import { Diagnostic } from '../../ir/diagnostic.ts';
import { isFloat, isInteger } from '../../ir/dtype.ts';
import { sizeOf, type Tensor } from '../../ir/tensor.ts';
import type { Label } from '../../passes/data.ts';
import type { Feeds } from '../../passes/runtime.ts';

/** What a model made of one batch, and what is right. */
export interface Scored {
  readonly outputs: Feeds;
  /** Samples in the batch. */
  readonly size: number;
  readonly labels?: readonly Label[] | undefined;
  /** What the original model makes of the same samples. */
  readonly reference?: Feeds | undefined;
}

/** One figure of merit, gathered batch by batch. */
export interface Metric {
  readonly name: string;
  readonly higherIsBetter: boolean;
  /** Shares are in percent, so that their differences are percentage points. */
  readonly unit: 'percent' | 'dB' | 'nat' | '';
  /** Whether `add` needs labels, and the outputs of the original. */
  readonly needs: { readonly labels?: true; readonly reference?: true };
  /** Of metrics that judge classes: the output that holds their scores; the first one if it has no name. */
  readonly classes?: { readonly output: string | undefined };
  add(scored: Scored): void | Promise<void>;
  /** The value over all samples so far; NaN before the first. */
  value(): number;
  /** The value of each sample, in order, where the metric is a mean of such or has one for each: for paired intervals. */
  readonly perSample?: readonly number[];
}

/** A mistake in what a metric is given. */
export function unfit(metric: string, why: string, suggestion: string, tensor?: string): Diagnostic {
  return new Diagnostic('data/metric', `the metric ${metric} cannot be computed: ${why}`, { suggestion, ...(tensor !== undefined && { tensor }) });
}

/** What a function of a module of the user gives. Throws `data/metric` where it fails. */
export async function called<T>(metric: string, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (Diagnostic.is(error)) throw error;
    throw new Diagnostic('data/metric', `the metric ${metric} cannot be computed: its module fails: ${error instanceof Error ? error.message : String(error)}`, { cause: error, suggestion: 'Mend the module.' });
  }
}

/** The output that counts: the named one, or the first. Throws `data/metric`. */
export function outputOf(metric: string, outputs: Feeds, name: string | undefined): Tensor {
  const tensor = name === undefined ? outputs.values().next().value : outputs.get(name);
  if (tensor === undefined) {
    throw unfit(metric, name === undefined ? 'the model has no outputs' : `the model has no output '${name}'`, `The outputs are ${[...outputs.keys()].join(', ')}.`);
  }
  if (!isFloat(tensor.dtype) && !isInteger(tensor.dtype) && tensor.dtype !== 'bool') throw unfit(metric, `the output holds ${tensor.dtype}`, 'Name an output of numbers with `output`.', name);
  return tensor;
}

/** The numbers of an output, sample by sample. Throws `data/metric` if they do not divide among the samples. */
export function rowsOf(metric: string, tensor: Tensor, size: number): (Float32Array | Float64Array)[] {
  const numbers = tensor.floats();
  if (numbers.length % size !== 0) throw unfit(metric, `an output of shape [${tensor.shape.join(', ')}] does not divide among ${size} samples`, 'Say `batch: 1` under `data`.');
  const length = numbers.length / size;
  return Array.from({ length: size }, (_, index) => numbers.subarray(index * length, (index + 1) * length));
}

/** An output of one sample, as modules get it. */
export interface OutputArray {
  readonly data: Float32Array | Float64Array;
  /** With the batch axis, of length one, where the output has it. */
  readonly shape: readonly number[];
}

/** All outputs of each sample by name. */
export function outputsBySample(metric: string, { outputs, size }: Scored): Record<string, OutputArray>[] {
  const samples = Array.from({ length: size }, (): Record<string, OutputArray> => ({}));
  for (const [name, tensor] of outputs) {
    const { shape } = tensor;
    const split = shape[0] === size ? [1, ...shape.slice(1)] : size === 1 ? shape : [tensor.size / size];
    for (const [index, data] of rowsOf(metric, tensor, size).entries()) samples[index]![name] = { data, shape: sizeOf(split) === data.length ? split : [data.length] };
  }
  return samples;
}

/** The labels of a batch. Throws `data/metric`. */
export function labelsOf(metric: string, { labels }: Scored): readonly Label[] {
  if (labels === undefined) throw unfit(metric, 'the data have no labels', 'Add `labels` to the data, or compare with the original: sqnr, cosine, kl, maxError, agreement.');
  return labels;
}

/** What the original makes of a batch. Throws `data/metric`. */
export function referenceOf(metric: string, { reference }: Scored): Feeds {
  if (reference === undefined) throw unfit(metric, 'there is nothing to compare with', 'It compares a model with the original, so it needs both.');
  return reference;
}

/** A class index. Throws `data/metric`. */
export function classOf(metric: string, label: Label): number {
  if (typeof label !== 'number' || !Number.isInteger(label)) throw unfit(metric, `a label is ${JSON.stringify(label).slice(0, 60)}, and not the index of a class`, 'Give labels that are whole numbers from 0 on.');
  return label;
}

/** Mean of numbers; NaN for none. */
export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
