import { isFloat, isInteger } from '../../ir/dtype.ts';
import type { Tensor } from '../../ir/tensor.ts';
import { classOf, labelsOf, mean, outputOf, referenceOf, rowsOf, unfit, type Metric, type Scored } from './metric.ts';

type Numbers = Float32Array | Float64Array;

/** Share of samples, in percent, whose class is among the `count` highest scores. An output of one integer for each sample is the class itself. */
export function topMetric(name: string, count: number, output?: string): Metric {
  const perSample: number[] = [];
  return {
    name, higherIsBetter: true, unit: 'percent', needs: { labels: true }, classes: { output }, perSample,
    value: () => mean(perSample),
    add(scored: Scored): void {
      const labels = labelsOf(name, scored);
      const tensor = outputOf(name, scored.outputs, output);
      for (const [index, scores] of rowsOf(name, tensor, scored.size).entries()) {
        const label = classOf(name, labels[index]!);
        perSample.push((isClass(tensor, scores) ? scores[0] === label : rankOf(scores, label, name) < count) ? 100 : 0);
      }
    },
  };
}

/** Share of samples, in percent, for which the model says the same class as the original. */
export function agreementMetric(output?: string): Metric {
  const name = 'agreement';
  const perSample: number[] = [];
  return {
    name, higherIsBetter: true, unit: 'percent', needs: { reference: true }, perSample,
    value: () => mean(perSample),
    add(scored: Scored): void {
      const [mine, theirs] = [scored.outputs, referenceOf(name, scored)].map((outputs) => chosen(outputOf(name, outputs, output), scored.size));
      for (const [index, choice] of mine!.entries()) perSample.push(choice === theirs![index] ? 100 : 0);
    },
  };

  function chosen(tensor: Tensor, size: number): number[] {
    return rowsOf(name, tensor, size).map((scores) => (isClass(tensor, scores) ? scores[0]! : argMax(scores)));
  }
}

/**
 * Agreement where nobody asked for it: an output must look like classes. Its `add` throws `data/metric` for others, since the place of the greatest number of a
 * picture, of boxes or of a waveform says nothing.
 */
export function classAgreement(output?: string): Metric {
  const metric = agreementMetric(output);
  return {
    ...metric,
    add(scored: Scored): void | Promise<void> {
      const tensor = outputOf(metric.name, scored.outputs, output);
      if (!holdsClasses(tensor, scored.size)) throw unfit(metric.name, `an output of shape [${tensor.shape.join(', ')}] does not look like scores of classes`, 'Name an output of classes with `output`.', output);
      return metric.add(scored);
    },
  };
}

/** Whether an output looks like what a classifier says of so many samples: axes of length one aside, [samples, classes] scores of two classes or more, or [samples] integers. */
function holdsClasses({ dtype, shape }: Tensor, samples: number): boolean {
  if (shape[0] !== samples && samples !== 1) return false;
  const axes = (shape[0] === samples ? shape.slice(1) : shape).filter((length) => length !== 1);
  return axes.length === 0 ? isInteger(dtype) : axes.length === 1 && axes[0]! > 1 && isFloat(dtype);
}

const isClass = ({ dtype }: Tensor, scores: Numbers): boolean => scores.length === 1 && isInteger(dtype);

/** Index of the greatest number, the first of equals; NaN is never greatest. */
export function argMax(scores: Numbers): number {
  let best = 0;
  for (let index = 1; index < scores.length; index++) if (scores[index]! > scores[best]! || Number.isNaN(scores[best])) best = index;
  return best;
}

/** How many classes come before this one when they are sorted by score, equal scores by index; infinite for a score that is NaN. */
function rankOf(scores: Numbers, label: number, metric: string): number {
  if (label < 0 || label >= scores.length) {
    throw unfit(metric, `a label is ${label}, and the output has ${scores.length} ${scores.length === 1 ? 'number' : 'classes'} for each sample`, 'Check labels, and name the output of the scores with `output`.');
  }
  const own = scores[label]!;
  if (Number.isNaN(own)) return Infinity;
  let rank = 0;
  for (let index = 0; index < scores.length; index++) if (scores[index]! > own || (scores[index] === own && index < label)) rank++;
  return rank;
}
