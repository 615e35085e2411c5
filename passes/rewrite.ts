import type { AttributeLike } from '../ir/attribute.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { Editor } from '../ir/edit.ts';
import { isLinked, Node, type Graph, type Model, type Value } from '../ir/model.ts';
import { Tensor } from '../ir/tensor.ts';
import type { Type } from '../ir/type.ts';
import { isInModel, removeDead } from './dead.ts';
import type { PassContext } from './pass.ts';
import { opKey, opsetOf, type Match, type OpPattern } from './pattern.ts';

/** Why a rule that matched left things as they are; made by `no`. */
export class Decline {
  readonly reason: string;
  readonly node: Node | undefined;

  constructor(reason: string, node?: Node) {
    this.reason = reason;
    this.node = node;
  }
}

/** Declines with a reason that the user should read, at the root or at another node. */
export function no(reason: string, node?: Node): Decline {
  return new Decline(reason, node);
}

/**
 * What stands for the root from now on: the value for its only output, or one value for each of its outputs (undefined for those that nothing reads).
 * Undefined alone: the root stays, changed in place.
 */
export type Replacement = Value | readonly (Value | undefined)[] | undefined;

/** The part of `when`'s answer that `rewrite` is given. */
export type RuleData<W> = Exclude<W, boolean | Decline | undefined>;

/** A local rewrite. */
export interface RuleDeclaration<B, W> {
  /** Kebab-case, unique in its pass: what the rule removes or makes. */
  readonly name: string;
  /** One sentence in the present tense; the message of its `applied` remarks and its entry in the reference. */
  readonly summary: string;
  /** One pattern, or several with the same bindings, tried in order. */
  readonly match: OpPattern<B> | readonly OpPattern<B>[];
  /**
   * Decides: true, or data for `rewrite`; `no(reason)` where the user would have expected the rule to apply; false where the rule has nothing to do
   * there. It changes nothing. Without it every match is rewritten.
   */
  readonly when?: (match: Match<B>) => W;
  /** Builds the replacement, right before the root. May not decline. The engine replaces uses and removes what died. */
  readonly rewrite: ($: Builder, match: Match<B>, data: RuleData<W>) => Replacement;
}

/** A rule with its types closed: what the engine sees. */
export interface Rule {
  readonly name: string;
  readonly summary: string;
  /** Operators of the root. */
  readonly ops: ReadonlySet<string>;
  /** Nodes that the pattern is deep. */
  readonly depth: number;
  /** Looks for a match rooted at the node. Changes nothing. */
  attempt(node: Node): Application | Decline | undefined;
}

/** A match that will be rewritten. */
export interface Application {
  /** The nodes that the pattern matched, the root first. */
  readonly nodes: readonly Node[];
  readonly apply: ($: Builder) => Replacement;
}

/** Declares a rule. The bindings are typed by the pattern, `data` by what `when` returns. */
export function rule<B, W = true>(declaration: RuleDeclaration<B, W>): Rule {
  const { name, summary, match, when, rewrite } = declaration;
  const patterns = Array.isArray(match) ? (match as readonly OpPattern<B>[]) : [match as OpPattern<B>];
  return {
    name,
    summary,
    ops: new Set(patterns.flatMap((pattern) => [...pattern.ops])),
    depth: Math.max(...patterns.map((pattern) => pattern.depth)),
    attempt(node: Node): Application | Decline | undefined {
      let declined: Decline | undefined;
      for (const pattern of patterns) {
        if (pattern.rejects(node)) continue;
        const found = pattern.find(node, (bindings, nodes): Application | undefined => {
          const verdict: unknown = when === undefined ? true : when(bindings);
          if (verdict instanceof Decline) declined ??= verdict;
          if (verdict === false || verdict === undefined || verdict instanceof Decline) return undefined;
          return { nodes, apply: ($) => rewrite($, bindings, verdict as RuleData<W>) };
        });
        if (found !== undefined) return found;
      }
      return declined;
    },
  };
}

