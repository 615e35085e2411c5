import { relative, resolve } from 'node:path';
import type { Diagnostic } from '../ir/diagnostic.ts';
import { cloneModel } from '../ir/clone.ts';
import type { Model } from '../ir/model.ts';
import { interfaceOf, type Interface } from '../ir/verify.ts';
import type { OutputFile } from '../passes/pass.ts';
import { FileHashes } from './data/file-hashes.ts';
import { recipeData } from './data/recipe-data.ts';
import { sizesOf } from './data/sizes.ts';
import { depfile } from './depfile.ts';
import { budgetFigures, evaluateCompiled, unmeasured, validation } from './eval/compiled.ts';
import type { Evaluation } from './eval/evaluate.ts';
import { lowFidelity } from './eval/fidelity.ts';
import { fusedLoss } from './eval/fused.ts';
import { measurer } from './eval/measure.ts';
import type { OpenedModel } from './files/model-file.ts';
import { inputFiles } from './files/input-file.ts';
import { recordFile, recordOutput } from './files/record.ts';
import { checkDestinations, writeFiles, type FileToWrite } from './files/write-files.ts';
import { quietHost, type Host } from './host.ts';
import { acceptance, asWarning, missedBudgets, needsData, type Acceptance } from './instruments/acceptance.ts';
import { dump } from './instruments/dump.ts';
import type { Instrument } from './instruments/instrument.ts';
import { progress } from './instruments/progress.ts';
import { hashOf, provenance } from './instruments/provenance.ts';
import { reproducer } from './instruments/reproducer.ts';
import { figuresOf, statistics } from './instruments/statistics.ts';
import { timing } from './instruments/timing.ts';
import { verify } from './instruments/verify.ts';
import { assertLoadable } from './loadable.ts';
import { inferTypes, runSteps } from './manager.ts';
import { nodesOf } from './pairing.ts';
import { bindPlan, checkInputs, normalizeStep, openModel, prepare, type Prepared, type RecipeSource } from './prepare.ts';
import { plain } from './recipe/tree.ts';
import { dumpFolder, reproducerFolder } from './files/debug-folders.ts';
import { reportText } from './report/file.ts';
import { reportHtml } from './report/html/page.ts';
import { descendants, stepReports, type FileRecord, type Report } from './report/report.ts';
import { createRuntime, type OrtRuntime } from './runtime/runtime.ts';
import { loadTarget } from './targets.ts';
import { limitWarnings } from './warnings.ts';
import { runtimeVersions, version } from './version.ts';

/** How a compile runs. Paths are relative to the host's working directory. */
export interface CompileOptions {
  readonly host?: Partial<Host>;
  /** `NAME=VALUE` for variables of the recipe. */
  readonly set?: readonly string[];
  /** A folder for the text of the model after each step that changes it. */
  readonly dump?: string;
  /** Where the report goes as JSON. */
  readonly report?: string;
  /** Where the report goes as a page for people: one HTML file that needs nothing beside it. */
  readonly html?: string;
  /** Where the dependency file goes. */
  readonly depfile?: string;
  /** Targets of the dependency file, instead of the outputs; for build systems that know the target by another name. */
  readonly deptarget?: readonly string[];
  /** Most warnings with which the compile succeeds. */
  readonly maxWarnings?: number;
  /** False: do not measure the compiled model on the validation data, unless budgets need it. */
  readonly evaluate?: boolean;
  /** Leaves timings out of the report, so that equal inputs give equal bytes. */
  readonly reproducible?: boolean;
  /** Where reproducers of internal errors go; the system's folder for temporary files if absent. */
  readonly reproducers?: string;
  /** Called with the text of each recipe file, for printing diagnostics. */
  readonly sources?: Map<string, string>;
}

