import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Report } from './report.ts';

/** JSON has no infinite numbers: they are written as words. */
export const finite = (_key: string, value: unknown): unknown => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value);

/** A report as JSON, with lists of numbers on one line each. */
export function reportText(report: Report): string {
  // No text in JSON holds a line break, so that this meets lists only.
  return `${JSON.stringify(report, finite, 2).replaceAll(/\[\n[\s\d.,eE+-]+\]/g, (list) => list.replaceAll(/\s+/g, ' '))}\n`;
}

const text = { type: 'string' };
const number = { type: 'number' };
/** Infinity is a word. */
const any = { type: ['number', 'string'] };
const list = (items: object): object => ({ type: 'array', items });
const map = (values: object): object => ({ type: 'object', additionalProperties: values });
/** A schema of an object with these properties; others are let be. */
export const object = (required: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}): object => (
  { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } }
);

const node = object({ name: text, op: text, origin: list(text) });
const files = map(object({ bytes: number, sha256: text }));
const figures = object({ nodes: number, operators: map(number), macs: number, uncounted: number, parameters: number, bytes: number });
const subject = object(
  {
    name: text, bytes: number, deployedBytes: number, outputs: list(object({ output: text, sqnr: any })),
    scores: list(object(
      { name: text, unit: { enum: ['percent', 'dB', 'nat', ''] }, higherIsBetter: { type: 'boolean' }, value: any },
      { change: object({ difference: number, low: number, high: number }) },
    )),
  },
  { latency: object({ median: number, fastest: number, runs: number }) },
);

/** What is read of a report. */
const isReport = new Ajv({ strict: false }).compile<Report>(object(
  {
    schema: { const: 1 }, version: text, recipe: object({ file: text, sha256: text }), target: text, inputs: files, outputs: files, nodes: map(list(text)),
    model: object({ before: figures, after: figures }),
    steps: list(object(
      {
        id: text, number, pass: text, version: number, options: { type: 'object' }, changes: number, stats: map(number), outputs: list(text),
        remarks: list(object({ kind: { enum: ['applied', 'missed', 'analysis'] }, rule: text, message: text }, { node, tensor: text })),
      },
      { selected: list(text), skipped: text, reverted: text, records: { type: 'object' }, figures: object({ before: figures, after: figures }) },
    )),
    diagnostics: list(object(
      { code: text, severity: { enum: ['error', 'warning', 'note'] }, message: text },
      { file: text, range: object({ line: number, column: number }), node, tensor: text, step: text, suggestion: text },
    )),
  },
  {
    evaluation: object({ data: text, random: { type: 'boolean' }, samples: number, optimization: text, models: { ...list(subject), minItems: 1 } }),
    timings: map(number),
  },
));

/** Reads what `reportText` wrote. `shown` is how errors name the file. Throws `usage/unreadable-report`. */
export function readReport(path: string, shown: string): Report {
  const report = parsed(path, shown);
  if (isReport(report)) return report.evaluation === undefined ? report : { ...report, evaluation: withNumbers(report.evaluation) };
  throw new Diagnostic('usage/unreadable-report', `${shown} is no report of this version of onnxpress`, { file: shown, suggestion });
}

const suggestion = 'Write one with: onnxpress compile RECIPE --report FILE.';

function parsed(path: string, shown: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Diagnostic('usage/unreadable-report', `cannot read the report ${shown}: ${unreadable(error)}`, { file: shown, suggestion });
  }
}

function unreadable(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'there is no such file';
  return error instanceof SyntaxError ? 'it is no JSON' : String(error);
}

/** Words become infinite numbers again. */
function withNumbers(evaluation: NonNullable<Report['evaluation']>): NonNullable<Report['evaluation']> {
  const numeric = (value: unknown): number => Number(value);
  const models = evaluation.models.map((model) => ({
    ...model, outputs: model.outputs.map((output) => ({ ...output, sqnr: numeric(output.sqnr) })),
    scores: model.scores.map((score) => ({ ...score, value: numeric(score.value) })),
  }));
  return { ...evaluation, models };
}
