import { byteLengthOf, dtypeBits, isFloat, type DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import type { Dim } from '../../ir/type.ts';
import type { Feeds } from '../../passes/runtime.ts';
import { randomFrom } from './random.ts';

/** How the elements of a tensor are chosen. Bounds of integers are inclusive. */
interface Manner {
  readonly float: (random: () => number) => number;
  readonly int: Readonly<Record<'signed' | 'unsigned', readonly [low: number, high: number]>>;
}

/** Lengths that axes without a number get, one after the other. */
const lengths = [2, 3] as const;

/** Numbers at which kernels and rewrites differ. */
const extremes = [0, -0, 1, -1, 0.5, -0.5, 1e-6, -1e-6, 1e4, -1e4, 255.5, 3];

const small = (random: () => number): number => random() * 2 - 1;

/** Integers are often indices or lengths: what is in range for one operator is not for another, so each manner has a range of its own. */
const manners: Readonly<Record<string, Manner>> = {
  small: { float: small, int: { signed: [0, 1], unsigned: [0, 1] } },
  wide: {
    float: (random) => {
      const value = small(random);
      return Math.sign(value) * 10 ** (Math.abs(value) * 4 - 2);
    },
    int: { signed: [-2, 3], unsigned: [0, 7] },
  },
  extreme: { float: (random) => extremes[Math.floor(random() * extremes.length)]!, int: { signed: [-1, 0], unsigned: [0, 0] } },
};

/** One set of inputs, and how messages name it. */
export interface NamedFeeds {
  readonly name: string;
  readonly feeds: Feeds;
}

/**
 * Inputs for a graph: for two lengths of its symbolic axes (the same for all of them), numbers of three manners, all from fixed seeds. Undefined if an
 * input is no tensor of known element type and rank. A graph without symbols gets one length, and one without inputs one empty set.
 */
export function feedsFor(graph: Graph): NamedFeeds[] | undefined {
  const sets: NamedFeeds[] = [];
  const required = graph.inputs.filter(({ tensor }) => tensor === undefined);
  for (const { type } of required) if (type?.kind !== 'tensor' || type.shape === undefined || type.dtype === undefined || type.sparse) return undefined;
  if (required.length === 0) return [{ name: 'no inputs', feeds: new Map() }];
  const symbolic = required.some(({ type }) => type?.kind === 'tensor' && type.shape!.some((dim) => typeof dim !== 'number'));
  for (const length of symbolic ? lengths : [lengths[0]]) {
    for (const [seed, [manner, numbers]] of Object.entries(manners).entries()) {
      const random = randomFrom(seed + 1);
      const feeds = new Map(required.map(({ name, type }) => {
        const { dtype, shape } = type as { dtype: DType; shape: readonly Dim[] };
        return [name, randomTensor(dtype, shape.map((dim) => (typeof dim === 'number' ? dim : length)), random, numbers)];
      }));
      sets.push({ name: `${manner} numbers${symbolic ? `, symbolic axes of length ${length}` : ''}`, feeds });
    }
  }
  return sets;
}

/** A tensor for `"random"` or `"random SEED"` in the text of a case: floats in [-1, 1), integers that int4 and uint4 hold, strings of one letter. */
export function filled(words: string, dtype: DType, shape: readonly number[]): Tensor | undefined {
  const match = /^random(?: (\d{1,9}))?$/.exec(words);
  return match === null ? undefined : randomTensor(dtype, shape, randomFrom(Number(match[1] ?? 0)), { float: small, int: { signed: [-7, 7], unsigned: [0, 15] } });
}

function randomTensor(dtype: DType, shape: readonly number[], random: () => number, { float, int }: Manner): Tensor {
  const items = <T>(make: () => T): T[] => Array.from({ length: sizeOf(shape) }, make);
  if (dtype === 'string') return Tensor.fromStrings(shape, items(() => 'abc'[Math.floor(random() * 3)]!));
  if (dtype === 'bool') return Tensor.of('bool', items(() => (random() < 0.5 ? 0 : 1)), shape);
  if (dtype === 'float' || dtype === 'double' || dtype === 'float16' || dtype === 'bfloat16') return Tensor.of(dtype, items(() => float(random)), shape);
  // Formats that hardly any kernel takes.
  if (isFloat(dtype) || dtype.startsWith('complex')) return Tensor.fromBytes(dtype, shape, new Uint8Array(byteLengthOf(dtype, sizeOf(shape))));
  const [low, high] = dtypeBits(dtype) < 4 ? [0, 1] : int[dtype.startsWith('u') ? 'unsigned' : 'signed'];
  return Tensor.of(dtype, items(() => low + Math.floor(random() * (high - low + 1))), shape);
}
