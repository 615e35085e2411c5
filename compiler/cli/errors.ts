import type { CommanderError } from 'commander';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { diagnosticsOf } from '../host.ts';
import { diagnosticsGithub } from '../report/github.ts';
import { diagnosticsJson } from '../report/json.ts';
import { formatDiagnostics } from '../report/pretty.ts';
import { diagnosticsSarif } from '../report/sarif.ts';
import { hasColor, type Session } from './session.ts';

/** Areas and codes of diagnostics for which nothing ran: the command line or the recipe is at fault. */
const invalid = new Set(['recipe', 'select', 'plugin', 'usage', 'accept', 'output/conflict']);

/** The exit code for an error: 2 if nothing ran, 3 for a missed budget, 70 for a defect, else 1. */
export function exitCodeOf(error: unknown): number {
  const codes = diagnosticsOf(error).filter(({ severity }) => severity === 'error').map(({ code }) => code);
  const areas = codes.map((code) => code.split('/')[0]!);
  if (areas.includes('internal')) return 70;
  if (codes.includes('accept/budget')) return 3;
  return [...areas, ...codes].some((part) => invalid.has(part)) ? 2 : 1;
}

/** Prints diagnostics in the chosen format; what makes one document is kept for the end. */
export function print(diagnostics: readonly Diagnostic[], { host, sources, format, reported }: Session): void {
  reported.push(...diagnostics);
  if (diagnostics.length === 0) return;
  if (format === 'github') host.stderr.write(diagnosticsGithub(diagnostics));
  if (format === 'pretty') host.stderr.write(formatDiagnostics(diagnostics, { source: (file) => sources.get(file), color: hasColor(host) }));
}

/** Ends what is printed to stderr: with `json` and `sarif` there is one document, also when there is nothing to report. */
export function finish({ host, format, reported }: Session): void {
  if (format === 'json') host.stderr.write(diagnosticsJson(reported));
  if (format === 'sarif') host.stderr.write(diagnosticsSarif(reported));
}

/** Prints an error, and for defects the stack, which is what their report needs. */
export function reportError(error: unknown, session: Session): void {
  const diagnostics = diagnosticsOf(error);
  print(diagnostics, session);
  if (session.format !== 'pretty') return;
  for (const { code, cause } of diagnostics) {
    if (code.startsWith('internal/') && cause instanceof Error && cause.stack !== undefined) session.host.stderr.write(`${cause.stack}\n`);
  }
}

/** What the parser of the command line refuses, as a Diagnostic: its message is `error: …`, with what was probably meant in parentheses on the next line. */
export function usageError({ message }: CommanderError, command: string | undefined): Diagnostic {
  const [what, near] = message.replace(/^error: /, '').split('\n');
  const help = `\`onnxpress ${command === undefined ? '' : `${command} `}--help\` lists the ${command === undefined ? 'commands' : 'arguments and options'}.`;
  return new Diagnostic('usage/command-line', what!.replace(/\.$/, ''), { suggestion: near?.replace(/^\((.*)\)$/, '$1') ?? help });
}
