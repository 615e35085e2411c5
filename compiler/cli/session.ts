import { Option, type Command } from 'commander';
import type { Diagnostic } from '../../ir/diagnostic.ts';
import type { Host } from '../host.ts';

/** How diagnostics are printed. */
export type Format = 'pretty' | 'json' | 'sarif' | 'github';

const formats: readonly Format[] = ['pretty', 'json', 'sarif', 'github'];

/** One run of the command line. */
export interface Session {
  readonly host: Host;
  /** Texts of the recipe files that were read, for source lines in diagnostics. */
  readonly sources: Map<string, string>;
  /** What was reported so far: with `json` and `sarif` all of it is printed at the end, as one document. */
  readonly reported: Diagnostic[];
  exitCode: number;
  format: Format;
}

/** The options that every command has. */
export interface SharedOptions {
  readonly format: Format;
  readonly quiet?: boolean;
}

/** Adds the options that every command has. */
export function shared(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'how diagnostics are printed').choices(formats).default('pretty'))
    .option('-q, --quiet', 'print errors only');
}

/** The format that the arguments ask for: known before they are parsed, so that what is wrong with them is reported in it. */
export function formatOf(argv: readonly string[]): Format {
  const words = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const asked = words.flatMap((word, index) => (word === '--format' ? [words[index + 1]] : word.startsWith('--format=') ? [word.slice('--format='.length)] : [])).at(-1);
  return formats.find((format) => format === asked) ?? 'pretty';
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
