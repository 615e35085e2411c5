import type { Editor } from '../../../ir/edit.ts';
import type { DType } from '../../../ir/dtype.ts';
import type { Node, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import type { Flow, Member } from '../flow.ts';
import { stridesOf } from '../layout.ts';
import type { Survivors } from '../survivors.ts';
import { outputAxis, outputsOf, type DeadChannel, type Merge, type Shift } from './dead.ts';

/**
 * Puts what removed channels gave where it stays: merges weights right away, and returns what gives the biases, to be called when the model has been cut. Sums are in float64 and rounded once to the type of the weights.
 */
export function amend(dead: readonly DeadChannel[], flow: Flow, survivors: Survivors, edit: Editor): () => void {
  const shifts = byMember(dead.flatMap((each) => each.shifts));
  // Of the weights as they are: before others are merged into them.
  const raised = Array.from(shifts, ([member, own]) => ({ node: member.node, kept: survivors.positions(member.value, outputAxis(member.node)), raise: raiseOf(member, own, flow) }));
  for (const [member, merges] of byMember(dead.flatMap((each) => each.merges))) mergeInto(member, merges, flow, edit);
  return () => {
    for (const { node, kept, raise } of raised) raiseBias(node, kept === undefined ? raise : Float64Array.from(kept, (at) => raise[at]!), edit);
  };
}

function byMember<T extends { readonly member: Member }>(items: readonly T[]): Map<Member, T[]> {
  const found = new Map<Member, T[]>();
  for (const item of items) found.set(item.member, [...found.get(item.member) ?? [], item]);
  return found;
}

/** Σ number × weights, for each output. */
function raiseOf({ node, value, axis, ids }: Member, shifts: readonly Shift[], { atoms }: Flow): Float64Array {
  const tensor = value.constant!;
  const numbers = new Map(shifts.map(({ root, number }) => [root, number]));
  const own = Array.from(ids, (id) => numbers.get(atoms.root(id)) ?? 0);
  const [strides, made] = [stridesOf(tensor.shape), outputAxis(node)];
  const raise = new Float64Array(outputsOf(node, tensor.shape));
  tensor.floats().forEach((weight, element) => {
    raise[Math.floor(element / strides[made]!) % raise.length]! += weight * own[Math.floor(element / strides[axis]!) % own.length]!;
  });
  return raise;
}

/** Places of the one channel, each into the place of the other that stands at the same rank. */
function mergeInto({ value, axis, ids }: Member, merges: readonly Merge[], { atoms }: Flow, edit: Editor): void {
  const tensor = value.constant!;
  const places = (root: number): number[] => Array.from(ids.keys()).filter((at) => atoms.root(ids[at]!) === root);
  const data = Float64Array.from(tensor.floats());
  const before = data.slice();
  const stride = stridesOf(tensor.shape)[axis]!;
  const row = stride * ids.length;
  for (const { root, into, factor } of merges) {
    const to = places(into);
    places(root).forEach((from, rank) => {
      for (let start = 0; start < data.length; start += row) for (let at = start; at < start + stride; at++) data[at + to[rank]! * stride]! += factor * before[at + from * stride]!;
    });
  }
  edit.setTensor(value, floats(tensor.dtype, data, tensor.shape));
}

function floats(dtype: DType, data: Float64Array, shape: readonly number[]): Tensor {
  return Tensor.of(dtype, dtype === 'double' ? data : Float32Array.from(data), shape);
}

/** Adds to the bias of a layer: its own, that of an Add right behind it, or a new one. */
function raiseBias(node: Node, raise: Float64Array, edit: Editor): void {
  const y = node.output;
  const own = node.is('MatMul') ? addedBehind(y, raise.length) : { reader: node, index: 2 };
  const bias: Value | undefined = own?.reader.inputs[own.index];
  const numbers = bias?.constant?.floats();
  const sum = floats(node.inputs[1]!.constant!.dtype, raise.map((each, at) => each + (numbers?.[at] ?? 0)), bias?.constant?.shape ?? [raise.length]);
  const constant = edit.constant(node.graph, sum, bias?.name ?? `${node.name}_bias`);
  if (own === undefined) {
    const shifted = edit.insert({ op: 'Add', inputs: [y, constant], outputs: [y.type], name: `${node.name}_bias`, from: [node] }, { after: node });
    edit.replaceUses(y, shifted.output, ({ user }) => user !== shifted);
    return;
  }
  edit.setInput(own.reader, own.index, constant);
  if (bias !== undefined && bias.uses.length === 0) edit.remove(bias);
}

/** Where a constant with one element for each output is added to what nothing else reads. */
function addedBehind(y: Value, outputs: number): { readonly reader: Node; readonly index: number } | undefined {
  const [use] = y.uses;
  if (y.uses.length !== 1 || use === undefined || !('op' in use.user) || !use.user.is('Add')) return undefined;
  const tensor = use.user.inputs[1 - use.index]?.constant;
  return tensor?.size === outputs && tensor.shape.at(-1) === outputs ? { reader: use.user, index: 1 - use.index } : undefined;
}
