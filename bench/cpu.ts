/**
 * Float against int8 in ONNX Runtime on this processor: latency, accuracy, and what fuses.
 *
 *     npm run build && node dist/bench/cpu.js [FORM] MODEL…
 *
 * FORM is `static` (the default: calibrate and quantize-int8), `unsigned` or `ignore` (the same with that `saturation`), `gptq` (with that rounding) or `dynamic` (quantize-dynamic). Each model is
 * compiled for onnxruntime-cpu by a whole recipe, on random samples, so accuracy is only that of layers on noise: SQNR of the worst output. Both models are run in turns on one
 * sample; the fastest run of each counts, so that what else the machine does counts little, and the median stands beside it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { compile } from '../compiler/compile.ts';
import { evalModels } from '../compiler/eval.ts';
import type { Evaluation } from '../compiler/eval/evaluate.ts';
import type { Latency } from '../compiler/eval/latency.ts';
import type { Recipe } from '../compiler/recipe/define.ts';
import type { Report } from '../compiler/report/report.ts';
import { formatTable } from '../compiler/report/table.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { FusionRecord } from '../passes/quantize/fusion.ts';

const forms = {
  static: [{ pass: 'calibrate' }, { pass: 'quantize-int8' }],
  unsigned: [{ pass: 'calibrate' }, { pass: 'quantize-int8', with: { saturation: 'unsigned' } }],
  ignore: [{ pass: 'calibrate' }, { pass: 'quantize-int8', with: { saturation: 'ignore' } }],
  gptq: [{ pass: 'calibrate' }, { pass: 'quantize-int8', with: { rounding: 'gptq' } }],
  dynamic: [{ pass: 'quantize-dynamic' }],
} as const;

/** Timed runs of each model. */
const runs = 80;

const [first = '', ...others] = process.argv.slice(2);
const form = first in forms ? first as keyof typeof forms : 'static';
const models = first in forms ? others : [first, ...others];

function recipeOf(model: string): Recipe {
  return {
    version: 1, model: resolve(model), target: 'onnxruntime-cpu',
    data: { calibration: { random: { seed: 1 }, samples: 4, batch: 1 }, validation: { random: { seed: 2 }, samples: 4, batch: 1 } },
    steps: [{ pass: 'fold' }, ...forms[form], { pass: 'export', with: { output: 'quantized.onnx' } }],
  };
}

function row(model: string, { steps }: Report, { models: results }: Evaluation): string[] {
  const [float, quantized] = results.map(({ latency }) => latency) as [Latency, Latency];
  const fusion = steps.map(({ records }) => records?.['fusion'] as FusionRecord | undefined).find((record) => record !== undefined);
  const sqnr = Math.min(...results[1]!.outputs.map((output) => output.sqnr));
  const milliseconds = (time: number): string => time.toFixed(time < 10 ? 2 : 1);
  return [
    basename(model, '.onnx'), `${milliseconds(float.fastest)} (${milliseconds(float.median)})`, `${milliseconds(quantized.fastest)} (${milliseconds(quantized.median)})`,
    `${(float.fastest / quantized.fastest).toFixed(2)}×`, sqnr.toFixed(1), fusion === undefined ? '' : `${fusion.int8 - fusion.float.length} of ${fusion.int8}`,
  ];
}

const folder = mkdtempSync(join(tmpdir(), 'onnxpress-bench-'));
const headings = ['model', 'float, ms', 'int8, ms', 'faster', 'SQNR, dB', 'nodes fused'];
const rows: string[][] = [];
for (const model of models) {
  try {
    const recipe = recipeOf(model);
    writeFileSync(join(folder, 'recipe.json'), JSON.stringify(recipe));
    const { report } = await compile(recipe, { host: { cwd: folder }, evaluate: false });
    rows.push(row(model, report, await evalModels([resolve(model), 'quantized.onnx'], { host: { cwd: folder }, data: 'recipe.json', use: 'validation', optimized: true, runs })));
  } catch (error) {
    rows.push([basename(model, '.onnx'), Diagnostic.is(error) ? `${error.code}: ${error.message}` : String(error)]);
  }
  process.stderr.write(`${rows.at(-1)!.join('  ')}\n`);
}
rmSync(folder, { recursive: true });
process.stdout.write(`${form}, ${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads; fastest (median)\n${formatTable(headings, rows)}\n`);
