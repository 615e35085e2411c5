import { isFloat } from '../../ir/dtype.ts';
import type { Value } from '../../ir/model.ts';
import { dtypeOfType } from '../../ir/type.ts';
import { numbersOf } from './operands.ts';

/** Operators whose results are finite where all their operands are. */
const keeping = new Set([
  'Abs', 'Ceil', 'Concat', 'Expand', 'Flatten', 'Floor', 'Identity', 'MaxPool', 'Neg', 'Relu', 'Reshape', 'Round', 'Sigmoid', 'Sign', 'Softmax', 'Squeeze', 'Tanh', 'Tile',
  'Transpose', 'Unsqueeze',
]);

/** Nodes that one question may look at. */
const budget = 32;

/**
 * True if no element can be NaN or infinite, whatever the inputs of the model hold: integers, what is cast or dequantized from them, and what is made of such
 * by operators that stay finite. A convolution may overflow and a float input may be NaN: of these nothing is certain.
 */
export function isCertainlyFinite(value: Value): boolean {
  const seen = new Set([value]);
  for (const at of seen) {
    const dtype = dtypeOfType(at.type);
    if (dtype === undefined || seen.size > budget) return false;
    if (!isFloat(dtype)) continue;
    const node = at.producer;
    if (node?.domain !== '') return false;
    if (node.op === 'Cast' && (dtype === 'float' || dtype === 'double')) seen.add(node.inputs[0]!);
    else if (node.op === 'DequantizeLinear' && dtype === 'float' && hasModestScale(node.inputs[1])) continue;
    else if (keeping.has(node.op)) for (const input of node.inputs.slice(0, node.op === 'Concat' ? undefined : 1)) seen.add(input!);
    else return false;
  }
  return true;
}

/** A scale that takes no 32-bit integer, less a zero point, beyond the floats. */
function hasModestScale(scale: Value | undefined): boolean {
  return numbersOf(scale)?.every((item) => Math.abs(item) <= 2 ** 64) ?? false;
}
