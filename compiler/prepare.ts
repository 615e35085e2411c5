import { dirname, join, resolve } from 'node:path';
import { Diagnostic } from '../ir/diagnostic.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { normalizeModel, type NormalizationReport } from '../ir/normalize.ts';
import { builtInPasses } from '../passes/index.ts';
import { definePass, type Pass } from '../passes/pass.ts';
import { openModelFile, type OpenedModel } from './files/model-file.ts';
import { checkBudgets } from './eval/compiled.ts';
import { Diagnostics, type Host } from './host.ts';
import { checkMetrics, type Acceptance } from './instruments/acceptance.ts';
import { fixShape, shapeMistake, type InputShapes } from './input-shapes.ts';
import type { Step } from './manager.ts';
import { loadPlugins } from './plugins.ts';
import { decide } from './recipe/condition.ts';
import type { Recipe } from './recipe/define.ts';
import { diskFiles } from './recipe/files.ts';
import { ModelIndex } from './recipe/model-index.ts';
import type { Plan, PlannedStep } from './recipe/plan.ts';
import { Problems } from './recipe/problems.ts';
import { planRecipe, readRecipe, recipeFromObject, type RecipeDocument } from './recipe/recipe.ts';
import { selectNodes } from './recipe/select.ts';
import { didYouMean } from './recipe/suggest.ts';
import { child, type Tree } from './recipe/tree.ts';

/** A recipe file, or a recipe as an object, whose relative paths refer to the host's working directory. */
export type RecipeSource = string | Recipe;

