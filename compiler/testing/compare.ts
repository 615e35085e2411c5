import { dtypeBits, isFloat } from '../../ir/dtype.ts';
import type { Tensor } from '../../ir/tensor.ts';

/** How far outputs may be apart: `exact` (equal numbers; 0 equals −0, NaN equals NaN), or a share of the largest magnitude that is expected. */
export type Tolerance = 'exact' | number;

/** What is different between two tensors, in words; undefined if they agree. Integers, bool and strings must be equal in any case. */
export function difference(expected: Tensor, actual: Tensor, tolerance: Tolerance): string | undefined {
  const type = ({ dtype, shape }: Tensor): string => `${dtype}[${shape.join(',')}]`;
  if (type(expected) !== type(actual)) return `is ${type(actual)}, not ${type(expected)}`;
  const [before, after] = [elements(expected), elements(actual)];
  const allowed = typeof tolerance === 'number' && isFloat(expected.dtype) ? tolerance * largest(before as ArrayLike<number>) : 0;
  for (let at = 0; at < before.length; at++) {
    const [wanted, found] = [before[at]!, after[at]!];
    if (wanted === found || (wanted !== wanted && found !== found)) continue;
    if (allowed > 0 && Math.abs(Number(wanted) - Number(found)) <= allowed) continue;
    return `has ${found} at ${at}, not ${wanted}${allowed > 0 ? `; the tolerance is ${allowed}` : ''}`;
  }
  return undefined;
}

function elements(tensor: Tensor): ArrayLike<number | bigint | string> {
  if (tensor.dtype === 'string') return tensor.strings();
  if (isFloat(tensor.dtype)) return tensor.floats();
  return dtypeBits(tensor.dtype) < 8 ? tensor.ints() : tensor.dtype.startsWith('complex') ? tensor.bytes() : tensor.array();
}

/** The largest finite magnitude. */
function largest(items: ArrayLike<number>): number {
  let most = 0;
  for (let at = 0; at < items.length; at++) {
    const magnitude = Math.abs(items[at]!);
    if (magnitude > most && magnitude < Infinity) most = magnitude;
  }
  return most;
}
