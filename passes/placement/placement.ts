import type { Model, Node, Value } from '../../ir/model.ts';
import type { Target } from '../target.ts';
import { checkPlacement } from './check.ts';
import { classesOf } from './classes.ts';
import { decisionsOf } from './decisions.ts';
import { flowOf } from './flow.ts';
import type { KernelContext } from './kernels.ts';
import { macsOf } from './macs.ts';
import { demandsOf } from './pairs.ts';
import { unitsOf } from './units.ts';
import { GraphView } from './view.ts';

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
  /** The bias of a MatMul: the constant of an Add that alone reads its result. */
  readonly addedBias?: { readonly node: Node; readonly input: number };
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
  /** Nodes that stay float for the sake of accuracy, though the step selects them: `select` refuses them, and their work counts as eligible. */
  readonly spared?: (node: Node) => boolean;
  /** Sizes of symbolic dimensions (the opt shapes of the profile); a symbol without one counts as many. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Attention products: `auto` by the rules, `on`, `off`. */
  readonly attention: 'auto' | 'on' | 'off';
  /** One scale over the inputs of a Concat: `auto` where it costs less than a requantization. */
  readonly concat: 'auto' | 'always' | 'never';
  /** Largest magnitude of a value, once it was observed: then an input of a Concat whose range is below a quarter of the Concat's keeps its own scale (`concat: auto`). */
  readonly magnitude?: (value: Value) => number | undefined;
  /** Memory-bound operators (pools, Resize, standalone Add and Mul): quantized where `both` sides are int8, where `one` is, or never (`none`). */
  readonly memoryBound: 'both' | 'one' | 'none';
}

/** The options as they are unless a step says otherwise. */
export const defaultPlacement: PlacementOptions = { select: () => true, sizes: new Map(), attention: 'auto', concat: 'auto', memoryBound: 'both' };

/**
 * Decides where the Q/DQ pairs go in the main graph of a model whose types are known. Pure: the model stays as it is. The same model gives
 * the same placement in whatever order its nodes stand. See README.md here for the method and the rules.
 */
export function placementOf(model: Model, target: Target, options: PlacementOptions): Placement {
  const context: KernelContext = { view: new GraphView(model.graph, options.sizes), facts: target.placement, options };
  const units = unitsOf(context);
  const flow = flowOf(units, context);
  const demands = demandsOf(flow, context);
  const { classes, indexOf } = classesOf(demands, context);
  const weighted = units.weighted.filter((unit) => flow.units.has(unit));
  const placement: Placement = {
    pairs: [...demands.values()].map(({ value, consumers, rules }) => ({
      value, consumers: consumers.map(({ node, input }) => ({ node, input })), scaleClass: indexOf(value), rules: [...rules].sort(),
    })),
    classes,
    weights: weighted.flatMap(({ head, kernel }) => (kernel?.weight === undefined ? [] : [{ node: head, ...kernel.weight }])),
    regions: weighted.map(({ head, members, output }) => ({ head, members, output })),
    decisions: decisionsOf(units, flow, context),
    macs: macsOf(flow, context),
  };
  checkPlacement(placement, flow, context);
  return placement;
}
