import type { Node, Value } from '../../ir/model.ts';

/** One activation that is quantized: one Q/DQ pair, read by some of its consumers. */
export interface PlacedPair {
  readonly value: Value;
  /** The uses that read the dequantized value; all others read the float value. */
  readonly consumers: readonly { readonly node: Node; readonly input: number }[];
  /** Index into `classes`. */
  readonly scaleClass: number;
  /** Ids of the rules that put it there. */
  readonly rules: readonly string[];
}

/** Values that share one scale: through copies, pools and groups of Concat. */
export interface ScaleClass {
  /** The values to observe: their merged distribution is that of the class. */
  readonly observe: readonly Value[];
  /** A range that needs no observation: [0, 1] of a Softmax or Sigmoid. */
  readonly fixed?: { readonly min: number; readonly max: number };
}

/** A weight that is quantized for one node. */
export interface PlacedWeight {
  readonly node: Node;
  readonly input: number;
  /** Axis of the output channels; undefined for one scale over the whole tensor. */
  readonly axis: number | undefined;
  /** Rule id that decided the axis. */
  readonly rule: string;
  /** Index of the bias input, if it has a constant one. */
  readonly bias?: number;
}

/** Why a node is, or is not, computed in int8. */
export interface Decision {
  readonly node: Node;
  readonly int8: boolean;
  /** Rule id, such as `PLC-02`, `WGT-07`. */
  readonly rule: string;
  /** One sentence for people. */
  readonly reason: string;
}

/** A weighted operator with all that fuses into its kernel: nothing inside it may be quantized. */
export interface Region {
  readonly head: Node;
  /** In topological order, the head first. */
  readonly members: readonly Node[];
  /** What leaves the region. */
  readonly output: Value;
}

/** Where the pairs go. Deterministic, and independent of the order of the nodes. */
export interface Placement {
  readonly pairs: readonly PlacedPair[];
  readonly classes: readonly ScaleClass[];
  readonly weights: readonly PlacedWeight[];
  readonly regions: readonly Region[];
  /** One for every node that could have been quantized, in graph order. */
  readonly decisions: readonly Decision[];
  /** Multiply-adds of nodes with weights: in int8, and of all that could be (`eligible`). */
  readonly macs: { readonly int8: number; readonly eligible: number };
}

export interface PlacementOptions {
  /** Nodes that may be quantized. */
  readonly select: (node: Node) => boolean;
  /** Sizes of symbolic dimensions (the opt shapes of the profile); a symbol without one counts as many. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Attention products: `auto` by the rules, `on`, `off`. */
  readonly attention: 'auto' | 'on' | 'off';
  /** One scale over the inputs of a Concat: `auto` where it costs less than a requantization. */
  readonly concat: 'auto' | 'always' | 'never';
  /** Memory-bound operators (pools, Resize, standalone Add and Mul): quantized where `both` sides are int8, where `one` is, or never (`none`). */
  readonly memoryBound: 'both' | 'one' | 'none';
}
