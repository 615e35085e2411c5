import { byteLengthOf, dtypeBits, isFloat, type DType } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/model.ts';
import { sizeOf, Tensor } from '../../ir/tensor.ts';
import type { Dim } from '../../ir/type.ts';
import type { Feeds } from '../../passes/runtime.ts';
import { randomFrom } from '../../passes/random.ts';

/** How the elements of a tensor are chosen. Bounds of integers are inclusive. */
interface Manner {
  readonly float: (random: () => number) => number;
  readonly int: Readonly<Record<'signed' | 'unsigned', readonly [low: number, high: number]>>;
}

/** Numbers at which kernels and rewrites differ. */
const extremes = [0, -0, 1, -1, 0.5, -0.5, 1e-6, -1e-6, 1e4, -1e4, 255.5, 3];

/** What only exact rewrites keep. */
const specials = [NaN, Infinity, -Infinity, 1, -2];

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
  special: { float: (random) => specials[Math.floor(random() * specials.length)]!, int: { signed: [-128, 127], unsigned: [0, 255] } },
};

/** One set of inputs, and how messages name it. */
export interface NamedFeeds {
  readonly name: string;
  readonly feeds: Feeds;
}

/** A length for each symbol, and for all axes that have neither a length nor a symbol. */
interface Lengths {
  readonly name: string;
  readonly of: (dim: Dim) => number;
}

/** Symbols beyond these are never empty. */
const mostEmpty = 4;

/**
 * Inputs for a graph, all from fixed seeds: numbers of several manners in two rounds of lengths of its symbolic axes, in one of which symbols differ, then small
 * numbers where all these axes are of length 1, and where one symbol after the other is of length 0. NaN and infinities come only where `exact` asks for them.
 * Undefined if an input is no tensor of known element type and rank. A graph without symbols gets one round, and one without inputs one empty set.
 */
export function feedsFor(graph: Graph, exact: boolean): NamedFeeds[] | undefined {
  const required = graph.inputs.filter(({ tensor }) => tensor === undefined);
  for (const { type } of required) if (type?.kind !== 'tensor' || type.shape === undefined || type.dtype === undefined || type.sparse) return undefined;
  if (required.length === 0) return [{ name: 'no inputs', feeds: new Map() }];
  const all = Object.keys(manners).filter((manner) => exact || manner !== 'special');
  const sets: NamedFeeds[] = [];
  const add = ({ name, of }: Lengths, names: readonly string[]): void => {
    for (const manner of names) {
      const random = randomFrom(Object.keys(manners).indexOf(manner) + 1);
      const feeds = new Map(required.map(({ name: input, type }) => {
        const { dtype, shape } = type as { dtype: DType; shape: readonly Dim[] };
        return [input, randomTensor(dtype, shape.map(of), random, manners[manner]!)];
      }));
      sets.push({ name: `${manner} numbers${name}`, feeds });
    }
  };
  const symbols = [...new Set(required.flatMap(({ type }) => (type as { shape: readonly Dim[] }).shape))].filter((dim) => typeof dim !== 'number');
  if (symbols.length === 0) {
    add({ name: '', of: Number }, all);
    return sets;
  }
  const apart = lengths(symbols, (dim, index) => (dim === undefined ? 2 : 3 + index));
  add(apart, all);
  add(lengths(symbols, () => 3), all);
  add(lengths(symbols, () => 1), ['small']);
  for (const empty of symbols.slice(0, mostEmpty)) add(lengths(symbols, (dim) => (dim === empty ? 0 : apart.of(dim))), ['small']);
  return sets;
}

function lengths(symbols: readonly Dim[], choose: (dim: Dim, index: number) => number): Lengths {
  const chosen = new Map(symbols.map((dim, index) => [dim, choose(dim, index)]));
  return { name: `, ${[...chosen].map(([dim, length]) => `${dim ?? 'unnamed axes'} = ${length}`).join(', ')}`, of: (dim) => (typeof dim === 'number' ? dim : chosen.get(dim)!) };
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
