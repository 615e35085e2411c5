import type { Editor } from '../../ir/edit.ts';
import type { Node } from '../../ir/model.ts';
import type { Placement } from '../placement/placement.ts';
import type { Statistics } from '../statistics/statistics.ts';
import type { Target } from '../target.ts';
import { LayerWriter, type LayerOptions, type LayerResult } from './layers.ts';
import { PairWriter } from './pairs.ts';
import type { ClassScale } from './ranges.ts';

/** Writes a placement into the model: weights and biases of its layers, then the pairs of activations. `scales` holds one scale for each class. Returns what became of the layers. */
export function emit(edit: Editor, placement: Placement, scales: readonly ClassScale[], statistics: Statistics, target: Target, options: LayerOptions): Map<Node, LayerResult> {
  const scaleOf = scalesRead(placement, scales);
  const layerWriter = new LayerWriter(edit, target, statistics, options);
  const layers = new Map<Node, LayerResult>();
  for (const weight of placement.weights) {
    const { node, input } = weight;
    const scale = scaleOf(node, input === 0 ? 1 : 0);
    if (scale === undefined) throw new Error(`the weights of node '${node.name}' are placed, and what it reads is not`);
    layers.set(node, layerWriter.write(weight, scale.grid.scale));
  }
  const pairWriter = new PairWriter(edit, target.numbers.activations, target.numbers.weights.storage === 'int8-dq');
  for (const pair of placement.pairs) pairWriter.write(pair, scales[pair.scaleClass]!.grid);
  return layers;
}

/** The scale of what an input of a node holds: of its pair, or of one that lies behind operators that only move elements, which share it. */
export function scalesRead({ pairs }: Placement, scales: readonly ClassScale[]): (node: Node, input: number) => ClassScale | undefined {
  const paired = new Map<Node, Map<number, ClassScale>>();
  for (const { consumers, scaleClass } of pairs) {
    for (const { node, input } of consumers) paired.set(node, (paired.get(node) ?? new Map<number, ClassScale>()).set(input, scales[scaleClass]!));
  }
  return (node, input) => {
    let [found, value] = [paired.get(node)?.get(input), node.inputs[input]];
    while (found === undefined && value?.producer !== undefined) {
      const mover = value.producer;
      [found] = paired.get(mover)?.values() ?? [];
      value = mover.inputs[0];
    }
    return found;
  };
}
