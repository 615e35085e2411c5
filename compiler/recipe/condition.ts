import { globPattern, PatternError } from '../../passes/name-pattern.ts';
import type { Problems } from './problems.ts';
import { didYouMean } from './suggest.ts';
import { child, plain, quote, stringOf, type MapTree, type ScalarTree, type Tree } from './tree.ts';

/** Whether a step runs. `pending` until the model is known: its opset, and what selectors match in it. */
export interface Decision {
  readonly state: 'run' | 'skip' | 'pending';
  /** In words, for the plan and the report. */
  readonly reason: string;
}

/** What conditions ask. */
export interface Facts {
  readonly vars: Tree | undefined;
  readonly target: string;
  /** Opset of the model; undefined before it is read. */
  readonly opset?: number | undefined;
  /** Whether a selector matches anything; undefined before the model is read. */
  readonly matches?: (selector: Tree) => boolean;
}

/** Reports what a condition refers to and the recipe does not have. */
export function checkCondition(condition: Tree, vars: Tree | undefined, problems: Problems): void {
  if (condition.kind !== 'map') return;
  const variable = child(condition, 'var');
  const name = stringOf(variable);
  if (name !== undefined && !child(vars, name)) {
    const names = vars?.kind === 'map' ? [...vars.entries.keys()] : [];
    problems.add('recipe/unknown-variable', `there is no variable ${quote(name)}`, variable!.place, { expected: names, suggestion: didYouMean(name, names) ?? 'define it under `vars`' });
  }
  for (const text of texts(child(condition, 'target'))) {
    try {
      globPattern(text.value as string);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      problems.add('select/bad-pattern', `the glob ${quote(text.text)} ${error.message}`, text.place, { suggestion: 'write something like `tensorrt-*`' });
    }
  }
  for (const part of [...list(condition, 'any'), ...list(condition, 'all'), ...negated(condition)]) checkCondition(part, vars, problems);
}

/** Decides a valid condition as far as the facts go. */
export function decide(condition: Tree, facts: Facts): Decision {
  if (condition.kind !== 'map') return { state: 'run', reason: 'no condition' };
  if (condition.entries.has('all')) return combine(list(condition, 'all').map((part) => decide(part, facts)), 'skip');
  if (condition.entries.has('any')) return combine(list(condition, 'any').map((part) => decide(part, facts)), 'run');
  if (condition.entries.has('var')) return decideVariable(condition, facts.vars);
  if (condition.entries.has('target')) {
    const globs = texts(child(condition, 'target')).map(({ text }) => text);
    return decided(globs.some((glob) => globPattern(glob)(facts.target)), `the target is ${facts.target}`);
  }
  if (condition.entries.has('opset')) {
    const written = String(plain(child(condition, 'opset')!));
    return facts.opset === undefined ? { state: 'pending', reason: `depends on the opset (${written})` } : decided(compare(facts.opset, written), `the opset is ${facts.opset}`);
  }
  if (condition.entries.has('matches')) {
    const selector = child(condition, 'matches')!;
    return facts.matches === undefined ? { state: 'pending', reason: 'depends on what a selector matches' } : decided(facts.matches(selector), 'what the selector matches');
  }
  const { state, reason } = decide(child(condition, 'not')!, facts);
  return { state: state === 'run' ? 'skip' : state === 'skip' ? 'run' : 'pending', reason };
}

/** The selectors that a condition asks about. */
export function selectorsIn(condition: Tree | undefined): Tree[] {
  if (condition?.kind !== 'map') return [];
  const own = child(condition, 'matches');
  const parts = [...list(condition, 'any'), ...list(condition, 'all'), ...negated(condition)];
  return [...(own ? [own] : []), ...parts.flatMap(selectorsIn)];
}

const decided = (holds: boolean, reason: string): Decision => ({ state: holds ? 'run' : 'skip', reason });

/** One part in the `decisive` state decides; else one that is pending leaves the whole pending. */
function combine(parts: readonly Decision[], decisive: 'run' | 'skip'): Decision {
  const part = parts.find(({ state }) => state === decisive) ?? parts.find(({ state }) => state === 'pending');
  return part ?? { state: decisive === 'run' ? 'skip' : 'run', reason: parts.map(({ reason }) => reason).join('; ') };
}

function decideVariable(condition: MapTree, vars: Tree | undefined): Decision {
  const name = stringOf(child(condition, 'var')) ?? '';
  const variable = child(vars, name);
  const value = variable && plain(variable);
  const wanted = child(condition, 'in') ?? child(condition, 'is') ?? child(condition, 'not')!;
  const values = [plain(wanted)].flat();
  return decided(values.includes(value) !== condition.entries.has('not'), `vars.${name} is ${JSON.stringify(value)}`);
}

function compare(opset: number, written: string): boolean {
  const [, sign = '', number = ''] = /^(>=|<=|>|<|=)? *(\d+)$/.exec(written) ?? [];
  const limit = Number(number);
  return { '>=': opset >= limit, '<=': opset <= limit, '>': opset > limit, '<': opset < limit, '=': opset === limit, '': opset === limit }[sign] ?? false;
}

function list(condition: Tree, key: string): readonly Tree[] {
  const parts = child(condition, key);
  return parts?.kind === 'list' ? parts.items : [];
}

const negated = (condition: Tree): Tree[] => [child(condition, 'not')].filter((part) => part?.kind === 'map');

function texts(tree: Tree | undefined): ScalarTree[] {
  const items = tree?.kind === 'list' ? tree.items : tree ? [tree] : [];
  return items.filter((item): item is ScalarTree => item.kind === 'scalar' && typeof item.value === 'string');
}
