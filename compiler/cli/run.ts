import { Command, CommanderError } from 'commander';
import type { Host } from '../host.ts';
import { version } from '../version.ts';
import { addBisect } from './bisect.ts';
import { addCompile } from './compile.ts';
import { exitCodeOf, finish, print, reportError, usageError } from './errors.ts';
import { addEval } from './eval.ts';
import { addReading } from './reading.ts';
import { addReference } from './reference.ts';
import { formatOf, type Session } from './session.ts';
import { addStatistics } from './statistics.ts';

/** A program of commands that act on this host. Each command sets the exit code of the session if it is not 0. */
export function program(session: Session): Command {
  const root = new Command('onnxpress')
    .description('A compression compiler for ONNX: recipes in, smaller and faster models out.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      writeOut: (text) => { session.host.stdout.write(text); },
      writeErr: (text) => { session.host.stderr.write(text); },
      // What it refuses is reported as a Diagnostic.
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .exitOverride();
  addCompile(root, session);
  addReading(root, session);
  addEval(root, session);
  addStatistics(root, session);
  addBisect(root, session);
  addReference(root, session);
  return root;
}

/**
 * The command line as a function: arguments without program name, what it prints to goes through the host. Returns the exit code: 0 ok,
 * 1 failed (or `diff` found differences), 2 usage or recipe invalid, 3 a budget missed, 70 internal error, 130 interrupted. Never throws.
 */
export async function run(argv: readonly string[], host: Host): Promise<number> {
  const session: Session = { host, sources: new Map(), reported: [], exitCode: 0, format: formatOf(argv) };
  const root = program(session);
  try {
    await root.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    session.exitCode = codeAfter(error, root, argv, session);
    // Help and version are all that was asked for.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
  }
  finish(session);
  return session.exitCode;
}

/** Reports what ended a run, and says with which exit code. */
function codeAfter(error: unknown, root: Command, argv: readonly string[], session: Session): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Without a command the help was printed.
    if (error.code !== 'commander.help') print([usageError(error, root.commands.find((command) => command.name() === argv[0])?.name())], session);
    return 2;
  }
  if (session.host.signal.aborted) {
    if (session.format === 'pretty' || session.format === 'github') session.host.stderr.write('interrupted: nothing was written\n');
    return 130;
  }
  reportError(error, session);
  return exitCodeOf(error);
}
