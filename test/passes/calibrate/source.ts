import type { Model } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { dtypeOfType, shapeOf } from '../../../ir/type.ts';
import type { Batch, BatchOptions, DataSource } from '../../../passes/data.ts';

/** Numbers in (−1, 1) that look random and are always the same, for one sample. */
export function noise(sample: number, length: number): Float32Array {
  let state = Math.imul(sample + 1, 2654435761) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Samples for the inputs of a model: by default noise; symbolic axes other than the batch have the lengths in `lengths`. */
export class TestSource implements DataSource {
  readonly name: string = 'calibration';
  readonly key: string = 'test';
  readonly random: boolean = false;
  readonly metric: string | undefined = undefined;
  readonly count: number;
  /** Most samples in one batch so far. */
  largest = 0;
  private readonly model: Model;
  private readonly lengths: (sample: number) => Readonly<Record<string, number>>;
  private readonly elements: (sample: number, length: number, input: string) => ArrayLike<number>;

  constructor(model: Model, count: number, { lengths = () => ({}), elements = noise }: {
    lengths?: (sample: number) => Readonly<Record<string, number>>; elements?: (sample: number, length: number, input: string) => ArrayLike<number>;
  } = {}) {
    this.model = model;
    this.count = count;
    this.lengths = lengths;
    this.elements = elements;
  }

  async *batches({ size = 1, first = 0, last = Infinity }: BatchOptions = {}): AsyncIterable<Batch> {
    const inputs = this.model.graph.inputs.filter((value) => value.tensor === undefined);
    const literal = inputs.map((value) => shapeOf(value.type)?.[0]).find((dim) => typeof dim === 'number');
    const end = Math.min(last, this.count);
    for (let at = first; at < end; at += literal ?? size) {
      const samples = Array.from({ length: Math.min(literal ?? size, end - at) }, (_, offset) => at + offset);
      this.largest = Math.max(this.largest, samples.length);
      const feeds = new Map(inputs.map((value): [string, Tensor] => {
        const own = shapeOf(value.type)!.slice(1).map((dim) => (typeof dim === 'number' ? dim : this.lengths(at)[dim!] ?? 1));
        const length = own.reduce((product, dim) => product * dim, 1);
        return [value.name, Tensor.of(dtypeOfType(value.type)!, Float32Array.from(samples.flatMap((sample) => Array.from(this.elements(sample, length, value.name)))), [samples.length, ...own])];
      }));
      yield await Promise.resolve({ feeds, size: samples.length, first: at });
    }
  }
}
