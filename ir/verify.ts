import { Diagnostic, type DiagnosticDetails } from './diagnostic.ts';
import { callOrder } from './inline.ts';
import { Node, type Graph, type GraphOwner, type LocalFunction, type Model, type Value } from './model.ts';
import { stableOrder } from './order.ts';
import { printType, sameType, tensorType, type Type } from './type.ts';
import { describeNode, verifyNode, type Report } from './verify-node.ts';

/** What callers of a model rely on: names, order and types of its inputs and outputs. */
export interface Interface {
  readonly inputs: readonly InterfaceSlot[];
  readonly outputs: readonly InterfaceSlot[];
}

export interface InterfaceSlot {
  readonly name: string;
  readonly type: Type | undefined;
}

export interface VerifyOptions {
  /** The interface that the model must still have. Lengths of axes may have changed; names, order, element types and ranks may not. */
  readonly interface?: Interface;
  /** Nodes must have names, no two the same, as after normalisation. */
  readonly nodeNames?: boolean;
  /** Stop after so many findings; default 100. */
  readonly limit?: number;
}

/** The interface of a model as it is now, for `VerifyOptions.interface`. */
export function interfaceOf(model: Model): Interface {
  const outputs = model.graph.outputs.map(({ name, value, type }) => ({ name, type: type ?? value.type }));
  return { inputs: model.graph.inputs.map(({ name, type }) => ({ name, type })), outputs };
}

/**
 * Checks everything that must hold of a model between two steps, in time linear in its size and without changing it: links and owners,
 * use lists in both directions, labels, visibility and order of what is read, constants, the interface, imports of operator sets, and
 * for operators of the ONNX domains what their specification says about inputs, outputs and attributes. No finding means a sound model.
 */
export function verifyModel(model: Model, options: VerifyOptions = {}): Diagnostic[] {
  return new Verifier(model, options).run();
}

const rewrite = 'A pass has left the model inconsistent: change models through the editor only, and report this with the step that ran.';
class Verifier {
  private readonly model: Model;
  private readonly options: VerifyOptions;
  private readonly limit: number;
  private readonly found: Diagnostic[] = [];
  private readonly graphs = new Set<Graph>();
  private readonly nodes = new Set<Node>();
  /** Values that the walk has passed: inputs and constants when their graph is entered, outputs behind their node. */
  private readonly defined = new Set<Value>();
  private readonly reads = new Map<Value, number>();
  /** Labels of the graphs around and including the present one. */
  private readonly labels = new Map<string, Value>();
  private readonly nodeNames = new Map<string, Node>();
  /** Graphs whose order has been reported. */
  private readonly disordered = new Set<Graph>();

  constructor(model: Model, options: VerifyOptions) {
    this.model = model;
    this.options = options;
    this.limit = options.limit ?? 100;
  }

  run(): Diagnostic[] {
    const { model } = this;
    const bodies: [Graph, GraphOwner, LocalFunction | undefined][] = [[model.graph, model, undefined]];
    for (const local of model.functions.values()) bodies.push([local.body, local, local]);
    const sound = bodies.map(([graph, owner]) => this.collect(graph, owner)).every(Boolean);
    // What follows trusts the node lists.
    if (sound) {
      for (const [graph, , local] of bodies) this.graph(graph, local);
      this.uses();
      this.interface();
      this.attempt(() => callOrder(model));
    }
    return this.found;
  }

