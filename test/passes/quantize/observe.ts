import type { Model, Value } from '../../../ir/model.ts';
import { hashModel } from '../../../ir/hash.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { HistogramBuilder } from '../../../passes/statistics/histogram.ts';
import type { Feeds, Runtime } from '../../../passes/runtime.ts';
import type { StatisticsRequest } from '../../../passes/statistics/request.ts';
import type { ChannelStatistics, Statistics, TensorStatistics } from '../../../passes/statistics/statistics.ts';

/** Statistics of a model on some inputs, gathered the plain way: every value is fetched. */
export async function observe(model: Model, { ranges, channels }: StatisticsRequest, runtime: Runtime, samples: readonly Feeds[]): Promise<Statistics> {
  const names = new Set([...ranges, ...channels].map(({ value }) => value));
  const fetch = [...model.graph.values()].filter(({ name }) => names.has(name));
  const seen = new Map<string, Tensor[]>(fetch.map(({ name }) => [name, []]));
  const session = await runtime.open(model, { fetch: fetch.filter((value) => !value.isInput), threads: 1 });
  try {
    for (const feeds of samples) {
      const outputs = await session.run(feeds);
      for (const value of fetch) seen.get(value.name)!.push(held(value, feeds, outputs));
    }
  } finally {
    await session.release();
  }
  return {
    model: hashModel(model), data: 'test', random: true, samples: samples.length, method: 'min-max', percentile: 99.99,
    tensors: new Map(ranges.map(({ value }) => [value, distribution(seen.get(value)!)])),
    channels: new Map(channels.map(({ value, axis }) => [value, figures(seen.get(value)!, axis)])),
    moments: new Map(),
  };
}

/** An output that is fetched as well stands under its slot's name. */
function held({ name, isInput, uses }: Value, feeds: Feeds, outputs: ReadonlyMap<string, Tensor>): Tensor {
  const slot = uses.flatMap(({ user, index }) => ('outputs' in user && 'owner' in user ? [user.outputs[index]!.name] : []))[0];
  return (isInput ? feeds.get(name) : outputs.get(name) ?? outputs.get(slot ?? name))!;
}

function distribution(tensors: readonly Tensor[]): TensorStatistics {
  const builder = new HistogramBuilder();
  const extremes = tensors.map((tensor) => {
    const elements = Float32Array.from(tensor.floats());
    builder.add(elements, elements.reduce((most, element) => Math.max(most, Math.abs(element)), 0));
    return [elements.reduce((a, b) => Math.min(a, b), Infinity), elements.reduce((a, b) => Math.max(a, b), -Infinity)] as const;
  });
  const mean = (items: readonly number[]): number => items.reduce((sum, item) => sum + item, 0) / items.length;
  return {
    count: tensors.reduce((sum, { size }) => sum + size, 0), samples: tensors.length, nan: 0, infinite: 0, histogram: builder.finish(),
    min: Math.min(...extremes.map(([min]) => min)), max: Math.max(...extremes.map(([, max]) => max)), meanMin: mean(extremes.map(([min]) => min)), meanMax: mean(extremes.map(([, max]) => max)),
  };
}

function figures(tensors: readonly Tensor[], axis: number): ChannelStatistics {
  const channels = tensors[0]!.shape[axis]!;
  const [mean, meanSquare, absMax] = [new Float64Array(channels), new Float64Array(channels), new Float64Array(channels)];
  let count = 0;
  for (const tensor of tensors) {
    const inner = tensor.shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    count += tensor.size / channels;
    tensor.floats().forEach((element, index) => {
      const channel = Math.floor(index / inner) % channels;
      mean[channel]! += element;
      meanSquare[channel]! += element ** 2;
      absMax[channel] = Math.max(absMax[channel]!, Math.abs(element));
    });
  }
  return { axis, samples: tensors.length, mean: mean.map((sum) => sum / count), meanSquare: meanSquare.map((sum) => sum / count), absMax };
}
