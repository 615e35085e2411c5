import { cloneModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Value } from '../../ir/model.ts';
import { shapeOf } from '../../ir/type.ts';
import type { Runtime } from '../runtime.ts';
import type { DimsOf } from './flow.ts';

/** Samples in a batch that the model leaves open: more than one, so that the batch is not mistaken for an axis that does nothing. */
const batch = 2;

/** Lengths to try for other axes that the model leaves open: multiples of what networks halve, then small ones. */
const candidates = [64, 224, 256, 32, 16, 8, 10];

/**
 * Lengths of all axes at definite sizes: those given, a batch of two where the first axis of an input is a symbol, and the first length that the model takes for what else is open. The model is not changed. Axes whose length
 * only running the model tells stay undefined.
 */
export async function concreteDims(model: Model, sizes: ReadonlyMap<string, number>, runtime: Pick<Runtime, 'infer'>): Promise<DimsOf & { readonly sizes: ReadonlyMap<string, number> }> {
  let best: { readonly refused: number; readonly dims: DimsOf; readonly sizes: ReadonlyMap<string, number> } | undefined;
  for (const length of candidates) {
    const found = await inferAt(model, sizes, length, runtime);
    if (best === undefined || found.refused < best.refused) best = found;
    if (best.refused === 0 || !found.guessed) break;
  }
  return Object.assign((value: Value) => best!.dims(value), { sizes: best!.sizes });
}

async function inferAt(model: Model, sizes: ReadonlyMap<string, number>, length: number, runtime: Pick<Runtime, 'infer'>): Promise<{ readonly refused: number; readonly dims: DimsOf; readonly guessed: boolean; readonly sizes: ReadonlyMap<string, number> }> {
  const values = new Map<Value, Value | undefined>();
  const copy = cloneModel(model, { values });
  const edit = new Editor(copy);
  const bound = new Map(sizes);
  let guessed = false;
  for (const input of copy.graph.inputs) {
    const shape = shapeOf(input.type);
    if (input.type?.kind !== 'tensor' || shape === undefined || input.tensor !== undefined) continue;
    const dims = shape.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      const known = dim === undefined ? undefined : bound.get(dim);
      if (known !== undefined) return known;
      if (axis > 0) guessed = true;
      const chosen = axis === 0 ? batch : length;
      if (dim !== undefined) bound.set(dim, chosen);
      return chosen;
    });
    edit.setType(input, { ...input.type, shape: dims });
  }
  // What the file declares of inner values would stand in the way of other lengths.
  for (const graph of graphsOf(copy)) for (const value of graph.values()) if (value.producer !== undefined && value.type?.kind === 'tensor') edit.setType(value, { ...value.type, shape: undefined });
  let refused = 0;
  const types = await runtime.infer(copy, () => { refused++; });
  const known = new Map<Value, readonly (number | undefined)[]>();
  for (const [original, value] of values) {
    if (value === undefined) continue;
    const shape = shapeOf(types.get(value) ?? value.type);
    if (shape !== undefined) known.set(original, shape.map((dim) => (typeof dim === 'number' ? dim : undefined)));
  }
  return { refused, dims: (value) => known.get(value), guessed, sizes: bound };
}

function graphsOf(model: Model): Set<Model['graph']> {
  const graphs = new Set([model.graph]);
  for (const node of model.graph.walk()) for (const body of node.subgraphs) graphs.add(body);
  return graphs;
}
