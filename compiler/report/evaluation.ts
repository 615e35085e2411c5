import type { Interval } from '../eval/interval.ts';
import type { Evaluation, Score, SubjectResult } from '../eval/evaluate.ts';
import { formatBytes, formatTable, formatTime } from './table.ts';

/** Models side by side, for people. */
export function evaluationText(evaluation: Evaluation): string {
  const { headings, rows, notes } = evaluationTable(evaluation);
  return `${formatTable(headings, rows)}${notes.map((note) => `${note}\n`).join('')}`;
}

/** A table as text, and what must be known to read it. */
export interface EvaluationTable {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

/** Models side by side: one column for each, the first the one that the others are compared with. */
export function evaluationTable(evaluation: Evaluation): EvaluationTable {
  const { models, samples, data, random, optimization, batch = 1 } = evaluation;
  const [first] = models;
  const names = [...new Set(models.flatMap(({ scores }) => scores.map(({ name }) => name)))];
  const outputs = [...new Set(models.flatMap((model) => model.outputs.map(({ output }) => output)))];
  const rows = [
    ...names.map((name) => [scoreHeading(models, name), ...models.map((model) => scoreText(model.scores.find((score) => score.name === name)))]),
    ...(outputs.length === 1 && names.includes('sqnr') ? [] : outputs).map((output) => [outputs.length === 1 ? 'SQNR in dB' : `SQNR of ${output} in dB`, ...models.map((model) => sqnrText(model, output))]),
    ['file', ...models.map(({ bytes }) => formatBytes(bytes))],
    ...(models.some(({ bytes, deployedBytes }) => deployedBytes < 0.9 * bytes) ? [['deployed weights', ...models.map((model) => formatBytes(model.deployedBytes))]] : []),
    ...(first?.latency ? [[`median latency${batch === 1 ? '' : `, ${batch} samples`}`, ...models.map(({ latency }) => (latency ? latencyText(latency.median, first.latency!.median) : ''))]] : []),
  ];
  const how = optimization === 'disabled' ? 'computed as the files say' : 'as ONNX Runtime runs them on this processor';
  const notes = [
    `${samples} samples of '${data}'${random ? ', which are random numbers' : ''}; ${how}`,
    ...(models.some(({ scores }) => scores.some(hasChange)) ? ['in parentheses: the difference, and its 95 % interval over paired samples'] : []),
  ];
  return { headings: ['', ...models.map(({ name }) => name)], rows, notes };
}

function scoreHeading(models: readonly SubjectResult[], name: string): string {
  const score = models.flatMap(({ scores }) => scores).find((each) => each.name === name)!;
  const unit = { percent: ' in %', dB: ' in dB', nat: ' in nat', '': '' }[score.unit];
  return `${name}${unit}`;
}

/** Agreement is a comparison already. */
const hasChange = ({ name, change }: Score): boolean => change !== undefined && name !== 'agreement';

function scoreText(score: Score | undefined): string {
  if (score === undefined) return '';
  if (score.name === 'sqnr' && score.value === Infinity) return 'equal';
  const digits = score.unit === 'percent' || score.unit === 'dB' ? 2 : 4;
  return `${score.value.toFixed(digits)}${hasChange(score) ? ` (${changeText(score.change!, digits)})` : ''}`;
}

function changeText({ difference, low, high }: Interval, digits: number): string {
  const signed = (value: number): string => `${value > 0 ? '+' : ''}${value.toFixed(digits)}`;
  return `${signed(difference)}, ${signed(low)} … ${signed(high)}`;
}

function sqnrText({ outputs }: SubjectResult, output: string): string {
  const sqnr = outputs.find((each) => each.output === output)?.sqnr;
  return sqnr === undefined ? '' : sqnr === Infinity ? 'equal' : sqnr.toFixed(1);
}

function latencyText(median: number, base: number): string {
  return median === base ? formatTime(median) : `${formatTime(median)} (${(base / median).toFixed(2)}×)`;
}
