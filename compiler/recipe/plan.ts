import type { Range } from '../../ir/diagnostic.ts';
import type { OptionsSchema } from '../../passes/options.ts';
import type { Pass } from '../../passes/pass.ts';
import type { InputShapes } from '../input-shapes.ts';
import { checkCondition, decide, selectorsIn, type Decision } from './condition.ts';
import { recipeSchema, definitions } from './envelope.ts';
import { checkOutputs } from './outputs.ts';
import { normalise, treeOf, withDefaults } from './options.ts';
import type { Problems } from './problems.ts';
import { checkReaders } from './readers.ts';
import type { RecipeDocument } from './recipe.ts';
import { checkSelector } from './select.ts';
import { identify, longForms, type IdentifiedStep } from './steps.ts';
import { didYouMean, nearNames } from './suggest.ts';
import { checkTokens } from './tokens.ts';
import { child, listTree, locate, mapTree, markOf, plain, quote, stringOf, withEntries, type MapTree, type Place, type Tree } from './tree.ts';
import { validateTree } from './validate.ts';

/** One step with its pass bound and its options complete. */
export interface PlannedStep {
  readonly id: string;
  /** Counts from 1. */
  readonly number: number;
  readonly pass: Pass;
  /** Validated, with defaults, sizes in bytes, paths relative to the recipe. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The same with the place of every value. */
  readonly tree: MapTree;
  readonly where: Tree | undefined;
  readonly when: Tree | undefined;
  /** Whether the step runs, as far as that is known without the model. */
  readonly decision: Decision;
  readonly accept: unknown;
  /** Where the step is written. */
  readonly place: Place | undefined;
  readonly range: Range | undefined;
}

/** A recipe with everything decided that can be decided without the model. */
export interface Plan {
  /** Path of the recipe; paths in the plan are relative to its folder. */
  readonly recipeFile: string;
  /** Every recipe file that was read, the recipe itself first. */
  readonly files: readonly string[];
  readonly model: string;
  readonly target: string;
  readonly plugins: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  /** Environment variables that the recipe may read, with their values: part of every cache key. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly inputs: InputShapes;
  readonly data: Readonly<Record<string, unknown>>;
  /** Named selectors, for `selectNodes`. */
  readonly select: Tree | undefined;
  readonly steps: readonly PlannedStep[];
  readonly accept: unknown;
  /** Files that the steps will write, in order. */
  readonly outputs: readonly string[];
  /** The whole recipe with defaults and places, for printing. */
  readonly tree: MapTree;
}

/** Binds passes, checks everything and fills in what is missing. All mistakes are added to `document.problems`; any error gives undefined. */
export function planDocument(document: RecipeDocument, passes: Iterable<Pass>): Plan | undefined {
  const { problems, file } = document;
  if (!document.tree) return undefined;
  const catalogue = new Map([...passes].map((pass) => [pass.name, pass]));
  const tree = normalise(withLongSteps(document.tree), recipeSchema, file, definitions) as MapTree;
  const before = problems.list.length;
  validateTree(recipeSchema, tree, problems, { what: 'a recipe', elsewhere: (key, path) => misplacedOption(key, path, tree, catalogue) });
  const steps = bindSteps(tree, catalogue, file, problems);
  checkComplete(tree, problems);
  checkProfiles(child(tree, 'inputs'), problems);
  checkReferences(tree, problems);
  checkReaders(steps, child(tree, 'data'), problems);
  if (problems.failed) return undefined;
  const target = stringOf(child(tree, 'target')) ?? 'portable';
  const planned = steps.map((step): PlannedStep => planStep(step, target, child(tree, 'vars')));
  checkTokens(planned, catalogue, problems);
  const outputs = checkOutputs(planned, stringOf(child(tree, 'model'))!, file, problems);
  if (problems.list.slice(before).some(({ severity }) => severity === 'error')) return undefined;
  const section = (key: string): Readonly<Record<string, unknown>> => record(child(tree, key));
  return {
    recipeFile: file, files: [...document.sources.keys()], model: stringOf(child(tree, 'model'))!, target, plugins: (optional(child(tree, 'plugins')) ?? []) as string[],
    vars: section('vars'), env: document.env, inputs: section('inputs') as InputShapes, data: section('data'), select: child(tree, 'select'),
    steps: planned, accept: optional(child(tree, 'accept')), outputs, tree: resolvedTree(tree, target, planned),
  };
}

