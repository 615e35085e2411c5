import type { Node } from '../../../ir/model.ts';

/** Whether an operator leaves a channel that is this number everywhere as it is. */
type Keeps = (number: number, node: Node) => boolean;

const always: Keeps = () => true;
const only = (operators: string, keeps: Keeps): [string, Keeps][] => operators.trim().split(/\s+/).map((op) => [op, keeps]);
const padsWith = (node: Node): number => node.inputs[2]?.constant?.floats()[0] ?? (node.inputs[2] === undefined ? node.float('value', 0) : NaN);

/** Operators that move or repeat numbers, or make of equal ones the same: maxima and means over places. Padding of a MaxPool never counts. */
export const copies: ReadonlyMap<string, Keeps> = new Map([
  ...only('Identity Dropout Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather Expand Tile DepthToSpace SpaceToDepth MaxPool GlobalMaxPool GlobalAveragePool ReduceMax ReduceMin ReduceMean', always),
  ['Pad', (number, node) => (node.string('mode', 'constant') === 'constant' ? padsWith(node) === number : true)],
]);

/** Operators that make zeros of zeros, in each channel by itself. */
export const keepsZero: ReadonlyMap<string, Keeps> = new Map([
  ...only('AveragePool LpPool GlobalLpPool ReduceSum ReduceL1 ReduceL2 ReduceSumSquare CumSum', (number) => number === 0),
  ...only('Resize Upsample', (number, node) => number === 0 && node.float('extrapolation_value', 0) === 0),
]);

/** Operators behind which the places of a channel stand in the order in which they stood. */
export const inOrder: ReadonlySet<string> = new Set(['Identity', 'Dropout', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Concat']);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
/** What an operator of one operand makes of a number. */
const one = (apply: (x: number, node: Node) => number) => ([x]: readonly number[], node: Node): number => apply(x!, node);
const zero = one((x) => (x === 0 ? 0 : NaN));
const hardSigmoid = (x: number, alpha: number, beta: number): number => Math.max(0, Math.min(1, alpha * x + beta));
/** Far out, kernels of the runtime clamp where the function goes on to its limit. */
const within = (limit: number, apply: (x: number) => number) => one((x) => (Math.abs(x) <= limit ? apply(x) : NaN));

/** What operators make of numbers, place by place; inputs that are left out are undefined. NaN where that is not told. */
export const functions: Readonly<Record<string, (numbers: readonly number[], node: Node) => number>> = {
  Add: ([a, b]) => a! + b!, Sub: ([a, b]) => a! - b!, Mul: ([a, b]) => a! * b!, Div: ([a, b]) => a! / b!,
  Sum: sum, Mean: (numbers) => sum(numbers) / numbers.length, Min: (numbers) => Math.min(...numbers), Max: (numbers) => Math.max(...numbers),
  Relu: one((x) => Math.max(0, x)), Abs: one(Math.abs), Neg: one((x) => -x), Sqrt: one(Math.sqrt), Exp: within(80, Math.exp), Reciprocal: one((x) => 1 / x),
  Sigmoid: within(16, (x) => 1 / (1 + Math.exp(-x))), Tanh: within(8, Math.tanh), Softplus: within(16, (x) => Math.log1p(Math.exp(x))),
  LeakyRelu: one((x, node) => (x < 0 ? x * node.float('alpha', 0.01) : x)),
  Clip: ([x, least, most], node) => Math.min(Math.max(x!, least ?? node.float('min', -Infinity)), most ?? node.float('max', Infinity)),
  PRelu: ([x, slope]) => (x! < 0 ? x! * slope! : x!),
  HardSigmoid: one((x, node) => hardSigmoid(x, node.float('alpha', 0.2), node.float('beta', 0.5))), HardSwish: one((x) => x * hardSigmoid(x, 1 / 6, 0.5)),
  Elu: zero, Selu: zero, Celu: zero, Erf: zero, Gelu: zero, Mish: zero, Sin: zero, Softsign: zero, Swish: zero,
};

/** Operators whose result at a place depends on nothing but the operands at that place. */
export const pure: ReadonlySet<string> = new Set([...Object.keys(functions), ...'Pow Cos Floor Ceil Round Sign Log Not Where QuantizeLinear DequantizeLinear'.split(' ')]);
