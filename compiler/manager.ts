import { cloneModel, restoreModel } from '../ir/clone.ts';
import { Diagnostic, type Note } from '../ir/diagnostic.ts';
import { Editor } from '../ir/edit.ts';
import type { Model, Node } from '../ir/model.ts';
import { sortModel } from '../ir/order.ts';
import { sameType } from '../ir/type.ts';
import { AnalysisCache } from '../passes/analysis.ts';
import type { DataSource } from '../passes/data.ts';
import { tokensFor, type OutputFile, type Pass, type PassContext, type Remark, type Selection } from '../passes/pass.ts';
import type { Runtime } from '../passes/runtime.ts';
import type { StatisticsRequest } from '../passes/statistics/request.ts';
import type { Statistics } from '../passes/statistics/statistics.ts';
import type { Target } from '../passes/target.ts';
import type { Measurer } from './eval/measure.ts';
import { asWarning, isMissedBudget, type Acceptance } from './instruments/acceptance.ts';
import type { Change, Failure, Instrument, RemarkRecord } from './instruments/instrument.ts';

/** A step with everything decided: what the manager runs. */
export interface Step {
  /** Unique in the recipe. */
  readonly id: string;
  /** Counts from 1, over the steps of the recipe; 0 is the normalisation. */
  readonly number: number;
  readonly pass: Pass;
  /** Validated, with defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Names in the model as read of the nodes that `where` selects; undefined without `where`. */
  readonly selected: ReadonlySet<string> | undefined;
  /** Limits on what the step leaves, by metric. */
  readonly accept?: Acceptance;
}

/** What steps run in. */
export interface World {
  readonly runtime: Runtime;
  readonly target: Target;
  /** Opens named data for the inputs of a model. */
  readonly data?: (name: string, model: Model) => Promise<DataSource>;
  /** Reads a file that a recipe names. */
  readonly input?: (path: string) => Promise<Uint8Array>;
  /** Measures a model on named data beside the one that the steps began with. */
  readonly measure?: Measurer;
  /** Sizes of symbolic dimensions. */
  readonly sizes?: ReadonlyMap<string, number>;
  /** Index of the last step to run; those behind it are only asked what they want to know. Default: all run. */
  readonly until?: number;
  /** Statistics that hold for the model before the first step. */
  readonly statistics?: Statistics;
  readonly signal: AbortSignal;
  readonly instruments: readonly Instrument[];
}

/** What one step did and left. */
export interface StepResult extends Change {
  readonly step: Step;
  readonly outputs: readonly OutputFile[];
  /** What the pass left for the report, by name. */
  readonly records: ReadonlyMap<string, unknown>;
  /** The budget that the step missed and for which it was taken back (`onFail: revert`); `count` is 0 then. */
  readonly reverted?: Diagnostic;
}

/**
 * Runs steps in order on one model. Each runs through its own editor; afterwards a changed model is put into topological order and its
 * types are inferred anew. A step that fails leaves the model as it found it, and ends the run: its Diagnostic names the step; an exception
 * of any other kind becomes the Diagnostic `internal/step-failed`, and an abort is passed on as it is. A step that misses a budget and says
 * `onFail: revert` is taken back, and the run goes on.
 */
export async function runSteps(model: Model, steps: readonly Step[], world: World): Promise<StepResult[]> {
  const run: Run = { model, original: cloneModel(model), world, cache: new AnalysisCache(), statistics: world.statistics };
  const results: StepResult[] = [];
  for (const [index, step] of steps.entries()) {
    if (index > (world.until ?? Infinity)) break;
    results.push(await runStep(step, steps.slice(index + 1), run));
  }
  return results;
}

/** What one run carries from step to step. */
interface Run {
  readonly model: Model;
  /** As it was before the first step. */
  readonly original: Model;
  readonly world: World;
  readonly cache: AnalysisCache;
  statistics: Statistics | undefined;
}

async function runStep(step: Step, later: readonly Step[], run: Run): Promise<StepResult> {
  const { model, world } = run;
  const { instruments, signal } = world;
  const { statistics } = run;
  const reversed = instruments.toReversed();
  const before = cloneModel(model);
  try {
    for (const instrument of instruments) await instrument.before?.(step, model);
    const edit = new Editor(model);
    const left: Left = { remarks: [], stats: new Map(), outputs: [], records: new Map() };
    signal.throwIfAborted();
    await step.pass.run(model, contextOf(step, edit, run, wantedBy(later, step, run), left));
    signal.throwIfAborted();
    if (edit.changes > 0) {
      if (run.statistics === statistics) run.statistics = kept(statistics, step);
      sortModel(model);
      await inferTypes(model, world.runtime);
    }
    const result: StepResult = { step, count: edit.changes, before, ...left };
    for (const instrument of reversed) await instrument.after?.(step, model, result);
    return result;
  } catch (error) {
    const failure: Failure = { error, before, notes: [] };
    for (const instrument of reversed) await report(instrument, step, model, failure);
    restoreModel(model, before);
    run.statistics = statistics;
    signal.throwIfAborted();
    const diagnostic = attributed(error, step, failure.notes);
    if (isMissedBudget(error) && step.accept?.onFail === 'revert') {
      return { step, count: 0, before, remarks: [], stats: new Map(), outputs: [], records: new Map(), reverted: asWarning(diagnostic) };
    }
    throw diagnostic;
  }
}

/** Tells an instrument of a failure. What goes wrong with that must not hide the failure itself. */
async function report(instrument: Instrument, step: Step, model: Model, failure: Failure): Promise<void> {
  try {
    await instrument.failed?.(step, model, failure);
  } catch (error) {
    failure.notes.push({ message: `what came after it failed as well: ${String(error)}` });
  }
}

