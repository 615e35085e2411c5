import type { Attribute } from '../ir/attribute.ts';
import { hashGraph } from '../ir/hash.ts';

/** A text that is equal for equal attributes: tensors by their elements, graphs by what they compute. */
export function attributeKey(attribute: Attribute | undefined): string {
  return JSON.stringify(attribute ?? null, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'number' && Object.is(value, -0)) return '-0';
    if (typeof value !== 'object' || value === null) return value;
    if ('hash' in value && typeof value.hash === 'function') return (value as { hash(): string }).hash();
    return 'nodeCount' in value ? hashGraph(value as Parameters<typeof hashGraph>[0]) : value;
  });
}
