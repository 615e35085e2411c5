import { Node, type Graph, type Value } from '../ir/model.ts';
import { sizeOf } from '../ir/tensor.ts';
import { shapeOf } from '../ir/type.ts';

/** What one node costs. */
export interface Cost {
  /** Multiply-accumulate operations for one sample; undefined where they cannot be told (see `costOf`). */
  readonly macs: number | undefined;
  /** Trained numbers: elements of the node's constants, those aside that steer (axes, limits, scales) or were counted (running statistics). */
  readonly parameters: number;
  /** Bytes that the node's constants take in their element types. */
  readonly bytes: number;
}

/** What a graph costs. A constant that several nodes read counts once. */
export interface GraphCost {
  /** Sum over all nodes whose operations can be told. */
  readonly macs: number;
  /** The nodes whose operations cannot be told: `macs` is without them. */
  readonly unknown: readonly Node[];
  readonly parameters: number;
  readonly bytes: number;
}

/** Lengths of symbolic axes, by symbol. */
export type AxisSizes = ReadonlyMap<string, number>;

/** The lengths of a value's axes; undefined where one of them is not known. */
export type ShapeOf = (value: Value | undefined) => readonly number[] | undefined;
type Rule = (node: Node, shape: ShapeOf) => number | undefined;

/** Every element of output 0 sums over the weight's input channels and kernel positions; the weight is [M, C/group, k…]. */
const convolution = (weight: number): Rule => ({ inputs, outputs }, shape) => times(shape(outputs[0]), shape(inputs[weight])?.slice(1));

/** Every element of output 0 sums over the last axis of input 0. */
const matrixProduct: Rule = ({ inputs, outputs }, shape) => times(shape(outputs[0]), shape(inputs[0])?.slice(-1));

/** Every time step of every sequence multiplies with all of W [D, G·H, I] and R [D, G·H, H]; X is [S, B, I], or [B, S, I] with layout 1. */
const recurrent: Rule = ({ inputs: [x, w, r] }, shape) => {
  const steps = shape(x)?.slice(0, 2);
  const [input, hidden] = [times(steps, shape(w)), times(steps, shape(r))];
  return input === undefined || hidden === undefined ? undefined : input + hidden;
};

/** The facet table: how to count the operations of the operators that multiply matrices. Operators without a row see `costOf`. */
const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Conv', convolution(1)],
  ['ConvInteger', convolution(1)],
  ['QLinearConv', convolution(3)],
  ['DeformConv', convolution(1)],
  // Every element of the input is spread over the weight's output channels and kernel positions; the weight is [C, M/group, k…].
  ['ConvTranspose', ({ inputs: [x, w] }, shape) => times(shape(x), shape(w)?.slice(1))],
  ['Gemm', (node, shape) => times(shape(node.outputs[0]), shape(node.inputs[0])?.slice(...(node.int('transA', 0) === 0 ? [1, 2] : [0, 1])))],
  ['MatMul', matrixProduct],
  ['MatMulInteger', matrixProduct],
  ['QLinearMatMul', matrixProduct],
  ['RNN', recurrent],
  ['GRU', recurrent],
  ['LSTM', recurrent],
  ['Einsum', einsum],
  // One of the branches runs; the dearer one is counted.
  ['If', ({ subgraphs }, shape) => subgraphs.map((body) => bodyMacs(body, shape)).reduce((a, b) => (a === undefined || b === undefined ? undefined : Math.max(a, b)), 0)],
]);

/** Operators of the ONNX domain that multiply matrices or run bodies in ways that are not counted. */
const uncounted: ReadonlySet<string> = new Set(['Attention', 'DFT', 'STFT', 'Loop', 'Scan', 'SequenceMap']);

/** Inputs whose constants describe numbers rather than being trained: running statistics, scales, zero points, limits, extents. */
const settings: ReadonlyMap<string, readonly number[]> = new Map([
  ['BatchNormalization', [3, 4]],
  ['Clip', [1, 2]],
  ['ConvInteger', [2, 3]],
  ['DequantizeLinear', [1, 2]],
  ['Dropout', [1, 2]],
  ['MatMulInteger', [2, 3]],
  ['NonMaxSuppression', [2, 3, 4]],
  ['OneHot', [1, 2]],
  ['Pad', [1, 2, 3]],
  ['QLinearConv', [1, 2, 4, 5, 6, 7]],
  ['QLinearMatMul', [1, 2, 4, 5, 6, 7]],
  ['QuantizeLinear', [1, 2]],
  ['Resize', [1, 2, 3]],
  ['Upsample', [1]],
]);

/**
 * The cost of one node, from the types of its inputs and outputs.
 *
 * Operations are multiply-accumulates of matrix products and convolutions, biases not counted. Everything else of the ONNX domain
 * (elementwise arithmetic, normalisation, pooling, movement of data) counts 0, as is the custom. They are undefined for operators of
 * other domains, for Attention, DFT, STFT, Loop, Scan and SequenceMap, and where a shape that matters is not known.
 *
 * They are per sample: a symbol that stands as first axis of an input of the main graph is the batch and counts 1; a literal batch
 * counts as it stands. `sizes` gives the lengths of other symbols, or overrides the batch. An axis that is still unknown makes the
 * operations undefined; infer types at fixed input sizes to know them.
 *
 * Parameters are elements of floating-point constants, of constants of 8 bits and less (quantized weights), and of int32 biases of
 * QLinearConv and of dequantized ones; integers that steer (axes, shapes, indices) are not. Constants in `counted` are left out, and the others
 * are added to it: so that the costs of several nodes add up.
 */
