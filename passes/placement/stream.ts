import type { Node, Value } from '../../ir/model.ts';
import type { Reason } from './flow.ts';
import { isNormalization, roleOf } from './roles.ts';
import type { GraphView } from './view.ts';

/** Nodes looked at on the way back from an Add to where its branches part. */
const most = 256;

/**
 * Why an Add of two activations stays in float although its neighbours are int8; undefined if it need not.
 *
 * A residual stream that runs through a network whose blocks normalise what they read from it (transformers, mixers, ConvNeXt) carries the sums
 * of all blocks, with outliers that each normalisation removes again: int8 on it costs accuracy out of proportion (algorithms.md §1.1). Such an Add has a
 * normalisation inside the block whose result it adds, or its sum is read by one. `main` is the operand that ends the block; by default the deeper one.
 */
export function streamReason(add: Node, view: GraphView, main?: Value): Reason | undefined {
  const reader = readerOf(add, view);
  if (reader?.is('Softmax', 'LogSoftmax')) return { rule: 'PLC-07', reason: 'it adds to what a Softmax reads, where every step of int8 is a factor of the result' };
  if (reader === undefined && !normalizesInside(add, view, main)) return undefined;
  return { rule: 'PLC-13', reason: 'it adds to the residual stream of a normalised network, which int8 would ruin' };
}

/** The normalisation or Softmax that reads the sum, looked for through copies. */
function readerOf(add: Node, view: GraphView): Node | undefined {
  const seen = new Set<Node>();
  const waiting = [add];
  const readers: Node[] = [];
  for (let node = waiting.pop(); node !== undefined && seen.size < most; node = waiting.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const value of node.outputs) {
      for (const use of value === undefined ? [] : view.uses(value).nodes) {
        if (use.input === 0 && (isNormalization(use.node) || use.node.is('Softmax', 'LogSoftmax'))) readers.push(use.node);
        if (roleOf(use.node) === 'copy' || use.node.is('Cast')) waiting.push(use.node);
      }
    }
  }
  return readers.sort((a, b) => view.rank(a) - view.rank(b))[0];
}

/** Goes back from the branches of the Add, no higher than the shallower of them starts. */
function normalizesInside(add: Node, view: GraphView, main: Value | undefined): boolean {
  const operands = view.variable(add).map(({ value }) => value);
  if (operands.length !== 2) return false;
  const depthOf = (value: Value): number => (value.producer === undefined ? -1 : view.depth(value.producer));
  const deep = main ?? operands.toSorted((a, b) => depthOf(b) - depthOf(a))[0]!;
  const skip = operands.find((value) => value !== deep) ?? deep;
  const floor = depthOf(skip);
  const seen = new Set<Node>();
  const waiting = [deep.producer];
  while (waiting.length > 0 && seen.size < most) {
    const node = waiting.pop();
    if (node === undefined || seen.has(node) || view.depth(node) <= floor) continue;
    seen.add(node);
    if (isNormalization(node)) return true;
    for (const { value } of view.variable(node)) if (value !== skip) waiting.push(value.producer);
  }
  return false;
}
