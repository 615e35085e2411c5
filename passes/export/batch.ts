import { cloneModel } from '../../ir/clone.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Editor } from '../../ir/edit.ts';
import { Node, type Graph, type Model, type Value } from '../../ir/model.ts';
import { dtypeOfType, shapeOf, tensorType, type Dim } from '../../ir/type.ts';
import type { Runtime } from '../runtime.ts';
import { rewriteBatch, type BatchShapes } from './batch-rewrite.ts';

/** Where the batch is in the interface of a model. */
export interface Batch {
  /** The one length that the batch has in the model as read; 1 if it is symbolic there. */
  readonly size: number;
  /** Inputs with a batch axis, and which axis it is. */
  readonly axes: ReadonlyMap<Value, number>;
  /** The symbol that it has already, if it has one. */
  readonly symbol: string | undefined;
}

/**
 * Finds the batch axis of each input: the first one, or the one that bears the symbol of another input's first axis. Throws
 * `export/batch-axis` if an input is of unknown rank, or if first axes have different lengths.
 */
export function findBatch(graph: Graph): Batch {
  const shapes = graph.inputs.filter(({ tensor }) => tensor === undefined).map((input) => {
    const shape = shapeOf(input.type);
    if (shape === undefined) throw refuse(`the rank of input '${input.name}' is not known`, 'Give the input a shape when exporting the model.');
    return { input, shape };
  });
  const symbol = shapes.map(({ shape: [first] }) => first).find((dim) => typeof dim === 'string');
  const axes = new Map<Value, number>();
  const sizes = new Map<number, string>();
  let open: string | undefined;
  for (const { input, shape } of shapes) {
    const axis = Math.max(0, symbol === undefined ? 0 : shape.indexOf(symbol));
    if (shape.length === 0) continue;
    axes.set(input, axis);
    const dim = shape[axis];
    if (typeof dim !== 'number') open = input.name;
    else if (!sizes.has(dim)) sizes.set(dim, input.name);
  }
  const [fixed] = sizes;
  if (open !== undefined && fixed !== undefined && fixed[0] !== 1) {
    throw refuse(`the first axis of input '${open}' is not fixed, and that of '${fixed[1]}' is ${fixed[0]}`, 'Leave `dynamicBatch` out, or give the batch the same symbol in all inputs when exporting the model.');
  }
  if (axes.size === 0) throw refuse('no input has an axis', 'Leave `dynamicBatch` out.');
  if (sizes.size > 1) {
    const list = [...sizes].map(([size, name]) => `${size} ('${name}')`).join(', ');
    throw refuse(`the first axes of the inputs have different lengths: ${list}`, 'Leave `dynamicBatch` out, or export the model so that the batch is the first axis of every input.');
  }
  return { size: sizes.keys().next().value ?? 1, axes, symbol };
}

function refuse(why: string, suggestion: string): Diagnostic {
  return new Diagnostic('export/batch-axis', `the batch cannot be made dynamic: ${why}`, { suggestion });
}

/** Tells where a literal batch was replaced. */
export type Note = (node: Node, message: string) => void;

/**
 * Makes the batch of a model a symbol: in the types of inputs and outputs, and in literal shapes that nodes are given, in branches of If too.
 * How far the batch reaches comes from the runtime's inference at two batch sizes, so no operator needs a rule of its own; nodes whose
 * literal shape would stop it are opaque until the shapes before them are known. Returns the number of nodes rewritten.
 * Nothing is proved here: see `proveBatch`.
 */
