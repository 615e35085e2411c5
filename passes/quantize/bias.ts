import type { Editor } from '../../ir/edit.ts';
import { Node, type Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { roundHalfEven } from './codes.ts';

/** Where the bias of a layer stands: an input of the layer, or the constant operand of the Add behind a MatMul. */
export interface BiasSlot {
  readonly node: Node;
  readonly input: number;
  /** One number for each output channel; undefined if there is no bias yet. */
  readonly elements: Float64Array | undefined;
}

/**
 * The place for a bias of `outputs` numbers. Conv and Gemm have one, whether it is used or not; a MatMul has one if a single Add of a constant row
 * follows. Undefined where a bias would cost an operation, or is not constant, or is no row.
 */
export function biasSlot(node: Node, outputs: number): BiasSlot | undefined {
  if (node.is('MatMul')) return addedBias(node, outputs);
  const value = node.inputs[2];
  if (value === undefined) return { node, input: 2, elements: undefined };
  const elements = rowOf(value, outputs);
  return elements && { node, input: 2, elements };
}

function addedBias(node: Node, outputs: number): BiasSlot | undefined {
  const [use, ...others] = node.output.uses;
  if (use === undefined || others.length > 0 || !(use.user instanceof Node) || !use.user.is('Add')) return undefined;
  const add = use.user;
  const value = add.inputs[1 - use.index];
  const elements = value && rowOf(value, outputs);
  return elements && value.constant!.size === outputs ? { node: add, input: 1 - use.index, elements } : undefined;
}

/** A constant that adds one number to each channel of the last axis (or, as the bias of a Conv, of its only axis). */
function rowOf({ constant }: Value, outputs: number): Float64Array | undefined {
  if (constant === undefined || !['float', 'double', 'float16'].includes(constant.dtype)) return undefined;
  if (constant.size === 1) return new Float64Array(outputs).fill(constant.floats()[0]!);
  return constant.size === outputs && constant.shape.at(-1) === outputs ? Float64Array.from(constant.floats()) : undefined;
}

/** Gives a slot these numbers, as a float constant of its own: others that read the old one keep it. */
export function setFloatBias(edit: Editor, slot: BiasSlot, elements: Float64Array): void {
  const before = slot.node.inputs[slot.input];
  const shape = before?.constant?.size === elements.length ? before.constant.shape : [elements.length];
  const tensor = Tensor.of(before?.constant?.dtype ?? 'float', elements, shape);
  replaceConstant(edit, slot, tensor, before?.name ?? `${slot.node.name}_bias`);
}

/** Largest code of an int32 bias: accumulators need room for the products as well. */
const largestCode = 2 ** 30;

/** The codes of a bias as int32, or undefined if one does not fit: it is too large for the scale of its channel. */
export function biasCodes(elements: Float64Array, scales: Float32Array): Int32Array | undefined {
  const codes = Float64Array.from(elements, (element, channel) => roundHalfEven(element / scales[channel]!));
  return codes.every((code) => Math.abs(code) <= largestCode) ? Int32Array.from(codes) : undefined;
}

/** Replaces the bias by int32 codes behind a DequantizeLinear, whose scales are those of the accumulator: input scale · weight scale. */
export function setIntegerBias(edit: Editor, slot: BiasSlot, codes: Int32Array, scales: Float32Array): void {
  const { node, input } = slot;
  const before = node.inputs[input];
  const name = before?.name ?? `${node.name}_bias`;
  const { graph } = node;
  const single = scales.length === 1;
  const inputs = [
    edit.constant(graph, Tensor.of('int32', codes), `${name}_quantized`),
    edit.constant(graph, Tensor.of('float', scales, single ? [] : [scales.length]), `${name}_scale`),
    edit.constant(graph, Tensor.of('int32', new Int32Array(scales.length), single ? [] : [scales.length]), `${name}_zero_point`),
  ];
  const dequantize = edit.insert({ op: 'DequantizeLinear', inputs, attributes: single ? {} : { axis: 0 }, name: `${name}_DequantizeLinear`, from: [node] }, { before: node });
  edit.setInput(node, input, dequantize.output);
  dropUnused(edit, before);
}

function replaceConstant(edit: Editor, { node, input }: BiasSlot, tensor: Tensor, name: string): void {
  const before = node.inputs[input];
  if (before?.constant !== undefined && before.uses.length === 1) edit.setTensor(before, tensor);
  else edit.setInput(node, input, edit.constant(node.graph, tensor, name));
}

/** Removes a constant that nothing reads any more. */
export function dropUnused(edit: Editor, value: Value | undefined): void {
  if (value?.constant !== undefined && value.uses.length === 0) edit.remove(value);
}
