import type { DiagnosticFields } from '../../ir/diagnostic.ts';

/** Diagnostics as one JSON document: a list of the records as they are. */
export function diagnosticsJson(diagnostics: readonly DiagnosticFields[]): string {
  return `${JSON.stringify({ diagnostics }, undefined, 2)}\n`;
}
