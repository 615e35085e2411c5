import type { Editor } from '../../../ir/edit.ts';
import { Node, type Value } from '../../../ir/model.ts';
import { sizeOf, Tensor } from '../../../ir/tensor.ts';
import type { Flow } from '../flow.ts';
import { renumbered } from '../layout.ts';
import type { Survivors } from '../survivors.ts';
import { readAs } from './reread.ts';

/** A Reshape, a Transpose and a Reshape that do nothing but put the places of one axis into another order (ShuffleNet's channel shuffle): place `i` of the result is place `order[i]` of `x`. */
interface Shuffle {
  readonly nodes: readonly [split: Node, turn: Node, merge: Node];
  readonly x: Value;
  readonly y: Value;
  readonly axis: number;
  readonly order: Int32Array;
}

type ShapeOf = (value: Value) => readonly (number | undefined)[] | undefined;

/** The shuffle that a Reshape begins or ends, if nothing else reads what is between. */
function shuffleAt(node: Node, axis: number, shapeOf: ShapeOf): Shuffle | undefined {
  return shuffleFrom(node, axis, shapeOf) ?? shuffleFrom(beginningOf(node), axis, shapeOf);
}

/** The first of three nodes that may be a shuffle, from the last. */
function beginningOf(merge: Node): Node | undefined {
  const turn = merge.inputs[0]?.producer;
  const split = turn?.is('Transpose') ? turn.inputs[0]?.producer : undefined;
  return split?.is('Reshape') ? split : undefined;
}

function shuffleFrom(split: Node | undefined, axis: number, shapeOf: ShapeOf): Shuffle | undefined {
  const turn = soleReader(split);
  const merge = soleReader(turn);
  if (!split?.is('Reshape') || !turn?.is('Transpose') || !merge?.is('Reshape')) return undefined;
  const x = split.inputs[0]!;
  const [before, middle, after] = [shapeOf(x), shapeOf(split.output), shapeOf(merge.output)];
  if (!isKnown(before) || !isKnown(middle) || !isKnown(after) || before.join() !== after.join() || sizeOf(before) === 0) return undefined;
  const perm = turn.ints('perm', middle.map((_, at) => middle.length - 1 - at));
  const turned = perm.map((each) => middle[each]!);
  const pushed = (each: number): { readonly axes: readonly number[]; readonly ids: Int32Array } => {
    const opened = readAs({ axes: [each], ids: Int32Array.from({ length: before[each]! }, (_, at) => at) }, before, middle);
    const [moved] = renumbered([opened], (at) => perm.indexOf(at), (at) => middle[at]!);
    return readAs(moved!, turned, after);
  };
  // Every axis must come out where it went in, and all but one as it was.
  const order = pushed(axis);
  const isOwn = (each: number): boolean => {
    const { axes, ids } = each === axis ? order : pushed(each);
    return axes.length === 1 && axes[0] === each && (each === axis || ids.every((id, at) => id === at));
  };
  return before.every((length, each) => length === 1 || isOwn(each)) ? { nodes: [split, turn, merge], x, y: merge.output, axis, order: order.ids } : undefined;
}

const isKnown = (shape: readonly (number | undefined)[] | undefined): shape is readonly number[] => shape?.every((length) => length !== undefined) === true;

function soleReader(node: Node | undefined): Node | undefined {
  const use = node?.outputs[0]?.uses[0];
  return node?.outputs[0]?.uses.length === 1 && use?.user instanceof Node && use.user.graph === node.graph && use.index === 0 ? use.user : undefined;
}

/**
 * Follows the channels over the three nodes at once: followed one by one, channels that change places would have to go in whole rows. True if the node begins or ends a shuffle of the only axis that can shrink; what is
 * between gets no layout.
 */
export function followShuffle(node: Node, flow: Flow): boolean {
  const beginning = beginningOf(node);
  for (const x of [node.inputs[0], beginning?.inputs[0]]) {
    const [part, ...more] = flow.layout(x);
    if (part?.axes.length !== 1 || more.length > 0) continue;
    const shuffle = shuffleAt(node, part.axes[0]!, (value) => flow.axes(value));
    if (shuffle === undefined || shuffle.x !== x) continue;
    const [split, turn, merge] = shuffle.nodes;
    if (node === split) return true;
    if (node !== merge || flow.layout(turn.outputs[0]).length > 0) continue;
    flow.set(shuffle.y, [{ axes: part.axes, ids: Int32Array.from(shuffle.order, (place) => part.ids[place]!) }]);
    return true;
  }
  return false;
}

/** Puts a Gather in the place of a shuffle whose channels have become fewer. True if the node begins or ends one. */
export function rewireShuffle(node: Node, survivors: Survivors, edit: Editor): boolean {
  for (const x of [node.inputs[0], beginningOf(node)?.inputs[0]]) {
    const [part, ...more] = x === undefined ? [] : survivors.kept(x);
    if (part?.axes.length !== 1 || more.length > 0) continue;
    const shuffle = shuffleAt(node, part.axes[0]!, (value) => survivors.before(value));
    if (shuffle === undefined || shuffle.x !== x || survivors.kept(shuffle.nodes[1].output).length > 0) continue;
    const { nodes, y, axis, order } = shuffle;
    // The merge comes first, when the split is still to be told.
    if (node !== nodes[0]) return true;
    const now = new Map(Array.from(part.positions, (position, at) => [position, at]));
    const positions = Array.from(survivors.positions(y, axis) ?? order.keys(), (place) => now.get(order[place]!)!);
    const indices = edit.constant(node.graph, Tensor.of('int64', positions), `${nodes[2].name}_order`);
    const gather = edit.insert({ op: 'Gather', inputs: [shuffle.x, indices], attributes: { axis }, name: `${nodes[2].name}_gather`, from: nodes }, { before: nodes[2] });
    edit.replaceUses(y, gather.output);
    for (const each of [...nodes].reverse()) edit.remove(each);
    return true;
  }
  return false;
}
