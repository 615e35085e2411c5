import type { Diagnostic } from '../../ir/diagnostic.ts';
import { diagnosticsOf } from '../host.ts';
import { diagnosticsGithub } from '../report/github.ts';
import { diagnosticsJson } from '../report/json.ts';
import { formatDiagnostics } from '../report/pretty.ts';
import { hasColor, type Session } from './session.ts';

/** Areas of diagnostics for which nothing ran: the command line or the recipe is at fault. */
const invalid = new Set(['recipe', 'select', 'plugin', 'usage']);

/** The exit code for an error: 2 if nothing ran, 3 for a missed budget, 70 for a defect, else 1. */
export function exitCodeOf(error: unknown): number {
  const diagnostics = diagnosticsOf(error);
  const areas = diagnostics.map(({ code }) => code.split('/')[0]!);
  if (areas.includes('internal')) return 70;
  if (diagnostics.some(({ code }) => code === 'accept/budget')) return 3;
  return areas.some((area) => invalid.has(area) || area === 'accept') ? 2 : 1;
}

/** Prints diagnostics in the chosen format; none prints nothing. */
export function print(diagnostics: readonly Diagnostic[], { host, sources, format }: Session): void {
  if (diagnostics.length === 0) return;
  const write = (text: string): void => { host.stderr.write(text); };
  if (format === 'json') write(diagnosticsJson(diagnostics));
  else if (format === 'github') write(diagnosticsGithub(diagnostics));
  else write(formatDiagnostics(diagnostics, { source: (file) => sources.get(file), color: hasColor(host) }));
}

/** Prints an error, and for defects the stack, which is what their report needs. */
export function reportError(error: unknown, session: Session): void {
  const diagnostics = diagnosticsOf(error);
  print(diagnostics, session);
  for (const { code, cause } of diagnostics) {
    if (code.startsWith('internal/') && cause instanceof Error && cause.stack !== undefined) session.host.stderr.write(`${cause.stack}\n`);
  }
}
