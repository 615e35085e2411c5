import { resolve } from 'node:path';
import { hashModel } from '../ir/hash.ts';
import type { Model, Node, Value } from '../ir/model.ts';
import { printType, sameType } from '../ir/type.ts';
import { openModelFile } from './files/model-file.ts';
import { attributeKey } from './attribute-key.ts';
import { quietHost, type Host } from './host.ts';
import { figuresOf, type Figures } from './instruments/statistics.ts';
import { nodesOf, pairNodes } from './pairing.ts';
import { normalized } from './prepare.ts';
import { operatorName } from './recipe/select.ts';

/** One thing that is not the same in both models. */
export interface Difference {
  readonly kind: 'model' | 'input' | 'output' | 'node' | 'constant';
  readonly change: 'added' | 'removed' | 'changed' | 'renamed';
  /** Its name in the model where it is; of what is in both, the name before. */
  readonly name: string;
  /** What it is, or how it changed. */
  readonly what: string;
}

/** What `onnxpress diff` shows. */
export interface Diff {
  /** True if both compute the same with the same nodes in the same order, however they name and store inner things. */
  readonly same: boolean;
  readonly figures: { readonly before: Figures; readonly after: Figures };
  /** Operators whose number differs. */
  readonly operators: readonly { readonly operator: string; readonly before: number; readonly after: number }[];
  readonly differences: readonly Difference[];
}

/** Compares two models. Nodes are paired by what they compute, then by name (see `pairNodes`); constants by name, and compared by their elements. */
export function diff(before: string, after: string, { host: given }: { readonly host?: Partial<Host> } = {}): Diff {
  const { cwd } = quietHost(given);
  const a = openModelFile(resolve(cwd, before), before);
  try {
    const b = openModelFile(resolve(cwd, after), after);
    try {
      return diffModels(a.model, b.model);
    } finally {
      b.close();
    }
  } finally {
    a.close();
  }
}

/** The same for two models in memory; both are normalised. */
export function diffModels(a: Model, b: Model): Diff {
  normalized(a);
  normalized(b);
  const figures = { before: figuresOf(a), after: figuresOf(b) };
  const names = new Set([...Object.keys(figures.before.operators), ...Object.keys(figures.after.operators)]);
  const operators = [...names].sort().map((operator) => ({ operator, before: figures.before.operators[operator] ?? 0, after: figures.after.operators[operator] ?? 0 }))
    .filter((row) => row.before !== row.after);
  const differences = [
    ...modelDifferences(a, b),
    ...compare('input', new Map(a.graph.inputs.map((value) => [value.name, value])), new Map(b.graph.inputs.map((value) => [value.name, value])), typeText, typeChange),
    ...compare('output', outputs(a), outputs(b), typeText, typeChange),
    ...nodeDifferences(a, b),
    ...constantDifferences(constants(a), constants(b)),
  ];
  // Equal hashes mean the same computation; labels may differ all the same, and are listed.
  return { same: differences.length === 0 || (operators.length === 0 && hashModel(a) === hashModel(b)), figures, operators, differences };
}

function* compare<T>(
  kind: Difference['kind'], a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>, describe: (thing: T) => string, changeOf: (x: T, y: T) => string | undefined,
): Iterable<Difference> {
  for (const [name, thing] of a) {
    const other = b.get(name);
    if (other === undefined) {
      yield { kind, change: 'removed', name, what: describe(thing) };
      continue;
    }
    const what = changeOf(thing, other);
    if (what !== undefined) yield { kind, change: 'changed', name, what };
  }
  for (const [name, thing] of b) if (!a.has(name)) yield { kind, change: 'added', name, what: describe(thing) };
}

/** Constants that only bear another name are not listed. */
function* constantDifferences(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): Iterable<Difference> {
  const hashes = (values: ReadonlyMap<string, Value>, others: ReadonlyMap<string, Value>): ReadonlySet<string> =>
    new Set([...values].filter(([name]) => !others.has(name)).map(([, { tensor }]) => tensor!.hash()));
  const [gone, come] = [hashes(a, b), hashes(b, a)];
  for (const difference of compare('constant', a, b, typeText, (x, y) => (x.tensor!.hash() === y.tensor!.hash() ? undefined : typeChange(x, y) ?? 'other elements'))) {
    const { change, name } = difference;
    const renamed = change === 'removed' ? come.has(a.get(name)!.tensor!.hash()) : change === 'added' && gone.has(b.get(name)!.tensor!.hash());
    if (!renamed) yield difference;
  }
}

