/**
 * What int8 costs in accuracy: the default recipe (fold, equalize, calibrate, quantize-int8) on real models with real data.
 *
 *     npm run build && node dist/bench/accuracy.js [--target NAME] [--without PASS] [MODEL…]
 *
 * Models and data are those of ../shared, seen from the repository's root: 100 samples to calibrate, and test rows that calibration never saw. A model is named by any part of
 * its name; all if none is named. `--without equalize` shows what that step is worth. Both models are run without optimisations, which computes what the file says.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/compile.ts';
import type { Score, SubjectResult } from '../compiler/eval/evaluate.ts';
import type { Interval } from '../compiler/eval/interval.ts';
import type { Recipe } from '../compiler/recipe/define.ts';
import type { Report } from '../compiler/report/report.ts';
import { formatTable } from '../compiler/report/table.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { PlacementRecord } from '../passes/quantize/record.ts';

type Settings = Readonly<Record<string, unknown>>;
type Data = readonly [calibration: Settings, validation: Settings];

const shared = resolve(createRequire(import.meta.url).resolve('#specs/recipe.schema.json'), '../../../shared');
const data = (path: string): string => join(shared, 'datasets', path);

const cifar = (preprocess: Settings): Data => {
  const file = (part: string): Settings => ({ raw: data(`cifar10/lossless_${part}_u8_nhwc.bin`), shape: [32, 32, 3], dtype: 'uint8', preprocess: { from: 'nhwc', ...preprocess } });
  return [{ ...file('train'), samples: 100 }, { ...file('test'), labels: { file: data('cifar10/lossless_test_labels_u8.bin'), dtype: 'uint8' } }];
};

/** Every fifth row, at most 100 of them, and all others. */
const fifths = (rows: Settings): Data => [{ ...rows, every: 5, samples: 100 }, { ...rows, except: 5 }];

const mnist = (part: string): Settings => ({ raw: data(`mnist/${part}_u8.bin`), shape: [1, 28, 28], dtype: 'uint8', preprocess: 'none' });

const models: Readonly<Record<string, Data>> = {
  mlperf_tiny_kws_dscnn: fifths({
    raw: data('speech_commands_kws01/features_i8_1000x49x10.bin'), shape: [49, 10, 1], dtype: 'int8', preprocess: { scale: 0.58470291, mean: 83 * 0.58470291 },
    labels: { file: data('speech_commands_kws01/labels_u8.bin'), dtype: 'uint8' },
  }),
  mlperf_tiny_vww_mobilenetv1: fifths({ images: data('vww01/*.jpg'), labels: data('vww01/labels.json'), preprocess: { preset: 'zero-one', resize: [96, 96] } }),
  mlperf_tiny_ic_resnet8: cifar({ preset: 'none' }),
  cifar10_resnet20: cifar({ preset: 'imagenet' }),
  cifar10_resnet20b_dense: cifar({ preset: 'tf' }),
  cifar10_resnet56: cifar({ preset: 'imagenet' }),
  squeezenet10_deepcompressed: fifths({
    images: data('imagenet500/*.[jJ]*'), labels: 'name', preprocess: { preset: 'none', resize: [256, 256], crop: [227, 227], order: 'bgr', mean: [104, 117, 123] },
  }),
  mnist_cntk: [{ ...mnist('train2000'), samples: 100 }, { ...mnist('test3000'), labels: { file: data('mnist/test3000_labels_u8.bin'), dtype: 'uint8' } }],
};

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
for (const [name, pair] of Object.entries(models)) {
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
