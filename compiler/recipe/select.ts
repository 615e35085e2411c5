import type { Node, Value } from '../../ir/model.ts';
import { Node as NodeClass } from '../../ir/model.ts';
import { downstream, upstream, type ModelIndex } from './model-index.ts';
import { globPattern, PatternError, regexPattern, type NamePattern } from '../../passes/name-pattern.ts';
import type { Problems } from './problems.ts';
import { selectorForms } from './select-schema.ts';
import { didYouMean, nearNames } from './suggest.ts';
import { child, plain, quote, stringOf, type MapTree, type Place, type Tree } from './tree.ts';

/** Reports what is wrong with a selector without knowing the model: unknown names, circles among names, patterns that cannot be read. */
export function checkSelector(selector: Tree, named: Tree | undefined, problems: Problems, open: readonly string[] = []): void {
  const reference = stringOf(selector);
  // A text without `$` is reported by the schema.
  if (reference?.startsWith('$') === false) return;
  if (reference !== undefined) {
    const target = namedSelector(reference, selector, named, problems, open);
    // Named selectors are checked by themselves; from there, and only from there, circles are looked for.
    if (target && open.length > 0) checkReferences(target, named, problems, [...open, reference.slice(1)], new Set());
    return;
  }
  if (selector.kind !== 'map') return;
  for (const form of ['name', 'regex', 'op', 'tensor', 'module'] as const) for (const text of textsOf(child(selector, form))) patternOf(form, text.text, text.place, problems);
  for (const part of partsOf(selector)) checkSelector(part, named, problems, open);
}

/** Follows references only; every name is entered once. */
function checkReferences(selector: Tree, named: Tree | undefined, problems: Problems, open: readonly string[], done: Set<string>): void {
  const reference = stringOf(selector);
  if (reference === undefined) {
    for (const part of partsOf(selector)) checkReferences(part, named, problems, open, done);
    return;
  }
  const name = reference.slice(1);
  if (done.has(name) && !open.includes(name)) return;
  done.add(name);
  const target = child(named, name);
  if (target && open.includes(name)) circle(name, selector, named, problems, open);
  else if (target) checkReferences(target, named, problems, [...open, name], done);
}

/** Reports a circle, once: where it comes back to the name that is defined first. */
function circle(name: string, selector: Tree, named: Tree | undefined, problems: Problems, open: readonly string[]): void {
  const members = open.slice(open.indexOf(name));
  const first = named?.kind === 'map' ? [...named.entries.keys()].find((key) => members.includes(key)) : undefined;
  if (first !== name) return;
  const path = [...members, name].map((step) => `$${step}`).join(' → ');
  problems.add('select/cycle', `the selector $${name} is defined by itself: ${path}`, selector.place, { suggestion: 'define one of them without the others' });
}

function namedSelector(reference: string, selector: Tree, named: Tree | undefined, problems: Problems, open: readonly string[]): Tree | undefined {
  const name = reference.slice(1);
  const names = named?.kind === 'map' ? [...named.entries.keys()] : [];
  const target = child(named, name);
  if (target && open.includes(name)) {
    circle(name, selector, named, problems, open);
    return undefined;
  }
  if (!target) {
    const near = didYouMean(name, names)?.replaceAll(/`(.*?)`/g, '`$$$1`');
    problems.add('select/unknown-name', `there is no selector ${quote(reference)}`, selector.place, {
      expected: names.map((known) => `$${known}`), suggestion: near ?? `define it under \`select\`: \`${name}: { op: … }\``, ...(selector.via && { via: selector.via }),
    });
  }
  return target;
}

const partsOf = (selector: Tree): Tree[] => {
  const lists = ['any', 'all'].map((form) => child(selector, form)).flatMap((list) => (list?.kind === 'list' ? list.items : []));
  const not = child(selector, 'not');
  return not ? [...lists, not] : lists;
};

interface Text {
  readonly text: string;
  readonly place: Place | undefined;
}

/** The texts of a form that takes one or several. */
function textsOf(tree: Tree | undefined): Text[] {
  const items = tree?.kind === 'list' ? tree.items : tree ? [tree] : [];
  return items.map((item) => ({ text: stringOf(item), place: item.place ?? tree?.place })).filter((item): item is Text => item.text !== undefined);
}

type Form = 'name' | 'regex' | 'op' | 'tensor' | 'module';