function* modelDifferences(a: Model, b: Model): Iterable<Difference> {
  if (a.irVersion !== b.irVersion) yield { kind: 'model', change: 'changed', name: 'IR version', what: `${a.irVersion} → ${b.irVersion}` };
  for (const domain of new Set([...a.opsets.keys(), ...b.opsets.keys()])) {
    const [x, y] = [a.opsets.get(domain), b.opsets.get(domain)];
    if (x !== y) yield { kind: 'model', change: 'changed', name: `opset ${domain || 'ai.onnx'}`, what: `${x ?? 'none'} → ${y ?? 'none'}` };
  }
}

function outputs({ graph }: Model): ReadonlyMap<string, Value> {
  return new Map(graph.outputs.map(({ name, value }) => [name, value]));
}

function constants({ graph }: Model): ReadonlyMap<string, Value> {
  const all = [graph, ...[...graph.walk()].flatMap((node) => node.subgraphs)];
  return new Map(all.flatMap((each) => [...each.constants]).map((value) => [value.name, value]));
}

function typeText({ type }: Value): string {
  return printType(type);
}

function typeChange(a: Value, b: Value): string | undefined {
  return sameType(a.type, b.type) || a.type === undefined || b.type === undefined ? undefined : `${printType(a.type)} → ${printType(b.type)}`;
}

/** Removed, changed and renamed nodes in the order of the first model, then those that were added. */
function* nodeDifferences(a: Model, b: Model): Iterable<Difference> {
  const { pairs, added } = pairNodes(a, b);
  for (const node of nodesOf(a)) {
    const other = pairs.get(node);
    if (other === undefined) {
      yield { kind: 'node', change: 'removed', name: node.name, what: operatorName(node) };
      continue;
    }
    const what = nodeChange(node, other, pairs);
    const renamed = node.name === other.name ? [] : [`now ${other.name}`];
    if (what.length > 0) yield { kind: 'node', change: 'changed', name: node.name, what: [...what, ...renamed].join('; ') };
    else if (renamed.length > 0) yield { kind: 'node', change: 'renamed', name: node.name, what: renamed.join() };
  }
  for (const node of added) yield { kind: 'node', change: 'added', name: node.name, what: operatorName(node) };
}

function nodeChange(a: Node, b: Node, pairs: ReadonlyMap<Node, Node>): string[] {
  if (operatorName(a) !== operatorName(b)) return [`${operatorName(a)} → ${operatorName(b)}`];
  const attributes = [...new Set([...a.attributes.keys(), ...b.attributes.keys()])].filter((name) => attributeKey(a.attributes.get(name)) !== attributeKey(b.attributes.get(name)));
  const inputs = Array.from({ length: Math.max(a.inputs.length, b.inputs.length) }, (_, index) => index).filter((index) => !sameSource(a.inputs[index], b.inputs[index], pairs));
  return [...attributes.map((name) => `attribute ${name}`), ...inputs.map((index) => `input ${index}: ${sourceOf(a.inputs[index])} → ${sourceOf(b.inputs[index])}`)];
}

/** Sources are the same if they have one name (other elements are a difference of the constant, another operator one of the node), equal elements, or makers that are paired. */
function sameSource(a: Value | undefined, b: Value | undefined, pairs: ReadonlyMap<Node, Node>): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (sourceOf(a) === sourceOf(b)) return true;
  if (a.constant !== undefined && b.constant !== undefined) return a.constant.hash() === b.constant.hash();
  return a.producer !== undefined && a.index === b.index && pairs.get(a.producer) === b.producer;
}

/** Where a value comes from: the label of a constant or input, the node and output that make it. */
function sourceOf(value: Value | undefined): string {
  if (value === undefined) return 'nothing';
  if (value.producer === undefined) return value.name;
  return value.index === 0 ? value.producer.name : `${value.producer.name}[${value.index}]`;
}
