import type { Command } from 'commander';
import { bisect, type Culprit } from '../bisect.ts';
import { judgeByCommand, judgeByNumbers } from '../judge.ts';
import { share } from './arguments.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface BisectFlags extends SharedOptions {
  readonly set?: readonly string[];
  readonly tolerance: number;
  readonly json?: boolean;
}

/** Adds the command that finds what breaks a model. */
export function addBisect(root: Command, session: Session): void {
  const { host, sources } = session;
  shared(root.command('bisect'))
    .summary('find the step and the node that break a model')
    .description([
      'Runs the steps of a recipe on its model, writes nothing, and finds the first step behind which the model is bad, and the first node at which that step makes it so.',
      'A model is bad if its outputs on random inputs are not those of the original; or, with a command behind `--`, if the command does not end with exit code 0. `{}` in the command stands for the file of the model, which comes last if it is not there.',
    ].join(' '))
    .argument('<recipe>', 'recipe file (YAML or JSON)')
    .argument('[command...]', 'behind `--`: judges a model by its exit code; 125 for what it cannot tell')
    .option('--set <name=value>', 'give a variable of the recipe another value (may be repeated)', collect)
    .option('--tolerance <share>', 'without a command: how far outputs may be apart, as a share of the largest', share('--tolerance'), 1e-3)
    .option('--json', 'print what was found as JSON')
    .action(async (recipe: string, command: readonly string[], { set, tolerance, json, quiet }: BisectFlags) => {
      const found = await bisect(recipe, {
        host, sources, ...(set && { set }), judge: command.length > 0 ? judgeByCommand(command, host) : judgeByNumbers(tolerance),
        onVerdict: (what, verdict) => { if (!quiet && session.format === 'pretty') host.stderr.write(`${what}: ${verdict === undefined ? 'good' : `bad: ${verdict}`}\n`); },
      });
      host.stdout.write(json ? `${JSON.stringify(found ?? null, undefined, 2)}\n` : found === undefined ? 'the model is good behind all steps\n' : culpritText(found));
      if (found !== undefined) session.exitCode = 1;
    });
}

function culpritText({ step: { id, number, pass }, node, verdict, remarks }: Culprit): string {
  return [
    `step ${number} ${id}${pass === id ? '' : ` (${pass})`} breaks the model${node === undefined ? '' : ` at node ${node}`}: ${verdict}\n`,
    ...remarks.map(({ kind, rule, message }) => `  ${kind} ${rule}: ${message}\n`),
  ].join('');
}
