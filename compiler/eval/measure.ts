import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import type { DataSource } from '../../passes/data.ts';
import type { Measurement } from '../../passes/pass.ts';
import type { Runtime } from '../../passes/runtime.ts';
import type { Target } from '../../passes/target.ts';
import type { ReaderSettings } from '../data/settings.ts';
import { metricOf, openMetric } from '../metrics/open.ts';
import { dropOf, evaluate } from './evaluate.ts';
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
 * Measures by the metric of the data, by top-1 where they have labels and no metric, and else by agreement with the original, whose drop counts from 100 %.
 * Throws `data/unknown`, `eval/no-metric` for outputs that are no scores, and what data and runtime throw.
 */
export function measurer({ data, open, folder, runtime, target, signal }: MeasurerOptions): Measurer {
  const sources = new Map<string, DataSource>();
  return async (original, model, name) => {
    const source = sources.get(name) ?? remembered(await open(name, original));
    sources.set(name, source);
    const own = metricOf(data[name] as ReaderSettings);
    const { models } = await evaluate([{ name: 'original', model: original }, { name: 'candidate', model }], source, {
      runtime, signal, metrics: own === undefined ? [] : [await openMetric(own, folder)], optimization: target.runsOn === 'onnxruntime' ? 'all' : 'disabled',
    });
    const [reference, candidate] = models as [typeof models[number], typeof models[number]];
    const [score] = candidate.scores;
    if (score === undefined) {
      throw new Diagnostic('eval/no-metric', `what the model makes of the data '${name}' cannot be scored: it has no labels, and its outputs are no scores of classes`, {
        suggestion: `Give '${name}' a \`metric\`, with the \`labels\` that it needs.`,
      });
    }
    return { metric: score.name, value: score.value, drop: dropOf(score, reference) };
  };
}