/** Further properties of a node that a rule makes. */
export interface MadeNode {
  readonly domain?: string;
  /** Name of a node that this one takes over from; default: the root's. */
  readonly name?: string;
  /** Types of the outputs where the rule knows them; their number is the number of outputs. */
  readonly types?: readonly (Type | undefined)[];
}

/** What a rule builds with. Everything it makes stands right before the root and descends from the matched nodes. */
export interface Builder {
  readonly root: Node;
  readonly graph: Graph;
  /** Version of the ONNX operator set that holds here. */
  readonly opset: number;
  /** Adds a node with one output, which it returns. */
  op(op: string, inputs: readonly (Value | undefined)[], attributes?: Attributes, more?: MadeNode): Value;
  /** Adds a node and returns it; for those with several outputs. */
  node(op: string, inputs: readonly (Value | undefined)[], attributes?: Attributes, more?: MadeNode): Node;
  /** Adds a constant in the root's graph. */
  constant(tensor: Tensor, name?: string): Value;
  /** Adds an int64 constant with one axis: a shape, axes, pads. */
  ints(values: readonly number[], name?: string): Value;
  /** Makes an input of a matched node read something else, in place. */
  setInput(node: Node, index: number, value: Value | undefined): void;
  /** Sets or removes an attribute of a matched node, in place. */
  setAttribute(node: Node, name: string, value: AttributeLike | undefined): void;
}

/** Attributes for a new node: plain values, or those of another node. */
export type Attributes = Readonly<Record<string, AttributeLike | undefined>> | Node['attributes'];

/** How often a rule was tried, matched, declined with a reason, and applied. */
export interface RuleCounts {
  tried: number;
  declined: number;
  applied: number;
}

/** What the engine needs of a pass's context. */
export type RewriteContext = Pick<PassContext<unknown>, 'edit' | 'select' | 'remark' | 'stat' | 'signal'>;

/** Values with more readers than this do not wake them all; the next sweep visits them anyway. */
const maxFan = 64;

/**
 * Applies an ordered list of rules to the main graph of a model and to all bodies. A sweep visits all nodes in topological order and
 * again those near a change; call `sweep` until it returns 0. Deterministic: order of rules, order of nodes.
 */
export class Rewriter {
  /** By rule name. */
  readonly counts: ReadonlyMap<string, RuleCounts>;
  private readonly model: Model;
  private readonly context: RewriteContext;
  private readonly byOp = new Map<string, Rule[]>();
  private readonly depth: number;
  private readonly limit: number;
  private readonly history: { readonly rule: string; readonly node: Node }[] = [];
  private readonly declines = new Map<Node, Map<string, Decline>>();
  /** Constants that rules made, by the name that they asked for and that another had. */
  private readonly heirs = new Map<string, readonly Value[]>();
  private queue: Node[] = [];
  private readonly queued = new Set<Node>();

  constructor(model: Model, rules: readonly Rule[], context: RewriteContext) {
    this.model = model;
    this.context = context;
    this.counts = new Map(rules.map((rule) => [rule.name, { tried: 0, declined: 0, applied: 0 }]));
    if (this.counts.size < rules.length) throw new Error(`two rules have one name: ${rules.map((rule) => rule.name).sort().join(', ')}`);
    for (const rule of rules) {
      for (const op of rule.ops) {
        const known = this.byOp.get(op);
        if (known === undefined) this.byOp.set(op, [rule]);
        else known.push(rule);
      }
    }
    this.depth = Math.max(0, ...rules.map((rule) => rule.depth));
    this.limit = 8 * [...model.graph.walk()].length + 64;
  }

