import { Command, CommanderError } from 'commander';
import type { Host } from '../host.ts';
import { version } from '../version.ts';
import { addCompile } from './compile.ts';
import { addReading } from './reading.ts';
import { addReference } from './reference.ts';
import { exitCodeOf, reportError } from './errors.ts';
import type { Session } from './session.ts';

/** A program of commands that act on this host. Each command sets the exit code of the session if it is not 0. */
export function program(session: Session): Command {
  const root = new Command('onnxpress')
    .description('A compression compiler for ONNX: recipes in, smaller and faster models out.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(onnxpress --help lists the commands)')
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({
      writeOut: (text) => { session.host.stdout.write(text); },
      writeErr: (text) => { session.host.stderr.write(text); },
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .exitOverride();
  addCompile(root, session);
  addReading(root, session);
  addReference(root, session);
  return root;
}

/**
 * The command line as a function: arguments without program name, what it prints to goes through the host. Returns the exit code: 0 ok,
 * 1 failed (or `diff` found differences), 2 usage or recipe invalid, 3 a budget missed, 70 internal error, 130 interrupted. Never throws.
 */
export async function run(argv: readonly string[], host: Host): Promise<number> {
  const session: Session = { host, sources: new Map(), exitCode: 0, format: 'pretty' };
  try {
    await program(session).parseAsync([...argv], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (host.signal.aborted) {
      host.stderr.write('interrupted: nothing was written\n');
      return 130;
    }
    reportError(error, session);
    return exitCodeOf(error);
  }
}