export async function makeBatchDynamic(model: Model, edit: Editor, symbol: string, runtime: Runtime, note: Note): Promise<number> {
  const { graph } = model;
  const batch = findBatch(graph);
  refuseSymbol(graph, batch, symbol);
  const dependent = reachedFrom(batch.axes.keys());
  const waiting = new Map<Node, readonly number[]>();
  for (const node of graph.walk()) {
    const literal = literalInputs(node, dependent);
    if (literal.length > 0) waiting.set(node, literal);
  }
  const single = await shapesAt(model, batch, batch.size, new Map(), runtime);
  let rewritten = 0;
  for (const node of graph.walk()) {
    if (!dependent.has(node.inputs[0]!) || !flattenBehind(node, single, batch, edit)) continue;
    note(node, 'the first axis is no longer flattened with the others');
    rewritten++;
  }
  if (waiting.size > 0) {
    for (let before = waiting.size + 1; waiting.size < before && waiting.size > 0;) {
      before = waiting.size;
      const several = await shapesAt(model, batch, batch.size * probe, waiting, runtime);
      const shapes: BatchShapes = { single, several, size: batch.size };
      for (const node of waiting.keys()) {
        if (!node.inputs.every((value) => value === undefined || !dependent.has(value) || isKnown(several.get(value)))) continue;
        waiting.delete(node);
        const message = rewriteBatch(node, shapes, dependent, edit);
        if (message === undefined) continue;
        note(node, message);
        rewritten++;
      }
    }
  }
  await declareTypes(model, edit, batch, symbol, runtime);
  return rewritten;
}

/** One symbol for two axes would say that they are equal. */
function refuseSymbol(graph: Graph, { axes, symbol: old }: Batch, symbol: string): void {
  if (symbol === old) return;
  const slots = [...graph.inputs.map((value) => ({ what: `input '${value.name}'`, type: value.type, batch: axes.get(value) })), ...graph.outputs.map(({ name, type }) => ({ what: `output '${name}'`, type, batch: outputAxis(shapeOf(type), old) }))];
  for (const { what, type, batch } of slots) {
    const axis = shapeOf(type)?.findIndex((dim, at) => dim === symbol && at !== batch) ?? -1;
    if (axis >= 0) throw refuse(`axis ${axis} of ${what} is called '${symbol}' already`, 'Give the batch another name with `batchSymbol`.');
  }
}

/** The axis of an output that carries the batch: the one with its symbol, else the first. */
export function outputAxis(shape: readonly Dim[] | undefined, symbol: string | undefined): number {
  return Math.max(0, symbol === undefined ? 0 : shape?.indexOf(symbol) ?? 0);
}

/** The second batch size is this many times the first: a prime that no other axis is likely to be multiplied by. */
const probe = 7;

/** All values that the given ones have an influence on, captures by bodies included. */
function reachedFrom(values: Iterable<Value>): Set<Value> {
  const reached = new Set(values);
  for (const value of reached) {
    for (const { user } of value.uses) {
      // A use inside a body reaches the outputs of the node that owns the body.
      for (let node = user instanceof Node ? user : ownerNode(user); node !== undefined; node = ownerNode(node.graph)) {
        for (const output of node.outputs) if (output !== undefined) reached.add(output);
      }
      // What a loop is given may be what its body is given.
      if (user instanceof Node) for (const body of user.subgraphs) for (const input of body.inputs) reached.add(input);
    }
  }
  return reached;
}

function ownerNode(graph: Graph): Node | undefined {
  return graph.owner instanceof Node ? graph.owner : undefined;
}

/** Flatten with axis 0 puts a batch of 1 among the features; with axis 1 it does the same and keeps the batch. */
function flattenBehind(node: Node, single: ReadonlyMap<Value, readonly Dim[] | undefined>, { size }: Batch, edit: Editor): boolean {
  if (!node.is('Flatten') || node.int('axis', 1) !== 0 || size !== 1 || single.get(node.inputs[0]!)?.[0] !== 1) return false;
  edit.setAttribute(node, 'axis', 1);
  return true;
}

/** Indices of inputs in which a literal batch may hide: shapes given to a node that handles batched data, and unbatched data that must agree with it. */
function literalInputs(node: Node, dependent: ReadonlySet<Value>): number[] {
  const free = (index: number): boolean => {
    const value = node.inputs[index];
    return value !== undefined && !dependent.has(value);
  };
  const batched = (index: number): boolean => {
    const value = node.inputs[index];
    return value !== undefined && dependent.has(value);
  };
  if (node.is('Reshape', 'Expand')) return batched(0) && free(1) && node.inputs[1]!.constant !== undefined ? [1] : [];
  if (node.is('Resize')) return batched(0) && free(3) && node.inputs[3]!.constant !== undefined ? [3] : [];
  if (node.is('Concat')) return node.inputs.some((_, index) => batched(index)) ? node.inputs.flatMap((_, index) => (free(index) ? [index] : [])) : [];
  if (node.is('LSTM', 'GRU', 'RNN')) return batched(0) ? [5, 6].filter((index) => free(index) && (index === 5 || node.op === 'LSTM')) : [];
  return [];
}

