import { createRequire } from 'node:module';
import { Diagnostic } from '../ir/diagnostic.ts';
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

/** What a deployment target reads and likes: the facts of specs/targets/NAME.json. Passes ask these, never the name. A type, not an interface, so that it is a `TargetFacts`. */
export type Target = {
  readonly name: TargetName;
  readonly summary: string;
  /** Opset of the default domain. */
  readonly opset: VersionRange;
  /** ModelProto.ir_version. */
  readonly irVersion: VersionRange;
  readonly numbers: {
    /** Activations, one scale for each tensor. */
    readonly activations: QuantizedFormat;
    /** Weights; stored as float tensors before a Q/DQ pair, or as quantized tensors before a DQ. */
    readonly weights: QuantizedFormat & { readonly perChannel: boolean; readonly storage: 'float-q-dq' | 'int8-dq' };
    /** Biases: left in float, or int32 with scale = activation scale · weight scale. */
    readonly bias: 'float' | 'int32';
  };
  /** For each element type of the arithmetic, the multiple of channels beyond which the kernels pad. */
  readonly alignment: { readonly int8: number; readonly float16: number; readonly float: number };
};

/** The names of all targets; the first is the default. */
export const targetNames = ['portable', 'tensorrt-8', 'tensorrt-10', 'tensorrt-11', 'onnxruntime-cpu'] as const;

/** The name of a target, as recipes write it. */
export type TargetName = (typeof targetNames)[number];

const require = createRequire(import.meta.url);

/** True if there is a target of this name. */
export function isTargetName(name: string): name is TargetName {
  return (targetNames as readonly string[]).includes(name);
}

/** The facts of a target. Throws the Diagnostic `recipe/unknown-target` for any other name. */
export function loadTarget(name: string): Target {
  if (!isTargetName(name)) {
    throw new Diagnostic('recipe/unknown-target', `there is no target '${name}'`, {
      expected: targetNames,
      actual: name,
      suggestion: `Name one of ${targetNames.join(', ')}; 'portable' suits TensorRT 8 to 11.`,
    });
  }
  return require(`#specs/targets/${name}.json`) as Target;
}
