import { chunksLength } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Graph, Model } from '../../ir/model.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import type { Batch, DataSource } from '../../passes/data.ts';
import type { Feeds, Runtime, Session, SessionOptions } from '../../passes/runtime.ts';
import { classAgreement } from '../metrics/classification.ts';
import type { Metric } from '../metrics/metric.ts';
import { sqnrMetric } from '../metrics/similarity.ts';
import { pairedInterval, type Interval } from './interval.ts';
import { measureLatency, type Latency } from './latency.ts';

/** A model that is compared with others. */
export interface Subject {
  /** How tables name it. */
  readonly name: string;
  readonly model: Model;
  /** Bytes of its files; those that it would have if absent. */
  readonly bytes?: number;
}

export interface EvaluateOptions {
  readonly runtime: Pick<Runtime, 'open'>;
  /** Makes the metrics that the data name. */
  readonly metrics?: readonly (() => Metric)[];
  /** Samples that are looked at, at most. */
  readonly samples?: number;
  /**
   * Optimisations of ONNX Runtime under which accuracy is measured. `disabled` computes what the file says, operator by operator: what TensorRT computes, up to
   * rounding. `all` is what ONNX Runtime makes of it on this processor.
   */
  readonly optimization?: NonNullable<SessionOptions['optimization']>;
  /** Runs of each model whose time is taken, with all optimisations; none if absent. */
  readonly runs?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, total: number | undefined) => void;
}

/** One figure of one model. */
export interface Score {
  readonly name: string;
  readonly unit: Metric['unit'];
  readonly higherIsBetter: boolean;
  readonly value: number;
  /** What it differs from that of the first model, where samples can be paired. */
  readonly change?: Interval;
}

/** How close one output is to that of the first model. */
export interface OutputFidelity {
  readonly output: string;
  /** Signal to noise in dB over all samples; infinite for equal outputs. */
  readonly sqnr: number;
}

export interface SubjectResult {
  readonly name: string;
  readonly bytes: number;
  /** Bytes of the constants once weights that pass a QuantizeLinear are stored in its type: what an engine holds. */
  readonly deployedBytes: number;
  readonly scores: readonly Score[];
  readonly outputs: readonly OutputFidelity[];
  readonly latency?: Latency | undefined;
}

/** Models side by side on the same samples; the first one is what the others are compared with. */
export interface Evaluation {
  readonly data: string;
  readonly random: boolean;
  readonly samples: number;
  readonly optimization: NonNullable<SessionOptions['optimization']>;
  /** Samples in the run whose time was taken; absent where none was. */
  readonly batch?: number;
  readonly models: readonly SubjectResult[];
}

/** Everything measured of one model while the samples go by. */
interface Measured {
  readonly session: Session;
  readonly metrics: readonly Metric[];
  readonly fidelity: ReadonlyMap<string, Metric>;
  /** Those that nobody asked for: what an output cannot be judged by (integers, strings, another shape) is left out. */
  readonly implied: ReadonlySet<Metric>;
}

/**
 * Runs models on the same samples and measures them: the metrics of the data, agreement with the first model where outputs are classes, the
 * signal-to-noise ratio of every output, and, if asked for, latency in turns. Throws `eval/no-samples`, and what the data and the runtime throw.
 */
export async function evaluate(subjects: readonly Subject[], source: DataSource, options: EvaluateOptions): Promise<Evaluation> {
  const { runtime, metrics = [], samples = Infinity, optimization = 'disabled', runs = 0, signal, progress } = options;
  const measured: Measured[] = [];
  try {
    for (const { model } of subjects) {
      const asked = metrics.map((make) => make());
      const agreement = (asked.length === 0 || measured.length > 0) && !asked.some(({ name }) => name === 'agreement') ? impliedAgreement(asked) : [];
      const fidelity = new Map(model.graph.outputs.map(({ name }) => [name, sqnrMetric(name)]));
      measured.push({
        session: await runtime.open(model, { optimization }),
        metrics: [...asked, ...agreement].filter(({ needs }) => !(needs.reference && subjects.length === 1)),
        fidelity, implied: new Set([...agreement, ...fidelity.values()]),
      });
    }
    const { count, first } = await runSamples(measured, source, { samples, ...(signal && { signal }), ...(progress && { progress }) });
    if (count === 0 || first === undefined) throw new Diagnostic('eval/no-samples', `the data '${source.name}' have no samples`, { suggestion: 'Check `skip`, `every`, `except` and `samples` of the data.' });
    const latencies = runs > 0 ? await timed(subjects, first.feeds, runtime, runs, signal) : [];
    return {
      data: source.name, random: source.random, samples: count, optimization, ...(runs > 0 && { batch: first.size }),
      models: subjects.map((subject, index) => resultOf(subject, measured, index, latencies[index])),
    };
  } finally {
    for (const { session } of measured) await session.release();
  }
}

/** Agreement beside what is asked for: with metrics of classes, of their output; without any metric, of the first output if it looks like classes. Other metrics say that the model is no classifier. */
function impliedAgreement(asked: readonly Metric[]): Metric[] {
  const classes = asked.find((metric) => metric.classes !== undefined)?.classes;
  return asked.length === 0 || classes !== undefined ? [classAgreement(classes?.output)] : [];
}

