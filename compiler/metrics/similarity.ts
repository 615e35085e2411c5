import { mean, outputOf, referenceOf, rowsOf, unfit, type Metric, type Scored } from './metric.ts';

type Numbers = Float32Array | Float64Array;

/** What a comparison of one sample's output with the original's adds up to; sums in double precision. */
interface Comparison {
  readonly name: string;
  readonly higherIsBetter: boolean;
  readonly unit: Metric['unit'];
  /** The value of one sample. */
  readonly sample: (mine: Numbers, original: Numbers) => number;
  /** The value of all, from those of the samples; their mean if absent. */
  readonly all?: (perSample: readonly number[]) => number;
}

/** Power of the signal over that of the noise in dB: 10 log₁₀(Σ original² / Σ (original − mine)²), over all elements of all samples. */
export function sqnrMetric(output?: string): Metric {
  let [signal, noise] = [0, 0];
  return comparing({
    name: 'sqnr', higherIsBetter: true, unit: 'dB',
    sample(mine, original) {
      let [power, error] = [0, 0];
      for (let index = 0; index < original.length; index++) {
        power += original[index]! ** 2;
        error += (original[index]! - mine[index]!) ** 2;
      }
      signal += power;
      noise += error;
      return decibel(power, error);
    },
    all: () => decibel(signal, noise),
  }, output);
}

const decibel = (signal: number, noise: number): number => (noise === 0 ? Infinity : 10 * Math.log10(signal / noise));

/** Mean over samples of the cosine between the output and the original's; 1 if both are zero, 0 if only one is. */
export function cosineMetric(output?: string): Metric {
  return comparing({
    name: 'cosine', higherIsBetter: true, unit: '',
    sample(mine, original) {
      let [dot, a, b] = [0, 0, 0];
      for (let index = 0; index < original.length; index++) {
        dot += mine[index]! * original[index]!;
        a += mine[index]! ** 2;
        b += original[index]! ** 2;
      }
      return a === 0 && b === 0 ? 1 : a === 0 || b === 0 ? 0 : dot / Math.sqrt(a * b);
    },
  }, output);
}

/**
 * Mean over samples of the Kullback-Leibler divergence of the model's classes from the original's, in nats. Outputs that are probabilities already
 * (none negative, sum 1) are taken as such; others go through softmax.
 */
export function klMetric(output?: string): Metric {
  return comparing({
    name: 'kl', higherIsBetter: false, unit: 'nat',
    sample(mine, original) {
      const [p, q] = [logProbabilities(original), logProbabilities(mine)];
      let sum = 0;
      for (let index = 0; index < p.length; index++) if (p[index]! > -Infinity) sum += Math.exp(p[index]!) * (p[index]! - Math.max(q[index]!, floor));
      return Math.max(0, sum);
    },
  }, output);
}

/** Logarithm of the smallest probability that a float32 softmax can give: a class that the model rules out costs much, and not infinitely much. */
const floor = Math.log(2 ** -149);

function logProbabilities(scores: Numbers): Float64Array {
  let [sum, low, high] = [0, Infinity, -Infinity];
  for (const score of scores) {
    sum += score;
    low = Math.min(low, score);
    high = Math.max(high, score);
  }
  if (scores.length > 1 && low >= 0 && Math.abs(sum - 1) < 1e-3) return Float64Array.from(scores, Math.log);
  let total = 0;
  for (const score of scores) total += Math.exp(score - high);
  const shift = high + Math.log(total);
  return Float64Array.from(scores, (score) => score - shift);
}

/** The largest absolute difference of an element from the original's, over all samples. */
export function maxErrorMetric(output?: string): Metric {
  return comparing({
    name: 'maxError', higherIsBetter: false, unit: '',
    sample(mine, original) {
      let most = 0;
      for (let index = 0; index < original.length; index++) {
        const error = Math.abs(original[index]! - mine[index]!);
        if (!(error <= most)) most = error;
      }
      return most;
    },
    all: (perSample) => perSample.reduce((most, value) => (value <= most ? most : value), perSample.length === 0 ? NaN : 0),
  }, output);
}

function comparing({ name, higherIsBetter, unit, sample, all = mean }: Comparison, output: string | undefined): Metric {
  const perSample: number[] = [];
  return {
    name, higherIsBetter, unit, needs: { reference: true }, perSample,
    value: () => all(perSample),
    add(scored: Scored): void {
      const [mine, original] = [scored.outputs, referenceOf(name, scored)].map((outputs) => rowsOf(name, outputOf(name, outputs, output), scored.size));
      for (const [index, row] of mine!.entries()) {
        const other = original![index]!;
        if (row.length !== other.length) throw unfit(name, `the model has ${row.length} numbers for each sample, and the original ${other.length}`, 'Compare models with the same outputs.');
        perSample.push(sample(row, other));
      }
    },
  };
}