const optional = (tree: Tree | undefined): unknown => tree && plain(tree);
const record = (tree: Tree | undefined): Readonly<Record<string, unknown>> => (tree ? plain(tree) : {}) as Readonly<Record<string, unknown>>;

function withLongSteps(tree: MapTree): MapTree {
  const steps = tree.entries.get('steps');
  return steps ? withEntries(tree, [['steps', { key: steps.key, value: longForms(steps.value) }]]) : tree;
}

/** An option that stands beside `pass` instead of under `with`, or a pass that stands as the key of its options. */
function misplacedOption(key: string, path: readonly string[], tree: Tree, passes: ReadonlyMap<string, Pass>): string | undefined {
  if (path.length !== 2 || path[0] !== 'steps') return undefined;
  const name = child(locate(tree, path).tree, 'pass');
  if (name === undefined && passes.has(key)) return `write \`pass: ${key}\`, and its options under \`with\``;
  const pass = passes.get(stringOf(name) ?? '');
  return pass && Object.hasOwn(schemaOf(pass).properties, key) ? `\`${key}\` is an option of ${pass.name}: write it under \`with\`` : undefined;
}

interface BoundStep extends IdentifiedStep {
  readonly number: number;
  readonly pass: Pass;
  readonly options: MapTree;
}

/** Gives every step its id, pass and options; those that cannot be bound are left out, with the problem added. */
function bindSteps(tree: MapTree, passes: ReadonlyMap<string, Pass>, recipe: string, problems: Problems): BoundStep[] {
  const written = child(tree, 'steps');
  const steps = written?.kind === 'list' ? identify(written.items) : [];
  reportDuplicateIds(steps, problems);
  return steps.flatMap((step, index) => {
    const name = child(step.tree, 'pass');
    const text = stringOf(name);
    if (text === undefined) return [];
    const pass = passes.get(text);
    if (!pass) {
      problems.add('recipe/unknown-pass', `there is no pass ${quote(text)}`, name!.place, {
        expected: [...passes.keys()], suggestion: didYouMean(text, passes.keys()) ?? '`onnxpress passes` lists them; the passes of a plugin need its package under `plugins`', ...(name!.via && { via: name!.via }),
      });
      return [];
    }
    const options = boundOptions(step.tree as MapTree, pass, recipe, problems);
    return options ? [{ ...step, number: index + 1, pass, options }] : [];
  });
}

/** The declared options of any pass. */
const schemaOf = (pass: Pass): OptionsSchema => pass.options as OptionsSchema;

function boundOptions(step: MapTree, pass: Pass, recipe: string, problems: Problems): MapTree | undefined {
  const given = step.entries.get('with');
  if (given && given.value.kind !== 'map') return undefined;
  const name = step.entries.get('pass')!.value;
  const schema = schemaOf(pass);
  const tree = normalise(given?.value ?? mapTree(name.place, new Map()), schema, recipe);
  const misplaced = [...step.entries.keys()].filter((key) => Object.hasOwn(schema.properties, key));
  const valid = validateTree(schema, tree, problems, { what: pass.name, options: true, key: given?.key ?? name.place, misplaced });
  return valid ? withDefaults(tree, schema, pass.name) as MapTree : undefined;
}

function reportDuplicateIds(steps: readonly IdentifiedStep[], problems: Problems): void {
  const seen = new Map<string, Place | undefined>();
  for (const { id, tree, explicit } of steps) {
    const place = child(tree, 'id')?.place;
    if (explicit && seen.has(id)) {
      const first = seen.get(id);
      problems.add('recipe/duplicate-id', `two steps have the id ${quote(id)}`, place, { suggestion: 'give one of them another id', ...(first && { notes: [{ message: 'first used here', ...first }] }) });
    } else if (explicit) {
      seen.set(id, place);
    }
  }
}