  /** One sweep; returns the number of rewrites. Throws `fold/no-fixpoint` when rules undo each other. */
  sweep(): number {
    const before = this.history.length;
    for (const node of this.model.graph.walk()) this.enqueue(node);
    for (let head = 0; head < this.queue.length; head++) {
      const node = this.queue[head]!;
      this.queued.delete(node);
      if (head % 1024 === 0) this.context.signal.throwIfAborted();
      if (isInModel(node)) this.visit(node);
    }
    this.queue = [];
    return this.history.length - before;
  }

  /** Remarks, once for each node and rule, on what was declined with a reason and still stands. */
  reportDeclined(): void {
    for (const [node, reasons] of this.declines) {
      if (!isInModel(node)) continue;
      for (const [rule, { reason, node: at }] of reasons) this.context.remark({ kind: 'missed', rule, message: reason, node: at ?? node });
    }
    this.declines.clear();
  }

  private visit(node: Node): void {
    const rules = this.byOp.get(opKey(node));
    if (rules === undefined) return;
    this.declines.delete(node);
    for (const rule of rules) {
      const counts = this.counts.get(rule.name)!;
      counts.tried++;
      const found = rule.attempt(node);
      if (found instanceof Decline) {
        counts.declined++;
        const reasons = this.declines.get(node);
        if (reasons === undefined) this.declines.set(node, new Map([[rule.name, found]]));
        else reasons.set(rule.name, found);
      } else if (found?.nodes.every((matched) => this.context.select.has(matched))) {
        this.apply(rule, node, found);
        counts.applied++;
        return;
      }
    }
  }

  private apply(rule: Rule, root: Node, { nodes, apply }: Application): void {
    const { edit, select } = this.context;
    const before = edit.changes;
    const made = new Map<Node, string>();
    const changed = new Set<Node>();
    const constants = new Map<Value, string>();
    const result = apply(builder(edit, root, nodes, { made, changed, constants }));
    const replacements = result === undefined ? [] : Array.isArray(result) ? (result as readonly (Value | undefined)[]) : [result as Value];
    root.outputs.forEach((old, index) => {
      const by = replacements[index];
      if (old === undefined || by === undefined) return;
      if (by.type === undefined && old.type !== undefined) edit.setType(by, old.type);
      edit.replaceUses(old, by);
    });
    const { nodes: removed, read } = removeDead(edit, [...made.keys(), ...nodes], (node) => select.has(node) || made.has(node));
    if (edit.changes === before) throw new Error(`rule '${rule.name}' was to rewrite '${root.name}' and changed nothing`);
    this.inherit(root, replacements, made, removed);
    this.succeed(constants, read);
    for (const node of [...made.keys(), ...changed]) this.wake(node);
    for (const value of [...read, ...replacements]) if (value !== undefined) this.wakeAround(value);
    for (const node of removed) this.declines.delete(node);
    this.context.remark({ kind: 'applied', rule: rule.name, message: rule.summary, node: root });
    this.context.stat(rule.name);
    this.history.push({ rule: rule.name, node: root });
    if (this.history.length > this.limit) throw this.noFixpoint();
  }

  /**
   * The node that a rule made in place of a removed root takes its name, and its values their labels, so that profiles and ranges stay comparable; so does
   * a node that was named after another removed one.
   */
  private inherit(root: Node, replacements: readonly (Value | undefined)[], made: ReadonlyMap<Node, string>, removed: readonly Node[]): void {
    const { edit } = this.context;
    const heirs = new Map<Node, Node>();
    for (const node of removed) for (const [heir, name] of made) if (name === node.name && node !== root) heirs.set(heir, node);
    if (!isLinked(root)) {
      replacements.forEach((value, index) => {
        const { producer } = value ?? {};
        if (value === undefined || producer === undefined || !made.has(producer)) return;
        if (![...heirs.values()].includes(root)) heirs.set(producer, root);
        if (root.outputs[index] !== undefined) edit.rename(value, root.outputs[index].name);
      });
    }
    for (const [heir, { name, outputs }] of heirs) {
      if (!isLinked(heir)) continue;
      edit.rename(heir, name);
      const [value] = heir.outputs;
      if (value !== undefined && !replacements.includes(value) && outputs[0] !== undefined) edit.rename(value, outputs[0].name);
    }
  }