/** Brings the types of all values up to what the runtime infers. Not counted as a change of any step. */
export async function inferTypes(model: Model, runtime: Runtime): Promise<void> {
  const edit = new Editor(model);
  for (const [value, type] of await runtime.infer(model)) if (!sameType(value.type, type)) edit.setType(value, type);
}

/** The nodes that descend from those with these names in the model as read; all nodes for undefined. */
export function selectionOf(selected: ReadonlySet<string> | undefined): Selection {
  if (selected === undefined) return { everything: true, has: () => true };
  return { everything: false, has: (node: Node) => node.origin.some((name) => selected.has(name)) };
}

/** What a pass leaves besides the changed model. */
interface Left {
  readonly remarks: RemarkRecord[];
  readonly stats: Map<string, number>;
  readonly outputs: OutputFile[];
  readonly records: Map<string, unknown>;
}

/** Statistics that are still valid after a step that changed the model. */
function kept(statistics: Statistics | undefined, { pass, options }: Step): Statistics | undefined {
  const tokens = tokensFor(pass.keeps, options as never);
  if (statistics === undefined || !tokens.includes('ranges')) return undefined;
  return tokens.includes('moments') ? statistics : { ...statistics, moments: new Map() };
}

const gathers = ({ pass, options }: Step): boolean => tokensFor(pass.gives, options as never).some((token) => token === 'ranges' || token === 'moments');

/** The requests of the steps that will use what `step` gathers: those up to the next step that gathers anew. */
function wantedBy(later: readonly Step[], step: Step, { model, world: { target, sizes = new Map() }, cache }: Run): StatisticsRequest[] {
  if (!gathers(step)) return [];
  const next = later.findIndex(gathers);
  return later.slice(0, next < 0 ? undefined : next).flatMap(({ pass, options, selected }) => {
    const request = pass.wants?.(model, { options, select: selectionOf(selected), target, sizes, analysis: (analysis) => cache.get(analysis, model) });
    return request === undefined ? [] : [request];
  });
}

function contextOf(
  step: Step, edit: Editor, run: Run, wanted: readonly StatisticsRequest[], { remarks, stats, outputs, records }: Left,
): PassContext<Readonly<Record<string, unknown>>> {
  const { model, original, world: { runtime, target, signal, instruments, data, measure, input = noFiles, sizes = new Map() }, cache } = run;
  return {
    options: step.options,
    select: selectionOf(step.selected),
    edit,
    runtime,
    target,
    signal,
    sizes,
    wanted,
    input,
    data: (name) => (data === undefined ? Promise.reject(noData(name)) : data(name, model)),
    measure: (candidate, name) => (measure === undefined ? Promise.reject(noData(name)) : measure(original, candidate, name)),
    statistics: { get: () => run.statistics, set: (statistics) => { run.statistics = statistics; } },
    record: (name, value) => { records.set(name, value); },
    stat: (name, count = 1) => { if (count !== 0) stats.set(name, (stats.get(name) ?? 0) + count); },
    remark: (remark) => { remarks.push(recordOf(remark, step.pass)); },
    progress: (done, total, what) => { for (const instrument of instruments) instrument.progress?.(step, done, total, what); },
    analysis: (analysis) => cache.get(analysis, model),
    output: (file) => { outputs.push(file); },
  };
}

function noFiles(path: string): Promise<never> {
  return Promise.reject(new Diagnostic('input/unreadable', `${path} cannot be read: the step runs without files`, { file: path, suggestion: 'Run it from a recipe.' }));
}

function noData(name: string): Diagnostic {
  return new Diagnostic('data/unknown', `there is no data '${name}'`, { suggestion: 'Name it under `data` in the recipe.' });
}

function recordOf({ kind, rule, message, node, tensor }: Remark, pass: Pass): RemarkRecord {
  return { kind, rule: `${pass.name}/${rule}`, message, ...(node && { node: node.reference }), ...(tensor !== undefined && { tensor }) };
}

/** The error with the step that it belongs to. */
function attributed(error: unknown, { id, pass }: Step, notes: readonly Note[]): Diagnostic {
  if (Diagnostic.is(error)) {
    const all = [...(error.notes ?? []), ...notes];
    return new Diagnostic(error.code, error.message, { ...error.toJSON(), step: error.step ?? id, ...(all.length > 0 && { notes: all }), cause: error.cause });
  }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Diagnostic('internal/step-failed', `step '${id}' ended in an internal error of the pass ${pass.name}: ${what}`, {
    step: id, notes, cause: error, suggestion: 'Report it with the reproducer; leaving the step out, or narrowing its `where`, avoids it.',
  });
}

/** What running a single pass needs beside the model; used by tests, which have no recipe. */
export interface RunPassOptions {
  readonly runtime: Runtime;
  readonly target: Target;
  /** Names of nodes as read; undefined selects everything. */
  readonly select?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal;
  readonly instruments?: readonly Instrument[];
  readonly data?: World['data'];
  readonly measure?: World['measure'];
  readonly input?: World['input'];
  readonly sizes?: ReadonlyMap<string, number>;
  readonly statistics?: Statistics;
}

/** Runs one pass on a model with the given options (validated, with defaults), in the same way as a recipe's step. */
export async function runPass(model: Model, pass: Pass, options: Readonly<Record<string, unknown>>, { select, signal, instruments = [], ...world }: RunPassOptions): Promise<StepResult> {
  const step: Step = { id: pass.name, number: 1, pass, options, selected: select };
  const [result] = await runSteps(model, [step], { ...world, signal: signal ?? new AbortController().signal, instruments } as World);
  return result!;
}
