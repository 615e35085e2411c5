import { cloneModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import { hashGraph } from '../../ir/hash.ts';
import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { isInModel, removeDead } from '../dead.ts';
import type { PassContext } from '../pass.ts';
import { opsetOf } from '../pattern.ts';
import { inlineBody } from './bodies.ts';
import { numbersOf } from './operands.ts';

type Context = Pick<PassContext<unknown>, 'edit' | 'select' | 'remark' | 'stat' | 'runtime'>;

/**
 * Replaces an If whose condition is constant, or whose branches are equal, by a branch, and a Loop that runs once or never by its body or nothing.
 *
 * A body may contradict what reads its results: an If hides of which rank they are where its branches disagree, and the branch that is taken can be the one that
 * fails whenever it is reached. ONNX Runtime loads such a model as long as the If hides it, and refuses it without. So each replacement is first tried on a copy.
 */
export class Branches {
  private readonly context: Context;
  /** Nodes that were tried and stay. */
  private readonly kept = new Set<Node>();

  constructor(context: Context) {
    this.context = context;
  }

  /** Resolves all such nodes of the model, those inside what was resolved excepted: they come anew. */
  async run(model: Model): Promise<void> {
    const { context, kept } = this;
    const found = [...model.graph.walk()].filter((node) => !kept.has(node) && planFor(node) !== undefined && isSelected(node, context));
    if (found.length === 0) return;
    for (const node of await this.fitting(model, found)) {
      const plan = isInModel(node) ? resolve(node, context.edit) : undefined;
      if (plan === undefined) continue;
      context.remark({ kind: 'applied', rule: plan.rule, message: plan.message, node });
      context.stat(plan.rule);
    }
  }

  /** Those of the nodes that can be resolved together without ONNX Runtime refusing a node that it took before; the others are kept, with a remark. */
  private async fitting(model: Model, found: readonly Node[]): Promise<readonly Node[]> {
    const without = await this.refusals(model, found);
    if (without.size === 0) return found;
    const before = await this.refusals(model, []);
    const isNew = ([name]: readonly [string, string]): boolean => !before.has(name);
    if (![...without].some(isNew)) return found;
    const fitting: Node[] = [];
    for (const node of found) {
      // A body comes after the node that it belongs to, and knows better.
      const refused = [...await this.refusals(model, [...fitting, node])].findLast(isNew);
      if (refused === undefined) {
        fitting.push(node);
        continue;
      }
      this.kept.add(node);
      const message = `Keeps the ${node.op} although it could be resolved: what stands for it contradicts '${refused[0]}' (${refused[1]}). A run that gets there fails.`;
      this.context.remark({ kind: 'missed', rule: planFor(node)!.rule, message, node });
    }
    return fitting;
  }

  /** Names of the nodes that ONNX Runtime refuses once these are resolved, with its reasons. */
  private async refusals(model: Model, resolved: readonly Node[]): Promise<ReadonlyMap<string, string>> {
    const nodes = new Map<Node, Node>();
    const copy = cloneModel(model, { nodes });
    const edit = new Editor(copy);
    for (const node of resolved) if (isInModel(nodes.get(node)!)) resolve(nodes.get(node)!, edit);
    const refused = new Map<string, string>();
    await this.context.runtime.infer(copy, ({ name }, reason) => { refused.set(name, reason); });
    return refused;
  }
}

/** Puts what stands for the results of a node in their place and removes it; nothing if there is no plan any more. */
function resolve(node: Node, edit: Editor): Plan | undefined {
  const plan = planFor(node);
  if (plan === undefined) return undefined;
  const { outputs, settle } = plan.resolve(edit);
  node.outputs.forEach((value, index) => {
    const by = outputs[index];
    if (value === undefined || by === undefined) return;
    if (by.type === undefined && value.type !== undefined) edit.setType(by, value.type);
    edit.replaceUses(value, by);
  });
  removeDead(edit, [node]);
  settle?.();
  return plan;
}

interface Plan {
  readonly rule: string;
  readonly message: string;
  /** Makes what stands for the outputs; `settle` is called when the node is gone. */
  readonly resolve: (edit: Editor) => { readonly outputs: readonly (Value | undefined)[]; readonly settle?: () => void };
}

function planFor(node: Node): Plan | undefined {
  if (node.is('If')) return planIf(node);
  return node.is('Loop') ? planLoop(node) : undefined;
}

function planIf(node: Node): Plan | undefined {
  const [then, otherwise] = [bodyOf(node, 'then_branch'), bodyOf(node, 'else_branch')];
  const condition = numbersOf(node.inputs[0])?.[0];
  if (then === undefined || otherwise === undefined || Math.min(then.outputs.length, otherwise.outputs.length) < node.outputs.length) return undefined;
  if (condition !== undefined) {
    const [branch, which] = condition ? [then, 'then'] : [otherwise, 'else'];
    return { rule: 'if-constant', message: `Replaces an If by its ${which} branch: the condition is constant.`, resolve: (edit) => inlineBody(edit, node, branch, new Map()) };
  }
  if (!areEqual(then, otherwise)) return undefined;
  return { rule: 'if-same-branches', message: 'Replaces an If by its branches, which are equal.', resolve: (edit) => inlineBody(edit, node, then, new Map()) };
}

/** A body has inputs iteration, condition, carried values; outputs condition, carried values, scanned values. */
function planLoop(node: Node): Plan | undefined {
  const body = bodyOf(node, 'body');
  const trips = numbersOf(node.inputs[0])?.[0];
  const condition = node.inputs[1] === undefined ? 1 : numbersOf(node.inputs[1])?.[0];
  if (body === undefined) return undefined;
  const carried = body.inputs.length - 2;
  const isWhole = carried >= 0 && node.inputs.length === carried + 2 && !node.inputs.slice(2).includes(undefined) && body.outputs.length > node.outputs.length;
  if (!isWhole) return undefined;
  if (trips === 0 || condition === 0) {
    if (node.outputs.some((value, index) => index >= carried && value !== undefined && value.uses.length > 0)) return undefined;
    return { rule: 'loop-never', message: 'Replaces a Loop that never runs by what goes into it.', resolve: () => ({ outputs: node.inputs.slice(2) }) };
  }
  if (trips !== 1 || condition === undefined) return undefined;
  return {
    rule: 'loop-once',
    message: 'Replaces a Loop that runs once by its body.',
    resolve: (edit) => {
      const given = body.inputs.map((_, index): Value | undefined => {
        if (index === 0) return edit.constant(node.graph, Tensor.scalar('int64', 0), `${node.name}_iteration`);
        return node.inputs[index] ?? (index === 1 ? edit.constant(node.graph, Tensor.scalar('bool', 1), `${node.name}_condition`) : undefined);
      });
      const { outputs, settle } = inlineBody(edit, node, body, new Map(body.inputs.map((input, index) => [input, given[index]])));
      return { settle, outputs: outputs.slice(1).map((value, index) => (index < carried ? value : scanned(edit, node, value))) };
    },
  };
}

/** A value with a first axis of length 1: what a Loop makes of a result of its only iteration. */
function scanned(edit: Editor, node: Node, value: Value): Value {
  const modern = opsetOf(node) >= 13;
  const inputs = modern ? [value, edit.constant(node.graph, Tensor.of('int64', [0]), `${node.name}_axes`)] : [value];
  return edit.insert({ op: 'Unsqueeze', inputs, attributes: modern ? {} : { axes: [0] }, name: `${node.name}_scan`, from: [node] }, { before: node }).output;
}

function bodyOf(node: Node, name: string): Graph | undefined {
  const attribute = node.attributes.get(name);
  return attribute?.kind === 'graph' ? attribute.value : undefined;
}

/** True if both compute the same from the same captures. */
function areEqual(a: Graph, b: Graph): boolean {
  if (a.nodeCount !== b.nodeCount || a.outputs.length !== b.outputs.length || a.nodeCount > 1000) return false;
  const [left, right] = [capturesOf(a), capturesOf(b)];
  return left.length === right.length && left.every((value, index) => value === right[index]) && hashGraph(a) === hashGraph(b);
}

/** Every read of a value from outside, in order. */
function capturesOf(body: Graph): readonly Value[] {
  const inside = new Set<Graph>();
  const reads: Value[] = [];
  const enter = (graph: Graph): void => {
    inside.add(graph);
    for (const node of graph.nodes()) {
      for (const value of node.inputs) if (value !== undefined) reads.push(value);
      node.subgraphs.forEach(enter);
    }
    reads.push(...graph.outputs.map(({ value }) => value));
  };
  enter(body);
  return reads.filter((value) => !inside.has(value.graph));
}

function isSelected(node: Node, { select }: Context): boolean {
  return select.has(node) && node.subgraphs.every((body) => [...body.walk()].every((inner) => select.has(inner)));
}
