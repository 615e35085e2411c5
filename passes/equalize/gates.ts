import type { Editor } from '../../ir/edit.ts';
import type { Node } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType, shapeOf } from '../../ir/type.ts';
import type { ChannelRule } from './channels.ts';

/**
 * True for the gate g of an activation x · g(x), such as SiLU and HardSwish, whose parts nothing else reads. Factors of x pass to the product if the gate reads x as
 * it was: x / f · g(f · x / f) = x · g(x) / f. That costs one multiplication, in the same kernel as the gate.
 */
export function isGate(node: Node): boolean {
  if (!node.is('Sigmoid', 'HardSigmoid')) return false;
  const [x] = node.inputs;
  const product = node.outputs[0]?.uses[0]?.user;
  if (x === undefined || product === undefined || !('op' in product) || !product.is('Mul') || node.outputs[0]!.uses.length !== 1) return false;
  return x.uses.length === 2 && product.inputs.includes(x);
}

/** The gate leaves the factors of what it reads to the product; see `restoreGate`. */
export const gateRule: ChannelRule = isGate;

/** Makes a gate read what it read before the channels of its input were divided by these factors. */
export function restoreGate(gate: Node, axis: number, factors: Float64Array, edit: Editor): void {
  const x = gate.inputs[0]!;
  const shape = shapeOf(x.type)!.slice(axis).map((_, at) => (at === 0 ? factors.length : 1));
  const restoring = edit.constant(gate.graph, Tensor.of(dtypeOfType(x.type)!, factors, shape), `${x.name}_factors`);
  const { output } = edit.insert({ op: 'Mul', inputs: [x, restoring], name: `${gate.name}_restore`, from: [gate], outputs: [x.type] }, { before: gate });
  edit.setInput(gate, 0, output);
}
