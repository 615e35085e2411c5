import type { Node, Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relations } from '../relation.ts';
import { broadcast } from './broadcast.ts';
import { isWeight } from './matrix.ts';

/** An operand with the label of each of its axes. Axes under an ellipsis have the labels …0, …1, … */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

/**
 * Axes with one label are one axis. A label that the output lacks is summed over: channels end at the weights that have it; without weights they meet in a product, or, in a single operand, in a sum.
 */
function einsum(node: Node, flow: Flow): void {
  const parsed = parse(node, flow);
  if (parsed === undefined) {
    for (const value of node.inputs) flow.rigidAll(value, 'is read by an Einsum whose equation is not understood');
    return;
  }
  const { operands, output } = parsed;
  for (const label of new Set(operands.flatMap(({ labels }) => labels))) if (!output.includes(label)) sum(flow, operands, label);
  for (const { value, labels } of operands) {
    if (!isWeight(value)) continue;
    for (const { axes: [axis, ...more], ids } of flow.layout(value)) if (more.length === 0 && output.includes(labels[axis!]!)) flow.member('producer', value, axis!, ids);
  }
  flow.set(node.outputs[0], broadcast(flow, operands.map(({ value, labels }) => ({
    value,
    axisOf: (axis) => {
      const to = output.indexOf(labels[axis]!);
      return to < 0 ? undefined : to;
    },
  }))));
}

function sum(flow: Flow, operands: readonly Labelled[], label: string): void {
  const sides = operands.flatMap(({ value, labels }) => {
    const axis = labels.indexOf(label);
    return axis < 0 || flow.length(value, axis) === 1 ? [] : [{ value, axis }];
  });
  const found = sides.map(({ value, axis }) => flow.separate(value, axis));
  const [first] = found;
  if (first === undefined || found.includes(undefined)) {
    for (const { value, axis } of sides) flow.rigid(value, axis, 'is summed over with something that cannot shrink');
    return;
  }
  for (const ids of found) flow.unite(first, ids!);
  const weights = sides.filter(({ value }) => isWeight(value));
  const [{ value, axis }] = sides as [typeof sides[number]];
  for (const weight of sides.length > 1 ? weights : []) flow.member('consumer', weight.value, weight.axis, first);
  if (sides.length === 1) flow.member('reduction', value, axis, first);
  else if (weights.length === 0) flow.member('contraction', value, axis, first);
}

/**
 * Nothing if shapes are not known, or for what no rule covers: a diagonal, a sum over an ellipsis, ellipses of different numbers of axes, and an output left open whose labels have both cases.
 */
function parse(node: Node, flow: Flow): { readonly operands: readonly Labelled[]; readonly output: readonly string[] } | undefined {
  const [left, right] = (node.string('equation') ?? '').replaceAll(' ', '').split('->');
  const terms = left!.split(',');
  const ranks = node.inputs.map((value) => flow.rank(value));
  if (terms.length !== ranks.length || ranks.includes(undefined)) return undefined;
  const [hidden = 0, ...others] = new Set(terms.flatMap((term, at) => (term.includes('...') ? [ranks[at]! - (term.length - 3)] : [])));
  const labels = terms.map((term) => labelsOf(term, hidden));
  if (others.length > 0 || labels.some((own, at) => own.length !== ranks[at] || new Set(own).size < own.length)) return undefined;
  const letters = terms.join('').replaceAll('.', '');
  if (right === undefined && /[a-z]/.test(letters) && /[A-Z]/.test(letters)) return undefined;
  const open = [...new Set(letters)].filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort().join('');
  const result = right ?? (left!.includes('...') ? `...${open}` : open);
  if (hidden > 0 && !result.includes('...')) return undefined;
  return { operands: labels.map((own, at) => ({ value: node.inputs[at]!, labels: own })), output: labelsOf(result, hidden) };
}

function labelsOf(term: string, hidden: number): string[] {
  return (term.match(/\.\.\.|./g) ?? []).flatMap((label) => (label === '...' ? Array.from({ length: hidden }, (_, at) => `…${at}`) : [label]));
}

export const einsums: Relations = { Einsum: einsum };
