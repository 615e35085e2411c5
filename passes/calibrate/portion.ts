import type { Tensor } from '../../ir/tensor.ts';
import type { Accumulator } from '../statistics/accumulator.ts';

/** What one run of the model gave. */
export interface Portion {
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** Samples in it. */
  readonly size: number;
  /** Position of the first of them in the data. */
  readonly first: number;
}

/** Adds what one run gave to the statistics: sums to the slab of the present chunk, the rest to the accumulator. */
export type Taker = (portion: Portion, slab: Float64Array, accumulator: Accumulator) => void;
