import { densified } from './constant.ts';
import { Diagnostic } from './diagnostic.ts';
import type { Editor } from './edit.ts';
import { calleeOf, callOrder, inlineCall } from './inline.ts';
import type { Graph, LocalFunction, Model, Mutable, Node, Value } from './model.ts';
import { opFacts } from './ops.ts';
import { sortModel } from './order.ts';

/** One kind of change, with the names of the first few things that it concerned. */
export interface Normalization {
  readonly what:
    | 'nodes ordered' | 'nodes named' | 'nodes renamed' | 'values renamed' | 'functions inlined' | 'functions kept'
    | 'sparse tensors densified' | 'constants stored as initializers' | 'inputs with defaults fixed' | 'inputs with defaults kept';
  readonly count: number;
  readonly examples: readonly string[];
}

/** What `normalizeModel` did, in the order in which it did it; what did not occur is absent. */
export type NormalizationReport = readonly Normalization[];

export interface NormalizeOptions {
  /**
   * Take inputs that have a default for constants, which callers can then no longer override; default true: as long as a weight can be
   * overridden, nothing can be done with it. Before IR 4 they are constants always.
   */
  readonly fixInputs?: boolean;
  /** Most nodes that inlining may make in all; default one million. */
  readonly maxNodes?: number;
  /** Most bytes of one densified tensor; default 256 MiB. */
  readonly maxDense?: number;
}

/**
 * The named normalisation at the beginning of a compile, after which a model is simpler to work on and means the same: nodes in order and with
 * names of their own, labels unique over bodies and what surrounds them, functions inlined, constants dense and stored as initializers.
 * The origin of each node becomes its name, which for all but unnamed, doubly named and inlined nodes is that of the file.
 * A function whose operators have other versions than the model's stays a function. Throws `model/cycle`, `model/function-cycle`,
 * `model/function-size`, `model/sparse`, `model/sparse-size` and what `inlineCall` throws.
 */
export function normalizeModel(model: Model, editor: Editor, options: NormalizeOptions = {}): NormalizationReport {
  const tally = new Tally();
  const order = callOrder(model);
  const { version } = model;
  sortModel(model);
  if (model.version !== version) tally.add('nodes ordered', model.graph.name);
  nameNodes(model, editor, tally);
  for (const graph of model.graphs()) renameHidden(graph, new Set(), editor, tally, graph === model.graph);
  inlineFunctions(model, order, editor, tally, options.maxNodes ?? 1_000_000);
  normalizeConstants(model.graph, editor, tally, model.irVersion, options.maxDense ?? 2 ** 28);
  normalizeInputs(model, editor, tally, options.fixInputs ?? true);
  return tally.report();
}

class Tally {
  private readonly counts = new Map<Normalization['what'], { count: number; examples: string[] }>();

  add(what: Normalization['what'], example: string): void {
    let entry = this.counts.get(what);
    if (entry === undefined) this.counts.set(what, entry = { count: 0, examples: [] });
    entry.count++;
    if (entry.examples.length < 5) entry.examples.push(example);
  }

  report(): NormalizationReport {
    return Array.from(this.counts, ([what, { count, examples }]) => ({ what, count, examples }));
  }
}

/** Names of their own for all nodes: `Conv_12` for an unnamed Conv that is the twelfth node of the model, bodies and functions included. */
function nameNodes(model: Model, editor: Editor, tally: Tally): void {
  const borne = new Map<string, number>();
  let position = 0;
  for (const graph of model.graphs()) {
    for (const node of graph.walk()) {
      const { name } = node;
      const bearers = borne.get(name) ?? 0;
      if (name === '') {
        editor.rename(node, `${node.op}_${position}`);
        tally.add('nodes named', node.name);
      } else if (bearers > 0) {
        editor.rename(node, `${name}_${bearers}`);
        tally.add('nodes renamed', node.name);
      }
      borne.set(name, bearers + 1);
      if (node.name !== name || node.origin.length === 0) (node as Mutable<Node>).origin = [node.name];
      position++;
    }
  }
}

/** Gives values of bodies that hide a value around them a label of their own. `visible` holds the labels around the graph. */
function renameHidden(graph: Graph, visible: Set<string>, editor: Editor, tally: Tally, outermost: boolean): void {
  const own: string[] = [];
  for (const value of graph.values()) {
    if (visible.has(value.name) && !(outermost && value.isInput)) {
      const { name } = value;
      editor.rename(value, `${name}_inner`);
      tally.add('values renamed', `${name} → ${value.name}`);
    }
    visible.add(value.name);
    own.push(value.name);
  }
  for (const node of graph.nodes()) for (const body of node.subgraphs) renameHidden(body, visible, editor, tally, false);
  for (const name of own) visible.delete(name);
}

