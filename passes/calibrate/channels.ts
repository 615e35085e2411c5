import type { Value } from '../../ir/model.ts';
import { shapeOf, type Dim } from '../../ir/type.ts';
import type { ObserverGraph, Reduction } from './graph.ts';
import type { Taker } from './portion.ts';
import { isPerSample } from './sampling.ts';

/** Whose channels are observed. */
export interface ChannelPlan {
  readonly name: string;
  readonly value: Value;
  readonly axis: number;
  readonly size: number;
}

/** Observes sums, sums of squares and largest magnitudes of each channel, reduced in the graph for each sample. Figures that are not finite are left out. */
export function observeChannels(graph: ObserverGraph, plans: readonly ChannelPlan[], axis: Dim): Taker {
  const column = (op: Reduction): string => graph.output(graph.concat(plans.map((plan) => reduced(graph, op, plan, axis)), 1));
  const [sums, squares, lows, highs] = [column('ReduceSum'), column('ReduceSumSquare'), column('ReduceMin'), column('ReduceMax')];
  const sizes = plans.map(({ value }) => graph.output(graph.size(value)));

  return ({ outputs }, slab, { layout, channels }) => {
    const floats = (name: string): Float32Array => outputs.get(name)!.floats() as Float32Array;
    const [sum, square, low, high] = [floats(sums), floats(squares), floats(lows), floats(highs)];
    const width = plans.reduce((total, { size }) => total + size, 0);
    let from = 0;
    plans.forEach(({ name, size }, index) => {
      const at = layout.channels.get(name)!;
      const { absMax } = channels.get(name)!;
      slab[at]! += outputs.get(sizes[index]!)!.ints()[0]! / size;
      for (let row = from; row < sum.length; row += width) {
        for (let channel = 0; channel < size; channel++) {
          const cell = row + channel;
          if (!Number.isFinite(sum[cell]) || !Number.isFinite(square[cell])) continue;
          slab[at + 1 + channel]! += sum[cell]!;
          slab[at + 1 + size + channel]! += square[cell]!;
          absMax[channel] = Math.max(absMax[channel]!, -low[cell]!, high[cell]!);
        }
      }
      from += size;
    });
  };
}

/** [samples, channels]; one row for a value without an axis for samples. */
function reduced(graph: ObserverGraph, op: Reduction, { value, axis, size }: ChannelPlan, batch: Dim): Value {
  const rank = shapeOf(value.type)!.length;
  const perSample = isPerSample(value, batch) && axis > 0;
  const axes = Array.from({ length: rank }, (_, each) => each).filter((each) => each !== axis && !(perSample && each === 0));
  const input = graph.float(value);
  const result = axes.length > 0 ? graph.reduce(op, input, axes, false) : op === 'ReduceSumSquare' ? graph.node('Mul', [input, input]) : input;
  const rows = graph.reshape(result, [-1, size]);
  // The distribution of the value need not go over all elements again.
  if (perSample || batch === undefined) graph.setReduced(op, value, rows);
  return rows;
}
