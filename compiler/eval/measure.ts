import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { printType } from '../../ir/type.ts';
import type { DataSource } from '../../passes/data.ts';
import type { Measurement } from '../../passes/pass.ts';
import type { Runtime } from '../../passes/runtime.ts';
import type { Target } from '../../passes/target.ts';
import type { ReaderSettings } from '../data/settings.ts';
import { metricOf, openMetric } from '../metrics/open.ts';
import { dropOf, evaluate } from './evaluate.ts';
import { optimizationFor } from './optimization.ts';
import { rememberingOriginal } from './remembered-original.ts';
import { remembered } from './remembered.ts';

/** What measuring models while a recipe runs needs. */
export interface MeasurerOptions {
  /** The data of the recipe. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly open: (name: string, model: Model) => Promise<DataSource>;
  /** Paths of metrics are relative to it. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly target: Target;
  readonly signal: AbortSignal;
}

/** Measures a model beside the original on data of the recipe. */
export type Measurer = (original: Model, model: Model, name: string) => Promise<Measurement>;

/**
 * Measures by the metric of the data, by top-1 where they have labels and no metric, and else by agreement with the original, whose drop counts from 100 %. The original runs once on data that fit into memory.
 * Throws `data/unknown`, `eval/no-metric` where the metric gives no figure, or where there is none and the outputs do not look like classes, and what data and runtime throw.
 */
export function measurer({ data, open, folder, runtime, target, signal }: MeasurerOptions): Measurer {
  const sources = new Map<string, DataSource>();
  const runtimes = new WeakMap<Model, Pick<Runtime, 'open'>>();
  return async (original, model, name) => {
    const source = sources.get(name) ?? remembered(await open(name, original));
    sources.set(name, source);
    const remembering = runtimes.get(original) ?? rememberingOriginal(runtime, original);
    runtimes.set(original, remembering);
    const own = metricOf(data[name] as ReaderSettings);
    const { models } = await evaluate([{ name: 'original', model: original }, { name: 'candidate', model }], source, {
      runtime: remembering, signal, metrics: own === undefined ? [] : [await openMetric(own, folder)], optimization: optimizationFor(target),
    });
    const [reference, candidate] = models as [typeof models[number], typeof models[number]];
    const [score] = candidate.scores;
    if (score === undefined) throw unscored(name, original, own !== undefined);
    return { metric: score.name === 'sqnr' ? 'sqnr, as noise in percent of the signal,' : score.name, value: score.value, drop: dropOf(score, reference) };
  };
}

function unscored(name: string, { graph: { outputs: [output] } }: Model, hasMetric: boolean): Diagnostic {
  if (hasMetric) {
    return new Diagnostic('eval/no-metric', `the metric of the data '${name}' gives no figure for this model`, { suggestion: 'Check that the outputs of the model, and the labels, are what this metric takes.' });
  }
  const shown = output === undefined ? '' : `: '${output.name}' is ${printType(output.type ?? output.value.type)}`;
  return new Diagnostic('eval/no-metric', `the data '${name}' have neither a metric nor labels, and the output of the model does not look like scores of classes${shown}`, {
    ...(output !== undefined && { tensor: output.name }),
    suggestion: `Give '${name}' a \`metric\`, with the \`labels\` that it needs; with \`metric: sqnr\` the drop is the noise in percent of the signal (0.1 is 30 dB).`,
  });
}
