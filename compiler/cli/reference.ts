import { relative, resolve } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Command } from 'commander';
import { builtInPasses } from '../../passes/index.ts';
import type { Pass } from '../../passes/pass.ts';
import { explain, explainNode } from '../explain.ts';
import { checkDestinations, writeFiles } from '../files/write-files.ts';
import { Diagnostics } from '../host.ts';
import { loadPlugins } from '../plugins.ts';
import { recipeJsonSchema } from '../recipe/json-schema.ts';
import { didYouMean } from '../recipe/suggest.ts';
import { passList, passPage } from '../reference.ts';
import { readReport } from '../report/file.ts';
import { reportHtml } from '../report/html/page.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface PluginFlags extends SharedOptions {
  readonly plugin?: readonly string[];
}

/** Adds the commands that print what is known: passes, schema, report, explain. */
export function addReference(root: Command, session: Session): void {
  const { host } = session;
  const withPlugins = (command: Command): Command => command
    .option('--plugin <name>', 'add the passes of a plugin, found from here (may be repeated); runs its code', collect);

  withPlugins(shared(root.command('passes')))
    .summary('list the passes, or explain one')
    .description('Lists the passes that recipes can use, or prints the reference page of one.')
    .argument('[name]', 'name of a pass')
    .action(async (name: string | undefined, { plugin }: PluginFlags) => {
      const passes = await allPasses(plugin, session);
      host.stdout.write(name === undefined ? passList(passes) : passPage(named(name, passes)));
    });

  withPlugins(shared(root.command('schema')))
    .summary('print the JSON Schema of recipes')
    .description('Prints the JSON Schema of recipes, which editors complete and check by: put `# yaml-language-server: $schema=FILE` on the first line of a recipe.')
    .action(async ({ plugin }: PluginFlags) => {
      host.stdout.write(`${JSON.stringify(recipeJsonSchema(await allPasses(plugin, session)), undefined, 2)}\n`);
    });

  shared(root.command('report'))
    .summary('make a page of a report')
    .description('Makes the page that `compile --html` writes of a report that `compile --report` wrote.')
    .argument('<report>', 'report of a compile (JSON)')
    .requiredOption('-o, --output <file>', 'the HTML file to write')
    .action((report: string, { output }: SharedOptions & { readonly output: string }) => {
      const [input, path] = [resolve(host.cwd, report), resolve(host.cwd, output)];
      checkDestinations([path], [input], (each) => relative(host.cwd, each));
      writeFiles([{ path, chunks: [new TextEncoder().encode(reportHtml(readReport(input, report)))] }]);
    });

  shared(root.command('explain'))
    .summary('explain a diagnostic, or what happened to a node')
    .description('Explains the code of a diagnostic. With a report of a compile: tells everything that happened to a node, by any name it had.')
    .argument('<what>', 'code such as recipe/unknown-option, or the name of a node with --report')
    .option('--report <file>', 'report that `compile --report` wrote')
    .action((what: string, { report }: SharedOptions & { readonly report?: string }) => {
      host.stdout.write(report === undefined ? explain(what) : explainNode(what, report, { host }));
    });
}

async function allPasses(plugins: readonly string[] = [], { host }: Session): Promise<readonly Pass[]> {
  const problems: Diagnostic[] = [];
  const { passes } = await loadPlugins(plugins.map((specifier) => ({ specifier })), host.cwd, builtInPasses, (problem) => problems.push(problem));
  if (problems.length > 0) throw new Diagnostics(problems);
  return [...builtInPasses, ...passes];
}

function named(name: string, passes: readonly Pass[]): Pass {
  const pass = passes.find((each) => each.name === name);
  if (pass !== undefined) return pass;
  const names = passes.map((each) => each.name);
  throw new Diagnostic('usage/unknown-pass', `there is no pass ${JSON.stringify(name)}`, { expected: names, suggestion: didYouMean(name, names) ?? '`onnxpress passes` lists them.' });
}
