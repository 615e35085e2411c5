import type { Model, Node, Value } from '../../../ir/model.ts';
import { shapeOf } from '../../../ir/type.ts';
import { weightMatrix, type WeightMatrix } from '../../quantize/channels.ts';

/** A layer whose weights can be fitted anew. */
export interface FittedLayer {
  readonly node: Node;
  readonly input: Value;
  readonly weight: Value;
  readonly matrix: WeightMatrix;
  /** The constant that takes up a shift of the outputs: the bias of the node, or what is added right behind it. `absent`: the node can be given one. `none`: it cannot. */
  readonly bias: Value | 'absent' | 'none';
  /**
   * Where the outputs are judged: they come in there unchanged, with factor 1, so that what is missing there is what the layer should give more. The sum that a residual branch ends in, or its own output: the
   * last layer of a branch then also makes up for what the other branch has lost.
   */
  readonly judge: Value;
}

/** The layers of the main graph that can be fitted anew, in order, from the first one that reads something that pruning has changed. */
export function fittedLayers(model: Model, cut: ReadonlySet<Value>): FittedLayer[] {
  const changed = new Set<Value>(cut);
  const layers: FittedLayer[] = [];
  for (const node of model.graph.nodes()) {
    if (!node.inputs.some((value) => value !== undefined && changed.has(value))) continue;
    for (const value of node.outputs) if (value !== undefined) changed.add(value);
    const layer = fittedLayer(node);
    if (layer !== undefined) layers.push(layer);
  }
  return layers;
}

function fittedLayer(node: Node): FittedLayer | undefined {
  const [input, weight, bias] = node.inputs;
  const tensor = weight?.constant;
  if (input === undefined || input.constant !== undefined || weight === undefined || tensor?.dtype !== 'float' || weight.uses.length > 1 || node.outputs.length !== 1) return undefined;
  const matrix = weightMatrix(node, tensor);
  if (matrix === undefined || (node.is('Gemm') && (node.float('alpha', 1) !== 1 || node.float('beta', 1) !== 1 || node.int('transA', 0) !== 0))) return undefined;
  if (node.is('Conv') && (tensor.shape.length !== 4 || !['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'].includes(node.string('auto_pad', 'NOTSET')))) return undefined;
  const output = node.output;
  const shift = biasOf(node, bias, output, matrix.outputs);
  return { node, input, weight, matrix, judge: judgeOf(shift === 'none' || shift === 'absent' || shift === bias ? output : output.uses[0]!.user, output), bias: shift };
}

function biasOf(node: Node, bias: Value | undefined, output: Value, outputs: number): FittedLayer['bias'] {
  const isOwn = (value: Value | undefined): value is Value => value?.constant?.dtype === 'float' && value.constant.size === outputs && value.uses.length === 1;
  if (!node.is('MatMul')) return bias === undefined ? 'absent' : isOwn(bias) ? bias : 'none';
  const [use] = output.uses;
  if (output.uses.length !== 1 || use === undefined || !('op' in use.user) || !use.user.is('Add')) return 'none';
  const other = use.user.inputs[1 - use.index];
  return isOwn(other) && other.constant!.shape.at(-1) === outputs ? other : 'none';
}

/** The value behind additions: of the bias, then of another branch. */
function judgeOf(from: unknown, output: Value): Value {
  let judge = from instanceof Object && 'op' in from ? (from as Node).output : output;
  const [use] = judge.uses;
  if (judge.uses.length !== 1 || use === undefined || !('op' in use.user) || !use.user.is('Add')) return judge;
  const sum = use.user.outputs[0];
  const same = sum !== undefined && shapeOf(sum.type)?.join() === shapeOf(judge.type)?.join() && use.user.inputs[1 - use.index]?.constant === undefined && use.user.inputs[0] !== use.user.inputs[1];
  if (same) judge = sum;
  return judge;
}
