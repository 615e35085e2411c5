import type { DiagnosticFields, Note, Range } from '../../ir/diagnostic.ts';
import { visible } from './visible.ts';

/** How diagnostics are printed for people. */
export interface PrettyOptions {
  /** Text of a file that diagnostics name, for the source line; undefined where it is not at hand. */
  readonly source?: (file: string) => string | undefined;
  /** ANSI colours. */
  readonly color?: boolean;
  /** Most errors and warnings that are printed; a line counts the rest. */
  readonly limit?: number;
}

const widest = 150;

type Paint = (style: keyof typeof styles, text: string) => string;
const styles = { error: 31, warning: 33, note: 36, bold: 1, dim: 2 } as const;

/**
 * Diagnostics as text that ends in a line break: code and message, place, source line with a caret, what was expected, notes. The hint to
 * `onnxpress explain` comes once for each code. Control characters of files and models are made visible, so that they cannot drive a terminal.
 */
export function formatDiagnostics(diagnostics: readonly DiagnosticFields[], { source = () => undefined, color = false, limit = 20 }: PrettyOptions = {}): string {
  const paint: Paint = color ? (style, text) => `\x1b[${styles[style]}m${text}\x1b[0m` : (_style, text) => text;
  const explained = new Set<string>();
  const blocks = diagnostics.slice(0, limit).map((diagnostic) => {
    const lines = block(diagnostic, source, paint);
    if (!explained.has(diagnostic.code)) lines.push(paint('dim', `  see: onnxpress explain ${visible(diagnostic.code)}`));
    explained.add(diagnostic.code);
    return lines.join('\n');
  });
  const rest = diagnostics.length - limit;
  if (rest > 0) blocks.push(`… and ${rest} more`);
  return blocks.length === 0 ? '' : `${blocks.join('\n\n')}\n`;
}

function block(diagnostic: DiagnosticFields, source: (file: string) => string | undefined, paint: Paint): string[] {
  const { severity, code, message, file, range, node, tensor, step, expected, suggestion, notes = [] } = diagnostic;
  const lines = [`${paint(severity, `${severity}[${visible(code)}]`)}: ${paint('bold', visible(message))}`];
  const excerpt = file !== undefined && range ? sourceLines(source(file), range, suggestion, (text) => paint(severity, text)) : undefined;
  if (file !== undefined) lines.push(`  ${location(file, range)}`);
  if (excerpt) lines.push(...excerpt);
  if (node) lines.push(`  node: ${visible(node.name)} (${visible(node.op)})${originText(node)}`);
  if (tensor !== undefined) lines.push(`  tensor: ${visible(tensor)}`);
  if (step !== undefined) lines.push(`  step: ${visible(step)}`);
  if (suggestion !== undefined && !excerpt) lines.push(`  ${sentence(visible(suggestion))}`);
  if (expected && expected.length > 0) lines.push(`  expected: ${listed(expected)}`);
  for (const note of notes) lines.push(`  ${paint('note', 'note')}: ${visible(note.message)}${noteLocation(note)}`);
  return lines;
}

const originText = ({ name, origin }: { name: string; origin: readonly string[] }): string =>
  origin.length === 0 || (origin.length === 1 && origin[0] === name) ? '' : `, from ${listed(origin)}`;

function listed(words: readonly string[]): string {
  const shown = words.slice(0, 24).map(visible).join(', ');
  return words.length > 24 ? `${shown}, … (${words.length})` : shown;
}

const location = (file: string, range: Range | undefined): string => `${visible(file)}${range ? `:${range.line}:${range.column}` : ''}`;
const noteLocation = ({ file, range }: Note): string => (file === undefined ? '' : `: ${location(file, range)}`);

/** The line with a caret under the range, and the suggestion beside it. */
function sourceLines(text: string | undefined, { line, column, endLine, endColumn }: Range, suggestion: string | undefined, mark: (text: string) => string): string[] | undefined {
  const whole = text?.split(/\r\n|\n|\r/, line)[line - 1];
  if (whole === undefined) return undefined;
  const end = endLine === line ? endColumn : whole.length + 1;
  // A long line is cut to a window around the caret.
  const from = column > widest - 30 ? column - 31 : 0;
  const shown = `${from > 0 ? '…' : ''}${whole.slice(from, from + widest)}${whole.length > from + widest ? '…' : ''}`;
  const start = column - 1 - from + (from > 0 ? 1 : 0);
  const before = columns(shown.slice(0, start));
  const carets = Math.max(1, columns(shown.slice(start, start + Math.max(1, end - column))));
  const gutter = String(line).length + 1;
  const hint = suggestion === undefined ? '' : ` ${phrase(visible(suggestion))}`;
  return [` ${line} | ${visible(shown)}`, `${' '.repeat(gutter)} | ${' '.repeat(before)}${mark(`${'^'.repeat(carets)}${hint}`)}`];
}

/** A suggestion that stands alone: a capital letter, a full stop. */
function sentence(text: string): string {
  return `${/^[a-z]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text}${/[\p{L}\p{N}`)]$/u.test(text) ? '.' : ''}`;
}

/** A suggestion beside a caret: neither. */
function phrase(text: string): string {
  const begin = /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
  return /[^.]\.$/.test(begin) && !begin.includes('. ') ? begin.slice(0, -1) : begin;
}

/** Characters as they are shown, surrogate pairs counted once. */
const columns = (text: string): number => Array.from(text).length;