/** A recipe that was read and planned, with the passes of its plugins. */
export interface Prepared {
  readonly plan: Plan;
  /** Absolute folder to which the paths of the plan are relative. */
  readonly folder: string;
  readonly passes: readonly Pass[];
  /** Modules of the plugins: inputs of the compile. */
  readonly pluginFiles: readonly string[];
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Name of a recipe that is an object, in messages. */
const objectName = 'recipe';

/** Reads a recipe, loads its plugins and plans it. Throws Diagnostics with all mistakes, and the texts of the recipe files in `sources`. */
export async function prepare(source: RecipeSource, host: Host, set: readonly string[] = [], sources: Map<string, string> = new Map()): Promise<Prepared> {
  const document = readSource(source, host, set);
  for (const [file, text] of document.sources) sources.set(file, text);
  const folder = typeof source === 'string' ? resolve(host.cwd, dirname(source)) : host.cwd;
  const { problems } = document;
  const plugins = await loadPlugins(pluginRequests(document), folder, builtInPasses, (problem) => problems.list.push(problem));
  const passes = [...builtInPasses, ...plugins.passes];
  const { plan, diagnostics } = planRecipe(document, passes);
  // Passes of a plugin that could not be loaded are unknown; saying so again for each step would hide the cause.
  const unloaded = diagnostics.some(({ code }) => code.startsWith('plugin/'));
  if (plan === undefined) throw new Diagnostics(diagnostics.filter(({ code }) => !unloaded || code !== 'recipe/unknown-pass'));
  checkAcceptances(plan);
  return { plan, folder, passes, pluginFiles: plugins.files, diagnostics };
}

/** Opens the model that a recipe names. Its messages point to where the recipe does so. The result must be closed. */
export function openModel({ plan, folder }: Prepared): OpenedModel {
  try {
    return openModelFile(resolve(folder, plan.model), join(dirname(plan.recipeFile), plan.model));
  } catch (error) {
    const place = child(plan.tree, 'model')?.place;
    if (!Diagnostic.is(error) || error.code !== 'model/unreadable' || place?.range === undefined) throw error;
    throw new Diagnostic(error.code, error.message, { ...error.toJSON(), file: place.file, range: place.range });
  }
}

function readSource(source: RecipeSource, host: Host, set: readonly string[]): RecipeDocument {
  const { cwd, env } = host;
  if (typeof source !== 'string') return recipeFromObject(source, objectName, { set, env });
  return readRecipe(source, { set, env, files: { readText: (path, limit) => diskFiles.readText(cwd === process.cwd() ? path : resolve(cwd, path), limit) } });
}

function pluginRequests({ plugins, tree }: RecipeDocument): { readonly specifier: string; readonly place: ReturnType<typeof placeOf> }[] {
  return plugins.map((specifier) => ({ specifier, place: placeOf(tree, specifier) }));
}

function placeOf(tree: RecipeDocument['tree'], specifier: string): NonNullable<RecipeDocument['tree']>['place'] {
  const list = child(tree, 'plugins');
  return list?.kind === 'list' ? list.items.find((item) => item.kind === 'scalar' && item.value === specifier)?.place : undefined;
}

function checkAcceptances(plan: Plan): void {
  checkBudgets({ data: plan.data, accept: plan.accept as Acceptance | undefined });
  for (const { id, accept } of plan.steps) if (accept !== undefined) checkMetrics(accept as Acceptance, `step '${id}'`);
}

const normalizeOptions = { type: 'object', additionalProperties: false, properties: {} } as const;

/** The step number 0, with which every compile begins. It is not in any recipe, and reported like any other. It also gives inputs the shapes that the recipe fixes. */
export function normalizeStep(plan: Plan): Step {
  const shapes = fixedShapes(plan);
  const pass = definePass({
    name: 'normalize',
    version: 1,
    summary: 'Orders and names nodes, inlines functions, and stores constants as dense initializers.',
    options: normalizeOptions,
    run(model, { edit, stat, remark }) {
      const done = normalizeModel(model, edit);
      for (const [name, shape] of shapes) fixShape(model, edit, name, shape);
      const fixed = { what: 'input shapes fixed', count: shapes.size, examples: [...shapes].map(([name, shape]) => `'${name}' to [${shape.join(', ')}]`) };
      for (const { what, count, examples } of fixed.count > 0 ? [...done, fixed] : done) {
        stat(what, count);
        remark({ kind: 'analysis', rule: what.replaceAll(' ', '-'), message: `${count} ${what}: ${examples.join(', ')}${count > examples.length ? ', …' : ''}` });
      }
    },
  });
  return { id: 'normalize', number: 0, pass, options: {}, selected: undefined };
}

function fixedShapes({ inputs }: Plan): ReadonlyMap<string, readonly number[]> {
  return new Map(Object.entries(inputs).flatMap(([name, { shape }]) => (shape === undefined ? [] : [[name, shape]])));
}

/** Throws Diagnostics unless every shape under `inputs` fits an input of the model as read. */
export function checkInputs({ inputs, tree: recipe }: { readonly inputs: InputShapes; readonly tree: Tree | undefined }, model: Model): void {
  const problems = new Problems();
  const tree = child(recipe, 'inputs');
  for (const [name, shapes] of Object.entries(inputs)) {
    for (const [key, shape] of Object.entries(shapes)) {
      const mistake = shapeMistake(model, name, shape);
      if (mistake === undefined) continue;
      const entry = tree?.kind === 'map' ? tree.entries.get(name) : undefined;
      const { message, expected } = mistake;
      problems.add('recipe/input-shape', message, expected ? entry?.key : child(entry?.value, key)?.place ?? entry?.key, {
        ...(expected && { expected }), suggestion: (expected && didYouMean(name, expected)) ?? (expected ? 'use one of these' : 'change the shape'),
      });
      // The name is wrong once.
      if (expected) break;
    }
  }
  if (problems.failed) throw new Diagnostics(problems.list);
}

/** The normalisation alone, for commands that only look at a model. */
export function normalized(model: Model): NormalizationReport {
  return normalizeModel(model, new Editor(model));
}

/** A step that does not run, and why. */
export interface SkippedStep {
  readonly step: PlannedStep;
  readonly reason: string;
}

/** What of a plan runs on a model: steps with their selections, by node name, and those that conditions leave out. */
export interface BoundPlan {
  readonly steps: readonly Step[];
  readonly skipped: readonly SkippedStep[];
}

/** Resolves conditions and selectors of a plan against the model as it was read (and normalised). Throws Diagnostics with all mistakes. */
export function bindPlan(plan: Plan, model: Model): BoundPlan {
  const index = new ModelIndex(model);
  const problems = new Problems();
  const steps: Step[] = [];
  const skipped: SkippedStep[] = [];
  for (const planned of plan.steps) {
    const { state, reason } = decision(planned, plan, index);
    if (state === 'skip') {
      skipped.push({ step: planned, reason });
      continue;
    }
    const { id, number, pass, options, where, accept } = planned;
    const nodes = where && selectNodes(where, plan.select, index, problems);
    steps.push({ id, number, pass, options, selected: nodes && new Set([...nodes].map(({ name }) => name)), ...(accept !== undefined && { accept: accept as Acceptance }) });
  }
  if (problems.failed) throw new Diagnostics(problems.list);
  return { steps, skipped };
}

function decision(step: PlannedStep, plan: Plan, index: ModelIndex): PlannedStep['decision'] {
  if (step.decision.state !== 'pending' || step.when === undefined) return step.decision;
  return decide(step.when, {
    vars: child(plan.tree, 'vars'), target: plan.target, opset: index.opset,
    // Matching nothing is an answer here, and no mistake.
    matches: (selector) => selectNodes(selector, plan.select, index, new Problems()).size > 0,
  });
}