function inlineFunctions(model: Model, order: readonly LocalFunction[], editor: Editor, tally: Tally, maxNodes: number): void {
  if (order.length === 0) return;
  const opsets = new Map(model.opsets);
  const kept = new Map<LocalFunction, string>();
  for (const local of order) {
    const reason = mergeOpsets(local, model, opsets);
    if (reason !== undefined) kept.set(local, reason);
  }
  const inlinable = (node: Node): LocalFunction | undefined => {
    const called = calleeOf(node, model);
    return called === undefined || kept.has(called) ? undefined : called;
  };
  checkSize(model, order, inlinable, maxNodes);
  if (opsets.size > model.opsets.size) editor.setModel({ opsets });
  const calls = (nodes: Iterable<Node>): Node[] => Array.from(nodes).filter((node) => inlinable(node) !== undefined).reverse();
  const waiting = calls(model.graph.walk()); // the next one last
  for (let call = waiting.pop(); call !== undefined; call = waiting.pop()) {
    const called = inlinable(call)!;
    tally.add('functions inlined', `${call.name} (${called.name})`);
    const made = inlineCall(call, called, editor);
    for (const inner of calls(made.flatMap((node) => [node, ...node.subgraphs.flatMap((body) => [...body.walk()])]))) waiting.push(inner);
  }
  const functions = reachable(model);
  for (const [local, reason] of kept) if (functions.has(local.key)) tally.add('functions kept', `${local.name}: ${reason}`);
  if (functions.size < model.functions.size) editor.setModel({ functions });
}

/** Adds what the function imports and the model does not; returns a reason if an operator means one thing here and another there. */
function mergeOpsets(local: LocalFunction, model: Model, opsets: Map<string, number>): string | undefined {
  const missing = new Map<string, number>();
  for (const node of local.body.walk()) {
    const { domain, op } = node;
    const inner = local.opsets.get(domain);
    if (inner === undefined) return `it imports no version of domain '${domain || 'ai.onnx'}'`;
    const outer = opsets.get(domain) ?? missing.get(domain);
    if (outer === undefined) missing.set(domain, inner);
    if (outer === undefined || outer === inner || calleeOf(node, model) !== undefined) continue;
    const [here, there] = [opFacts(domain, op, inner), opFacts(domain, op, outer)];
    if (here === undefined || here !== there) return `${op} is of version ${inner} of domain '${domain || 'ai.onnx'}' in it, and of version ${outer} in the model`;
  }
  for (const [domain, opset] of missing) opsets.set(domain, opset);
  return undefined;
}

/** A few nested functions can stand for more nodes than any memory holds: the size is computed before anything is made. */
function checkSize(model: Model, order: readonly LocalFunction[], inlinable: (node: Node) => LocalFunction | undefined, maxNodes: number): void {
  const sizes = new Map<LocalFunction, number>();
  const sizeOf = (graph: Graph): number => {
    let size = graph.constants.size;
    for (const node of graph.walk()) {
      const called = inlinable(node);
      size += called === undefined ? 1 : sizes.get(called)!;
      for (const body of node.subgraphs) size += body.constants.size;
    }
    return size;
  };
  for (const local of order) sizes.set(local, sizeOf(local.body));
  const size = sizeOf(model.graph);
  if (size <= maxNodes) return;
  throw new Diagnostic('model/function-size', `the functions of the model stand for ${size} nodes and constants, more than the limit of ${maxNodes}`, {
    suggestion: 'Export the model without local functions, or raise the limit.',
  });
}

/** The functions that calls in the main graph still lead to. */
function reachable(model: Model): Map<string, LocalFunction> {
  const found = new Set<LocalFunction>();
  const graphs = [model.graph];
  for (let graph = graphs.pop(); graph !== undefined; graph = graphs.pop()) {
    for (const node of graph.walk()) {
      const called = calleeOf(node, model);
      if (called === undefined || found.has(called)) continue;
      found.add(called);
      graphs.push(called.body);
    }
  }
  return new Map([...model.functions].filter(([, local]) => found.has(local)));
}

function normalizeConstants(graph: Graph, editor: Editor, tally: Tally, irVersion: number, maxDense: number): void {
  for (const value of graph.constants) {
    const sparse = sparseOf(value);
    if (sparse !== undefined) {
      const dense = densified(sparse, value.name);
      if (dense.byteLength > maxDense) {
        throw new Diagnostic('model/sparse-size', `sparse tensor '${value.name}' would take ${dense.byteLength} bytes when dense, more than the limit of ${maxDense}`, {
          tensor: value.name, suggestion: 'Store it as a dense tensor, or raise the limit.',
        });
      }
      editor.setTensor(value, dense.evaluated());
      tally.add('sparse tensors densified', value.name);
    } else if (value.form?.kind === 'node' && irVersion >= 4) {
      // Before IR 4 an initializer had to be an input of the model as well.
      editor.setTensor(value, value.tensor!.withStorage(value.tensor!.storage));
      tally.add('constants stored as initializers', value.name);
    }
  }
  for (const node of graph.nodes()) for (const body of node.subgraphs) normalizeConstants(body, editor, tally, irVersion, maxDense);
}

function sparseOf({ form }: Value): Parameters<typeof densified>[0] | undefined {
  if (form?.kind === 'sparse-initializer') return form.sparse;
  const attribute = form?.kind === 'node' ? form.node.attribute.attribute : undefined;
  return attribute?.kind === 'sparseTensor' ? attribute.value : undefined;
}

function normalizeInputs({ graph, irVersion }: Model, editor: Editor, tally: Tally, fix: boolean): void {
  const defaults = graph.inputs.filter(({ tensor }) => tensor !== undefined);
  const fixed = irVersion < 4 || fix;
  if (fixed) editor.fixInputs(graph, defaults);
  for (const { name } of defaults) tally.add(fixed ? 'inputs with defaults fixed' : 'inputs with defaults kept', name);
}
