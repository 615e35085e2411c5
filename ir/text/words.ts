import { dtypes } from '../dtype.ts';

/** Words that begin a type in the text form; a name that is one of them is quoted. */
const typeWords: ReadonlySet<string> = new Set([...dtypes, 'undefined', 'seq', 'map', 'optional', 'sparse_tensor', 'opaque']);

/** True for a word that begins a type: an element type, `seq`, `map`, … */
export function isTypeWord(word: string): boolean {
  return typeWords.has(word);
}

/** True if the text form can spell `text` without quotes. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** A string literal: only `"` and `\` are escaped, everything else (line breaks too) stands for itself, as in onnx.parser. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A name, quoted where it is no identifier or would be taken for a type. */
export function nameText(name: string): string {
  return isIdentifier(name) && !isTypeWord(name) ? name : quoted(name);
}
