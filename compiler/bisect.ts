import { cloneModel } from '../ir/clone.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { Model } from '../ir/model.ts';
import { tokensFor, type OutputFile } from '../passes/pass.ts';
import { FileHashes } from './data/file-hashes.ts';
import { recipeData } from './data/recipe-data.ts';
import { sizesOf } from './data/sizes.ts';
import { measurer } from './eval/measure.ts';
import { inputFiles } from './files/input-file.ts';
import { quietHost, type Host } from './host.ts';
import type { RemarkRecord } from './instruments/instrument.ts';
import { verify } from './instruments/verify.ts';
import { inferTypes, runSteps, selectionOf, type Step, type StepResult, type World } from './manager.ts';
import { nodesOf } from './pairing.ts';
import { bindPlan, checkInputs, normalizeStep, openModel, prepare, type RecipeSource } from './prepare.ts';
import { createRuntime } from './runtime/runtime.ts';
import { loadTarget } from './targets.ts';

/** A model at some point of a recipe. */
export interface Candidate {
  readonly model: Model;
  /** Files that the last step wrote, if it writes any: what a user would run. */
  readonly outputs: readonly OutputFile[];
}

/** How a bisection runs. Paths are relative to the host's working directory. */
export interface BisectOptions {
  readonly host?: Partial<Host>;
  /** `NAME=VALUE` for variables of the recipe. */
  readonly set?: readonly string[];
  readonly sources?: Map<string, string>;
  /** Whether a model is good: undefined if it is, else what is wrong with it. `original` is the model before the first step. */
  readonly judge: (candidate: Candidate, world: { readonly original: Model; readonly runtime: World['runtime']; readonly signal: AbortSignal }) => Promise<string | undefined>;
  /** Told of each verdict as it comes. */
  readonly onVerdict?: (what: string, verdict: string | undefined) => void;
}

/** What breaks the model. */
export interface Culprit {
  readonly step: { readonly id: string; readonly number: number; readonly pass: string };
  /** What is wrong behind it. */
  readonly verdict: string;
  /** Name in the model as read of the node at which the step breaks it; absent if the step cannot be narrowed to one. */
  readonly node?: string;
  /** What the step says of that node. */
  readonly remarks: readonly RemarkRecord[];
}

/**
 * Finds the first step of a recipe that makes a good model bad, and the first node at which it does so: the step runs on ever smaller prefixes
 * of the nodes that it may touch, in the order of the model. The number of judgements grows with the logarithm of steps and nodes. Undefined
 * if the compiled model is good. Throws `bisect/bad-start` if the model is bad before any step, and what a compile throws.
 */
export async function bisect(recipe: RecipeSource, { host: given, set, sources, judge, onVerdict }: BisectOptions): Promise<Culprit | undefined> {
  const host = quietHost(given);
  const prepared = await prepare(recipe, host, set, sources);
  const opened = openModel(prepared);
  const runtime = createRuntime();
  try {
    const { model } = opened;
    const { plan } = prepared;
    checkInputs(plan, model);
    const sizes = sizesOf(plan.inputs, model);
    // What data warn of, a compile says.
    const data = recipeData(plan.data, { folder: prepared.folder, sizes, hashes: new FileHashes(), warn: () => undefined });
    const { signal } = host;
    const target = loadTarget(plan.target);
    const measure = measurer({ data: plan.data, open: data, folder: prepared.folder, runtime, target, signal });
    const world: World = { runtime, target, signal, instruments: [verify()], data, measure, sizes, input: inputFiles(prepared.folder) };
    await runSteps(model, [normalizeStep(plan)], world);
    await inferTypes(model, runtime);
    const original = cloneModel(model);
    const { steps } = bindPlan(plan, model);
    const verdictOf = async (candidate: Candidate, what: string): Promise<string | undefined> => {
      host.signal.throwIfAborted();
      const verdict = await judge(candidate, { original, runtime, signal: host.signal });
      onVerdict?.(what, verdict);
      return verdict;
    };
    const start = await verdictOf({ model: original, outputs: [] }, 'before any step');
    if (start !== undefined) {
      throw new Diagnostic('bisect/bad-start', `the model is bad before any step: ${start}`, { suggestion: 'Try the command on the model itself first; it has to succeed there.' });
    }
    return await narrow({ original, steps, world, verdictOf });
  } finally {
    await runtime.close();
    opened.close();
  }
}

