/**
 * What int8 costs in accuracy: the default recipe (fold, equalize, calibrate, quantize-int8) on real models with real data.
 *
 *     npm run build && node dist/bench/accuracy.js [--target NAME] [--without PASS] [MODEL…]
 *
 * Models and data are those of ../shared, seen from the repository's root: 100 samples to calibrate, and test rows that calibration never saw. A model is named by any part of
 * its name; all if none is named. `--without equalize` shows what that step is worth. Both models are run without optimisations, which computes what the file says.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/compile.ts';
import type { Score, SubjectResult } from '../compiler/eval/evaluate.ts';
import type { Interval } from '../compiler/eval/interval.ts';
import type { Recipe } from '../compiler/recipe/define.ts';
import type { Report } from '../compiler/report/report.ts';
import { formatTable } from '../compiler/report/table.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import { labelledModels, shared, type Data } from './labelled-models.ts';
import type { PlacementRecord } from '../passes/quantize/record.ts';

const { values: { target, without }, positionals } = parseArgs({
  allowPositionals: true, options: { target: { type: 'string', default: 'portable' }, without: { type: 'string', multiple: true, default: [] } },
});

function recipeOf(name: string, [calibration, validation]: Data): Recipe {
  const steps = ['fold', 'equalize', 'calibrate', 'quantize-int8'].filter((pass) => !without.includes(pass));
  return {
    version: 1, model: join(shared, 'models', `${name}.onnx`), target: target as NonNullable<Recipe['target']>,
    data: { calibration, validation: { ...validation, metric: 'top1' } },
    steps: [...steps, { pass: 'export', with: { output: 'quantized.onnx' } }],
  };
}

function row(name: string, { steps, evaluation }: Report): string[] {
  const [float, quantized] = evaluation!.models as readonly [SubjectResult, SubjectResult];
  const score = (model: SubjectResult, metric: string): Score => model.scores.find((each) => each.name === metric)!;
  const { macs } = steps.map(({ records }) => records?.['placement'] as PlacementRecord | undefined).find((record) => record !== undefined)!;
  const top1 = score(quantized, 'top1');
  return [
    name, score(float, 'top1').value.toFixed(2), top1.value.toFixed(2), drop(top1.change!), score(quantized, 'agreement').value.toFixed(2),
    Math.min(...quantized.outputs.map(({ sqnr }) => sqnr)).toFixed(1), (100 * (macs.share ?? 0)).toFixed(1),
  ];
}

/** What accuracy falls by, in points: down is positive. */
function drop({ difference, low, high }: Interval): string {
  return `${(-difference).toFixed(2)} (${(-high).toFixed(2)} … ${(-low).toFixed(2)})`;
}

const folder = mkdtempSync(join(tmpdir(), 'onnxpress-bench-'));
const rows: string[][] = [];
for (const [name, pair] of Object.entries(labelledModels)) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue;
  try {
    const { report } = await compile(recipeOf(name, pair), { host: { cwd: folder } });
    rows.push(row(name, report));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    rows.push([name, Diagnostic.is(error) ? `${error.code}: ${error.message}` : error.message]);
  }
  process.stderr.write(`${rows.at(-1)!.join('  ')}\n`);
}
rmSync(folder, { recursive: true });
const headings = ['model', 'float, %', 'int8, %', 'drop (95 % interval)', 'agreement, %', 'SQNR, dB', 'int8 MACs, %'];
process.stdout.write(`target ${target}${without.map((pass) => `, without ${pass}`).join('')}\n${formatTable(headings, rows)}\n`);
