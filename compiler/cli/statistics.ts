import type { Command } from 'commander';
import { calibrateRecipe, mergeStatistics } from '../calibrate.ts';
import { formatBytes } from '../report/table.ts';
import { print } from './errors.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface CalibrateFlags extends SharedOptions {
  readonly set?: readonly string[];
  readonly shard?: string;
  readonly output: string;
}

/** Adds the commands that make statistics: calibrate, merge. */
export function addStatistics(root: Command, session: Session): void {
  const { host, sources } = session;
  shared(root.command('calibrate'))
    .summary('gather the statistics of a recipe, or of one shard of its samples')
    .description('Runs a recipe up to its first calibrate and writes what it gathers, to be loaded with the option `statistics: { load: FILE }` of calibrate. Later steps say what they want to know and do not run.')
    .argument('<recipe>', 'recipe file (YAML or JSON)')
    .requiredOption('-o, --output <file>', 'the file of statistics to write')
    .option('--shard <i/n>', 'look at part i of n of the samples only')
    .option('--set <name=value>', 'give a variable of the recipe another value (may be repeated)', collect)
    .action(async (recipe: string, { set, shard, output, quiet }: CalibrateFlags) => {
      const { samples, values, bytes, remarks, diagnostics } = await calibrateRecipe(recipe, { host, sources, output, ...(set && { set }), ...(shard !== undefined && { shard }) });
      if (quiet) return;
      print(diagnostics, session);
      if (session.format !== 'pretty') return;
      for (const { rule, message } of remarks) host.stderr.write(`${rule}: ${message}\n`);
      host.stderr.write(`${output}: ${values} values over ${samples} samples, ${formatBytes(bytes)}\n`);
    });

  shared(root.command('merge'))
    .summary('merge statistics of shards')
    .description('Merges files of statistics that shards of one run gathered. The result is the same, to the byte, in any order, and the same as that of one run over all samples.')
    .argument('<statistics...>', 'files that `onnxpress calibrate` wrote')
    .requiredOption('-o, --output <file>', 'the file to write')
    .action(async (files: readonly string[], { output, quiet }: SharedOptions & { readonly output: string }) => {
      const samples = await mergeStatistics(files, output, host);
      if (!quiet && session.format === 'pretty') host.stderr.write(`${output}: ${samples} samples of ${files.length} files\n`);
    });
}