function checkComplete(tree: MapTree, problems: Problems): void {
  // What a chain that broke off would have brought is not known.
  if (problems.list.some(({ code }) => code.startsWith('recipe/extends-'))) return;
  const place = markOf({ tree, key: undefined });
  // A key that is misspelt is reported as such.
  const unknown = [...tree.entries.keys()].filter((key) => !Object.hasOwn(recipeSchema.properties!, key));
  const isMissing = (key: string): boolean => !tree.entries.has(key) && !unknown.some((other) => nearNames(other, [key]).length > 0);
  if (isMissing('model')) problems.add('recipe/incomplete', 'the recipe names no model', place, { suggestion: 'add `model: FILE.onnx`' });
  if (isMissing('steps')) problems.add('recipe/incomplete', 'the recipe has no steps', place, { suggestion: 'add `steps:` with at least one pass and an export' });
}

/** min ≤ opt ≤ max in every dimension, for profiles that are otherwise well formed. */
function checkProfiles(inputs: Tree | undefined, problems: Problems): void {
  if (inputs?.kind !== 'map') return;
  for (const [name, { value }] of inputs.entries) {
    const shapes = (['min', 'opt', 'max'] as const).map((key) => child(value, key)).map((tree) => (tree?.kind === 'list' ? tree.items.map((item) => plain(item) as number) : undefined));
    const [min, opt, max] = shapes;
    if (!min || !opt || !max) continue;
    const ordered = min.length === opt.length && opt.length === max.length && opt.every((dim, axis) => min[axis]! <= dim && dim <= max[axis]!);
    const mark = (value as MapTree).entries.get('opt')!.key;
    if (!ordered) problems.add('recipe/out-of-range', `the profile of ${quote(name)} must have min ≤ opt ≤ max in every dimension, and the same number of dimensions`, mark, { suggestion: 'change the shapes' });
  }
}

/** Names of selectors and variables, and patterns, wherever they stand. */
function checkReferences(tree: MapTree, problems: Problems): void {
  const named = child(tree, 'select');
  const vars = child(tree, 'vars');
  if (named?.kind === 'map') for (const [name, { value }] of named.entries) checkSelector(value, named, problems, [name]);
  const steps = child(tree, 'steps');
  for (const step of steps?.kind === 'list' ? steps.items : []) {
    const where = child(step, 'where');
    const when = child(step, 'when');
    if (where) checkSelector(where, named, problems);
    if (when) checkCondition(when, vars, problems);
    for (const selector of selectorsIn(when)) checkSelector(selector, named, problems);
  }
}

function planStep({ id, number, pass, options, tree }: BoundStep, target: string, vars: Tree | undefined): PlannedStep {
  const when = child(tree, 'when');
  const place = child(tree, 'pass')?.place;
  return {
    id, number, pass, options: record(options), tree: options, where: child(tree, 'where'), when, accept: optional(child(tree, 'accept')), place, range: place?.range,
    decision: when ? decide(when, { vars, target }) : { state: 'run', reason: 'no condition' },
  };
}

/** The recipe as it is understood: target and options complete, ids written down. */
function resolvedTree(tree: MapTree, target: string, steps: readonly PlannedStep[]): MapTree {
  const written = child(tree, 'steps');
  const items = (written?.kind === 'list' ? written.items : []).map((step, index) => {
    const { id, tree: options } = steps[index]!;
    const entries = new Map((step as MapTree).entries);
    entries.delete('with');
    return mapTree(step.place, new Map([
      ['pass', entries.get('pass')!], ['id', entries.get('id') ?? { key: undefined, value: treeOf(id, 'made from the name of the pass') }],
      ...(options.entries.size > 0 ? [['with', { key: undefined, value: options }] as const] : []), ...entries,
    ]));
  });
  const goal = child(tree, 'target') ?? treeOf(target, 'default');
  const complete = withEntries(tree, [['target', { key: tree.entries.get('target')?.key, value: goal }], ['steps', { key: tree.entries.get('steps')!.key, value: listTree(written?.place, items) }]]);
  return mapTree(tree.place, new Map(Object.keys(recipeSchema.properties!).filter((key) => complete.entries.has(key)).map((key) => [key, complete.entries.get(key)!])));
}
