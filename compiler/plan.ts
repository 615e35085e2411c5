import { relative, resolve } from 'node:path';
import type { Diagnostic } from '../ir/diagnostic.ts';
import { quietHost, type Host } from './host.ts';
import { bindPlan, checkInputs, normalized, openModel, prepare, type RecipeSource } from './prepare.ts';
import { printPlan } from './recipe/print.ts';
import { formatTable } from './report/table.ts';
import { visible } from './report/visible.ts';
import { limitWarnings } from './warnings.ts';
import { checkDestinations } from './files/write-files.ts';

export interface PlanOptions {
  readonly host?: Partial<Host>;
  /** `NAME=VALUE` for variables of the recipe. */
  readonly set?: readonly string[];
  /** Most warnings with which the plan is good. */
  readonly maxWarnings?: number;
  /** Filled with the text of each recipe file, for printing diagnostics. */
  readonly sources?: Map<string, string>;
}

/** What a step would do. */
export interface StepPlan {
  readonly id: string;
  readonly number: number;
  readonly pass: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Why it would not run. */
  readonly skipped?: string;
  /** Names of the selected nodes; absent without `where`. */
  readonly selected?: readonly string[];
  /** Files that it would write, relative to the working directory. */
  readonly outputs: readonly string[];
}

/** What a recipe would do. */
export interface RecipePlan {
  readonly data: {
    readonly model: string;
    readonly target: string;
    readonly steps: readonly StepPlan[];
    /** Files that are read and written, relative to the working directory. */
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  };
  /** The recipe with every default filled in, and comments that say where each value comes from. */
  readonly resolved: string;
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Plans a recipe against its model: everything that `compile` would check before the first step. Throws what `compile` would throw. Writes nothing. */
export async function plan(recipe: RecipeSource, { host: given, set, sources, maxWarnings }: PlanOptions = {}): Promise<RecipePlan> {
  const host = quietHost(given);
  const prepared = await prepare(recipe, host, set, sources);
  const { plan: planned, folder, pluginFiles, diagnostics } = prepared;
  const opened = openModel(prepared);
  try {
    checkInputs(planned, opened.model);
    normalized(opened.model);
    const { steps, skipped } = bindPlan(planned, opened.model);
    limitWarnings(diagnostics, maxWarnings);
    const shown = (path: string): string => relative(host.cwd, path);
    const inputs = [...planned.files.map((file) => resolve(host.cwd, file)), ...opened.files, ...pluginFiles];
    const written = (file: string): string => resolve(folder, file);
    checkDestinations(planned.outputs.map(written), inputs, shown);
    const all = [
      ...steps.map(({ id, number, pass, options, selected }): StepPlan => (
        { id, number, pass: pass.name, options, ...(selected && { selected: [...selected] }), outputs: (pass.outputs?.(options as never) ?? []).map((file) => shown(written(file))) }
      )),
      ...skipped.map(({ step: { id, number, pass, options }, reason }): StepPlan => ({ id, number, pass: pass.name, options, skipped: reason, outputs: [] })),
    ].sort((a, b) => a.number - b.number);
    return {
      data: {
        model: shown(opened.files[0]!), target: planned.target, steps: all,
        inputs: inputs.map(shown), outputs: all.flatMap(({ outputs }) => outputs),
      },
      resolved: printPlan(planned, { origins: true }),
      diagnostics,
    };
  } finally {
    opened.close();
  }
}

/** Validates a recipe against its model. Returns warnings; throws Diagnostics with all mistakes. */
export async function check(recipe: RecipeSource, options: PlanOptions = {}): Promise<readonly Diagnostic[]> {
  return (await plan(recipe, options)).diagnostics;
}

/** Most node names that the text of a plan lists for one step. */
const listed = 8;

/** A plan for people. */
export function planText({ data: { model, target, steps, outputs } }: RecipePlan): string {
  const rows = steps.map(({ number, id, pass, skipped, selected, options }) => [
    String(number), id, pass === id ? '' : pass,
    skipped === undefined ? selected === undefined ? 'all nodes' : `${selected.length} nodes` : `skipped: ${skipped}`,
    Object.entries(options).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', '),
  ]);
  const selections = steps.flatMap(({ id, selected }) => (selected === undefined ? [] : [
    `\n${id} selects:\n`, ...selected.slice(0, listed).map((name) => `  ${visible(name)}\n`), ...(selected.length > listed ? [`  … and ${selected.length - listed} more (--json lists all)\n`] : []),
  ]));
  const writes = outputs.length === 0 ? '' : `\nwrites:\n${outputs.map((file) => `  ${file}\n`).join('')}`;
  return `model: ${model}\ntarget: ${target}\n\n${formatTable(['#', 'step', 'pass', 'on', 'options'], rows, ['right', 'left', 'left', 'left', 'left'])}${selections.join('')}${writes}`;
}
