/**
 * Accuracy of pruned models that nothing has trained: real models with real data, at several budgets of multiply-accumulates.
 *
 *     npm run build && node dist/bench/prune.js [--keep 0.9,0.8,0.7,0.5] [--samples 300] [--form FORM…] [MODEL…]
 *
 * Forms: `l2` (plain norms, the same share of each group), `best` (the score of least squares over all groups, residual streams kept), `mended` (that, with `recover: least-squares`); all if none is named. Each line gives the share of
 * multiply-accumulates and parameters that stay, the accuracy before and after in percent, agreement with the original, processor seconds and the peak of memory of the process so far. Models and data are those of labelled-models.ts; a
 * model is named by any part of its name.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../compiler/compile.ts';
import type { Recipe } from '../compiler/recipe/define.ts';
import type { PruningRecord } from '../passes/prune/record.ts';
import { labelledModels, shared, type Data, type Settings } from './labelled-models.ts';

const forms: Readonly<Record<string, Settings>> = {
  l2: { importance: 'l2' },
  best: { importance: 'reconstruction', scope: 'global', residual: false },
  mended: { importance: 'reconstruction', scope: 'global', residual: false, recover: 'least-squares' },
};

const { values: { keep, samples, form }, positionals } = parseArgs({
  allowPositionals: true, options: { keep: { type: 'string', default: '0.9,0.8,0.7,0.5' }, samples: { type: 'string', default: '300' }, form: { type: 'string', multiple: true, default: Object.keys(forms) } },
});

function recipeOf(name: string, [calibration, validation]: Data, settings: Settings, macs: number): Recipe {
  const scored = settings['importance'] === 'reconstruction' ? [{ pass: 'calibrate', with: { method: 'min-max', samples: 100 } }] : [];
  return {
    version: 1, model: join(shared, 'models', `${name}.onnx`), data: { calibration: { ...calibration, samples: Number(samples) }, validation: { ...validation, metric: 'top1' } },
    steps: ['fold', ...scored, { pass: 'structured-prune', with: { ...settings, budget: { macs } } }, { pass: 'export', with: { output: 'pruned.onnx' } }],
  };
}

async function line(name: string, data: Data, of: string, macs: number, folder: string): Promise<string> {
  const started = process.cpuUsage();
  try {
    const { report } = await compile(recipeOf(name, data, forms[of]!, macs), { host: { cwd: folder } });
    const [, pruned] = report.evaluation!.models;
    const [before, after] = report.evaluation!.models.map(({ scores }) => scores.find((score) => score.name === 'top1')!.value);
    const { cost } = report.steps.map(({ records }) => records?.['pruning'] as PruningRecord | undefined).find((record) => record !== undefined)!;
    const share = (what: 'macs' | 'parameters'): string => (100 * (cost.after[what] ?? NaN) / (cost.before[what] ?? NaN)).toFixed(1);
    const agreement = pruned!.scores.find((score) => score.name === 'agreement')!.value;
    return [name, of, macs, share('macs'), share('parameters'), before!.toFixed(2), after!.toFixed(2), agreement.toFixed(1), (process.cpuUsage(started).user / 1e6).toFixed(0), `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`].join('  ');
  } catch (error) {
    return `${name}  ${of}  ${macs}  ${error instanceof Error ? error.message : String(error)}`;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'onnxpress-'));
process.stdout.write('model  form  budget  MACs %  parameters %  top1 before  top1 after  agreement  seconds  peak\n');
for (const [name, data] of Object.entries(labelledModels)) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue;
  for (const macs of keep.split(',').map(Number)) for (const of of form) process.stdout.write(`${await line(name, data, of, macs, folder)}\n`);
}
rmSync(folder, { recursive: true });
