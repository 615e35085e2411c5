import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { checkModel } from '../../compiler/check-model.ts';
import { compile } from '../../compiler/compile.ts';
import type { Report } from '../../compiler/report/report.ts';
import { root, shared } from '../paths.ts';

const recipes = join(root, 'examples/models');

/** What the recipe of a model must reach: percentage points lost at most, percent of the samples on which both say the same, and dB over the model's output. */
interface Floor {
  readonly model: string;
  readonly drop: number;
  readonly agreement: number;
  readonly sqnr: number;
  /** Validation samples that are looked at; all if absent. */
  readonly samples?: number;
}

/**
 * Classifiers with labels. The aim is a drop of at most 0.3 points, and agreement of 99 % (ResNets on CIFAR-10, vww), 98 % (resnet8, kws), 95 % (squeezenet). Drops are multiples of one sample: 0.18 points of 557
 * (CIFAR-10), 0.125 of 800 (kws, vww), 0.1 of 1000 (mnist), 0.5 of 200 (squeezenet), so that 0.3 points allow one sample more to be wrong on CIFAR-10 and two on kws and vww. Floors are those aims, or stricter: half a
 * point and about 1 dB below what was measured. Two figures miss their aim, and their floors hold what is reached: resnet8 loses two samples, 0.36 points; squeezenet agrees on 93 %, and loses one sample of its 200.
 * The agreement of vww depends on which 100 images it is calibrated on: 99.4 % on those of the recipe, 98.1 to 99.1 % on others at the same 31 dB; its floor allows for that.
 */
const floors: readonly Floor[] = [
  { model: 'mlperf_tiny_kws_dscnn', drop: 0.3, agreement: 98.5, sqnr: 27 },
  { model: 'mlperf_tiny_vww_mobilenetv1', drop: 0.3, agreement: 98.2, sqnr: 30 },
  { model: 'mlperf_tiny_ic_resnet8', drop: 0.4, agreement: 98.4, sqnr: 30 },
  { model: 'cifar10_resnet20', drop: 0.3, agreement: 99, sqnr: 29 },
  { model: 'cifar10_resnet20b_dense', drop: 0.3, agreement: 99, sqnr: 29 },
  { model: 'cifar10_resnet56', drop: 0.3, agreement: 99, sqnr: 26 },
  { model: 'squeezenet10_deepcompressed', drop: 0.5, agreement: 92, sqnr: 23, samples: 200 },
  { model: 'mnist_cntk', drop: 0.3, agreement: 99.5, sqnr: 45 },
];

/**
 * Structures that no classifier above has, on a few samples: they must compile, load, and compute numbers that follow the original. `int8` is false where every layer stays float, because it is recurrent, stands in
 * a branch, or has too few rows for an int8 kernel of the target.
 */
const structures: readonly { readonly model: string; readonly has: string; readonly int8?: false }[] = [
  { model: 'cifar10_resnet20b_chsparse', has: 'channels of zeros' },
  { model: 'ultraface_rfb_320', has: 'boxes decoded inside' },
  { model: 'yunet_n_dynamic', has: 'symbolic height and width' },
  { model: 'fastestdet', has: 'post-processing inside' },
  { model: 'superres_espcn_resize', has: 'Resize' },
  { model: 'silero_vad_v6', has: 'layers in branches of an If', int8: false },
  { model: 'silero_vad_half', has: 'weights in float16', int8: false },
  { model: 'silero_vad_micro_tf', has: 'attention' },
  { model: 'dtln_2', has: 'recurrent layers', int8: false },
  { model: 'gtcrn', has: 'several inputs and outputs of state' },
  { model: 'magika_v3_3', has: 'integers in, an embedding of one-hot rows' },
  { model: 'tinytimemixer', has: 'MatMuls over transposed axes' },
  { model: 'hand_keypoint_mlp', has: 'an argument that is an index' },
];

