import type { DiagnosticFields } from '../../ir/diagnostic.ts';

const commands = { error: 'error', warning: 'warning', note: 'notice' } as const;

/** GitHub shows ten annotations of a kind for each step of a workflow. */
const shown = 10;

/**
 * Diagnostics as workflow commands of GitHub Actions, errors first, one line each; those beyond ten of a kind are counted in a last line. See
 * docs.github.com, "Workflow commands", for the escapes.
 */
export function diagnosticsGithub(diagnostics: readonly DiagnosticFields[]): string {
  const lines: string[] = [];
  for (const severity of ['error', 'warning', 'note'] as const) {
    const all = diagnostics.filter((diagnostic) => diagnostic.severity === severity);
    lines.push(...all.slice(0, shown).map(annotation));
    if (all.length > shown) lines.push(`::${commands[severity]}::${all.length - shown} more of this kind`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function annotation({ severity, code, message, file, range, node, step, suggestion }: DiagnosticFields): string {
  const properties = {
    file, line: range?.line, col: range?.column, endLine: range?.endLine, endColumn: range?.endColumn, title: code,
  };
  const list = Object.entries(properties).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${property(String(value))}`])).join(',');
  const text = [message, node && `node: ${node.name} (${node.op})`, step !== undefined && `step: ${step}`, suggestion].filter((part) => typeof part === 'string').join('\n');
  return `::${commands[severity]} ${list}::${data(text)}`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
