import { Diagnostic } from '../../ir/diagnostic.ts';
import { isFloat } from '../../ir/dtype.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import { randomFrom } from '../../passes/random.ts';
import { wanted, type ModelInput } from './inputs.ts';
import { cursor, type IndexedReader } from './reader.ts';
import type { RandomSettings } from './settings.ts';

/**
 * Random numbers for all of these inputs, as many samples as are wanted: standard normal for floats and 0 or 1 for integers, or uniform between
 * `min` and `max` (which integers can reach). A sample follows from the seed and its index alone.
 */
export function randomReader({ seed, min, max }: RandomSettings, inputs: readonly ModelInput[], shape: readonly number[] | undefined): IndexedReader {
  const shapes = inputs.map((input) => shape ?? literalShape(input));
  const low = min ?? 0;
  const high = max ?? low + 1;
  return made((index) => {
    const random = randomFrom((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    return inputs.map(({ dtype }, which) => {
      const uniform = (): number => low + random() * (high - low);
      const next = !isFloat(dtype) ? () => low + Math.floor(random() * (high - low + 1)) : min === undefined && max === undefined ? () => normal(random) : uniform;
      return Tensor.of(dtype, Array.from({ length: sizeOf(shapes[which]!) }, next), shapes[which]);
    });
  }, inputs, 'random sample');
}

/** The same value in every sample: one number for all elements, or all elements in their order. */
export function valueReader(value: number | readonly number[], input: ModelInput, shape: readonly number[] | undefined): IndexedReader {
  // A fixed input has no say in sizes that nothing else gives: one is the smallest.
  const dims = shape ?? input.sample.map((dim) => (typeof dim === 'number' ? dim : 1));
  const items = typeof value === 'number' ? Array.from({ length: sizeOf(dims) }, () => value) : value;
  if (items.length !== sizeOf(dims)) {
    throw new Diagnostic('data/shape', `\`value\` has ${items.length} numbers, and the input '${input.name}' (${wanted(input)}) takes ${sizeOf(dims)}`, {
      tensor: input.name, suggestion: 'Give one number for all elements, or all of them.',
    });
  }
  const tensor = tensorOf(items, dims, input);
  return made(() => [tensor], [input], 'the value');
}

function tensorOf(items: readonly number[], dims: readonly number[], { name, dtype }: ModelInput): Tensor {
  try {
    return Tensor.of(dtype, items, dims);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    throw new Diagnostic('data/dtype', `\`value\` cannot be the input '${name}': ${error.message}`, { tensor: name, suggestion: 'Give numbers that its element type can hold.' });
  }
}

function made(at: (index: number) => readonly Tensor[], inputs: readonly ModelInput[], what: string): IndexedReader {
  return {
    kind: 'indexed',
    count: Infinity,
    files: () => [],
    open: () => Promise.resolve(cursor((index) => {
      const tensors = at(index);
      return Promise.resolve({ arrays: new Map(inputs.map(({ name }, which) => [name, tensors[which]!])), where: `${what} ${index}` });
    })),
  };
}

/** Normally distributed, mean 0 and variance 1 (Box and Muller 1958). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function literalShape(input: ModelInput): readonly number[] {
  const { sample } = input;
  if (sample.every((dim): dim is number => typeof dim === 'number')) return sample;
  throw new Diagnostic('data/shape', `random samples need to know the shape of the input '${input.name}', which is ${wanted(input)}`, {
    tensor: input.name, suggestion: 'Give the sizes under `inputs`, or `shape` beside `random`.',
  });
}
