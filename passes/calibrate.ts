import { cloneModel } from '../ir/clone.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import { hashModel } from '../ir/hash.ts';
import type { Model } from '../ir/model.ts';
import { usesFloat16, widenFloat16 } from './calibrate/float32.ts';
import { observe } from './calibrate/observe.ts';
import { everything, observable, planObservers, union } from './calibrate/observers.ts';
import type { OptionsOf } from './options.ts';
import { definePass, type PassContext, type PassDeclaration, type Remark } from './pass.ts';
import type { Runtime } from './runtime.ts';
import type { Artefact } from './statistics/artefact.ts';
import { readArtefact, writeArtefact } from './statistics/file.ts';
import { finish } from './statistics/finish.ts';
import { needsHistogram } from './statistics/range.ts';
import type { Statistics } from './statistics/statistics.ts';

const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    data: { type: 'string', default: 'calibration', format: 'reader', description: 'The samples: a name under `data` of the recipe.' },
    method: {
      type: 'string', enum: ['auto', 'min-max', 'mean-min-max', 'percentile', 'entropy', 'mse'], default: 'auto',
      description: 'How the distribution of a value becomes its range: everything that was seen; the mean over the samples of each one\'s smallest and largest element; a percentile; NVIDIA\'s entropy search; the least mean square error; or, with `auto`, the least error expected in what is computed from it. The first two need no histograms.',
    },
    percentile: { type: 'number', minimum: 50, maximum: 100, unit: 'percent', default: 99.99, description: 'Share of the magnitudes that `percentile` keeps.' },
    samples: { type: 'integer', minimum: 1, maximum: 1e9, unit: 'samples', description: 'How many samples are looked at, at most; all of the data if absent.' },
    batch: { type: 'integer', minimum: 1, maximum: 65536, unit: 'samples', description: 'Samples in one run of the model, where it has a symbolic batch. Default: what suits the model.' },
    shard: { type: 'string', pattern: '^[0-9]{1,6}/[0-9]{1,6}$', description: 'Look at part i of n of the samples only, written i/n; for gathering in parallel, with `onnxpress merge`.' },
    statistics: {
      type: 'object', additionalProperties: false, description: 'Files of statistics.',
      properties: {
        load: { type: 'string', format: 'path', description: 'Take the statistics of this file and run nothing. It must be of this model; a remark says so if it is not of these data.' },
        save: { type: 'string', format: 'path', description: 'Write the statistics to this file, to be loaded or merged.' },
      },
    },
  },
} as const;

type Context = PassContext<OptionsOf<typeof options>>;

/** Gathers what later steps want to know about the values of the model, by running it on samples. */
export const calibrate: PassDeclaration<typeof options> = definePass({
  name: 'calibrate',
  version: 1,
  summary: 'Runs the model on samples and gathers the statistics that later steps want.',
  description: [
    'Minima, maxima, channel figures and second moments are reduced inside the model; histograms are counted from activations that are fetched in groups and dropped at once, so memory does not',
    'depend on the number of samples. Only what later steps ask for is observed; without such a step, every float value of the main graph. The model is not changed.',
    '',
    'Statistics can be saved, loaded and merged: parts that were gathered with `shard` merge, in any order, to the bytes of one run over all samples. See [calibration](../calibration.md).',
  ].join('\n'),
  options,
  gives: ['ranges', 'moments'],
  outputs: ({ statistics: { save } }) => (save === undefined ? [] : [save]),
  async run(model, context) {
    const { options: { method, percentile, statistics: { load, save } }, statistics, output } = context;
    const artefact = load === undefined ? await observed(model, context) : await loaded(model, load, context);
    const result: Statistics = { ...finish(artefact), source: context.options.data, method, percentile };
    if (load !== undefined) await compareData(artefact, load, context);
    if (load !== undefined && result.samples < artefact.key.limit) {
      context.remark({ kind: 'analysis', rule: 'partial', message: `the statistics in ${load} are of ${result.samples} samples, and their run looks at ${artefact.key.limit}: shards may be missing` });
    }
    reportOn(result, context);
    statistics.set(result);
    if (save !== undefined) output({ path: save, chunks: [writeArtefact(artefact)] });
  },
});