/** The test of one text; undefined (with the problem added) for a pattern that cannot be read. */
function patternOf(form: Form, text: string, place: Place | undefined, problems: Problems): NamePattern | undefined {
  if (form === 'op') return (name) => name === text;
  try {
    const pattern = form === 'regex' ? regexPattern(text) : globPattern(text, form === 'module' ? '.' : '/');
    // Names hold brackets and stars of their own now and then: a name written as it is always selects.
    return form === 'regex' ? pattern : (name) => name === text || pattern(name);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const near = form === 'regex' ? 'mend it; a backslash makes a special character plain, and `name:` takes a glob' : 'mend it; a backslash makes a special character plain';
    problems.add('select/bad-pattern', `the ${form === 'regex' ? 'regular expression' : 'glob'} ${quote(text)} ${error.message}`, place, { suggestion: near });
    return undefined;
  }
}

/**
 * The nodes that a selector names, in the order of the model. A form that matches nothing, a count other than `expect`, or an empty result is
 * a problem, unless the selector or one around it is `optional`. Selectors must have passed `checkSelector`.
 */
export function selectNodes(selector: Tree, named: Tree | undefined, index: ModelIndex, problems: Problems): ReadonlySet<Node> {
  const before = problems.list.length;
  const resolver = new Resolver(named, index, problems);
  const found = resolver.resolve(selector, false);
  if (found.size === 0 && problems.list.length === before && !isOptional(selector, named)) {
    problems.add('select/no-match', 'the selector selects no node: its parts have none in common', selector.place, { suggestion: 'change it, or say `optional: true` if that is meant' });
  }
  return new Set(index.nodes.filter((node) => found.has(node)));
}

function isOptional(selector: Tree, named: Tree | undefined): boolean {
  const reference = stringOf(selector);
  const target = reference === undefined ? selector : child(named, reference.slice(1));
  const optional = child(target, 'optional');
  return optional !== undefined && plain(optional) === true;
}

class Resolver {
  private readonly named: Tree | undefined;
  private readonly index: ModelIndex;
  private readonly problems: Problems;
  private readonly done: Map<Tree, ReadonlySet<Node>> = new Map();

  constructor(named: Tree | undefined, index: ModelIndex, problems: Problems) {
    this.named = named;
    this.index = index;
    this.problems = problems;
  }

  resolve(selector: Tree, lenient: boolean): ReadonlySet<Node> {
    const known = this.done.get(selector);
    if (known) return known;
    const reference = stringOf(selector);
    const target = reference === undefined ? undefined : child(this.named, reference.slice(1));
    const found = target ? this.resolve(target, lenient) : selector.kind === 'map' ? this.map(selector, lenient || isOptional(selector, undefined)) : new Set<Node>();
    this.done.set(selector, found);
    return found;
  }

  private map(selector: MapTree, lenient: boolean): ReadonlySet<Node> {
    const form = selectorForms.find((key) => selector.entries.has(key));
    if (form === undefined) return new Set();
    const { value } = selector.entries.get(form)!;
    const found = this.form(form, value, lenient);
    const expected = child(selector, 'expect');
    if (expected && found.size !== plain(expected)) {
      const some = [...found].slice(0, 5).map((node) => node.name).join(', ');
      this.problems.add('select/count', `the selector was to select ${String(plain(expected))} nodes, and it selects ${found.size}`, expected.place, {
        suggestion: 'change the selector, or the number', ...(found.size > 0 && { notes: [{ message: `selected: ${some}${found.size > 5 ? ', …' : ''}` }] }),
      });
    }
    return found;
  }

  private form(form: typeof selectorForms[number], value: Tree, lenient: boolean): ReadonlySet<Node> {
    const parts = value.kind === 'list' ? value.items : [];
    switch (form) {
      case 'any': return new Set(parts.flatMap((part) => [...this.resolve(part, lenient)]));
      case 'all': return parts.map((part) => this.resolve(part, lenient)).reduce((all, part) => new Set([...all].filter((node) => part.has(node))));
      case 'not': {
        const excluded = this.resolve(value, lenient);
        return new Set(this.index.nodes.filter((node) => !excluded.has(node)));
      }
      case 'between': return this.between(value, lenient);
      case 'tensor': return this.matching(form, value, lenient, this.index.values.keys(), (matches) => this.touching(matches));
      case 'op': return this.matching(form, value, lenient, new Set(this.index.nodes.map(operatorName)), (matches) => this.index.nodes.filter((node) => matches(operatorName(node))));
      case 'module': {
        const modules = new Set(this.index.nodes.flatMap((node) => this.index.modulesOf(node)));
        return this.matching(form, value, lenient, modules, (matches) => this.index.nodes.filter((node) => this.index.modulesOf(node).some(matches)));
      }
      default: return this.matching(form, value, lenient, this.index.byName.keys(), (matches) => this.index.nodes.filter(({ name }) => matches(name)));
    }
  }