/** What a compile leaves. */
export interface CompileResult {
  /** The written files, relative to the working directory: models and side files, in the order of the steps, then the report and the page. */
  readonly outputs: readonly string[];
  readonly report: Report;
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Compiles a recipe: reads the model, normalises it, runs the steps, and writes all outputs or none. Throws Diagnostics for all mistakes of
 * the recipe, a Diagnostic for a step that fails, `accept/budget` for a missed budget, and the signal's reason when it is aborted.
 */
export async function compile(recipe: RecipeSource, options: CompileOptions = {}): Promise<CompileResult> {
  const host = quietHost(options.host);
  const prepared = await prepare(recipe, host, options.set, options.sources);
  host.signal.throwIfAborted();
  const opened = openModel(prepared);
  const runtime = createRuntime();
  try {
    return await run(prepared, opened, runtime, host, options);
  } finally {
    await runtime.close();
    opened.close();
  }
}

async function run(prepared: Prepared, { model, files }: OpenedModel, runtime: OrtRuntime, host: Host, options: CompileOptions): Promise<CompileResult> {
  const { plan, folder } = prepared;
  const shown = (path: string): string => relative(host.cwd, path);
  const read = [...plan.files.map((file) => resolve(host.cwd, file)), ...files, ...prepared.pluginFiles];
  const asked = [options.report, options.html, options.depfile].flatMap((file) => (file === undefined ? [] : [resolve(host.cwd, file)]));
  // Known now, so that nobody waits for an answer that has no place; what passes write besides is checked before it is written.
  checkDestinations([...plan.outputs.map((file) => resolve(folder, file)), ...asked], read, shown);
  const inputs = records(read, shown);
  const resolved = hashOf(plain(plan.tree));
  const diagnostics: Diagnostic[] = [...prepared.diagnostics];
  const measured = { statistics: statistics(), timing: timing() };
  const known: { slots?: Interface } = {};
  const instruments: Instrument[] = [
    ...(options.dump === undefined ? [] : [dump(dumpFolder(resolve(host.cwd, options.dump)))]),
    reproducer(
      { version, versions: runtimeVersions(), target: plan.target, plugins: prepared.pluginFiles },
      reproducerFolder(options.reproducers === undefined ? undefined : resolve(host.cwd, options.reproducers)), host.signal,
    ),
    provenance({ version, recipe: resolved, model: hashOfFiles(files.map((file) => inputs[shown(file)]!.sha256)), target: plan.target }),
    measured.statistics,
    ...(host.isTTY ? [progress((text) => host.stderr.write(text), plan.steps.length, host.columns)] : []),
    acceptance((missed) => diagnostics.push(missed)),
    verify(() => known.slots),
    measured.timing,
  ];
  checkInputs(plan, model);
  const target = loadTarget(plan.target);
  const hashes = new FileHashes();
  const sizes = sizesOf(plan.inputs, model);
  const data = recipeData(plan.data, { folder, sizes, hashes, warn: (warning) => { diagnostics.push(warning); } });
  const measure = measurer({ data: plan.data, open: data, folder, runtime, target, signal: host.signal });
  const world = { runtime, target, signal: host.signal, instruments, data, measure, sizes, input: inputFiles(folder, hashes) };
  const [first] = await runSteps(model, [normalizeStep(plan)], world);
  if (first!.count === 0) await inferTypes(model, runtime);
  known.slots = interfaceOf(model);
  const before = figuresOf(model);
  const original = cloneModel(model);
  const names = nodesOf(model).map(({ name }) => name);
  const { steps, skipped } = bindPlan(plan, model);
  const results = await runSteps(model, steps, world);
  await assertLoadable(results, original, runtime);
  for (const { reverted } of results) if (reverted !== undefined) diagnostics.push(reverted);
  const budgets = plan.accept as Acceptance | undefined;
  const evaluation = options.evaluate === false && budgets === undefined ? undefined
    : await evaluateCompiled({ data: plan.data, accept: budgets, original, compiled: model, open: data, folder, runtime, target, signal: host.signal });
  const poor = evaluation && lowFidelity(evaluation);
  if (poor !== undefined) diagnostics.push(poor);
  if (evaluation !== undefined && target.runsOn === 'onnxruntime') {
    const loss = await fusedLoss({ name: 'original', model: original }, { name: 'compiled', model }, await data(validation, original), { runtime, signal: host.signal });
    if (loss !== undefined) diagnostics.push(loss);
  }
  accept(budgets, model, evaluation, diagnostics);

  const written = results.flatMap(({ outputs }) => outputs);
  // What samples were read from is known only now.
  for (const [path, record] of hashes.records) inputs[shown(path)] ??= record;
  checkDestinations([...written.map(({ path }) => resolve(folder, path)), ...asked], [...read, ...hashes.records.keys()], shown);
  const outputs = Object.fromEntries(written.map((file) => [shown(resolve(folder, file.path)), recordOutput(file.chunks)]));
  const report: Report = {
    schema: 1,
    version,
    recipe: { file: plan.recipeFile, sha256: resolved },
    target: plan.target,
    inputs,
    outputs,
    steps: stepReports([first!, ...results], skipped, measured.statistics.figures),
    nodes: descendants(names, nodesOf(model)),
    model: { before, after: figuresOf(model) },
    diagnostics: diagnostics.map((diagnostic) => diagnostic.toJSON()),
    ...(evaluation && { evaluation: options.reproducible === true ? withoutLatency(evaluation) : evaluation }),
    ...(options.reproducible !== true && { timings: Object.fromEntries(measured.timing.times) }),
  };
  host.signal.throwIfAborted();
  limitWarnings(diagnostics, options.maxWarnings);
  writeFiles(filesToWrite(written, folder, host.cwd, report, options));
  const reports = [options.report, options.html].flatMap((file) => (file === undefined ? [] : [shown(resolve(host.cwd, file))]));
  return { outputs: [...Object.keys(outputs), ...reports], report, diagnostics };
}

/** The hash of the model file, or of the hashes of it and its side files. */
function hashOfFiles(hashes: readonly string[]): string {
  return hashes.length === 1 ? hashes[0]! : hashOf(hashes);
}

/** Side files first, then what is asked for beside the models, the models last: renaming the last one is the commit. */
function filesToWrite(written: readonly OutputFile[], folder: string, cwd: string, report: Report, options: CompileOptions): FileToWrite[] {
  const text = (path: string, content: string): FileToWrite => ({ path: resolve(cwd, path), chunks: [new TextEncoder().encode(content)] });
  const outputs = (main: boolean): FileToWrite[] =>
    written.filter((file) => (file.main ?? false) === main).map(({ path, chunks }) => ({ path: resolve(folder, path), chunks }));
  return [
    ...outputs(false),
    ...(options.report === undefined ? [] : [text(options.report, reportText(report))]),
    ...(options.html === undefined ? [] : [text(options.html, reportHtml(report))]),
    ...(options.depfile === undefined ? [] : [text(options.depfile, depfile(options.deptarget ?? Object.keys(report.outputs), Object.keys(report.inputs)))]),
    ...outputs(true),
  ];
}

/** The budgets of the whole recipe. */
function accept(budgets: Acceptance | undefined, model: Model, evaluation: Evaluation | undefined, diagnostics: Diagnostic[]): void {
  if (budgets === undefined) return;
  const measured = evaluation ? budgetFigures(evaluation) : new Map<string, number>();
  const absent = Object.keys(budgets).find((name) => needsData(name) && Number.isNaN(measured.get(name) ?? NaN));
  if (absent !== undefined) throw unmeasured(absent);
  for (const missed of missedBudgets(budgets, model, 'the recipe', measured)) {
    if (budgets.onFail !== 'warn') throw missed;
    diagnostics.push(asWarning(missed));
  }
}

/** Times differ from run to run. */
function withoutLatency(evaluation: Evaluation): Evaluation {
  return { ...evaluation, models: evaluation.models.map((model) => ({ ...model, latency: undefined })) };
}

function records(paths: readonly string[], shown: (path: string) => string): Record<string, FileRecord> {
  return Object.fromEntries([...new Set(paths)].map((path) => [shown(path), recordFile(path)]));
}
