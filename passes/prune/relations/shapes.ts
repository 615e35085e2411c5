import { Node, type Value } from '../../../ir/model.ts';
import type { Flow } from '../flow.ts';
import type { Relate, Relations } from '../relation.ts';
import { entriesOf, type Entry } from './lengths.ts';

/** Operators that read a list of lengths, and the input where they do: their rules see to it that the list follows the channels. */
const readers: Readonly<Record<string, number>> = { Reshape: 1, Expand: 1, ConstantOfShape: 0, Resize: 3 };

/** Operators that only carry entries of a list on; `entriesOf` follows them back. */
const carriers: ReadonlySet<string> = new Set(['Identity', 'Cast', 'Squeeze', 'Unsqueeze', 'Reshape', 'Concat', 'Gather', 'Slice']);

/** A Shape changes by itself. Where its entries end as lengths in a shape, the rules of those who read that settle it; an axis whose length is computed with stays as it is. */
const shape: Relate = (node, flow) => {
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x === undefined || y === undefined || flow.layout(x).length === 0) return;
  const passed = new Set([y]);
  for (const list of passed) {
    for (const { user, index } of list.uses) {
      const reader = user instanceof Node && user.graph === node.graph && user.domain === '' ? user : undefined;
      if (reader !== undefined && carriers.has(reader.op) && (index === 0 || reader.op === 'Concat')) passed.add(reader.output);
      else if (reader === undefined || readers[reader.op] !== index || entriesOf(list, (value) => flow.axes(value)) === undefined) hold(flow, x, list);
    }
  }
};

/** The axes of a value whose lengths stand in a list stay; all of them if it cannot be told which. */
function hold(flow: Flow, x: Value, list: Value): void {
  const computed = 'has a length that is computed with';
  const entries = entriesOf(list, (value) => flow.axes(value));
  if (entries === undefined) flow.rigidAll(x, computed);
  const isLength = (entry: Entry): entry is Extract<Entry, { readonly of: Value }> => entry !== undefined && 'of' in entry && entry.of === x;
  for (const { axis } of entries?.filter(isLength) ?? []) flow.rigid(x, axis, computed);
}

const size: Relate = (node, flow) => { flow.rigidAll(node.inputs[0], 'is counted with all its elements'); };

/** What they make has no channels, and what they read is a shape or single numbers. */
const source: Relate = () => undefined;

/** The shape alone is read, and the result depends on where the diagonal runs. */
const eyeLike: Relate = (node, flow) => { flow.rigidAll(node.inputs[0], 'is the shape of a diagonal'); };

export const shapeOperators: Relations = {
  Shape: shape, Size: size, EyeLike: eyeLike, Range: source, RandomNormal: source, RandomUniform: source,
  HannWindow: source, HammingWindow: source, BlackmanWindow: source, MelWeightMatrix: source,
};