/** Shapes of all values at one batch size, with the literal inputs of the nodes in `opaque` unknown. */
async function shapesAt(
  model: Model, { axes }: Batch, size: number, opaque: ReadonlyMap<Node, readonly number[]>, runtime: Runtime,
): Promise<Map<Value, readonly Dim[] | undefined>> {
  const values = new Map<Value, Value | undefined>();
  const nodes = new Map<Node, Node>();
  const copy = cloneModel(model, { values, nodes });
  const edit = new Editor(copy);
  forgetTypes(copy.graph, edit);
  for (const [input, axis] of axes) edit.setType(values.get(input)!, withAxis(input, axis, size));
  for (const [node, indices] of opaque) {
    for (const index of indices) {
      const { type } = node.inputs[index]!;
      const isShape = node.is('Reshape', 'Expand', 'Resize');
      const unknown = tensorType(dtypeOfType(type)!, isShape ? shapeOf(type) : shapeOf(type)?.map(() => undefined));
      edit.setInput(nodes.get(node)!, index, edit.addInput(copy.graph, `opaque_${node.name}_${index}`, unknown));
    }
  }
  const symbols = new Set(model.graph.inputs.flatMap(({ type }) => shapeOf(type) ?? []));
  const types = await runtime.infer(copy);
  const all = [model.graph, ...[...model.graph.walk()].flatMap(({ subgraphs }) => subgraphs)].flatMap((graph) => [...graph.values()]);
  return new Map(all.map((value) => {
    const twin = values.get(value);
    const shape = shapeOf(twin && (types.get(twin) ?? twin.type));
    // Symbols that the runtime made up say nothing about the axis.
    return [value, shape?.map((dim) => (typeof dim === 'string' && !symbols.has(dim) ? undefined : dim))];
  }));
}

/** Forgets what is declared of all that is computed: it may tell of the old batch. */
function forgetTypes(graph: Graph, edit: Editor): void {
  graph.outputs.forEach((_, index) => { edit.setOutputType(graph, index, undefined); });
  for (const node of graph.nodes()) {
    for (const value of node.outputs) if (value !== undefined) edit.setType(value, undefined);
    for (const body of node.subgraphs) {
      for (const input of body.inputs) edit.setType(input, undefined);
      forgetTypes(body, edit);
    }
  }
}

function isKnown(shape: readonly Dim[] | undefined): boolean {
  return shape?.every((dim) => dim !== undefined) ?? false;
}

/** Writes the symbol into the interface, and types everything anew. */
async function declareTypes(model: Model, edit: Editor, { axes, size, symbol: old }: Batch, symbol: string, runtime: Runtime): Promise<void> {
  const { graph } = model;
  for (const [input, axis] of axes) edit.setType(input, withAxis(input, axis, symbol));
  const declared = graph.outputs.map(({ type, value }) => ({ dtype: dtypeOfType(type ?? value.type), shape: shapeOf(type) ?? shapeOf(value.type) }));
  forgetTypes(graph, edit);
  for (const [value, type] of await runtime.infer(model)) edit.setType(value, type);
  graph.outputs.forEach(({ value }, index) => {
    const { dtype, shape: before } = declared[index]!;
    const shape = shapeOf(value.type) ?? before;
    if (dtype === undefined || shape === undefined || shape.length === 0) return;
    const axis = shape.includes(symbol) ? -1 : outputAxis(before, old);
    // The runtime does not follow a symbol through arithmetic on shapes. All axes but the batch are as before: the proof compares them.
    // An axis that held more than the batch, or nobody knows what, is left unknown.
    const carries = [size, old, symbol].includes(before?.[axis] ?? NaN);
    const type = tensorType(dtype, shape.map((dim, at) => (at !== axis ? dim ?? before?.[at] : carries ? symbol : typeof before?.[at] === 'number' ? undefined : dim)));
    edit.setType(value, type);
    edit.setOutputType(graph, index, type);
  });
}

function withAxis(input: Value, axis: number, dim: Dim): ReturnType<typeof tensorType> {
  return tensorType(dtypeOfType(input.type)!, shapeOf(input.type)!.map((other, at) => (at === axis ? dim : other)));
}
