import type { Node, Value } from '../../ir/model.ts';
import type { PlacementFacts } from '../target.ts';
import { attentionOf } from './attention.ts';
import type { PlacementOptions, PlacedWeight } from './placement.ts';
import type { GraphView, Operand } from './view.ts';

/** Whether the target has an int8 kernel for a weighted node that wins, and what it reads. */
export interface Kernel {
  readonly ok: boolean;
  readonly rule: string;
  readonly reason: string;
  /** Activations that must be int8. */
  readonly operands: readonly Operand[];
  readonly weight?: Omit<PlacedWeight, 'node'>;
}

/** A kernel is judged with the facts of the target, at the shapes of the profile. */
export interface KernelContext {
  readonly view: GraphView;
  readonly facts: PlacementFacts;
  readonly options: PlacementOptions;
}

/** The verdict on a weighted node (Conv, ConvTranspose, Gemm, MatMul). */
export function kernelOf(node: Node, context: KernelContext): Kernel {
  const { view, facts, options } = context;
  const no = refusal(view.variable(node));
  if (!options.select(node)) return no('SEL-01', 'it is not among the nodes that the step selects');
  if (!facts.weighted.includes(node.op)) return no('KRN-01', `the target has no int8 kernel for ${node.op}`);
  if (isQuantizedAlready(node)) return no('QDQ-00', 'it is quantized already and left as it is');
  if (!view.isActivation(node.outputs[0]) && !view.variable(node).every(({ value }) => view.isActivation(value))) return no('TYP-01', typeReason(node, view));
  return node.is('Conv', 'ConvTranspose') ? convolution(node, context) : product(node, context);
}

const refusal = (operands: readonly Operand[]) => (rule: string, reason: string): Kernel => ({ ok: false, rule, reason, operands });

function typeReason(node: Node, view: GraphView): string {
  return view.variable(node).length === 0 ? 'nothing that it reads depends on the sample: fold it' : 'what it reads is not a tensor of float, float16 or bfloat16 with at least one axis';
}

/** True if a DequantizeLinear (maybe of the weight) stands right before the node. */
export function isQuantizedAlready(node: Node): boolean {
  return node.inputs.some((value) => value?.producer?.op === 'DequantizeLinear' || value?.producer?.op === 'DynamicQuantizeLinear');
}

function convolution(node: Node, { view, facts }: KernelContext): Kernel {
  const [x, w, b] = node.inputs;
  const no = refusal(view.variable(node));
  if (!view.isActivation(x)) return no('TYP-01', typeReason(node, view));
  if (w?.constant === undefined) return no('WGT-12', 'its weight is not constant, so that its rounding cannot be done when the engine is built');
  if (b !== undefined && b.constant === undefined) return no('WGT-12', 'its bias is not constant');
  const shape = w.constant.shape;
  if (!facts.convRanks.includes(shape.length)) return no('WGT-08', `the target has no reliable int8 convolution over ${shape.length - 2} spatial ${shape.length === 3 ? 'axis' : 'axes'}`);
  const transposed = node.is('ConvTranspose');
  const group = Math.max(1, node.int('group', 1));
  const [inside, outside] = transposed ? [shape[0]! / group, shape[1]!] : [shape[1]!, shape[0]! / group];
  const verdict = channelVerdict({ group, inside, outside, kernel: shape.slice(2), first: readsInput(x, view) }, facts);
  if (verdict !== undefined) return no(...verdict);
  return {
    ok: true,
    rule: group > 1 && inside === 1 ? 'PLC-10' : 'PLC-01',
    reason: group > 1 && inside === 1 ? 'a depthwise convolution with an int8 kernel of its own' : 'a convolution whose channels fill an int8 kernel',
    operands: [{ value: x, node, input: 0 }],
    weight: { input: 1, axis: transposed ? undefined : 0, rule: transposed ? 'WGT-02d' : 'WGT-02a', ...(b !== undefined && { bias: 2 }) },
  };
}

interface Channels {
  readonly group: number;
  /** Channels of one group. */
  readonly inside: number;
  readonly outside: number;
  readonly kernel: readonly number[];
  /** Reads an input of the model: engines have kernels for images of few channels. */
  readonly first: boolean;
}

/** Why a convolution is not worth an int8 kernel (tensorrt.md WGT-07, PRN-02), or undefined. NVIDIA's list also wants square kernels, which keeps large layers of audio models in float; that is left out. */
function channelVerdict({ group, inside, outside, kernel, first }: Channels, { minChannels, groupAlignment }: PlacementFacts): [rule: string, reason: string] | undefined {
  if (minChannels <= 1 && groupAlignment <= 1) return undefined;
  const outputs = outside * group;
  if (group > 1 && inside === 1) {
    if (outputs % 8 === 0 && kernel.every((length) => length >= 3)) return undefined;
    return ['PRN-02', `a depthwise convolution wins in int8 with a multiple of 8 channels and a kernel of 3 or more; it has ${outputs} and ${kernel.join('×')}`];
  }
  if (group > 1) {
    if (inside % groupAlignment === 0 && outside % groupAlignment === 0) return undefined;
    return ['WGT-07', `grouped int8 convolutions need multiples of ${groupAlignment} channels in each group; it has ${inside} to ${outside}`];
  }
  if (inside >= minChannels && outputs >= minChannels) return undefined;
  const aligned = inside % 8 === 0 || outputs % 8 === 0;
  if (aligned && (first || inside >= minChannels || outputs >= minChannels)) return undefined;
  return ['PRN-02', `an int8 kernel wins from ${minChannels} channels on; it has ${inside} to ${outputs}`];
}

