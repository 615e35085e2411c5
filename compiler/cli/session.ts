import { Option, type Command } from 'commander';
import type { Host } from '../host.ts';

/** How diagnostics are printed. */
export type Format = 'pretty' | 'json' | 'github';

/** One run of the command line. */
export interface Session {
  readonly host: Host;
  /** Texts of the recipe files that were read, for source lines in diagnostics. */
  readonly sources: Map<string, string>;
  exitCode: number;
  format: Format;
}

/** The options that every command has. */
export interface SharedOptions {
  readonly format: Format;
  readonly quiet?: boolean;
}

/** Adds the options that every command has. */
export function shared(command: Command, session: Session): Command {
  return command
    .addOption(new Option('--format <format>', 'how diagnostics are printed').choices(['pretty', 'json', 'github']).default('pretty'))
    .option('-q, --quiet', 'print errors only')
    .hook('preAction', (_command, action) => { session.format = action.opts<SharedOptions>().format; });
}

/** Colours only for people: never with NO_COLOR, always with FORCE_COLOR, else on a terminal (no-color.org, force-color.org). */
export function hasColor({ env, isTTY }: Host): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0';
  return isTTY;
}

/** For options that may be repeated. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
