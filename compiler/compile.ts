import { dirname, join, relative, resolve } from 'node:path';
import type { Diagnostic } from '../ir/diagnostic.ts';
import { interfaceOf, type Interface } from '../ir/verify.ts';
import type { OutputFile } from '../passes/pass.ts';
import { depfile } from './depfile.ts';
import { openModelFile, writeFiles, type FileToWrite, type OpenedModel } from './files/model-file.ts';
import { recordFile, recordOutput } from './files/record.ts';
import { quietHost, type Host } from './host.ts';
import { acceptance, asWarning, missedBudgets, type Acceptance } from './instruments/acceptance.ts';
import { dump } from './instruments/dump.ts';
import type { Instrument } from './instruments/instrument.ts';
import { progress } from './instruments/progress.ts';
import { hashOf, provenance } from './instruments/provenance.ts';
import { reproducer } from './instruments/reproducer.ts';
import { figuresOf, statistics } from './instruments/statistics.ts';
import { timing } from './instruments/timing.ts';
import { verify } from './instruments/verify.ts';
import { inferTypes, runSteps } from './manager.ts';
import { bindPlan, normalizeStep, prepare, type Prepared, type RecipeSource } from './prepare.ts';
import { plain } from './recipe/tree.ts';
import { dumpFolder, reproducerFolder } from './files/debug-folders.ts';
import { stepReports, type FileRecord, type Report } from './report/report.ts';
import { createRuntime, type OrtRuntime } from './runtime/runtime.ts';
import { loadTarget } from './targets.ts';
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
  /** Where the dependency file goes. */
  readonly depfile?: string;
  /** Leaves timings out of the report, so that equal inputs give equal bytes. */
  readonly reproducible?: boolean;
  /** Where reproducers of internal errors go; the system's folder for temporary files if absent. */
  readonly reproducers?: string;
  /** Called with the text of each recipe file, for printing diagnostics. */
  readonly sources?: Map<string, string>;
}

/** What a compile leaves. */
export interface CompileResult {
  /** The written files, relative to the working directory, models and side files, in the order of the steps. */
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
  const opened = openModelFile(resolve(prepared.folder, prepared.plan.model), join(dirname(prepared.plan.recipeFile), prepared.plan.model));
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
  const inputs = records([...plan.files.map((file) => resolve(host.cwd, file)), ...files, ...prepared.pluginFiles], shown);
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
  const world = { runtime, target: loadTarget(plan.target), signal: host.signal, instruments };
  const [first] = await runSteps(model, [normalizeStep], world);
  if (first!.count === 0) await inferTypes(model, runtime);
  known.slots = interfaceOf(model);
  const before = figuresOf(model);
  const { steps, skipped } = bindPlan(plan, model);
  const results = await runSteps(model, steps, world);
  for (const { reverted } of results) if (reverted !== undefined) diagnostics.push(reverted);
  accept(plan.accept as Acceptance | undefined, model, diagnostics);

  const written = results.flatMap(({ outputs }) => outputs);
  const outputs = Object.fromEntries(written.map((file) => [shown(resolve(folder, file.path)), recordOutput(file.chunks)]));
  const report: Report = {
    schema: 1,
    version,
    recipe: { file: plan.recipeFile, sha256: resolved },
    target: plan.target,
    inputs,
    outputs,
    steps: stepReports([first!, ...results], skipped, measured.statistics.figures),
    model: { before, after: figuresOf(model) },
    diagnostics: diagnostics.map((diagnostic) => diagnostic.toJSON()),
    ...(options.reproducible !== true && { timings: Object.fromEntries(measured.timing.times) }),
  };
  host.signal.throwIfAborted();
  writeFiles(filesToWrite(written, folder, host.cwd, report, options));
  return { outputs: Object.keys(outputs), report, diagnostics };
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
    ...(options.report === undefined ? [] : [text(options.report, `${JSON.stringify(report, undefined, 2)}\n`)]),
    ...(options.depfile === undefined ? [] : [text(options.depfile, depfile(Object.keys(report.outputs), Object.keys(report.inputs)))]),
    ...outputs(true),
  ];
}

/** The budgets of the whole recipe. */
function accept(budgets: Acceptance | undefined, model: Parameters<typeof figuresOf>[0], diagnostics: Diagnostic[]): void {
  if (budgets === undefined) return;
  for (const missed of missedBudgets(budgets, model, 'the recipe')) {
    if (budgets.onFail !== 'warn') throw missed;
    diagnostics.push(asWarning(missed));
  }
}

function records(paths: readonly string[], shown: (path: string) => string): Record<string, FileRecord> {
  return Object.fromEntries([...new Set(paths)].map((path) => [shown(path), recordFile(path)]));
}
