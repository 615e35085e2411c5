import { depthLimit, nodeLimit, parseValue, textLimit } from './parse.ts';
import { diagnosticAt, placeText, type Problems } from './problems.ts';
import { didYouMean } from './suggest.ts';
import { brokenTree, child, describe, isBroken, listTree, mapTree, markOf, quote, scalarTree, stringOf, type Entry, type MapTree, type Place, type ScalarTree, type Tree, type Via } from './tree.ts';

/** What values may refer to: the recipe's variables with the overrides of the command line, and the environment. */
export interface Surroundings {
  /** `vars.x=0.5` or `x=0.5`, as given to `--set`. */
  readonly set?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Sections in which `${…}` means nothing: they are needed before variables exist, or say what variables are. */
const literal = new Set(['version', 'extends', 'plugins', 'env']);

/** The recipe with variables overridden and every `${vars.x}` and `${env.X}` replaced; problems are added and leave the text as it was. */
export function substituteAll(recipe: MapTree, { set = [], env = {} }: Surroundings, problems: Problems): MapTree {
  const variables = override(child(recipe, 'vars'), set, problems);
  const substitution = new Substitution(variables, declaredEnvironment(child(recipe, 'env')), env, problems);
  const entries = new Map<string, Entry>();
  for (const [key, { key: place, value }] of recipe.entries) {
    entries.set(key, { key: place, value: literal.has(key) ? value : substitution.apply(key === 'vars' ? variables ?? value : value) });
  }
  const result = mapTree(recipe.place, entries);
  return withinLimits(result);
}

/** The tree, if variables have not blown it up. */
function withinLimits<T extends Tree>(tree: T): T {
  const excess = tree.size > nodeLimit ? `more than ${nodeLimit} values` : tree.depth > depthLimit ? `more than ${depthLimit} levels` : undefined;
  if (excess !== undefined) throw diagnosticAt('recipe/limit', `with its variables filled in the recipe has ${excess}`, tree.place, { suggestion: 'use smaller variables' });
  return tree;
}

const kindOf = (tree: Tree): string => (tree.kind !== 'scalar' ? tree.kind : tree.value === null ? 'nothing' : typeof tree.value);

function override(vars: Tree | undefined, set: readonly string[], problems: Problems): MapTree | undefined {
  if (vars !== undefined && vars.kind !== 'map') return undefined;
  const entries = new Map(vars?.entries);
  for (const assignment of set) {
    const [, name = '', text = ''] = /^(?:vars\.)?([^=]*)=([^]*)$/.exec(assignment) ?? [];
    const place: Place = { file: `--set ${assignment}` };
    const before = entries.get(name)?.value;
    if (name === '') {
      problems.add('recipe/bad-reference', `--set takes NAME=VALUE, not ${quote(assignment)}`, place, { suggestion: 'write `--set vars.NAME=VALUE`' });
    } else if (!before) {
      unknownVariable(name, entries.keys(), place, problems, `--set names the variable ${quote(name)}, which the recipe does not have`);
    } else {
      const value = assigned(name, before, text, place, problems);
      if (value) entries.set(name, { key: entries.get(name)!.key, value });
    }
  }
  return vars && mapTree(vars.place, entries);
}

/** The new value of a variable: a text if the old one is a text, else YAML of the old kind. */
function assigned(name: string, before: Tree, text: string, place: Place, problems: Problems): Tree | undefined {
  const via = { message: `\`vars.${name}\` is set by --set` };
  if (kindOf(before) === 'string') return scalarTree(place, text, '', text, via);
  const value = parseValue(place.file, text, problems);
  if (!value || kindOf(before) === 'nothing' || kindOf(value) === kindOf(before)) return value && { ...value, via, ...(value.kind === 'scalar' && { base: '' }) };
  problems.add('recipe/variable-type', `\`vars.${name}\` is ${describe(before)} in the recipe, and --set gives ${describe(value)}`, place, {
    suggestion: `give a ${kindOf(before)}`, ...(before.place && { notes: [{ message: 'the variable is defined here', ...before.place }] }),
  });
  return undefined;
}

function unknownVariable(name: string, names: Iterable<string>, place: Place | undefined, problems: Problems, message: string): void {
  const all = [...names];
  const near = didYouMean(name, all);
  problems.add('recipe/unknown-variable', message, place, { expected: all.map((known) => `vars.${known}`), suggestion: near ?? 'define it under `vars`' });
}

function declaredEnvironment(env: Tree | undefined): ReadonlySet<string> {
  return new Set(env?.kind === 'list' ? env.items.map((item) => stringOf(item) ?? '') : []);
}

class Substitution {
  private readonly variables: MapTree | undefined;
  private readonly declared: ReadonlySet<string>;
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly problems: Problems;
  private readonly done: Map<Tree, Tree> = new Map();
  /** Variables whose values are being worked out, outermost first. */
  private readonly open: string[] = [];

  constructor(variables: MapTree | undefined, declared: ReadonlySet<string>, env: Readonly<Record<string, string | undefined>>, problems: Problems) {
    this.variables = variables;
    this.declared = declared;
    this.env = env;
    this.problems = problems;
  }

  /** The tree with its references replaced; the same object when there are none. */
  apply(tree: Tree): Tree {
    const known = this.done.get(tree);
    if (known) return known;
    const result = this.replace(tree);
    withinLimits(result);
    this.done.set(tree, result);
    return result;
  }