  private matching(form: Form, value: Tree, lenient: boolean, names: Iterable<string>, nodes: (matches: NamePattern) => Iterable<Node>): ReadonlySet<Node> {
    const texts = textsOf(value);
    const patterns = texts.map(({ text, place }) => patternOf(form, text, place, this.problems)).filter((pattern) => pattern !== undefined);
    const results = new Map<string, boolean>();
    const matches: NamePattern = (name) => {
      const known = results.get(name) ?? patterns.some((pattern) => pattern(name));
      results.set(name, known);
      return known;
    };
    const found = new Set(nodes(matches));
    if (found.size === 0 && !lenient && patterns.length === texts.length) {
      const what = { name: 'node has a name like', regex: 'node has a name like', op: 'node has the operator', tensor: 'node touches a tensor like', module: 'node is in a module like' }[form];
      this.noMatch(`no ${what} ${texts.map(({ text }) => quote(text)).join(' or ')}`, texts.map(({ text }) => text), value.place, names);
    }
    return found;
  }

  private touching(matches: NamePattern): Node[] {
    const values = [...this.index.values].filter(([name]) => matches(name)).flatMap(([, list]) => list);
    return values.flatMap((value) => [...(value.producer ? [value.producer] : []), ...consumersOf(value)]);
  }

  private between(value: Tree, lenient: boolean): ReadonlySet<Node> {
    const from = this.ends(child(value, 'from'), consumersOf);
    const to = this.ends(child(value, 'to'), (end) => (end.producer ? [end.producer] : []));
    if (!from || !to) return new Set();
    const below = downstream(from);
    const found = new Set([...upstream(to)].filter((node) => below.has(node)));
    if (found.size === 0 && !lenient) {
      const [start, end] = [textsOf(child(value, 'from')), textsOf(child(value, 'to'))].map((texts) => texts.map(({ text }) => quote(text)).join(', '));
      this.problems.add('select/no-match', `nothing leads from ${start!} to ${end!}`, value.place, { suggestion: 'swap them if the order is reversed' });
    }
    return found;
  }

  /** The nodes at one end: a node of that name, else the nodes next to the tensor of that name. */
  private ends(tree: Tree | undefined, beside: (value: Value) => readonly Node[]): Node[] | undefined {
    const nodes: Node[] = [];
    for (const { text, place } of textsOf(tree)) {
      const named = this.index.byName.get(text) ?? this.index.values.get(text)?.flatMap(beside);
      if (named) {
        nodes.push(...named);
        continue;
      }
      const names = [...this.index.byName.keys(), ...this.index.values.keys()];
      const near = nearby([text], names);
      this.problems.add('select/unknown-end', `no node, tensor, input or output is called ${quote(text)}`, place, { suggestion: near ?? '`onnxpress inspect MODEL` lists the names' });
      return undefined;
    }
    return nodes;
  }

  private noMatch(message: string, texts: readonly string[], place: Place | undefined, names: Iterable<string>): void {
    const all = [...new Set(names)];
    const near = nearby(texts, all);
    this.problems.add('select/no-match', message, place, { ...(near === undefined && all.length > 0 && all.length <= 24 && { expected: all }), suggestion: near ?? 'say `optional: true` if it need not match; `onnxpress inspect MODEL` lists the names' });
  }
}

/** `Conv`, or `com.acme::Foo` outside the ONNX domain. */
export function operatorName({ op, domain }: Node): string {
  return domain === '' ? op : `${domain}::${op}`;
}

function consumersOf(value: Value): Node[] {
  return value.uses.map(({ user }) => user).filter((user) => user instanceof NodeClass);
}

/** Names that were probably meant, or that hold the longest plain piece of a pattern. */
export function nearby(texts: readonly string[], names: readonly string[]): string | undefined {
  for (const text of texts) {
    const near = didYouMean(text, names);
    if (near !== undefined) return near;
    const pieces = text.split(/[^A-Za-z0-9_]+/).filter((piece) => piece.length >= 3).sort((a, b) => b.length - a.length);
    for (const piece of pieces) {
      const holding = names.filter((name) => name.toLowerCase().includes(piece.toLowerCase())).slice(0, 3);
      const found = holding.length > 0 ? holding : nearNames(piece, new Set(names.flatMap((name) => name.split('/')).filter((part) => part !== '')));
      if (found.length > 0) return `near it there ${found.length === 1 ? 'is' : 'are'} ${found.map((name) => `\`${name}\``).join(', ')}`;
    }
  }
  return undefined;
}
