import { attributeData } from '../../ir/hash.ts';
import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { opFacts } from '../../ir/ops.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { removeDead } from '../dead.ts';
import type { PassContext } from '../pass.ts';
import { isCommutative, opKey, opsetOf } from '../pattern.ts';
import { isBarrier } from './barriers.ts';

type Context = Pick<PassContext<unknown>, 'edit' | 'select' | 'remark' | 'stat'>;

/** What may be read in a graph at one point: its own things so far, and those of the graphs around it. */
interface Scope {
  readonly parent: Scope | undefined;
  readonly nodes: Map<string, Node>;
  readonly constants: Map<string, Value>;
}

/**
 * Merges nodes that compute the same from the same, and constants with the same elements. A node in a body gives way to one that stands before the
 * owner of the body, never to one in another branch. Random nodes, Q/DQ, nodes with bodies and operators without known facts stay.
 */
export function mergeDuplicates(model: Model, context: Context): void {
  new Merger(context, repeatedPrints(model)).graph(model.graph, undefined);
}

class Merger {
  private readonly context: Context;
  private readonly repeated: ReadonlySet<string>;
  private readonly ids = new Map<Value, number>();

  constructor(context: Context, repeated: ReadonlySet<string>) {
    this.context = context;
    this.repeated = repeated;
  }

  graph(graph: Graph, parent: Scope | undefined): void {
    const scope: Scope = { parent, nodes: new Map<string, Node>(), constants: new Map<string, Value>() };
    for (const value of [...graph.constants]) this.constant(value, scope);
    for (const node of graph.nodes()) {
      this.node(node, scope);
      for (const body of node.subgraphs) this.graph(body, scope);
    }
  }

  private constant(value: Value, scope: Scope): void {
    const tensor = value.constant!;
    if (value.quantization !== undefined || !this.repeated.has(fingerprint(tensor))) return;
    const key = tensor.hash();
    const twin = lookup(scope, 'constants', key);
    if (twin === undefined) {
      scope.constants.set(key, value);
    } else if (value.uses.every(({ user }) => !('op' in user) || this.context.select.has(user))) {
      this.context.edit.replaceUses(value, twin);
      this.context.edit.remove(value);
      this.context.stat('duplicate-constants');
    }
  }

  private node(node: Node, scope: Scope): void {
    const key = this.keyOf(node);
    if (key === undefined) return;
    const twin = lookup(scope, 'nodes', key);
    if (twin === undefined) {
      scope.nodes.set(key, node);
      return;
    }
    if (!this.context.select.has(node)) return;
    node.outputs.forEach((value, index) => { if (value !== undefined) this.context.edit.replaceUses(value, twin.outputs[index]!); });
    removeDead(this.context.edit, [node]);
    this.context.remark({ kind: 'applied', rule: 'duplicates', message: `Uses the result of '${twin.name}', which is the same.`, node });
    this.context.stat('duplicates');
  }

  /** Equal for nodes that compute the same; undefined for those that are never merged. */
  private keyOf(node: Node): string | undefined {
    if (opFacts(node.domain, node.op, opsetOf(node)) === undefined || isBarrier(node)) return undefined;
    const inputs = node.inputs.map((value) => (value === undefined ? '' : String(this.idOf(value))));
    if (isCommutative(node)) inputs.sort();
    const attributes: unknown[] = [];
    for (const [name, attribute] of [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (attribute.kind === 'graph' || attribute.kind === 'graphs') return undefined;
      attributes.push([name, attribute.kind, attributeData(attribute)]);
    }
    return JSON.stringify([opKey(node), node.overload, inputs, attributes, node.outputs.map((value) => value !== undefined)]);
  }

  private idOf(value: Value): number {
    const id = this.ids.get(value) ?? this.ids.size;
    this.ids.set(value, id);
    return id;
  }
}

function lookup<K extends 'nodes' | 'constants'>(scope: Scope, kind: K, key: string): (K extends 'nodes' ? Node : Value) | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = at[kind].get(key);
    if (found !== undefined) return found as K extends 'nodes' ? Node : Value;
  }
  return undefined;
}

/** Fingerprints that more than one constant of the model has: only those are worth hashing. */
function repeatedPrints(model: Model): ReadonlySet<string> {
  const once = new Set<string>();
  const more = new Set<string>();
  const visit = (graph: Graph): void => {
    for (const value of graph.constants) {
      const print = fingerprint(value.constant!);
      (once.has(print) ? more : once).add(print);
    }
    for (const node of graph.nodes()) node.subgraphs.forEach(visit);
  };
  visit(model.graph);
  return more;
}

/** Type, shape and first bytes: what equal tensors share and most others do not, read without the whole tensor. */
function fingerprint(tensor: Tensor): string {
  const kind = `${tensor.dtype}[${tensor.shape.join(',')}]`;
  if (tensor.dtype === 'string') return kind;
  const chunk = tensor.chunk();
  const length = Math.min(64, chunk.length);
  const start = chunk instanceof Uint8Array ? chunk.subarray(0, length) : chunk.source.read(chunk.offset, length);
  return `${kind} ${Buffer.from(start).toString('base64')}`;
}
