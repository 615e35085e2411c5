import type { Node } from '../../../ir/model.ts';
import type { Relation, Relations } from '../relation.ts';
import { convolutions } from './convolution.ts';
import { elementwiseOperators } from './elementwise.ts';
import { products } from './matrix.ts';

/** The facet table of channel relations: one row for each operator of the ONNX domain whose channels can be followed. */
const table: ReadonlyMap<string, Relation> = new Map(Object.entries({ ...convolutions, ...products, ...elementwiseOperators } satisfies Relations)
  .map(([op, row]): [string, Relation] => [op, typeof row === 'function' ? { relate: row } : row]));

/** The row of a node's operator; nothing where its channels cannot be followed. */
export function relationOf(node: Node): Relation | undefined {
  return node.domain === '' ? table.get(node.op) : undefined;
}
