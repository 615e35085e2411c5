import type { DType } from '../../ir/dtype.ts';
import { Node, type Graph, type Value } from '../../ir/model.ts';
import { producersOf } from '../../ir/order.ts';
import { dtypeOfType, shapeOf } from '../../ir/type.ts';
import { attributeOf } from '../pattern.ts';

/** One place where a node of the main graph reads a value. */
export interface Operand {
  readonly value: Value;
  readonly node: Node;
  readonly input: number;
}

/** Who reads a value: nodes of the main graph, and how many others. */
interface Uses {
  readonly nodes: readonly Operand[];
  readonly others: number;
}

/** Element types of numbers that are quantized. */
const real: ReadonlySet<DType> = new Set(['float', 'float16', 'bfloat16']);

/** The main graph as placement looks at it: in an order that does not depend on where nodes happen to stand. */
export class GraphView {
  readonly graph: Graph;
  /** By depth, then by name of the first output: a topological order that only the graph itself decides. */
  readonly order: readonly Node[];
  private readonly sizes: ReadonlyMap<string, number>;
  private readonly depths: ReadonlyMap<Node, number>;
  private readonly ranks: ReadonlyMap<Node, number>;
  private readonly fixed: ReadonlySet<Value>;
  private readonly operands = new Map<Node, readonly Operand[]>();
  private readonly readers = new Map<Value, Uses>();

  constructor(graph: Graph, sizes: ReadonlyMap<string, number>) {
    this.graph = graph;
    this.sizes = sizes;
    const depths = new Map<Node, number>();
    const fixed = new Set<Value>();
    for (const node of graph.nodes()) {
      let depth = 0;
      for (const producer of producersOf(node)) depth = Math.max(depth, (depths.get(producer) ?? 0) + 1);
      depths.set(node, depth);
      if (node.subgraphs.length > 0 || !node.inputs.every((value) => value === undefined || value.constant !== undefined || fixed.has(value))) continue;
      for (const value of node.outputs) if (value !== undefined) fixed.add(value);
    }
    this.depths = depths;
    this.fixed = fixed;
    const keyed = [...depths].map(([node, depth]) => ({ node, depth, key: node.outputs.find((value) => value !== undefined)?.name ?? node.name }));
    keyed.sort((a, b) => a.depth - b.depth || (a.key < b.key ? -1 : Number(a.key > b.key)));
    this.order = keyed.map(({ node }) => node);
    this.ranks = new Map(this.order.map((node, rank) => [node, rank]));
  }

  /** Nodes on the longest way from an input of the graph to this node. */
  depth(node: Node): number {
    return this.depths.get(node) ?? 0;
  }

  /** Place of a node in `order`. */
  rank(node: Node): number {
    return this.ranks.get(node) ?? -1;
  }

  /** Place of a value: inputs of the graph first, then by producer. */
  place(value: Value): number {
    const { producer, index } = value;
    return producer === undefined ? index - this.graph.inputs.length : this.rank(producer) + index / (producer.outputs.length + 1);
  }

  /** True if the value never changes: a constant, or computed from constants alone. */
  isFixed(value: Value): boolean {
    return value.constant !== undefined || this.fixed.has(value);
  }

  /** True for numbers that a sample decides and that a pair may stand on: of a real type, with at least one axis. */
  isActivation(value: Value | undefined): value is Value {
    if (value === undefined || value.graph !== this.graph || this.isFixed(value)) return false;
    const dtype = dtypeOfType(value.type);
    return dtype !== undefined && real.has(dtype) && shapeOf(value.type)?.length !== 0;
  }

  /** The operands of a node that are not fixed. */
  variable(node: Node): readonly Operand[] {
    return remembered(this.operands, node, () => node.inputs.flatMap((value, input) => (value === undefined || this.isFixed(value) ? [] : [{ value, node, input }])));
  }

  /** Uses by nodes of the main graph, in an order that does not depend on how they came about; `others` are graph outputs and bodies. */
  uses(value: Value): Uses {
    return remembered(this.readers, value, () => {
      const nodes = value.uses.flatMap(({ user, index }) => (user instanceof Node && user.graph === this.graph ? [{ value, node: user, input: index }] : []));
      nodes.sort(compareOperands(this));
      return { nodes, others: value.uses.length - nodes.length };
    });
  }

  /** The only use, if it is by a node of the main graph. */
  soleUse(value: Value): Operand | undefined {
    const [use] = value.uses;
    return value.uses.length === 1 && use!.user instanceof Node && use!.user.graph === this.graph ? { value, node: use!.user, input: use!.index } : undefined;
  }

  /** True if the value leaves the main graph: to the caller, or into a body. */
  escapes(value: Value): boolean {
    return value.uses.some(({ user }) => !(user instanceof Node) || user.graph !== this.graph);
  }

  /** Lengths of the axes at the shapes of the profile; Infinity for one that nothing limits. Undefined if the rank is not known. */
  dims(value: Value | undefined): readonly number[] | undefined {
    const shape = value?.constant?.shape ?? shapeOf(value?.type);
    return shape?.map((dim) => (typeof dim === 'number' ? dim : dim === undefined ? Infinity : this.sizes.get(dim) ?? Infinity));
  }
}

function remembered<K, T>(known: Map<K, T>, key: K, make: () => T): T {
  let found = known.get(key);
  if (found === undefined) known.set(key, found = make());
  return found;
}

/** The number of a fixed value with one element. */
export function scalarOf(value: Value | undefined): number | undefined {
  const tensor = value?.constant;
  return tensor?.size === 1 && tensor.dtype !== 'string' ? tensor.floats()[0] : undefined;
}

/** Smallest number that a Clip or Relu lets through; undefined for other operators, and where it is not known. */
export function lowerLimit(node: Node): number | undefined {
  if (node.is('Relu')) return 0;
  if (!node.is('Clip')) return undefined;
  const limit = node.inputs[1];
  if (limit !== undefined) return scalarOf(limit);
  const stated = attributeOf(node, 'min');
  return typeof stated === 'number' ? stated : -Infinity;
}

/** Operands in the order of the view. */
export function compareOperands(view: GraphView): (a: Operand, b: Operand) => number {
  return (a, b) => view.rank(a.node) - view.rank(b.node) || a.input - b.input;
}
