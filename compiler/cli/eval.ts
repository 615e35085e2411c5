import type { Command } from 'commander';
import { evalModels } from '../eval.ts';
import { evaluationText } from '../report/evaluation.ts';
import { finite } from '../report/file.ts';
import { count } from './arguments.ts';
import { print } from './errors.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface EvalFlags extends SharedOptions {
  readonly data: string;
  readonly use?: string;
  readonly set?: readonly string[];
  readonly metric?: string;
  readonly samples?: number;
  readonly shape?: readonly string[];
  readonly runs: number;
  readonly optimized?: boolean;
  readonly json?: boolean;
}

/** Adds the command that measures models side by side. */
export function addEval(root: Command, session: Session): void {
  const { host, sources } = session;
  shared(root.command('eval'))
    .summary('measure models side by side on the same samples')
    .description('Runs models on the same samples and prints accuracy, with a 95 % interval for the difference, agreement with the first model where outputs are classes, the signal-to-noise ratio of every output, size and latency. Latency is that of ONNX Runtime here, whatever the files are for.')
    .argument('<models...>', 'ONNX files; the first is the one that the others are compared with')
    .requiredOption('--data <recipe>', 'the recipe whose `data` hold the samples, and whose `inputs` the shapes of open axes')
    .option('--use <name>', 'which data of the recipe (default: validation, or the only one)')
    .option('--set <name=value>', 'give a variable of the recipe another value (may be repeated)', collect)
    .option('--metric <metric>', 'a metric in place of that of the data: top1, top5, agreement, sqnr, cosine, kl, maxError, auc, or a module')
    .option('--samples <count>', 'samples at most', count('--samples'))
    .option('--shape <name=lengths>', 'the shape of an input (INPUT=1,3,224,224) or the length of a symbol (SYMBOL=8), where the models leave it open; `inputs` of the recipe count without it (may be repeated)', collect)
    .option('--runs <count>', 'timed runs of each model, in turns; 0 for none', count('--runs'), 20)
    .option('--optimized', 'measure accuracy as ONNX Runtime runs the files on this processor, instead of as they say')
    .option('--json', 'print everything as JSON')
    .action(async (models: string[], { data, use, set, metric, samples, shape, runs, optimized, json, quiet }: EvalFlags) => {
      const { diagnostics, ...evaluation } = await evalModels(models, {
        host, sources, data, runs, ...(use !== undefined && { use }), ...(set && { set }), ...(metric !== undefined && { metric }), ...(samples !== undefined && { samples }), ...(shape && { shapes: shape }), ...(optimized && { optimized }),
        ...(host.isTTY && !quiet && { progress: (done, total) => { host.stderr.write(`\r${done}${total === undefined ? '' : ` of ${total}`} samples${total === done ? '\r\u001b[K' : ''}`); } }),
      });
      if (!quiet) print(diagnostics, session);
      host.stdout.write(json ? `${JSON.stringify(evaluation, finite, 2)}\n` : evaluationText(evaluation));
    });
}