  /** A constant that was made under the name of another takes it over once that one is gone: weights keep their name when they are rescaled. The first one does. */
  private succeed(made: ReadonlyMap<Value, string>, read: ReadonlySet<Value>): void {
    for (const [value, name] of made) if (value.name !== name) this.heirs.set(name, [...this.heirs.get(name) ?? [], value]);
    for (const { name, constant } of [...read].filter((value) => !value.graph.constants.has(value))) {
      const heirs = constant === undefined ? [] : (this.heirs.get(name) ?? []).filter((value) => value.graph.constants.has(value));
      const [heir, ...others] = heirs;
      if (heir === undefined) continue;
      this.context.edit.rename(heir, name);
      this.heirs.set(name, others);
    }
  }

  private enqueue(node: Node): void {
    if (this.queued.has(node)) return;
    this.queued.add(node);
    this.queue.push(node);
  }

  /** Visits a node again, and those whose patterns may reach it. */
  private wake(node: Node): void {
    this.enqueue(node);
    let front: Node[] = [node];
    const seen = new Set(front);
    for (let level = 1; level < this.depth && front.length > 0; level++) {
      const next: Node[] = [];
      for (const value of front.flatMap((at) => at.outputs)) {
        if (value === undefined || value.uses.length > maxFan) continue;
        for (const { user } of value.uses) {
          if (!(user instanceof Node) || seen.has(user)) continue;
          seen.add(user);
          next.push(user);
          this.enqueue(user);
        }
      }
      front = next;
    }
  }

  /** Visits what makes and reads a value again: it has other readers now. Constants and inputs do not matter to anybody but their new readers. */
  private wakeAround(value: Value): void {
    if (value.producer !== undefined) this.wake(value.producer);
    else if (value.uses.length <= maxFan) for (const { user } of value.uses) if (user instanceof Node) this.wake(user);
  }

  private noFixpoint(): Diagnostic {
    const recent = this.history.slice(-32);
    const rules = [...new Set(recent.map((entry) => entry.rule))].sort();
    const { node } = recent.at(-1)!;
    const fighters = rules.length === 1 ? `rule '${rules[0]}' never settles` : `rules ${rules.map((name) => `'${name}'`).join(', ')} undo each other`;
    return new Diagnostic('fold/no-fixpoint', `${fighters} at node '${node.name}' (${node.op}): ${this.history.length} rewrites did not reach an end`, {
      node: node.reference, suggestion: 'This is a defect of the rules: report it with the model, and exclude the node with `where` meanwhile.',
    });
  }
}

/** What a rule made, with the names asked for, and what it changed in place. */
interface Work {
  readonly made: Map<Node, string>;
  readonly constants: Map<Value, string>;
  readonly changed: Set<Node>;
}

function builder(edit: Editor, root: Node, from: readonly Node[], { made, constants, changed }: Work): Builder {
  const { graph } = root;
  const node: Builder['node'] = (op, inputs, attributes = {}, more = {}) => {
    const { domain = '', name = root.name, types = [undefined] } = more;
    const added = edit.insert({ op, domain, name, inputs, attributes, outputs: types, from, extras: root.extras }, { before: root });
    made.set(added, name);
    return added;
  };
  const constant: Builder['constant'] = (tensor, name = `${root.name}_constant`) => {
    const added = edit.constant(graph, tensor, name);
    constants.set(added, name);
    return added;
  };
  return {
    root,
    graph,
    opset: opsetOf(root),
    node,
    op: (...args) => node(...args).output,
    constant,
    ints: (values, name) => constant(Tensor.of('int64', values), name),
    setInput(at, index, value) { edit.setInput(at, index, value); changed.add(at); },
    setAttribute(at, name, value) { edit.setAttribute(at, name, value); changed.add(at); },
  };
}
