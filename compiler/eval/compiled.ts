import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import type { Runtime } from '../../passes/runtime.ts';
import type { Target } from '../../passes/target.ts';
import type { OpenedData } from '../data/source.ts';
import type { MetricSettings, ReaderSettings } from '../data/settings.ts';
import { checkMetrics, type Acceptance, type Measured } from '../instruments/acceptance.ts';
import { metricNames, metricOf, openMetric } from '../metrics/open.ts';
import type { Metric } from '../metrics/metric.ts';
import { dropOf, evaluate, type Evaluation } from './evaluate.ts';
import { optimizationFor } from './optimization.ts';

/** The data on which a compile ends by measuring its model. */
export const validation = 'validation';

/** Timed runs of each model. */
const timedRuns = 20;

/** What a recipe says about measuring its result. */
export interface ValidationPlan {
  readonly data: Readonly<Record<string, unknown>>;
  readonly accept: Acceptance | undefined;
}

/** Checks that every budget of the recipe can be judged. Throws `accept/unknown-metric`. */
export function checkBudgets({ data, accept }: ValidationPlan): void {
  if (accept === undefined) return;
  if (!Object.hasOwn(data, validation)) {
    checkMetrics(accept, 'the recipe', new Set(), 'which is measured on data: add `validation` under `data`');
    return;
  }
  checkMetrics(accept, 'the recipe', new Set(['latency', 'metricDrop', ...metricNames, ...metricNames.map((name) => `${name}Drop`)]), 'which onnxpress cannot measure');
}

/** What measuring the compiled model needs. */
export interface CompiledOptions extends ValidationPlan {
  readonly original: Model;
  readonly compiled: Model;
  readonly open: (name: string, model: Model) => Promise<OpenedData>;
  /** Paths of metrics are relative to it. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly target: Target;
  readonly signal: AbortSignal;
}

/**
 * Measures the compiled model beside the original on the validation data, with their metric and those that budgets name; nothing if the
 * recipe has no such data.
 */
export async function evaluateCompiled({ data, accept, original, compiled, open, folder, runtime, target, signal }: CompiledOptions): Promise<Evaluation | undefined> {
  if (!Object.hasOwn(data, validation)) return undefined;
  const settings = data[validation] as ReaderSettings;
  const own = metricOf(settings);
  const metrics: (() => Metric)[] = own === undefined ? [] : [await openMetric(own, folder)];
  // Beside a metric of classes, agreement is there already, and so is the signal-to-noise ratio of all outputs.
  const there = new Set(['sqnr', nameOf(own), ...(metrics[0]?.().classes === undefined ? [] : ['agreement'])]);
  const output = typeof own === 'object' ? own.output : undefined;
  const budgets = Object.keys(accept ?? {}).map((name) => name.replace(/Drop$/, '')).filter((name) => metricNames.includes(name) && !there.has(name));
  for (const name of new Set(budgets)) metrics.push(await openMetric({ name, ...(output !== undefined && { output }) }, folder));
  return evaluate([{ name: 'original', model: original }, { name: 'compiled', model: compiled }], await open(validation, original), {
    runtime, metrics, signal, optimization: optimizationFor(target), runs: target.runsOn === 'onnxruntime' || accept?.['latency'] !== undefined ? timedRuns : 0,
  });
}

function nameOf(metric: string | MetricSettings | undefined): string | undefined {
  return typeof metric === 'object' ? metric.name : metric;
}

/** What budgets are judged by: values of the compiled model, and how much worse than the original it is (`…Drop`; `metricDrop` for the metric of the data). */
export function budgetFigures({ models }: Evaluation): Measured {
  const [original, compiled] = models as [Evaluation['models'][number], Evaluation['models'][number]];
  const figures = new Map<string, number>();
  for (const score of compiled.scores) {
    figures.set(score.name, score.value);
    const drop = dropOf(score, original);
    if (Number.isNaN(drop)) continue;
    figures.set(`${score.name}Drop`, drop);
    if (!figures.has('metricDrop')) figures.set('metricDrop', drop);
  }
  if (compiled.outputs.length > 0) figures.set('sqnr', Math.min(...compiled.outputs.map(({ sqnr }) => sqnr)));
  if (compiled.latency !== undefined) figures.set('latency', compiled.latency.median);
  return figures;
}

/** The error for a budget on data that gave no figure: an output that is no scores, for instance. */
export function unmeasured(name: string): Diagnostic {
  return new Diagnostic('accept/unknown-metric', `the recipe limits \`${name}\`, and the validation gave no such figure`, { actual: name, suggestion: 'Check that the outputs of the model, and the labels, are what this metric takes.' });
}
