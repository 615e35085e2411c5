import type { DType } from '../ir/dtype.ts';

/** Versions that a target reads, both ends included, and the one to write when a new one must be chosen. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
  readonly prefer: number;
}

/** A quantized number format; symmetric means that the zero point is 0. */
export interface QuantizedFormat {
  readonly type: DType;
  readonly symmetric: boolean;
}

/** Where a target wants Q/DQ pairs, and which int8 kernels it has that win: the facts that the placement asks (reference: passes/placement/README.md). */
export interface PlacementFacts {
  /** Operators that run in int8 when their inputs are: those with weights, and those that move or combine activations. */
  readonly weighted: readonly string[];
  readonly elementwise: readonly string[];
  /** Operators that int8 passes through unchanged, with one scale before and after (Resize and Upsample only where they interpolate nothing, Pad only with zeros or with what is there). */
  readonly copies: readonly string[];
  /** What a kernel computes before it rounds: anything element by element (TensorRT), or only what the rounding does anyway (`rectifier`: Relu and Clip from 0; ONNX Runtime). */
  readonly epilogue: 'pointwise' | 'rectifier';
  /** Whether the inputs of an int8 Concat must share a scale, or may each have their own. */
  readonly concat: 'one-scale' | 'any-scale';
  /** `inputs`: a pair where a consumer wants int8, none inside a fused region (TensorRT). `all`: pairs on the inputs and outputs of every int8 operator (ONNX Runtime fuses these). */
  readonly pairs: 'inputs' | 'all';
  /** A residual Add: only the input that is not fused gets a pair, or both do. */
  readonly residual: 'skip' | 'both';
  /** Ranks of the input for which there are int8 convolutions. */
  readonly convRanks: readonly number[];
  /** Smallest number of input and output channels (or K and N of a matrix product) for which an int8 kernel wins; convolutions have exceptions, see passes/placement/README.md. */
  readonly minChannels: number;
  /** Grouped convolutions need channels per group divisible by this; depthwise ones are exempt. 1 for no limit. */
  readonly groupAlignment: number;
  /** Whether a product with one row or column (GEMV at the opt shape) runs in int8. */
  readonly gemv: boolean;
  /** Longest sequence for which attention runs in int8. */
  readonly maxSequence: number;
  /** Whether attention with a mask that is added runs in int8. */
  readonly maskedAttention: boolean;
  /** Whether pairs may stand in the bodies of If, Loop and Scan. */
  readonly bodies: boolean;
}

/** What a deployment target reads and likes: the facts of specs/targets/NAME.json. Passes ask these, never the name. A type, not an interface, so that plain data fits it. */
export type Target = {
  readonly name: string;
  readonly summary: string;
  /** What executes the file. Of a model for ONNX Runtime, accuracy and latency are measured as it runs here; of others, what the file says is computed, and latency here means nothing. */
  readonly runsOn: 'onnxruntime' | 'tensorrt';
  /** Opset of the default domain. */
  readonly opset: VersionRange;
  /** ModelProto.ir_version. */
  readonly irVersion: VersionRange;
  readonly numbers: {
    /** Activations, one scale for each tensor. */
    readonly activations: QuantizedFormat;
    /**
     * Weights; stored as float tensors before a Q/DQ pair, or as quantized tensors before a DQ. `saturates`: kernels for some processors of the target add the products of two
     * neighbouring weights in 16 bits, which hold less than 8-bit codes can make.
     */
    readonly weights: QuantizedFormat & { readonly perChannel: boolean; readonly storage: 'float-q-dq' | 'int8-dq'; readonly saturates?: boolean };
    /** Biases: left in float, or int32 with scale = activation scale · weight scale. */
    readonly bias: 'float' | 'int32';
    /** Whether it has operators that quantize what they read while the model runs. */
    readonly dynamic?: boolean;
  };
  readonly placement: PlacementFacts;
  /** For each element type of the arithmetic, the multiple of channels beyond which the kernels pad. */
  readonly alignment: { readonly int8: number; readonly float16: number; readonly float: number };
};
