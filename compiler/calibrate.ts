import { relative, resolve } from 'node:path';
import { Diagnostic } from '../ir/diagnostic.ts';
import { calibrate } from '../passes/calibrate.ts';
import { mergeArtefacts } from '../passes/statistics/artefact.ts';
import { readArtefact, writeArtefact } from '../passes/statistics/file.ts';
import { finish } from '../passes/statistics/finish.ts';
import { FileHashes } from './data/file-hashes.ts';
import { recipeData } from './data/recipe-data.ts';
import { sizesOf } from './data/sizes.ts';
import { inputFiles } from './files/input-file.ts';
import { checkDestinations, writeFiles } from './files/write-files.ts';
import { quietHost, type Host } from './host.ts';
import type { RemarkRecord } from './instruments/instrument.ts';
import { progress } from './instruments/progress.ts';
import { verify } from './instruments/verify.ts';
import { inferTypes, runSteps, type Step } from './manager.ts';
import { bindPlan, checkInputs, normalizeStep, openModel, prepare, type RecipeSource } from './prepare.ts';
import { createRuntime } from './runtime/runtime.ts';
import { loadTarget } from './targets.ts';

/** How statistics are gathered. Paths are relative to the host's working directory. */
export interface CalibrateOptions {
  readonly host?: Partial<Host>;
  /** `NAME=VALUE` for variables of the recipe. */
  readonly set?: readonly string[];
  readonly sources?: Map<string, string>;
  /** The file of statistics to write. */
  readonly output: string;
  /** Part i of n of the samples, `i/n`. */
  readonly shard?: string;
}

/** What was gathered. */
export interface GatheredStatistics {
  readonly samples: number;
  readonly values: number;
  readonly bytes: number;
  readonly remarks: readonly RemarkRecord[];
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Runs the steps of a recipe up to its first `calibrate` and writes the statistics, or those of one shard of the samples; nothing else is written. Later steps are asked what they want to know, and do not run.
 * Throws what a compile throws, and `statistics/no-calibrate` for a recipe without that step.
 */
export async function calibrateRecipe(recipe: RecipeSource, { host: given, set, sources, output, shard }: CalibrateOptions): Promise<GatheredStatistics> {
  const host = quietHost(given);
  const prepared = await prepare(recipe, host, set, sources);
  const opened = openModel(prepared);
  const runtime = createRuntime();
  try {
    const { plan, folder } = prepared;
    const { model } = opened;
    const file = resolve(host.cwd, output);
    checkDestinations([file], [...plan.files.map((path) => resolve(host.cwd, path)), ...opened.files, ...prepared.pluginFiles], (path) => relative(host.cwd, path));
    checkInputs(plan, model);
    const diagnostics: Diagnostic[] = [...prepared.diagnostics];
    const sizes = sizesOf(plan.inputs, model);
    const data = recipeData(plan.data, { folder, sizes, hashes: new FileHashes(), warn: (warning) => { diagnostics.push(warning); } });
    const world = {
      runtime, target: loadTarget(plan.target), signal: host.signal, data, sizes, input: inputFiles(folder),
      instruments: [verify(), ...(host.isTTY ? [progress((text) => host.stderr.write(text), plan.steps.length, host.columns)] : [])],
    };
    await runSteps(model, [normalizeStep(plan)], world);
    await inferTypes(model, runtime);
    const { steps } = bindPlan(plan, model);
    const at = steps.findIndex(({ pass }) => pass === calibrate);
    if (at < 0) throw new Diagnostic('statistics/no-calibrate', 'the recipe has no step that calibrates', { suggestion: 'Add a step `calibrate`, before the steps that need ranges.' });
    const results = await runSteps(model, steps.with(at, gathering(steps[at]!, file, shard)), { ...world, until: at });
    const { outputs, remarks, stats } = results[at]!;
    const { chunks } = outputs.find(({ path }) => path === file)!;
    writeFiles([{ path: file, chunks }]);
    return { samples: stats.get('samples') ?? 0, values: stats.get('values observed') ?? 0, bytes: chunks.reduce((total, { length }) => total + length, 0), remarks, diagnostics };
  } finally {
    await runtime.close();
    opened.close();
  }
}

/** The step, with statistics gathered anew and written to a file. */
function gathering(step: Step, save: string, shard: string | undefined): Step {
  return { ...step, options: { ...step.options, statistics: { save }, ...(shard !== undefined && { shard }) } };
}

/** Merges files of statistics into one: the same bytes in whatever order they are named. Returns the number of samples. Throws `statistics/merge`, `statistics/unreadable`, `input/unreadable`. */
export async function mergeStatistics(files: readonly string[], output: string, given: Partial<Host> = {}): Promise<number> {
  const { cwd } = quietHost(given);
  const read = inputFiles(cwd);
  const parts = [];
  for (const file of files) parts.push(readArtefact(await read(file), file));
  const merged = mergeArtefacts(parts);
  const path = resolve(cwd, output);
  checkDestinations([path], files.map((file) => resolve(cwd, file)), (each) => relative(cwd, each));
  writeFiles([{ path, chunks: [writeArtefact(merged)] }]);
  return finish(merged).samples;
}
