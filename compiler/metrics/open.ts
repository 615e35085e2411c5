import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MetricSettings, ReaderSettings } from '../data/settings.ts';
import { didYouMean } from '../recipe/suggest.ts';
import { aucMetric, type Score } from './auc.ts';
import { agreementMetric, topMetric } from './classification.ts';
import { mapMetric, type Decode } from './detection.ts';
import { called, outputsBySample, unfit, type Metric, type Scored, type OutputArray } from './metric.ts';
import { cosineMetric, klMetric, maxErrorMetric, sqnrMetric } from './similarity.ts';

/** The built-in metrics by name. */
const builtIn: Readonly<Record<string, (output: string | undefined, decode: unknown) => Metric>> = {
  top1: (output) => topMetric('top1', 1, output),
  top5: (output) => topMetric('top5', 5, output),
  agreement: (output) => agreementMetric(output),
  sqnr: (output) => sqnrMetric(output),
  cosine: (output) => cosineMetric(output),
  kl: (output) => klMetric(output),
  maxError: (output) => maxErrorMetric(output),
  map: (_, decode) => {
    if (decode === undefined) throw unfit('map', 'it does not know how to read detections from the outputs', 'Give a module that does: `metric: { name: map, decode: ./decode.mjs }`.');
    return mapMetric(decode as Decode);
  },
  auc: (output, decode) => aucMetric(decode as Score | undefined, output),
};

/** Names of the built-in metrics. */
export const metricNames: readonly string[] = Object.keys(builtIn);

/** What a module of the user makes: `add` gets the outputs of each sample by name, with its label and what the original makes of it. */
export interface ModuleMetric {
  readonly name?: string;
  readonly higherIsBetter?: boolean;
  readonly unit?: Metric['unit'];
  readonly needs?: Metric['needs'];
  add(outputs: Readonly<Record<string, OutputArray>>, label: unknown, reference: Readonly<Record<string, OutputArray>> | undefined): void | Promise<void>;
  value(): number;
  readonly perSample?: readonly number[];
}

/**
 * Opens what `metric` of a reader says; the result makes a new metric for each model that is measured. Paths are relative to `folder`.
 * Throws `data/metric` for an unknown name and a module that cannot be used.
 */
export async function openMetric(settings: string | MetricSettings, folder: string): Promise<() => Metric> {
  const { name, decode: decoder, output } = typeof settings === 'string' ? { name: settings } as MetricSettings : settings;
  const decode = decoder === undefined ? undefined : await exported(decoder, folder, name);
  if (/[./]/.test(name)) return fromModule(name, await exported(name, folder, name));
  if (!Object.hasOwn(builtIn, name)) {
    throw unfit(name, 'there is no metric of that name', didYouMean(name, metricNames) ?? `Name one of ${metricNames.join(', ')}, or a module such as ./metric.mjs.`);
  }
  // A metric that needs what it is not given says so now.
  builtIn[name]!(output, decode);
  return () => builtIn[name]!(output, decode);
}

/** The metric of data: the one that they name, else top-1 if they have labels. */
export function metricOf({ metric, labels }: ReaderSettings): string | MetricSettings | undefined {
  return metric ?? (labels === undefined ? undefined : 'top1');
}

/** The files that a metric consists of, absolute: inputs of the compile. */
export function metricFiles(settings: string | MetricSettings | undefined, folder: string): string[] {
  const { name = '', decode } = typeof settings === 'string' ? { name: settings } as MetricSettings : settings ?? {};
  return [...(/[./]/.test(name) ? [name] : []), ...(decode === undefined ? [] : [decode])].map((file) => resolve(folder, file));
}

async function exported(file: string, folder: string, metric: string): Promise<(...given: unknown[]) => unknown> {
  const path = resolve(folder, file);
  if (!existsSync(path)) throw unfit(metric, `there is no file ${file}`, 'Correct the path; it is relative to the recipe.');
  try {
    const { default: made } = await import(pathToFileURL(path).href) as { default?: unknown };
    if (typeof made === 'function') return made as () => unknown;
  } catch (error) {
    throw unfit(metric, `loading ${file} fails: ${error instanceof Error ? error.message : String(error)}`, 'Mend the module.');
  }
  throw unfit(metric, `the default export of ${file} is no function`, 'Export a function: `export default function (…) { … }`.');
}

function fromModule(file: string, make: () => unknown): () => Metric {
  return () => {
    const own = make() as Partial<ModuleMetric> | undefined;
    if (typeof own?.add !== 'function' || typeof own.value !== 'function') throw unfit(file, 'its function returns no object with `add` and `value`', 'Return { add(outputs, label, reference) { … }, value() { … } }.');
    const metric = own as ModuleMetric;
    const name = metric.name ?? file.replace(/^.*\//, '').replace(/\.\w+$/, '');
    return {
      name, higherIsBetter: metric.higherIsBetter ?? true, unit: metric.unit ?? '', needs: metric.needs ?? {},
      value: () => metric.value(),
      ...(metric.perSample && { perSample: metric.perSample }),
      async add(scored: Scored): Promise<void> {
        const reference = scored.reference && outputsBySample(name, { ...scored, outputs: scored.reference });
        for (const [index, outputs] of outputsBySample(name, scored).entries()) await called(name, () => metric.add(outputs, scored.labels?.[index], reference?.[index]));
      },
    };
  };
}