/** True for an input of the model, looked at through copies and what is done to each element. */
function readsInput(value: Value, view: GraphView): boolean {
  let at = value;
  for (let steps = 0; steps < 16; steps++) {
    if (at.producer === undefined) return at.isInput;
    const before = view.variable(at.producer);
    if (before.length !== 1 || at.producer.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return false;
    at = before[0]!.value;
  }
  return false;
}

function product(node: Node, context: KernelContext): Kernel {
  const { view } = context;
  const [a, b] = node.inputs;
  if (view.isActivation(a) && view.isActivation(b)) return dynamicProduct(node, context);
  if (b?.constant !== undefined && view.isActivation(a)) return weightedProduct(node, a, b, context);
  const no = refusal(view.variable(node));
  if (a?.constant !== undefined && view.isActivation(b)) return no('WGT-10', 'its weight is the first operand; int8 kernels want it second: transpose the product');
  return no('WGT-12', 'its weight is neither constant nor an activation');
}

function weightedProduct(node: Node, a: Value, b: Value, { view, facts }: KernelContext): Kernel {
  const no = refusal(view.variable(node));
  const shape = b.constant!.shape;
  const gemm = node.is('Gemm');
  if (gemm && (node.float('alpha', 1) !== 1 || (node.inputs[2] !== undefined && node.float('beta', 1) !== 1))) return no('WGT-09', 'its alpha or beta is not 1: fold them into the weights');
  if (shape.length < 2) return no('PRN-03', 'its weight is a vector: a product of one column has no int8 kernel that wins');
  const transposed = gemm && node.int('transB', 0) !== 0;
  const axis = transposed ? 0 : shape.length - 1;
  const [n, k] = [shape[axis]!, shape[transposed ? 1 : shape.length - 2]!];
  const dims = view.dims(a);
  const rows = dims === undefined ? Infinity : gemm && node.int('transA', 0) !== 0 ? dims[1]! : dims.slice(0, -1).reduce((product, dim) => product * dim, 1);
  const verdict = productVerdict(rows, k, n, facts);
  if (verdict !== undefined) return no(...verdict);
  const c = gemm ? node.inputs[2] : undefined;
  if (c !== undefined && facts.pairs === 'all' && !isBias(c, n)) return no('WGT-09', 'what it adds is not a constant vector of the output channels, and the int8 kernel takes no other');
  return {
    ok: true,
    rule: 'PLC-06',
    reason: 'a matrix product that fills an int8 kernel',
    operands: [{ value: a, node, input: 0 }],
    weight: {
      input: 1,
      axis: shape.length === 2 ? axis : undefined,
      rule: gemm ? 'WGT-02b' : 'WGT-02c',
      ...(c !== undefined && isBias(c, n) ? { bias: 2 } : gemm ? {} : addedBias(node, n, view)),
    },
  };
}

/** True for a constant of `n` numbers along the last axis. */
function isBias(value: Value, n: number): boolean {
  const shape = value.constant?.shape;
  return shape !== undefined && (shape.at(-1) ?? 1) === n && shape.slice(0, -1).every((dim) => dim === 1);
}

/** The constant vector of an Add that alone reads a MatMul: its bias, in all but name. */
function addedBias(node: Node, n: number, view: GraphView): Pick<PlacedWeight, 'addedBias'> {
  const use = node.outputs[0] && view.soleUse(node.outputs[0]);
  if (!use?.node.is('Add')) return {};
  const input = 1 - use.input;
  const other = use.node.inputs[input];
  return other !== undefined && isBias(other, n) ? { addedBias: { node: use.node, input } } : {};
}

function productVerdict(rows: number, k: number, n: number, { gemv, minChannels }: PlacementFacts): [rule: string, reason: string] | undefined {
  if (!gemv && (rows <= 1 || n <= 1)) return ['PRN-03', `a product of one ${rows <= 1 ? 'row' : 'column'} (${rows}×${k}×${n}) is bound by memory and has no int8 kernel that wins`];
  if (k < minChannels || n < minChannels) return ['PRN-02', `an int8 product wins from K and N of ${minChannels} on; it has ${k} and ${n}`];
  return undefined;
}

/** A product of two activations. */
function dynamicProduct(node: Node, context: KernelContext): Kernel {
  const { view, facts, options } = context;
  const operands = [0, 1].map((input) => ({ value: node.inputs[input]!, node, input }));
  const no = refusal(operands);
  if (node.is('Gemm')) return no('WGT-12', 'both of its operands are activations, and its int8 kernel wants a constant weight');
  if (options.attention === 'off') return no('PLC-07', 'products of activations are left in float (attention: off)');
  const attention = attentionOf(node, view);
  if (options.attention === 'auto') {
    if (attention === undefined) return no('PLC-07', 'a product of two activations that is no part of an attention is left in float (attention: auto)');
    if (attention.masked && !facts.maskedAttention) return no('PLC-07', 'the fused attention with a mask has no int8 kernel');
    if (attention.sequence > facts.maxSequence) return no('PLC-07', `the fused int8 attention ends at sequences of ${facts.maxSequence}; this one is ${attention.sequence === Infinity ? 'not known' : `of ${attention.sequence}`}`);
  }
  const [a, b] = operands.map(({ value }) => view.dims(value));
  const [rows, k, n] = [a?.at(-2) ?? 1, a?.at(-1) ?? Infinity, (b?.length ?? 0) > 1 ? b!.at(-1)! : 1];
  const verdict = productVerdict(rows, k, n, facts);
  if (verdict !== undefined) return no(...verdict);
  return { ok: true, rule: 'PLC-07', reason: 'a product of an attention with an int8 kernel', operands };
}