interface Search {
  readonly original: Model;
  readonly steps: readonly Step[];
  readonly world: World;
  readonly verdictOf: (candidate: Candidate, what: string) => Promise<string | undefined>;
}

async function narrow({ original, steps, world, verdictOf }: Search): Promise<Culprit | undefined> {
  const states: Model[] = [];
  const keep = { after: (_step: Step, model: Model): void => { states.push(cloneModel(model)); } };
  const results = await runSteps(cloneModel(original), steps, { ...world, instruments: [...world.instruments, keep] });
  const behind = async (count: number): Promise<string | undefined> => {
    const { step: { id, number }, outputs } = results[count - 1]!;
    return verdictOf({ model: states[count - 1]!, outputs }, `after step ${number} ${id}`);
  };
  const found = await firstBad(steps.length, behind);
  if (found === undefined) return undefined;
  const step = steps[found.at - 1]!;
  const result = results[found.at - 1]!;
  const culprit = { step: { id: step.id, number: step.number, pass: step.pass.name }, verdict: found.verdict, remarks: [] };
  if (result.count === 0) return culprit;

  // A step that needs what earlier ones collected has to run behind them again.
  const alone = tokensFor(step.pass.needs, step.options).length === 0;
  const before = alone ? states[found.at - 2] ?? original : original;
  const lead = alone ? [] : steps.slice(0, found.at - 1);
  const names = namesBefore(result, step);
  const narrowed = async (count: number): Promise<StepResult & { readonly model: Model }> => {
    const model = cloneModel(before);
    const ran = await runSteps(model, [...lead, { ...step, selected: new Set(names.slice(0, count)) }], world);
    return { ...ran.at(-1)!, model };
  };
  const none = await narrowed(0);
  // A pass that changes nodes outside its selection cannot be narrowed.
  if (await verdictOf({ model: none.model, outputs: none.outputs }, `step ${step.number} on no node`) !== undefined) return culprit;
  const node = await firstBad(names.length, async (count) => {
    const { model, outputs } = await narrowed(count);
    return verdictOf({ model, outputs }, `step ${step.number} on ${count} of ${names.length} nodes`);
  });
  if (node === undefined) return culprit;
  const name = names[node.at - 1]!;
  const remarks = (await narrowed(node.at)).remarks.filter((remark) => remark.node?.origin.includes(name) === true || remark.node?.name === name);
  return { ...culprit, node: name, verdict: node.verdict, remarks };
}

/** Names as read of the nodes that a step may touch, in the order of the model before it. */
function namesBefore({ before }: StepResult, { selected }: Step): string[] {
  const selection = selectionOf(selected);
  return [...new Set(nodesOf(before).filter((node) => selection.has(node)).flatMap(({ origin }) => origin.filter((name) => selected?.has(name) ?? true)))];
}

/** The smallest count from 1 to `most` that is bad, if `most` is; 0 is good. Where goodness changes more than once, one of the changes is found. */
async function firstBad(most: number, judge: (count: number) => Promise<string | undefined>): Promise<{ readonly at: number; readonly verdict: string } | undefined> {
  if (most === 0) return undefined;
  let verdict = await judge(most);
  if (verdict === undefined) return undefined;
  let [good, bad] = [0, most];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const found = await judge(middle);
    if (found === undefined) {
      good = middle;
    } else {
      bad = middle;
      verdict = found;
    }
  }
  return { at: bad, verdict };
}
