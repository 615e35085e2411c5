import { dtypeBits, isFloat } from '../../ir/dtype.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { dtypeOfType } from '../../ir/type.ts';
import type { Member } from './flow.ts';
import { stridesOf } from './layout.ts';
import type { Channels } from './groups.ts';
import { arranged, type Survivors } from './survivors.ts';

/** Where a node and the values of a model are in its copy. */
export interface Copy {
  readonly model: Model;
  readonly nodes: ReadonlyMap<Node, Node>;
  readonly values: ReadonlyMap<Value, Value | undefined>;
}

/**
 * What removal must equal (oracle A): in a copy of the original, the weights that read the removed channels are set to zero. Where every channel that is removed ends in weights, the pruned model
 * computes the same for every input. Returns false if a removed channel meets something else (a reduction without weights), where the two differ.
 */
export function zeroReaders({ flow }: Channels, removed: ReadonlySet<number>, { model, nodes, values }: Copy): boolean {
  const edit = new Editor(model);
  const gone = ({ ids }: Member): boolean[] => Array.from(ids, (id) => removed.has(flow.atoms.root(id)));
  let exact = true;
  for (const member of flow.members) {
    if (member.role === 'producer' || !gone(member).includes(true)) continue;
    const node = nodes.get(member.node);
    const value = values.get(member.value);
    if (member.role === 'reduction' || node === undefined || value === undefined || !silence(node, value, member.axis, gone(member), edit)) exact = false;
  }
  return exact;
}

/** Puts zeros into what a node reads, for this node alone. */
function silence(node: Node, value: Value, axis: number, gone: readonly boolean[], edit: Editor): boolean {
  const index = node.inputs.indexOf(value);
  const tensor = value.constant;
  if (tensor !== undefined) {
    // A zero of a quantized weight is its zero point; those of weights are 0.
    edit.setInput(node, index, edit.constant(node.graph, zeroed(tensor, axis, gone), `${value.name}_zeroed`));
    return true;
  }
  const dtype = dtypeOfType(value.type);
  const shape = value.type?.kind === 'tensor' ? value.type.shape : undefined;
  if (dtype === undefined || !isFloat(dtype) || shape === undefined) return false;
  const mask = Tensor.of(dtype, Float32Array.from(gone, (each) => (each ? 0 : 1)), shape.map((_, at) => (at === axis ? gone.length : 1)));
  const masked = edit.insert({ op: 'Mul', inputs: [value, edit.constant(node.graph, mask, `${value.name}_mask`)], outputs: [value.type] }, { before: node });
  edit.setInput(node, index, masked.outputs[0]);
  return true;
}

function zeroed(tensor: Tensor, axis: number, gone: readonly boolean[]): Tensor {
  const stride = stridesOf(tensor.shape)[axis]!;
  const isGone = (at: number): boolean => gone[Math.floor(at / stride) % gone.length]!;
  if (dtypeBits(tensor.dtype) < 8) return Tensor.fromCodes(tensor.dtype, tensor.codes().map((code, at) => (isGone(at) ? 0 : code)), tensor.shape);
  const width = dtypeBits(tensor.dtype) / 8;
  const bytes = tensor.bytes().slice();
  for (let at = 0; at < tensor.size; at++) if (isGone(at)) bytes.fill(0, at * width, (at + 1) * width);
  return Tensor.fromBytes(tensor.dtype, tensor.shape, bytes);
}

/**
 * A removal that removes nothing (oracle C): the channels of every group in another order. The rewired model must compute what the original computes. `random` gives numbers from 0 to 1. Channels change places only
 * with others of their group that stand at as many places of every part.
 */
export function permuted({ flow, groups, boxes }: Channels, random: () => number): Survivors {
  const boxed = new Set(boxes.flatMap(({ roots }) => [...roots]));
  const alike = new Map<string, number[]>();
  const counts = countPlaces(flow);
  groups.forEach(({ channels }, index) => {
    for (const { root, pin } of channels) {
      if (pin !== undefined || boxed.has(root)) continue;
      const key = `${index}:${counts.get(root) ?? ''}`;
      const known = alike.get(key);
      if (known === undefined) alike.set(key, [root]);
      else known.push(root);
    }
  });
  const target = new Map<number, number>();
  for (const roots of alike.values()) {
    const order = roots.map((root) => ({ root, key: random() })).sort((a, b) => a.key - b.key);
    roots.forEach((root, at) => target.set(root, order[at]!.root));
  }
  return arranged(flow, ({ ids }) => {
    const roots = Array.from(ids, (id) => flow.atoms.root(id));
    if (!roots.some((root) => (target.get(root) ?? root) !== root)) return undefined;
    const places = new Map<number, number[]>();
    roots.forEach((root, at) => {
      const known = places.get(root);
      if (known === undefined) places.set(root, [at]);
      else known.push(at);
    });
    const next = new Map<number, number>();
    return Int32Array.from(roots, (root) => {
      const from = target.get(root) ?? root;
      const at = next.get(from) ?? 0;
      next.set(from, at + 1);
      return places.get(from)![at]!;
    });
  });
}

/** For each channel, the parts on which it stands and how often: channels that differ in it cannot change places. */
function countPlaces(flow: Channels['flow']): Map<number, string> {
  const counts = new Map<number, string>();
  let part = 0;
  for (const [, layout] of flow.entries()) {
    for (const { ids } of layout) {
      const own = new Map<number, number>();
      for (const id of ids) {
        const root = flow.atoms.root(id);
        own.set(root, (own.get(root) ?? 0) + 1);
      }
      for (const [root, count] of own) counts.set(root, `${counts.get(root) ?? ''},${part}x${count}`);
      part++;
    }
  }
  return counts;
}
