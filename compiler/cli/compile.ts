import { Option, type Command } from 'commander';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { compile, type CompileResult } from '../compile.ts';
import { check, plan, planText } from '../plan.ts';
import { evaluationText } from '../report/evaluation.ts';
import { formatBytes, formatChange, formatTable, formatTime } from '../report/table.ts';
import { visible } from '../report/visible.ts';
import { checkModel } from '../check-model.ts';
import { count } from './arguments.ts';
import { print } from './errors.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface RecipeOptions extends SharedOptions {
  readonly set?: readonly string[];
  readonly maxWarnings?: number;
}

interface CompileFlags extends RecipeOptions {
  readonly report?: string;
  readonly html?: string;
  readonly depfile?: string;
  readonly deptarget?: readonly string[];
  readonly dump?: string;
  readonly eval: boolean;
  readonly reproducible?: boolean;
  readonly reproducers?: string;
}

/** Adds the commands that take a recipe: compile, plan, check. */
export function addCompile(root: Command, session: Session): void {
  const { host, sources } = session;
  const recipeCommand = (name: string, summary: string, argument = '<recipe>', meaning = 'recipe file (YAML or JSON)'): Command => shared(root.command(name))
    .summary(summary)
    .argument(argument, meaning)
    .option('--set <name=value>', 'give a variable of the recipe another value (may be repeated)', collect)
    .option('--max-warnings <count>', 'fail if there are more warnings than this; nothing is written then', count('--max-warnings'));

  recipeCommand('compile', 'run a recipe')
    .description('Runs a recipe: reads its model, runs its steps, and writes all outputs or none.')
    .option('--report <file>', 'write everything that was decided and done, as JSON')
    .option('--html <file>', 'write it as a page for people: one HTML file that needs nothing beside it')
    .option('--depfile <file>', 'write all files that were read, for make, ninja and CMake')
    .option('--deptarget <name>', 'with --depfile: the target to write instead of the outputs (may be repeated)', collect)
    .option('--dump <folder>', 'write the model as text after each step that changes it')
    .option('--no-eval', 'do not measure the compiled model on the validation data, unless budgets need it')
    .option('--reproducible', 'leave timings out of the report')
    .option('--reproducers <folder>', 'where reproducers of internal errors go (default: the folder for temporary files)')
    .action(async (recipe: string, { set, report, html, depfile, deptarget, dump, maxWarnings, eval: measure, reproducible, reproducers, quiet }: CompileFlags) => {
      if (deptarget && depfile === undefined) {
        throw new Diagnostic('usage/command-line', '--deptarget names the target of a dependency file, and none is written', { suggestion: 'Add --depfile FILE.' });
      }
      const result = await compile(recipe, {
        host, sources, ...(set && { set }), ...(maxWarnings !== undefined && { maxWarnings }),
        ...(report !== undefined && { report }), ...(html !== undefined && { html }), ...(depfile !== undefined && { depfile }), ...(deptarget && { deptarget }), ...(dump !== undefined && { dump }),
        evaluate: measure, ...(reproducible && { reproducible }), ...(reproducers !== undefined && { reproducers }),
      });
      if (quiet) return;
      print(result.diagnostics, session);
      if (session.format === 'pretty') host.stderr.write(summary(result));
    });

  recipeCommand('plan', 'print what a recipe would do, writing nothing')
    .description('Prints the steps of a recipe with the nodes that they select, the files that it would write, and every option with its default. Writes nothing.')
    .option('--resolved', 'print the recipe with every default filled in, and where each value comes from')
    .addOption(new Option('--json', 'print it as JSON').conflicts('resolved'))
    .action(async (recipe: string, { set, maxWarnings, resolved, json, quiet }: RecipeOptions & { readonly resolved?: boolean; readonly json?: boolean }) => {
      const planned = await plan(recipe, { host, sources, ...(set && { set }), ...(maxWarnings !== undefined && { maxWarnings }) });
      if (!quiet) print(planned.diagnostics, session);
      host.stdout.write(resolved ? planned.resolved : json ? `${JSON.stringify(planned.data, undefined, 2)}\n` : planText(planned));
    });

  recipeCommand('check', 'validate a recipe against its model, or a model', '<recipe|model>', 'recipe file (YAML or JSON), or ONNX file')
    .description('Validates a recipe, its plugins and its selectors against its model; or a model (*.onnx): its structure, its types, and whether ONNX Runtime accepts it. Prints all mistakes; writes nothing.')
    .action(async (file: string, { set, maxWarnings, quiet }: RecipeOptions) => {
      const diagnostics = /\.onnx$/i.test(file)
        ? await checkModel(file, { host })
        : await check(file, { host, sources, ...(set && { set }), ...(maxWarnings !== undefined && { maxWarnings }) });
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
  const idle = report.steps.flatMap(({ id, skipped, reverted, changes, remarks }) => (skipped === undefined && reverted === undefined && changes === 0 ? idleText(id, remarks) : []));
  const files = outputs.map((file) => `${file}${report.outputs[file] === undefined ? '' : `  ${formatBytes(report.outputs[file].bytes)}`}\n`).join('');
  return `${formatTable(['step', 'did', 'nodes', 'constants', 'time'], steps, ['left', 'left'])}${idle.join('')}${files === '' ? '' : `\n${files}`}${report.evaluation === undefined ? '' : `\n${evaluationText(report.evaluation)}`}`;
}

/** Reasons that are shown for a step that did nothing. */
const shownReasons = 3;

/** Why a step that changed nothing left nodes alone: the most frequent reasons of its remarks; nothing where it did not look at any. */
function idleText(id: string, remarks: CompileResult['report']['steps'][number]['remarks']): string[] {
  const reasons = new Map<string, string[]>();
  for (const { kind, rule, message } of remarks) if (kind === 'missed') reasons.set(rule, [...reasons.get(rule) ?? [], message]);
  if (reasons.size === 0) return [];
  const most = [...reasons].sort(([, a], [, b]) => b.length - a.length).slice(0, shownReasons);
  const rest = reasons.size - most.length;
  const lines = most.map(([rule, messages]) => `  ${messages.length} × ${visible(rule)}, such as: ${visible(messages[0]!)}\n`);
  return [`\n${id} changed nothing:\n${lines.join('')}${rest > 0 ? `  and ${rest} more ${rest === 1 ? 'reason' : 'reasons'}\n` : ''}`];
}
