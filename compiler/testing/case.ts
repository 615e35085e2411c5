import { parse as parseYaml } from 'yaml';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Tolerance } from './compare.ts';

/** What a case says about itself, in comments at its head: `# options: { maxGrowth: 0 }`. */
export interface CaseSettings {
  /** Options of the pass, as a recipe would give them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Names of the nodes that the step may touch; all nodes if absent. */
  readonly select?: readonly string[];
  /** How far outputs may be from those before the pass; `none`: they are not compared (a random operator, or a pass that changes results on purpose). */
  readonly tolerance?: Tolerance | 'none';
}

/** A golden case: a model, and what a pass makes of it. */
export interface Case {
  readonly name: string;
  readonly settings: CaseSettings;
  /** The file up to the expectation, as it stands: settings, and the text of the model. */
  readonly input: string;
  /** What must come out, in the form that `resultText` gives; undefined while nobody has recorded it. */
  readonly expected: string | undefined;
}

const separator = '---';

/**
 * Reads the file of a case:
 *
 *     # options: { maxGrowth: 0 }        options, select and tolerance, as YAML; other comments are prose
 *     <ir_version: 10, opset_import: ["": 21]>
 *     main (float[2] x) => (float[2] y) { … }
 *     ---
 *     main (float[2] x) => (float[2] y) { … }        or `unchanged`; or nothing but `# fails`, for a pass that refuses
 *     # missed fold/not-deterministic at noise: …    every remark, in order
 *
 * Throws `testing/case` for a setting that does not exist or has the wrong form.
 */
export function readCase(name: string, text: string): Case {
  const lines = text.replace(/\r\n/g, '\n').split('\n');
  const at = lines.indexOf(separator);
  const input = (at < 0 ? lines : lines.slice(0, at)).join('\n').trimEnd();
  const expected = at < 0 ? undefined : lines.slice(at + 1).join('\n').trim();
  return { name, settings: readSettings(name, input), input, expected: expected === '' ? undefined : expected };
}

/** The file of a case with another expectation. */
export function withExpectation({ input }: Case, expected: string): string {
  return `${input}\n${separator}\n${expected}\n`;
}

const readers: Readonly<Record<keyof CaseSettings, (value: unknown) => boolean>> = {
  options: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  select: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  tolerance: (value) => value === 'exact' || value === 'none' || (typeof value === 'number' && value > 0 && value < 1),
};

function readSettings(name: string, input: string): CaseSettings {
  const settings: Record<string, unknown> = {};
  for (const line of input.split('\n')) {
    if (!line.startsWith('#')) break;
    const [, key, text] = /^# ?([a-z]+):(.*)$/.exec(line) ?? [];
    if (key === undefined) continue;
    const value = yamlOf(text!);
    if (!Object.hasOwn(readers, key) || !readers[key as keyof CaseSettings](value)) {
      throw new Diagnostic('testing/case', `${name}: '${line}' is no setting of a case`, {
        file: name, expected: ['# options: { key: value }', '# select: [node, …]', '# tolerance: exact, none or a number below 1'],
        suggestion: 'Prose may not begin with a word in lower case and a colon.',
      });
    }
    settings[key] = value;
  }
  return settings;
}

function yamlOf(text: string): unknown {
  try {
    return parseYaml(text);
  } catch {
    return undefined;
  }
}
