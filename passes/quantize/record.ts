import type { Buckets } from '../statistics/buckets.ts';
import type { ClassScale } from './ranges.ts';

/** The scale of one class of values, and the distribution that it was chosen for. */
export interface ClassRecord {
  readonly scale: number;
  readonly zeroPoint: number;
  /** The range that was chosen. */
  readonly range: readonly [min: number, max: number];
  readonly method: ClassScale['method'];
  /** Numbers of the lowest and the highest code: beyond them values are clipped. About the range, made symmetric or moved so that zero is a code. */
  readonly holds: readonly [min: number, max: number];
  /** Smallest and largest finite element that was seen; absent where nothing was observed. */
  readonly seen?: readonly [min: number, max: number];
  /** Share of the elements, 0 to 1, that clipping changes by more than rounding does; absent without a histogram, as is what follows. */
  readonly clipped?: number;
  readonly histogram?: Buckets;
}

/** A tensor that is quantized. */
export interface TensorRecord {
  readonly tensor: string;
  /** Index into `classes`. */
  readonly class: number;
  /** Rules that put the pair there. */
  readonly rules: readonly string[];
  /** Nodes that read it in int8. */
  readonly consumers: readonly string[];
  readonly scale: number;
  readonly zeroPoint: number;
  readonly range: readonly [min: number, max: number];
  readonly method: ClassScale['method'];
  /** Predicted signal over noise in dB; null where no noise is expected. */
  readonly sqnr?: number | null;
}

/** A node that could have been quantized. */
export interface LayerRecord {
  readonly node: string;
  readonly op: string;
  readonly origin: readonly string[];
  readonly int8: boolean;
  readonly rule: string;
  readonly reason: string;
  /** Of one sample; null where it cannot be told. */
  readonly macs: number | null;
  /** Nodes that run in its kernel. */
  readonly fused?: readonly string[];
  readonly input?: string;
  readonly scale?: number;
  readonly zeroPoint?: number;
  readonly range?: readonly [min: number, max: number];
  readonly method?: ClassScale['method'];
  readonly weights?: {
    /** Null for one scale over the whole tensor. */
    readonly axis: number | null;
    readonly channels: number;
    readonly scale: readonly [smallest: number, largest: number];
    readonly rounding: string;
    /** Power of the output over that of the error from rounded weights, in dB; null where no error is expected. */
    readonly sqnr?: number | null;
  };
  /** Largest change of a bias; null where biases were not corrected. */
  readonly biasCorrection?: number | null;
  /** Predicted signal over noise of the output in dB, inputs and weights together; null where no noise is expected. */
  readonly sqnr?: number | null;
}

/** What `quantize-int8` leaves for the report, under the name `placement`. */
export interface PlacementRecord {
  /** In graph order. */
  readonly layers: readonly LayerRecord[];
  readonly tensors: readonly TensorRecord[];
  readonly classes: readonly ClassRecord[];
  readonly macs: { readonly int8: number; readonly eligible: number; readonly share: number | null };
}
