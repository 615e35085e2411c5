import { createHash } from 'node:crypto';
import { attributeKey } from './attribute-key.ts';
import { Node as NodeClass, type Model, type Node, type Value } from '../ir/model.ts';
import { operatorName } from './recipe/select.ts';

/** Which node of one model stands for which of another. */
export interface Pairing {
  /** From the nodes of the first model to those of the second. */
  readonly pairs: ReadonlyMap<Node, Node>;
  /** Nodes of the first model, and of the second, that have no partner. */
  readonly removed: readonly Node[];
  readonly added: readonly Node[];
}

/** Most neighbours of one value that are looked at in search of partners: what a shared constant feeds is no evidence. */
const mostUses = 64;

/**
 * Pairs the nodes of two models, whatever they are called. In this order: nodes that compute the same from the same inputs, constants
 * included; nodes from which the same is computed up to the outputs; nodes of the same name and operator; nodes whose neighbours are
 * paired; nodes of the same name. Among several candidates those of the same name come first, then the order of the models. So a change in
 * the middle of a model leaves everything before and behind it paired. Takes time linear in the size of the models.
 */
export function pairNodes(a: Model, b: Model): Pairing {
  const [first, second] = [nodesOf(a), nodesOf(b)];
  const pairing = new Pairs(first, second);
  pairing.byKey(forwardKeys(first), forwardKeys(second));
  pairing.byKey(backwardKeys(first), backwardKeys(second));
  pairing.byKey(new Map(first.map((node) => [node, named(node)])), new Map(second.map((node) => [node, named(node)])));
  pairing.byNeighbours();
  pairing.byKey(new Map(first.map((node) => [node, node.name])), new Map(second.map((node) => [node, node.name])));
  return { pairs: pairing.pairs, removed: first.filter((node) => !pairing.pairs.has(node)), added: second.filter((node) => !pairing.taken.has(node)) };
}

/** All nodes, those of bodies and functions included. */
export function nodesOf(model: Model): Node[] {
  return [...model.graphs()].flatMap((graph) => [...graph.walk()]);
}

const named = (node: Node): string => `${operatorName(node)} ${node.name}`;

class Pairs {
  readonly pairs: Map<Node, Node> = new Map();
  readonly taken: Set<Node> = new Set();
  private readonly first: readonly Node[];
  private readonly second: readonly Node[];

  constructor(first: readonly Node[], second: readonly Node[]) {
    this.first = first;
    this.second = second;
  }

  /** Pairs nodes that are free and have the same key: first those of the same name, then the others in order. */
  byKey(keysA: ReadonlyMap<Node, string>, keysB: ReadonlyMap<Node, string>): void {
    this.inOrder((node) => `${keysA.get(node)!} ${node.name}`, (node) => `${keysB.get(node)!} ${node.name}`);
    this.inOrder((node) => keysA.get(node)!, (node) => keysB.get(node)!);
  }

  private inOrder(keyA: (node: Node) => string, keyB: (node: Node) => string): void {
    const candidates = new Map<string, Node[]>();
    for (const node of this.second.toReversed()) {
      if (this.taken.has(node)) continue;
      const list = candidates.get(keyB(node));
      if (list) list.push(node);
      else candidates.set(keyB(node), [node]);
    }
    for (const node of this.first) {
      const other = this.pairs.has(node) ? undefined : candidates.get(keyA(node))?.pop();
      if (other) this.pair(node, other);
    }
  }

  /** Spreads from pairs to what they read and to what reads them, as long as operators agree and the partner is the only one. */
  byNeighbours(): void {
    const waiting = [...this.pairs];
    const found = (x: Node | undefined, y: Node | undefined): void => {
      if (x === undefined || y === undefined || this.pairs.has(x) || this.taken.has(y) || operatorName(x) !== operatorName(y)) return;
      this.pair(x, y);
      waiting.push([x, y]);
    };
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [x, y] = next;
      x.inputs.forEach((value, index) => { found(value?.producer, y.inputs[index]?.producer); });
      x.outputs.forEach((value, index) => {
        const others = onlyReaders(y.outputs[index], (node) => !this.taken.has(node));
        for (const [key, reader] of onlyReaders(value, (node) => !this.pairs.has(node))) found(reader, others.get(key));
      });
    }
  }

  private pair(x: Node, y: Node): void {
    this.pairs.set(x, y);
    this.taken.add(y);
  }
}

/** Nodes that read a value, by operator and input; undefined where several do so in the same way. */
function onlyReaders(value: Value | undefined, isFree: (node: Node) => boolean): Map<string, Node | undefined> {
  const only = new Map<string, Node | undefined>();
  for (const { user, index } of (value?.uses ?? []).slice(0, mostUses)) {
    if (!(user instanceof NodeClass) || !isFree(user)) continue;
    const key = `${index} ${operatorName(user)}`;
    only.set(key, only.has(key) ? undefined : user);
  }
  return only;
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

function ownKey(node: Node): unknown[] {
  return [operatorName(node), [...node.attributes].map(([name, attribute]) => [name, attributeKey(attribute)]).sort(([x], [y]) => (x! < y! ? -1 : 1))];
}

/** Equal for nodes that compute the same from the same inputs of the model. */
function forwardKeys(nodes: readonly Node[]): Map<Node, string> {
  const keys = new Map<Node, string>();
  const source = (value: Value | undefined): unknown => {
    if (value === undefined) return null;
    if (value.constant !== undefined) return value.constant.hash();
    return value.producer === undefined ? ['input', value.name] : [keys.get(value.producer) ?? 'later', value.index];
  };
  for (const node of nodes) keys.set(node, digest([ownKey(node), node.inputs.map(source)]));
  return keys;
}

/** Equal for nodes from which the same is computed up to the outputs of the graph. What else flows in on the way does not count, constants do. */
function backwardKeys(nodes: readonly Node[]): Map<Node, string> {
  const keys = new Map<Node, string>();
  const constant = (value: Value | undefined): string | null => value?.constant?.hash() ?? null;
  for (const node of nodes.toReversed()) {
    const uses = node.outputs.map((value) => (value?.uses ?? []).map(({ user, index }) => (user instanceof NodeClass ? [keys.get(user) ?? 'earlier', index] : ['output', user.outputs[index]?.name])).sort());
    keys.set(node, digest([ownKey(node), node.inputs.map(constant), uses]));
  }
  return keys;
}