export function costOf(node: Node, sizes: AxisSizes = new Map(), counted: Set<Value> = new Set()): Cost {
  const constants = [...new Set(node.inputs)].filter((value) => value?.constant !== undefined && !counted.has(value)) as Value[];
  for (const value of constants) counted.add(value);
  return {
    macs: macsOf(node, shapeWith(node.graph, sizes)),
    parameters: sum(constants.filter((value) => isTrained(node, value)).map((value) => value.constant!.size)),
    bytes: sum(constants.map(bytesOf)),
  };
}

/** The cost of a graph with all bodies inside it: the sum of its nodes' costs, with shared constants counted once. See `costOf`. */
export function graphCost(graph: Graph, sizes: AxisSizes = new Map()): GraphCost {
  const shape = shapeWith(graph, sizes);
  const unknown: Node[] = [];
  let macs = 0;
  for (const node of graph.nodes()) {
    const own = macsOf(node, shape);
    if (own === undefined) unknown.push(node);
    macs += own ?? 0;
  }
  const { constants, trained } = countedConstants(graph);
  return { macs, unknown, parameters: sum([...trained].map((value) => value.constant!.size)), bytes: sum([...constants].map(bytesOf)) };
}

/** The constants that the nodes of a graph and its bodies read, whose bytes count, and those among them whose elements count as parameters. */
export function countedConstants(graph: Graph): { readonly constants: ReadonlySet<Value>; readonly trained: ReadonlySet<Value> } {
  const constants = new Set<Value>();
  const trained = new Set<Value>();
  for (const node of graph.walk()) {
    for (const value of node.inputs) {
      if (value?.constant === undefined) continue;
      constants.add(value);
      if (isTrained(node, value)) trained.add(value);
    }
  }
  return { constants, trained };
}

/** Multiply-accumulates of one node at the shapes given, which need not be those of the types. See `costOf`. */
export function macsOf(node: Node, shape: ShapeOf): number | undefined {
  if (node.domain !== '' || uncounted.has(node.op)) return undefined;
  const rule = rules.get(node.op);
  return rule === undefined ? 0 : rule(node, shape);
}

function bodyMacs(body: Graph, shape: ShapeOf): number | undefined {
  let macs = 0;
  for (const node of body.nodes()) {
    const own = macsOf(node, shape);
    if (own === undefined) return undefined;
    macs += own;
  }
  return macs;
}

/** Two operands contract over all letters of the equation at once; one operand multiplies nothing; more have no fixed order. */
function einsum(node: Node, shape: ShapeOf): number | undefined {
  const [operands] = (node.string('equation') ?? '').replaceAll(/\s/g, '').split('->');
  const terms = operands!.split(',');
  if (terms.length !== node.inputs.length || terms.length > 2 || operands!.includes('.')) return undefined;
  if (terms.length === 1) return 0;
  const lengths = new Map<string, number>();
  for (const [at, term] of terms.entries()) {
    const dims = shape(node.inputs[at]);
    if (dims?.length !== term.length) return undefined;
    // An axis of length 1 may stand for any length.
    dims.forEach((dim, axis) => lengths.set(term[axis]!, Math.max(dim, lengths.get(term[axis]!) ?? 1)));
  }
  return sizeOf([...lengths.values()]);
}

function isTrained(node: Node, value: Value): boolean {
  const index = node.inputs.indexOf(value);
  if (node.domain === '' && settings.get(node.op)?.includes(index)) return false;
  switch (value.constant!.dtype) {
    case 'int32':
      return index === 0 ? node.is('DequantizeLinear') : node.is('QLinearConv');
    case 'int64': case 'int16': case 'uint16': case 'uint32': case 'uint64': case 'bool': case 'string':
      return false;
    default:
      return true;
  }
}

/** Strings have no fixed size and count 0. */
function bytesOf({ constant }: Value): number {
  return constant === undefined || constant.dtype === 'string' ? 0 : constant.byteLength;
}

/** Shapes as numbers, with symbols replaced; undefined where an axis remains unknown. */
export function shapeWith(graph: Graph, sizes: AxisSizes): ShapeOf {
  let main = graph;
  while (main.owner instanceof Node) main = main.owner.graph;
  const known = new Map<string, number>();
  for (const { type } of main.inputs) {
    const batch = shapeOf(type)?.[0];
    if (typeof batch === 'string') known.set(batch, 1);
  }
  for (const [symbol, length] of sizes) known.set(symbol, length);
  return (value) => {
    const shape = value?.constant?.shape ?? shapeOf(value?.type);
    const dims = shape?.map((dim) => (typeof dim === 'string' ? known.get(dim) : dim));
    return dims?.every((dim) => dim !== undefined) ? dims : undefined;
  };
}

function times(a: readonly number[] | undefined, b: readonly number[] | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : sizeOf(a) * sizeOf(b);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