async function observed(given: Model, context: Context): Promise<Artefact> {
  const { options: { data, method, percentile, samples, batch, shard }, runtime, wanted, signal, progress, remark } = context;
  const source = await context.data(data);
  const model = await inFloat32(given, runtime, remark);
  if (source.random) remark({ kind: 'analysis', rule: 'random-data', message: `'${data}' is random numbers: ranges gathered on them say little about real samples` });
  return observe(model, wanted.length === 0 ? everything(model) : union(wanted), {
    model: hashModel(given), method, percentile, samples, batch, shard, runtime, source, signal, remark, progress: (done, total) => { progress(done, total, 'samples'); },
  });
}

/** The model with float16 widened to float32, if the runtime takes it so. */
async function inFloat32(model: Model, runtime: Runtime, remark: (remark: Remark) => void): Promise<Model> {
  if (!usesFloat16(model)) return model;
  const wide = cloneModel(model);
  widenFloat16(wide);
  try {
    await (await runtime.open(wide)).release();
    remark({ kind: 'analysis', rule: 'float32', message: 'the float16 model was observed in float32' });
    return wide;
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    remark({ kind: 'analysis', rule: 'float16', message: `the model was observed in float16, since it does not run in float32: ${error.message}` });
    return model;
  }
}

async function loaded(model: Model, path: string, { input, wanted, options: { method } }: Context): Promise<Artefact> {
  const artefact = readArtefact(await input(path), path);
  const file = { file: path };
  if (artefact.key.model !== hashModel(model)) {
    throw new Diagnostic('statistics/other-model', `the statistics in ${path} are of another model than the one at this step`, {
      ...file, suggestion: 'Gather them with the same steps before `calibrate`, or leave out `statistics.load` to gather them now.',
    });
  }
  const request = union(wanted);
  const quiet = (): void => undefined;
  const plan = planObservers(model, request, observable(model, request, quiet), { histograms: false, axis: undefined, samples: undefined, sizes: new Map(), remark: quiet });
  const missing = [...absent(plan.distributions, artefact.tensors), ...absent(plan.channels, artefact.channels), ...absent(plan.moments, artefact.moments)];
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).map((name) => `'${name}'`).join(', ');
    throw new Diagnostic('statistics/missing', `the statistics in ${path} lack ${shown}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}, which later steps want`, {
      ...file, suggestion: 'Gather them again with the recipe as it is now: what is observed depends on the steps after `calibrate`.',
    });
  }
  if (needsHistogram(method) && artefact.tensors.some(({ histogram }) => histogram === undefined)) {
    throw new Diagnostic('statistics/no-histogram', `the statistics in ${path} hold no histograms, which the method ${method} needs`, {
      ...file, expected: ['min-max', 'mean-min-max'], suggestion: 'Use the method with which they were gathered, or gather them again.',
    });
  }
  return artefact;
}

/** Says where loaded statistics are of other samples than those that the recipe names; where these are not at hand, that nobody knows. */
async function compareData({ key }: Artefact, path: string, { options: { data }, data: open, remark }: Context): Promise<void> {
  const say = (rule: string, message: string): void => { remark({ kind: 'analysis', rule, message }); };
  try {
    const source = await open(data);
    if (source.key !== key.data) say('other-data', `the statistics in ${path} are of other samples, or of samples prepared in another way, than '${data}' has now; gather them again unless that is meant`);
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    say('data-not-compared', `whether the statistics in ${path} are of '${data}' is not known, since these data cannot be opened: ${error.message}`);
  }
}

/** Names that are wanted and not there. */
function absent(wanted: readonly { readonly name: string }[], there: readonly { readonly name: string }[]): string[] {
  const known = new Set(there.map(({ name }) => name));
  return wanted.map(({ name }) => name).filter((name) => !known.has(name));
}

/** Says by name which values are strange, and leaves figures for the report. */
function reportOn(statistics: Statistics, { remark, stat, record }: Context): void {
  for (const [tensor, { count, nan, infinite, min, max }] of statistics.tensors) {
    const say = (rule: string, message: string): void => { remark({ kind: 'analysis', rule, message: `'${tensor}' ${message}`, tensor }); };
    if (nan > 0) say('nan', `held NaN in ${nan} of ${count + nan + infinite} elements; they were left out`);
    if (infinite > 0) say('infinite', `was infinite in ${infinite} of ${count + nan + infinite} elements; they were left out`);
    if (count + nan + infinite === 0) say('empty', 'never held an element');
    else if (count > 0 && min === max) say('constant', `was ${min} in all samples`);
  }
  stat('values observed', statistics.tensors.size);
  stat('samples', statistics.samples);
  stat('layers with second moments', statistics.moments.size);
  const { model, data, random, samples, method, percentile } = statistics;
  record('calibration', { model, data, random, samples, method, percentile });
}
