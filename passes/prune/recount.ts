import { byteLengthOf } from '../../ir/dtype.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { sizeOf } from '../../ir/tensor.ts';
import { dtypeOfType, shapeOf } from '../../ir/type.ts';
import { countedConstants, macsOf, shapeWith, type AxisSizes, type ShapeOf } from '../cost.ts';
import type { Widths } from './widths.ts';

/** What a model costs, per sample. */
export interface PrunedCost {
  /** Of the nodes whose operations can be told. */
  readonly macs: number;
  readonly parameters: number;
  readonly bytes: number;
  /** Time that a roofline predicts, in multiply-accumulates. */
  readonly latency: number;
}

/** One summand: of a node its operations and time, of a constant its elements and bytes. */
interface Term {
  readonly of: () => PrunedCost;
  now: PrunedCost;
}

/** Multiply-accumulates that a processor does in the time in which it moves a byte: between server CPUs and accelerators, which are more one-sided. */
const balance = 64;

/**
 * Costs of a model while channels are removed and put back, equal to those of the model that is really cut (`graphCost`), but for the lengths of lists of integers (indices of a Gather) among the bytes. Only what a change concerns is counted anew.
 * The predicted time of a node is the larger of its multiply-accumulates and the bytes that it reads and writes, these times 64 (Williams et al. 2009).
 */
export class Recount {
  private readonly widths: Widths;
  private readonly terms: Term[] = [];
  /** For each arrangement, the terms that depend on it. */
  private readonly concerned = new Map<number, Set<number>>();

  constructor(model: Model, widths: Widths, sizes: AxisSizes) {
    this.widths = widths;
    const full = shapeWith(model.graph, sizes);
    const shape: ShapeOf = (value) => {
      const before = full(value);
      if (value === undefined || before === undefined) return before;
      const declared = value.constant?.shape ?? shapeOf(value.type)!;
      // A symbolic axis keeps its length: nothing that shrinks has one.
      return widths.lengths(value, before).map((length, axis) => (typeof declared[axis] === 'number' ? length : before[axis]!));
    };
    for (const node of model.graph.nodes()) {
      this.add([...new Set([...valuesOf(node)])], () => {
        const macs = macsOf(node, shape) ?? 0;
        return { macs, parameters: 0, bytes: 0, latency: Math.max(macs, balance * trafficOf(node, shape)) };
      });
    }
    const { constants, trained } = countedConstants(model.graph);
    for (const value of constants) {
      this.add([value], () => {
        const size = sizeOf(shape(value)!);
        return { macs: 0, latency: 0, parameters: trained.has(value) ? size : 0, bytes: value.constant!.dtype === 'string' ? 0 : byteLengthOf(value.constant!.dtype, size) };
      });
    }
  }

  /** The costs at what is removed from the widths now. */
  now(): PrunedCost {
    const stale = new Set(this.widths.takeChanged().flatMap((arrangement) => [...this.concerned.get(arrangement) ?? []]));
    for (const at of stale) this.terms[at]!.now = this.terms[at]!.of();
    const total = (of: (cost: PrunedCost) => number): number => this.terms.reduce((sum, { now }) => sum + of(now), 0);
    return { macs: total(({ macs }) => macs), parameters: total(({ parameters }) => parameters), bytes: total(({ bytes }) => bytes), latency: total(({ latency }) => latency) };
  }

  private add(values: readonly Value[], of: () => PrunedCost): void {
    const index = this.terms.push({ of, now: of() }) - 1;
    for (const value of values) {
      for (const arrangement of this.widths.arrangementsOf(value)) {
        const known = this.concerned.get(arrangement);
        if (known === undefined) this.concerned.set(arrangement, new Set([index]));
        else known.add(index);
      }
    }
  }
}

/** What a node and its bodies read and write. */
function valuesOf(node: Node): Value[] {
  const inner = node.subgraphs.flatMap((body) => [...body.walk()].flatMap((inside) => [...inside.inputs, ...inside.outputs]));
  return [...node.inputs, ...node.outputs, ...inner].filter((value) => value !== undefined);
}

/** Bytes that a node reads and writes; what has no known shape counts nothing. */
function trafficOf(node: Node, shape: ShapeOf): number {
  const sum = (values: readonly (Value | undefined)[]): number => values.reduce((total, value) => {
    const [dims, dtype] = [shape(value), value?.constant?.dtype ?? dtypeOfType(value?.type)];
    return dims === undefined || dtype === undefined || dtype === 'string' ? total : total + byteLengthOf(dtype, sizeOf(dims));
  }, 0);
  return sum([...new Set(node.inputs)]) + sum(node.outputs);
}
