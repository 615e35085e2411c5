import type { DType } from '../../ir/dtype.ts';
import type { Model, Node, Value } from '../../ir/model.ts';
import { dtypeOfType, printType, shapeOf, type Dim } from '../../ir/type.ts';
import type { Remark } from '../pass.ts';
import type { StatisticsRequest } from '../statistics/request.ts';
import type { ChannelPlan } from './channels.ts';
import { elementsOf, type DistributionPlan } from './distributions.ts';
import type { Observers } from './gather.ts';
import { planMoments } from './moments.ts';
import { isPerSample } from './sampling.ts';

/** What a request comes to on a model. */
export interface ObserverOptions {
  readonly histograms: boolean;
  /** The first axis of values with one entry for each sample of a batch. */
  readonly axis: Dim;
  /** How many samples there will be, as far as it is known. */
  readonly samples: number | undefined;
  /** Elements of values whose types do not tell. */
  readonly sizes: ReadonlyMap<Value, number>;
  readonly remark: (remark: Remark) => void;
}

const floats = new Set<DType | undefined>(['float', 'float16', 'bfloat16', 'double']);

/** Every value of the main graph that is computed and holds floats: what is observed when no later step asks for anything. */
export function everything(model: Model): StatisticsRequest {
  const ranges = [...model.graph.values()].filter((value) => isObservable(value)).map(({ name }) => ({ value: name }));
  return { ranges, channels: [], moments: [] };
}

/** Requests as one, in the order in which they came. */
export function union(requests: readonly StatisticsRequest[]): StatisticsRequest {
  const unique = <T>(items: readonly T[], key: (item: T) => string): T[] => [...new Map(items.map((item) => [key(item), item])).values()];
  return {
    ranges: unique(requests.flatMap(({ ranges }) => ranges), ({ value }) => value),
    channels: unique(requests.flatMap(({ channels }) => channels), ({ value }) => value),
    moments: unique(requests.flatMap(({ moments }) => moments), (name) => name),
  };
}

/** Values by name, of the main graph alone. */
export function valuesByName({ graph }: Model): ReadonlyMap<string, Value> {
  return new Map([...graph.values()].map((value) => [value.name, value]));
}

/** Values of the request that can be observed; remarks on the others. Constants are known without observation. */
export function observable(model: Model, { ranges }: StatisticsRequest, remark: (remark: Remark) => void): Value[] {
  const values = valuesByName(model);
  return ranges.flatMap(({ value: name }) => {
    const value = values.get(name);
    if (value !== undefined && isObservable(value)) return [value];
    if (value === undefined) remark({ kind: 'missed', rule: 'not-in-main-graph', message: `'${name}' is no value of the main graph; bodies of If, Loop and Scan are left alone`, tensor: name });
    else if (value.constant === undefined) remark({ kind: 'missed', rule: 'not-float', message: `'${name}' is ${printType(value.type)}, which has no range`, tensor: name });
    return [];
  });
}

function isObservable(value: Value): boolean {
  return value.constant === undefined && floats.has(dtypeOfType(value.type));
}

/** Plans the observers of a request. */
export function planObservers(model: Model, request: StatisticsRequest, values: readonly Value[], options: ObserverOptions): Observers {
  return {
    distributions: values.map((value) => distributionOf(value, options)),
    channels: channelsOf(model, request, options),
    moments: momentsOf(model, request, options),
  };
}

function distributionOf(value: Value, { axis, histograms, sizes }: ObserverOptions): DistributionPlan {
  const elements = elementsOf(value, axis);
  const size = Number.isNaN(elements) ? sizes.get(value) ?? 1 : elements;
  return { name: value.name, value, bytes: 4 * size, histogram: histograms, scan: size === 0 || (axis !== undefined && !isPerSample(value, axis)) };
}

function channelsOf(model: Model, { channels }: StatisticsRequest, { remark }: ObserverOptions): ChannelPlan[] {
  const values = valuesByName(model);
  return channels.flatMap(({ value: name, axis }) => {
    const value = values.get(name);
    const size = shapeOf(value?.type)?.[axis];
    if (value !== undefined && isObservable(value) && typeof size === 'number' && size > 0) return [{ name, value, axis, size }];
    remark({ kind: 'missed', rule: 'no-channels', message: `'${name}' has no channels along axis ${axis} whose number is known`, tensor: name });
    return [];
  });
}

function momentsOf(model: Model, { moments }: StatisticsRequest, { samples, remark }: ObserverOptions): Observers['moments'] {
  const nodes = new Map<string, Node>([...model.graph.nodes()].map((node) => [node.name, node]));
  return moments.flatMap((name) => {
    const node = nodes.get(name);
    const plan = node === undefined ? 'it is no node of the main graph' : planMoments(node, samples);
    if (typeof plan !== 'string') return [plan];
    remark({ kind: 'missed', rule: 'no-moments', message: `no second moments of what '${name}' reads: ${plan}`, ...(node !== undefined && { node }) });
    return [];
  });
}
