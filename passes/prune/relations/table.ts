import type { Node } from '../../../ir/model.ts';
import type { Relation, Relations } from '../relation.ts';
import { attentions } from './attention.ts';
import { bodies } from './bodies.ts';
import { joints } from './concat-split.ts';
import { convolutions } from './convolution.ts';
import { deformableConvolutions } from './deform.ts';
import { einsums } from './einsum.ts';
import { elementwiseOperators } from './elementwise.ts';
import { products } from './matrix.ts';
import { mixingOperators } from './mixing.ts';
import { normalizations } from './normalization.ts';
import { poolings } from './pooling.ts';
import { quantizations } from './quantization.ts';
import { recurrentLayers } from './recurrent.ts';
import { reductions } from './reduction.ts';
import { repeats } from './repeat.ts';
import { reshapes } from './reshape.ts';
import { scatters } from './scatter.ts';
import { shapeOperators } from './shapes.ts';
import { picks } from './slice-gather.ts';
import { spatialOperators } from './spatial.ts';

/** The facet table of channel relations: one row for each operator of the ONNX domain whose channels can be followed. */
const table: ReadonlyMap<string, Relation> = new Map(Object.entries({
  ...convolutions, ...products, ...elementwiseOperators,
  ...normalizations, ...reductions, ...poolings, ...recurrentLayers, ...attentions, ...quantizations, ...einsums, ...deformableConvolutions, ...bodies,
  ...reshapes, ...joints, ...picks, ...scatters, ...repeats, ...spatialOperators, ...shapeOperators, ...mixingOperators,
} satisfies Relations)
  .map(([op, row]): [string, Relation] => [op, typeof row === 'function' ? { relate: row } : row]));

/** The row of a node's operator; nothing where its channels cannot be followed. */
export function relationOf(node: Node): Relation | undefined {
  return node.domain === '' ? table.get(node.op) : undefined;
}