describe('recipes for the models beside the repository', () => {
  if (shared === undefined) {
    it('skipped: ../shared is not there');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'onnxpress-models-'));
  after(() => { rmSync(folder, { recursive: true }); });

  /** Compiles a recipe with something changed, and checks the file that it writes. */
  async function run(model: string, changes: string): Promise<Report> {
    const recipe = join(folder, `${model}.recipe.yaml`);
    writeFileSync(recipe, `version: 1\nextends: ${relative(folder, join(recipes, model)).replaceAll('\\', '/')}.recipe.yaml\n${changes}`);
    const { report } = await compile(recipe, { set: [`output=${folder}`] });
    expect(await checkModel(join(folder, `${model}.portable.onnx`))).to.deep.equal([]);
    return report;
  }

  it('there is one for each', () => {
    const models = readdirSync(join(shared!, 'models')).filter((name) => name.endsWith('.onnx')).map((name) => name.slice(0, -5));
    const names = readdirSync(recipes).filter((name) => name.endsWith('.recipe.yaml') && name !== 'int8.recipe.yaml').map((name) => name.slice(0, -12));
    expect(names.sort()).to.deep.equal(models.sort());
  });

  for (const { model, drop, agreement, sqnr, samples } of floors) {
    it(`${model}: at most ${drop} points lost, ${agreement} % agree, ${sqnr} dB, 95 % of the work in int8`, async () => {
      const report = await run(model, samples === undefined ? '' : `data: { validation: { samples: ${samples} } }\n`);
      const [, compiled] = report.evaluation!.models;
      const scores = new Map(compiled!.scores.map((score) => [score.name, score]));
      const found = { lost: -scores.get('top1')!.change!.difference, agreement: scores.get('agreement')!.value, sqnr: compiled!.outputs[0]!.sqnr, int8: statsOf(report)['int8 multiply-adds, percent']! };
      // All figures in each message: a floor that is missed is judged by the others.
      const figures = JSON.stringify(found);
      expect(found.lost, figures).to.be.at.most(drop);
      expect(found.agreement, figures).to.be.at.least(agreement);
      expect(found.sqnr, figures).to.be.at.least(sqnr);
      expect(found.int8, figures).to.be.at.least(95);
      if (process.env['FIGURES'] === '1') process.stdout.write(`${model} ${figures}\n`);
    }).timeout(300_000);
  }

  for (const { model, has, int8 = true } of structures) {
    it(`${model} (${has}): ${int8 ? 'quantized, and runs' : 'says why all of it stays float'}`, async () => {
      const report = await run(model, 'data: { calibration: { samples: 4 }, validation: { samples: 4 } }\n');
      expect(report.evaluation!.samples).to.equal(4);
      expect(report.evaluation!.models[1]!.outputs).not.to.deep.equal([]);
      for (const { output, sqnr } of report.evaluation!.models[1]!.outputs) expect(sqnr, output).to.be.greaterThan(int8 ? 0 : 60);
      expect((statsOf(report)['int8 layers'] ?? 0) > 0).to.equal(int8);
      const missed = report.steps.find(({ pass }) => pass === 'quantize-int8')!.remarks.filter(({ kind }) => kind === 'missed');
      if (!int8) expect(missed).not.to.deep.equal([]);
    }).timeout(300_000);
  }

  // What one layer reads is clipped to a tenth of its range and less: everything else is as good in int8 as ever.
  const budgets = [['top1', 1, 'labels: "${vars.shared}/datasets/speech_commands_kws01/labels_u8.bin"'], ['sqnr', 0.5, 'metric: sqnr']] as const;
  for (const [metric, maxDrop, judged] of budgets) {
    it(`mlperf_tiny_kws_dscnn with one bad layer, which stays float to keep the drop of ${metric} below ${maxDrop} %`, async () => {
      const tuning = `raw: "\${vars.shared}/datasets/speech_commands_kws01/features_i8_1000x49x10.bin", shape: [49, 10, 1], dtype: int8, preprocess: { scale: 0.5847029089927673, mean: 48.53034144639969 }, every: 5, ${judged}`;
      const bad = '[{ nodes: [pw2], range: { max: 0.2 } }]';
      const report = await run('mlperf_tiny_kws_dscnn', `data: { tuning: { ${tuning} } }\npatch: [{ edit: quantize-int8, with: { data: tuning, maxDrop: ${maxDrop}, overrides: ${bad} } }]\n`);
      const { remarks } = report.steps.find(({ pass }) => pass === 'quantize-int8')!;
      const said = remarks.find(({ rule }) => rule === 'quantize-int8/drop')!.message;
      const [, judge, before, after] = /^on 'tuning' (\w+).* falls by ([\d.]+), and ([\d.]+) with 1 of 9 layers in float$/.exec(said) ?? [];
      expect(judge, said).to.equal(metric);
      expect(Number(before), said).to.be.greaterThan(20 * maxDrop);
      expect(Number(after), said).to.be.at.most(maxDrop);
      expect(remarks.filter(({ rule }) => rule === 'quantize-int8/float-for-accuracy').map(({ node }) => node!.origin)).to.deep.equal([['pwbn2', 'pw2']]);
      // On samples that neither chose ranges nor the layer.
      expect(-report.evaluation!.models[1]!.scores.find(({ name }) => name === 'top1')!.change!.difference).to.be.at.most(1);
    }).timeout(300_000);
  }
});

function statsOf({ steps }: Report): Readonly<Record<string, number>> {
  return steps.find(({ pass }) => pass === 'quantize-int8')!.stats;
}