interface SampleOptions extends Pick<EvaluateOptions, 'signal' | 'progress'> {
  readonly samples: number;
}

/** Feeds every batch to every model; gives the number of samples and the first batch. */
async function runSamples(measured: readonly Measured[], source: DataSource, { samples, signal, progress }: SampleOptions): Promise<{ readonly count: number; readonly first: Batch | undefined }> {
  const total = source.count === undefined ? undefined : Math.min(source.count, samples);
  let count = 0;
  let first: Batch | undefined;
  for await (const batch of source.batches({ ...(samples < Infinity && { last: samples }), ...(signal && { signal }) })) {
    signal?.throwIfAborted();
    first ??= batch;
    const { feeds, size, labels } = batch;
    let reference: Feeds | undefined;
    for (const { session, metrics, fidelity, implied } of measured) {
      const outputs = await session.run(feeds, signal);
      reference ??= outputs;
      for (const metric of metrics) await addTo(metric, { outputs, size, labels, reference }, implied);
      for (const metric of reference === outputs ? [] : fidelity.values()) await addTo(metric, { outputs, size, labels, reference }, implied);
    }
    count += size;
    progress?.(count, total);
  }
  return { count, first };
}

/** What an output cannot be judged by (integers, strings, another shape) is left out, if nobody asked for it. */
const unfitting = new WeakSet<Metric>();

async function addTo(metric: Metric, scored: Parameters<Metric['add']>[0], implied: ReadonlySet<Metric>): Promise<void> {
  if (unfitting.has(metric)) return;
  try {
    await metric.add(scored);
  } catch (error) {
    if (!(Diagnostic.is(error) && error.code === 'data/metric' && implied.has(metric))) throw error;
    unfitting.add(metric);
  }
}

async function timed(subjects: readonly Subject[], feeds: Feeds, runtime: EvaluateOptions['runtime'], runs: number, signal: AbortSignal | undefined): Promise<Latency[]> {
  const sessions: Session[] = [];
  try {
    for (const { model } of subjects) sessions.push(await runtime.open(model, { optimization: 'all' }));
    return await measureLatency(sessions, feeds, { runs, ...(signal && { signal }) });
  } finally {
    for (const session of sessions) await session.release();
  }
}

function resultOf({ name, model, bytes }: Subject, measured: readonly Measured[], index: number, latency: Latency | undefined): SubjectResult {
  const { metrics, fidelity } = measured[index]!;
  const reference = measured[0]!.metrics;
  const usable = metrics.filter((metric) => !unfitting.has(metric) && !Number.isNaN(metric.value()));
  return {
    name, bytes: bytes ?? chunksLength(writeModel(model).model), deployedBytes: deployedBytes(model),
    scores: usable.map((metric) => {
      const change = index === 0 ? undefined : changeOf(reference.find((other) => other.name === metric.name), metric);
      return { name: metric.name, unit: metric.unit, higherIsBetter: metric.higherIsBetter, value: metric.value(), ...(change && { change }) };
    }),
    outputs: index === 0 ? [] : [...fidelity].flatMap(([output, metric]) => (unfitting.has(metric) ? [] : [{ output, sqnr: metric.value() }])),
    ...(latency && { latency }),
  };
}

/** What a metric of one model differs from that of the first, if it is a mean over samples: of another figure (a maximum, a ratio of sums) such an interval says nothing. */
function changeOf(base: Metric | undefined, own: Metric): Interval | undefined {
  const [before, after] = [base?.perSample, own.perSample];
  if (base === undefined || before === undefined || after?.length !== before.length || ![...before, ...after].every(Number.isFinite)) return undefined;
  const change = pairedInterval(before, after);
  const difference = own.value() - base.value();
  return Math.abs(change.difference - difference) <= 1e-9 * Math.max(1, Math.abs(base.value()), Math.abs(own.value())) ? change : undefined;
}

/**
 * How much worse a score is than the original's, which agrees with itself on 100 % of the samples; NaN if the original has no such score. The signal-to-noise ratio of the original is
 * infinite: a drop of it is the power of the noise in percent of the signal's, 1 for 20 dB, 0.1 for 30 dB.
 */
export function dropOf({ name, value, higherIsBetter }: Score, original: SubjectResult): number {
  if (name === 'sqnr') return 100 * 10 ** (-value / 10);
  const before = original.scores.find((score) => score.name === name)?.value ?? (name === 'agreement' ? 100 : NaN);
  return higherIsBetter ? before - value : value - before;
}

/** Bytes of all constants, weights before a QuantizeLinear counted in eight bits. */
export function deployedBytes(model: Model): number {
  let total = 0;
  for (const graph of graphsOf(model)) {
    for (const { tensor, uses } of graph.constants) {
      if (tensor === undefined) continue;
      const quantized = uses.length > 0 && uses.every(({ user, index }) => index === 0 && 'op' in user && user.op === 'QuantizeLinear');
      total += quantized ? tensor.size : tensor.byteLength;
    }
  }
  return total;
}

/** The main graph, functions, and the bodies of If, Loop and Scan in all of them. */
function* graphsOf(model: Model): Iterable<Graph> {
  for (const graph of model.graphs()) {
    yield graph;
    for (const node of graph.walk()) yield* node.subgraphs;
  }
}
