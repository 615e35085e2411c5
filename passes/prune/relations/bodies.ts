import type { Graph, Node, Value } from '../../../ir/model.ts';
import { followGraph } from '../channels.ts';
import { axisOf } from '../../fold/operands.ts';
import type { Flow } from '../flow.ts';
import { renumbered, type Layout } from '../layout.ts';
import type { Relations } from '../relation.ts';
import { broadcast } from './broadcast.ts';

const differs = 'is the same thing as something that cannot shrink with it';

/** Values that stand for each other: at the same place of all of them is one channel. Axes that differ in length, or of which one cannot shrink, stay. Returns what they have in common. */
function same(flow: Flow, values: readonly (Value | undefined)[]): Layout {
  const [first] = values;
  const rank = flow.rank(first);
  if (first === undefined || rank === undefined || values.some((value) => flow.rank(value) !== rank)) {
    for (const value of values) flow.rigidAll(value, differs);
    return [];
  }
  const agrees = (axis: number): boolean => {
    const length = flow.length(first, axis);
    return length !== undefined && values.every((value) => flow.length(value!, axis) === length);
  };
  for (let axis = 0; axis < rank; axis++) if (!agrees(axis)) for (const value of values) flow.rigid(value, axis, differs);
  return broadcast(flow, values.map((value) => ({ value: value!, axisOf: (axis) => (agrees(axis) ? axis : undefined) })));
}

/** Hands the channels of a value on to the input of a body that begins with it, as far as their shapes agree. What of it does not agree stays. */
function begin(flow: Flow, value: Value | undefined, input: Value | undefined, dropped?: number): void {
  if (value === undefined || input === undefined) return;
  const [from, to] = [flow.axes(value), flow.axes(input)];
  if (from === undefined || to === undefined || from.length - (dropped === undefined ? 0 : 1) !== to.length) {
    flow.rigidAll(value, 'goes into a body that does not tell its shape');
    return;
  }
  const place = (axis: number): number => axis - (dropped !== undefined && axis > dropped ? 1 : 0);
  const fits = (axis: number): boolean => axis !== dropped && from[axis] !== undefined && to[place(axis)] === from[axis];
  for (const axis of from.keys()) if (!fits(axis)) flow.rigid(value, axis, 'goes into a body piece by piece');
  flow.set(input, renumbered(flow.layout(value).filter(({ axes }) => axes.every(fits)), place, (axis) => from[axis]!));
}

function walk(node: Node, body: Graph, flow: Flow): void {
  followGraph(body, flow);
  flow.enter(node);
}

/** What the branches give is one thing, whichever runs. */
function branches(node: Node, flow: Flow): void {
  for (const body of node.subgraphs) walk(node, body, flow);
  node.outputs.forEach((output, index) => { flow.set(output, same(flow, node.subgraphs.map(({ outputs }) => outputs[index]?.value))); });
}

/** A state is what it begins as, what goes into each round, what comes out of it, and what is left in the end. */
function states(node: Node, flow: Flow, initial: readonly (Value | undefined)[], inputs: readonly Value[], results: readonly Value[]): void {
  initial.forEach((value, index) => { flow.set(node.outputs[index], same(flow, [value, inputs[index], results[index]])); });
}

/** The results of all rounds, one behind the other on a new axis. */
function stacked(flow: Flow, output: Value | undefined, result: Value, axis: number): void {
  flow.set(output, renumbered(flow.layout(result), (own) => own + (own >= axis ? 1 : 0), (own) => flow.length(result, own)!));
}

function loop(node: Node, flow: Flow): void {
  const [body] = node.subgraphs as [Graph];
  const initial = node.inputs.slice(2);
  const inputs = body.inputs.slice(2);
  initial.forEach((value, index) => { begin(flow, value, inputs[index]); });
  walk(node, body, flow);
  const results = body.outputs.slice(1).map(({ value }) => value);
  states(node, flow, initial, inputs, results);
  results.slice(initial.length).forEach((result, index) => { stacked(flow, node.outputs[initial.length + index], result, 0); });
}

/** Before opset 9 Scan runs over samples as well; there, nothing goes into its body. */
function scan(node: Node, flow: Flow): void {
  const [body] = node.subgraphs as [Graph];
  if ((node.graph.opset() ?? 0) < 9) {
    walk(node, body, flow);
    for (const value of [...node.inputs, ...body.outputs.map((output) => output.value)]) flow.rigidAll(value, 'goes through a Scan over samples');
    return;
  }
  const count = node.inputs.length - node.int('num_scan_inputs', 0);
  const axes = node.ints('scan_input_axes', []);
  node.inputs.forEach((value, index) => {
    const axis = index < count ? undefined : axisOf(axes[index - count] ?? 0, flow.rank(value));
    begin(flow, value, body.inputs[index], axis);
  });
  walk(node, body, flow);
  const results = body.outputs.map(({ value }) => value);
  states(node, flow, node.inputs.slice(0, count), body.inputs, results);
  const to = node.ints('scan_output_axes', []);
  results.slice(count).forEach((result, index) => { stacked(flow, node.outputs[count + index], result, axisOf(to[index] ?? 0, (flow.rank(result) ?? 0) + 1)!); });
}

/** Operators with bodies, which are followed as parts of the graph around them; what they capture needs nothing. */
export const bodies: Relations = { If: branches, Loop: loop, Scan: scan };
