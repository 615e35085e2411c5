import type { Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';

/** Ties what has one slab for each of these channels along an axis (biases, states); its other axes stay. If it cannot shrink, the channels stay. An operand that is left out has no say. */
export function along(flow: Flow, value: Value | undefined, axis: number, ids: Int32Array): void {
  if (value === undefined) return;
  const own = flow.only(value, axis, 'is not an axis of channels');
  if (own === undefined) flow.pin(ids, 'goes along with something that cannot shrink', value, axis);
  else flow.unite(ids, own);
}