  /** Reports what is thrown as a Diagnostic; true if nothing was. */
  private attempt(action: () => unknown): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (!Diagnostic.is(error)) throw error;
      const { code, message, ...details } = error.toJSON();
      this.report(code, message, details);
      return false;
    }
  }

  private readonly report: Report = (code, message, details) => {
    if (this.found.length >= this.limit) return;
    const { source } = this.model;
    this.found.push(new Diagnostic(code, message, { ...(source !== undefined && { file: source }), ...details }));
  };

  private broken(code: string, message: string, details: DiagnosticDetails = {}): void {
    this.report(code, message, { suggestion: rewrite, ...details });
  }

  /** Registers a graph and what is inside, and checks owners and the links of the list. False if the list cannot be walked. */
  private collect(graph: Graph, owner: GraphOwner): boolean {
    if (this.graphs.has(graph) || graph.owner !== owner) {
      this.broken('model/owner', `graph '${graph.name}' ${this.graphs.has(graph) ? 'stands in two places' : 'does not know where it stands'}`);
      if (this.graphs.has(graph)) return false;
    }
    this.graphs.add(graph);
    let count = 0;
    let previous: Node | undefined;
    for (let node = graph.first; node !== undefined; previous = node, node = node.next, count++) {
      if (this.nodes.has(node) || node.graph !== graph || node.previous !== previous) {
        this.broken('model/links', `the node list of graph '${graph.name}' is broken at ${describeNode(node)}`, { node: node.reference });
        return false;
      }
      this.nodes.add(node);
      for (const body of node.subgraphs) if (!this.collect(body, node)) return false;
    }
    if (previous === graph.last && count === graph.nodeCount) return true;
    this.broken('model/links', `graph '${graph.name}' has ${count} nodes, but counts ${graph.nodeCount} and ends with '${graph.last?.name ?? ''}'`);
    return false;
  }

  private graph(graph: Graph, local: LocalFunction | undefined): void {
    const own: Value[] = [];
    for (const value of graph.values()) if (this.label(value, graph)) own.push(value);
    graph.inputs.forEach((value, index) => { this.place(value, graph, undefined, index); });
    for (const value of graph.constants) {
      this.place(value, graph, undefined, value.index);
      if (value.tensor === undefined || value.form === undefined || value.isInput) {
        this.broken('model/constant', `'${value.name}' stands among the constants of graph '${graph.name}', but ${value.isInput ? 'is an input' : 'has no elements'}`, { tensor: value.name });
      }
    }
    for (const node of graph.nodes()) {
      if (this.options.nodeNames) this.nodeName(node);
      node.inputs.forEach((value, index) => { if (value !== undefined) this.read(value, graph, node, index); });
      if (node.inputs.length > 0 && node.inputs.at(-1) === undefined) {
        this.broken('model/inputs', `the inputs of ${describeNode(node)} end with one that is left out`, { node: node.reference });
      }
      for (const body of node.subgraphs) this.graph(body, local);
      node.outputs.forEach((value, index) => { if (value !== undefined) this.place(value, graph, node, index); });
      verifyNode(node, this.model, local, this.report);
    }
    this.outputs(graph);
    for (const value of own) this.labels.delete(value.name);
  }

  /** Registers a value's label; two that are visible in one place would be one name in the file. */
  private label(value: Value, graph: Graph): boolean {
    const other = this.labels.get(value.name);
    if (value.name !== '' && other === undefined) {
      this.labels.set(value.name, value);
      return true;
    }
    const what = value.name === '' ? `a value of graph '${graph.name}' has no name`
      : other?.graph === graph ? `two values of graph '${graph.name}' are called '${value.name}'`
      : `'${value.name}' of graph '${graph.name}' hides the value of that name in graph '${other?.graph.name ?? ''}'`;
    this.report('model/name', what, { tensor: value.name, suggestion: 'Give each value a name of its own; `onnxpress compile` does so for bodies when it normalises a model.' });
    return false;
  }

  private nodeName(node: Node): void {
    const other = this.nodeNames.get(node.name);
    if (node.name === '' || other !== undefined) {
      const problem = other === undefined ? `${describeNode(node)} has no name` : `${describeNode(node)} has the name of a ${other.op}`;
      this.broken('model/node-name', problem, { node: node.reference });
    }
    this.nodeNames.set(node.name, node);
  }

  /** The walk passes a value: it must know where it stands, and its elements must have its type. */
  private place(value: Value, graph: Graph, producer: Node | undefined, index: number): void {
    if (value.graph !== graph || value.producer !== producer || value.index !== index || this.defined.has(value)) {
      this.broken('model/producer', `'${value.name}' of graph '${graph.name}' does not know where it stands, or stands in two places`, { tensor: value.name });
    }
    this.defined.add(value);
    const { tensor, type } = value;
    if (tensor === undefined) return;
    if (producer !== undefined) this.broken('model/constant', `'${value.name}' has elements of its own, but ${describeNode(producer)} makes it`, { tensor: value.name });
    const actual = tensorType(tensor.dtype, tensor.shape);
    if (type !== undefined && !admits(type, actual)) {
      this.report('model/constant-type', `'${value.name}' holds ${printType(actual)}, but is declared as ${printType(type)}`, {
        tensor: value.name, expected: [printType(type)], actual: printType(actual), suggestion: 'State the type of the elements, or change them through Editor.setTensor.',
      });
    }
  }

  private read(value: Value, graph: Graph, user: Node | Graph, index: number): void {
    this.reads.set(value, (this.reads.get(value) ?? 0) + 1);
    let visible: Graph | undefined = graph;
    while (visible !== undefined && visible !== value.graph) visible = visible.parent;
    const { producer } = value;
    const standing = producer !== undefined ? this.nodes.has(producer) && producer.outputs[value.index] === value
      : this.graphs.has(value.graph) && (value.isInput || value.graph.constants.has(value));
    if (standing && visible !== undefined && this.defined.has(value)) return;
    const where = user instanceof Node ? `input ${index} of ${describeNode(user)}` : `output '${user.outputs[index]?.name ?? ''}' of graph '${graph.name}'`;
    const details = { tensor: value.name, ...(user instanceof Node && { node: user.reference }) };
    if (!standing) {
      this.broken('model/removed', `${where} reads '${value.name}', which is no longer in the model`, details);
    } else if (visible === undefined) {
      this.broken('model/scope', `${where} reads '${value.name}' of graph '${value.graph.name}', which is not visible in graph '${graph.name}'`, details);
    } else if (!this.disordered.has(visible)) {
      this.disordered.add(visible);
      this.order(visible, value, where, details);
    }
  }

  /** Something in `graph` is read before it is made: because of a cycle, or of the order alone. */
  private order(graph: Graph, value: Value, where: string, details: DiagnosticDetails): void {
    if (!this.attempt(() => stableOrder(graph))) return;
    this.report('model/order', `${where} reads '${value.name}' before ${value.producer === undefined ? 'it is there' : describeNode(value.producer)} has made it`, {
      ...details, suggestion: 'Sort the nodes (sortModel): each must stand behind those whose outputs it reads.',
    });
  }

  private outputs(graph: Graph): void {
    graph.outputs.forEach(({ value }, index) => { this.read(value, graph, graph, index); });
    if (graph !== this.model.graph) return; // the outputs of bodies and functions go by position
    const inputs = new Map(graph.inputs.map((input) => [input.name, input]));
    const names = new Set<string>();
    graph.outputs.forEach(({ name, value }, index) => {
      const problem = name === '' ? `output ${index} of the model has no name`
        : names.has(name) ? `the model has two outputs '${name}'`
        : (inputs.get(name) ?? value) !== value ? `output '${name}' has the name of an input, but is not that input`
        : undefined;
      names.add(name);
      if (problem !== undefined) this.report('model/output-name', problem, { tensor: name, suggestion: 'Give each output a name of its own.' });
    });
  }

  /** Each use stands for a read, none twice, and there are as many as reads. */
  private uses(): void {
    for (const value of this.defined) {
      const { uses } = value;
      const seen = uses.length > 1 ? new Map<Node | Graph, Set<number>>() : undefined;
      for (const { user, index } of uses) {
        const live = user instanceof Node ? this.nodes.has(user) && user.inputs[index] === value : this.graphs.has(user) && user.outputs[index]?.value === value;
        let indices = seen?.get(user);
        if (!live || indices?.has(index)) {
          const reader = user instanceof Node ? describeNode(user) : `graph '${user.name}'`;
          this.broken('model/uses', `the uses of '${value.name}' name ${reader} at ${index}, which ${live ? 'stands there already' : 'does not read it'}`, { tensor: value.name });
        }
        if (seen && indices === undefined) seen.set(user, indices = new Set());
        indices?.add(index);
      }
      const reads = this.reads.get(value) ?? 0;
      if (uses.length < reads) this.broken('model/uses', `'${value.name}' is read ${reads} times, but knows of ${uses.length} uses`, { tensor: value.name });
    }
  }

  private interface(): void {
    const before = this.options.interface;
    if (before === undefined) return;
    const now = interfaceOf(this.model);
    for (const side of ['inputs', 'outputs'] as const) {
      const [old, present] = [before[side], now[side]];
      const suggestion = 'A step must keep the inputs and outputs that callers know.';
      if (old.length !== present.length || old.some(({ name }, index) => name !== present[index]?.name)) {
        const [lost, added] = [without(old, present), without(present, old)];
        const change = [lost && `without ${lost}`, added && `with ${added}`].filter(Boolean).join(' and ') || 'in another order';
        this.report('model/interface', `the ${side} of the model have changed: they are now ${change}`, { suggestion });
      } else {
        old.forEach(({ name, type }, index) => {
          const changed = present[index]?.type;
          if (sameType(withoutLengths(type), withoutLengths(changed)) || type === undefined) return;
          this.report('model/interface', `${side.slice(0, -1)} '${name}' was ${printType(type)}, but is now ${printType(changed)}`, { tensor: name, suggestion });
        });
      }
    }
  }
}

/** True if a declared type leaves room for an actual one: unknown parts and symbols admit anything. */
function admits(declared: Type, actual: Type): boolean {
  if (declared.kind !== 'tensor' || actual.kind !== 'tensor' || declared.sparse) return declared.kind === 'tensor';
  const { dtype, shape } = declared;
  return (dtype === undefined || dtype === actual.dtype)
    && (shape === undefined || (shape.length === actual.shape?.length && shape.every((dim, axis) => typeof dim !== 'number' || dim === actual.shape?.[axis])));
}

/** The names of the slots in `slots` that `others` lacks, the first few of them. */
function without(slots: readonly InterfaceSlot[], others: readonly InterfaceSlot[]): string {
  const known = new Set(others.map(({ name }) => name));
  const names = slots.filter(({ name }) => !known.has(name)).map(({ name }) => `'${name}'`);
  return names.slice(0, 4).join(', ') + (names.length > 4 ? ` and ${names.length - 4} more` : '');
}

function withoutLengths(type: Type | undefined): Type | undefined {
  return type?.kind === 'tensor' && type.shape !== undefined ? { ...type, shape: type.shape.map(() => undefined) } : type;
}