  private replace(tree: Tree): Tree {
    if (tree.kind === 'scalar') return typeof tree.value === 'string' && tree.value.includes('${') ? this.text(tree, tree.value) : tree;
    if (tree.kind === 'list') {
      const items = tree.items.map((item) => this.apply(item));
      return items.some((item, index) => item !== tree.items[index]) ? listTree(tree.place, items, tree.via) : tree;
    }
    const entries = new Map([...tree.entries].map(([key, entry]) => [key, { key: entry.key, value: this.apply(entry.value) }] as const));
    return [...entries].some(([key, { value }]) => value !== tree.entries.get(key)!.value) ? mapTree(tree.place, entries, tree.via) : tree;
  }

  private text(tree: ScalarTree, written: string): Tree {
    const alone = /^\$\{([^}]*)\}$/.exec(written);
    if (alone) {
      const found = this.lookUp(alone[1]!, tree);
      if (!found) return brokenTree(tree.place);
      const via: Via = { message: `the value comes from \`${alone[1]!.trim()}\`${found.via ? `; ${found.via.message}` : ''}`, ...(found.place && { place: found.place }) };
      return { ...found, place: tree.place, via };
    }
    let base: string | undefined;
    let broken = false as boolean;
    let length = written.length;
    let via: Via | undefined;
    const text = written.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (match: string, name: string | undefined, close: string, at: number) => {
      if (name === undefined) return '${';
      const found = close === '' ? undefined : this.lookUp(name, tree);
      if (close === '') this.malformed(match, tree);
      broken ||= !found || isBroken(found);
      if (!found || broken) return match;
      if (found.kind !== 'scalar' || (typeof found.value !== 'string' && typeof found.value !== 'number')) {
        this.problems.add('recipe/variable-type', `\`\${${name}}\` inside a text must be a string or a number, and it is ${describe(found)}`, tree.place, {
          suggestion: 'use it alone, as the whole value', ...(found.place && { notes: [{ message: `the value of \`${name}\``, ...found.place }] }),
        });
        broken = true;
        return match;
      }
      if (at === 0) base = found.base;
      via ??= { message: `with \`${name}\` = ${quote(found.text)}`, ...(found.place && { place: found.place }) };
      const inserted = typeof found.value === 'string' ? found.value : found.text;
      length += inserted.length;
      if (length > textLimit) throw diagnosticAt('recipe/limit', `with its variables filled in a text has more than ${textLimit} characters`, tree.place, { suggestion: 'use smaller variables' });
      return inserted;
    });
    if (broken) return brokenTree(tree.place);
    return scalarTree(tree.place, text, base ?? tree.base, text, via);
  }

  private lookUp(reference: string, tree: ScalarTree): Tree | undefined {
    const [, kind, name = ''] = /^\s*(vars|env)\.(.*?)\s*$/s.exec(reference) ?? [];
    if (kind === undefined) {
      this.malformed(`\${${reference}}`, tree);
      return undefined;
    }
    return kind === 'env' ? this.environment(name, tree) : this.variable(name, tree);
  }

  private variable(name: string, tree: ScalarTree): Tree | undefined {
    const value = child(this.variables, name);
    const place = markOf({ tree, key: undefined });
    if (!value) {
      unknownVariable(name, this.variables?.entries.keys() ?? [], place, this.problems, `there is no variable ${quote(name)}`);
      return undefined;
    }
    if (this.open.includes(name)) {
      const circle = [...this.open.slice(this.open.indexOf(name)), name].map((step) => `vars.${step}`).join(' → ');
      this.problems.add('recipe/variable-cycle', `the variable \`vars.${name}\` depends on itself: ${circle}`, place, { suggestion: 'give one of them a value of its own' });
      return undefined;
    }
    if (this.open.length >= depthLimit) throw diagnosticAt('recipe/limit', `variables refer to each other more than ${depthLimit} deep`, place, { suggestion: 'give some of them values' });
    this.open.push(name);
    try {
      return this.apply(value);
    } finally {
      this.open.pop();
    }
  }

  private environment(name: string, tree: ScalarTree): Tree | undefined {
    const value = Object.hasOwn(this.env, name) ? this.env[name] : undefined;
    if (this.declared.has(name) && value !== undefined) return scalarTree({ file: `the environment variable ${name}` }, value, '');
    const message = this.declared.has(name) ? `the environment variable ${name} is not set` : `the recipe uses the environment variable ${name} without declaring it`;
    const suggestion = this.declared.has(name) ? `set it: ${name}=… onnxpress …` : `add it to the list under \`env\`: \`env: [ ${name} ]\``;
    this.problems.add('recipe/environment', message, tree.place, { suggestion });
    return undefined;
  }

  private malformed(written: string, tree: ScalarTree): void {
    const name = written.replaceAll(/[${}\s]/g, '');
    const suggestion = child(this.variables, name) ? `did you mean \`\${vars.${name}}\`?` : 'write `$${` for a text that contains `${`';
    this.problems.add('recipe/bad-reference', `${quote(written)} is neither \`\${vars.NAME}\` nor \`\${env.NAME}\``, tree.place, { suggestion });
  }
}

/** `vars.x is set at recipe.yaml:3:4`, for the origin comments of a resolved recipe. */
export function viaText(via: Via): string {
  return via.place ? `${via.message} (${placeText(via.place)})` : via.message;
}
