import type { Command } from 'commander';
import { compile, type CompileResult } from '../compile.ts';
import { check, plan, planText } from '../plan.ts';
import { formatBytes, formatChange, formatTable, formatTime } from '../report/table.ts';
import { print } from './errors.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface RecipeOptions extends SharedOptions {
  readonly set?: readonly string[];
}

interface CompileFlags extends RecipeOptions {
  readonly report?: string;
  readonly depfile?: string;
  readonly dump?: string;
  readonly reproducible?: boolean;
  readonly reproducers?: string;
}

/** Adds the commands that take a recipe: compile, plan, check. */
export function addCompile(root: Command, session: Session): void {
  const { host, sources } = session;
  const recipeCommand = (name: string, summary: string): Command => shared(root.command(name), session)
    .summary(summary)
    .argument('<recipe>', 'recipe file (YAML or JSON)')
    .option('--set <name=value>', 'give a variable of the recipe another value (may be repeated)', collect);

  recipeCommand('compile', 'run a recipe')
    .description('Runs a recipe: reads its model, runs its steps, and writes all outputs or none.')
    .option('--report <file>', 'write everything that was decided and done, as JSON')
    .option('--depfile <file>', 'write all files that were read, for make, ninja and CMake')
    .option('--dump <folder>', 'write the model as text after each step that changes it')
    .option('--reproducible', 'leave timings out of the report')
    .option('--reproducers <folder>', 'where reproducers of internal errors go (default: the folder for temporary files)')
    .action(async (recipe: string, { set, report, depfile, dump, reproducible, reproducers, quiet }: CompileFlags) => {
      const result = await compile(recipe, {
        host, sources, ...(set && { set }),
        ...(report !== undefined && { report }), ...(depfile !== undefined && { depfile }), ...(dump !== undefined && { dump }),
        ...(reproducible && { reproducible }), ...(reproducers !== undefined && { reproducers }),
      });
      if (quiet) return;
      print(result.diagnostics, session);
      if (session.format === 'pretty') host.stderr.write(summary(result));
    });

  recipeCommand('plan', 'print what a recipe would do, writing nothing')
    .description('Prints the steps of a recipe with the nodes that they select, the files that it would write, and every option with its default. Writes nothing.')
    .option('--resolved', 'print the recipe with every default filled in, and where each value comes from')
    .option('--json', 'print it as JSON')
    .action(async (recipe: string, { set, resolved, json, quiet }: RecipeOptions & { readonly resolved?: boolean; readonly json?: boolean }) => {
      const planned = await plan(recipe, { host, sources, ...(set && { set }) });
      if (!quiet) print(planned.diagnostics, session);
      host.stdout.write(resolved ? planned.resolved : json ? `${JSON.stringify(planned.data, undefined, 2)}\n` : planText(planned));
    });

  recipeCommand('check', 'validate a recipe against its model')
    .description('Validates a recipe, its plugins and its selectors against its model. Prints all mistakes; writes nothing.')
    .action(async (recipe: string, { set, quiet }: RecipeOptions) => {
      const diagnostics = await check(recipe, { host, sources, ...(set && { set }) });
      if (!quiet) print(diagnostics, session);
    });
}

/** What a compile did, for people: one line for each step, and the model before and after. */
function summary({ report, outputs }: CompileResult): string {
  const steps = report.steps.map(({ id, skipped, reverted, changes, figures, outputs: files }) => [
    id,
    skipped !== undefined ? 'skipped' : reverted !== undefined ? 'taken back' : changes > 0 ? `${changes} changes` : files.length > 0 ? 'wrote' : 'no change',
    figures === undefined ? '' : formatChange(figures.before.nodes, figures.after.nodes),
    figures === undefined ? '' : formatChange(figures.before.bytes, figures.after.bytes, formatBytes),
    report.timings?.[id] === undefined ? '' : formatTime(report.timings[id]),
  ]);
  const files = outputs.map((file) => `${file}  ${formatBytes(report.outputs[file]!.bytes)}\n`).join('');
  return `${formatTable(['step', 'did', 'nodes', 'constants', 'time'], steps, ['left', 'left'])}${files === '' ? '' : `\n${files}`}`;
}
