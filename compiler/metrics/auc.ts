import { called, classOf, labelsOf, outputOf, outputsBySample, rowsOf, unfit, type Metric, type OutputArray, type Scored } from './metric.ts';
import type { Label } from '../../passes/data.ts';

/** Turns the outputs of one sample into its score: the higher, the more it is of class 1. */
export type Score = (outputs: Readonly<Record<string, OutputArray>>, label: Label) => number | Promise<number>;

/**
 * Area under the ROC curve in percent, for labels 0 and 1: the chance that a sample of class 1 scores higher than one of class 0, ties counting half
 * (Mann and Whitney 1947, by mean ranks). Without `score`, an output of one number is the score, and of two, how much the second exceeds the first.
 */
export function aucMetric(score?: Score, output?: string): Metric {
  const name = 'auc';
  const scores: number[] = [];
  const positive: boolean[] = [];
  return {
    name, higherIsBetter: true, unit: 'percent', needs: { labels: true },
    value: () => 100 * area(scores, positive),
    async add(scored: Scored): Promise<void> {
      const labels = labelsOf(name, scored);
      const all = score === undefined
        ? rowsOf(name, outputOf(name, scored.outputs, output), scored.size).map(plainScore)
        : await Promise.all(outputsBySample(name, scored).map((outputs, index) => called(name, () => score(outputs, labels[index]!))));
      for (const [index, value] of all.entries()) {
        const label = classOf(name, labels[index]!);
        if (label !== 0 && label !== 1) throw unfit(name, `a label is ${label}`, 'Labels are 0 and 1.');
        if (!Number.isFinite(value)) throw unfit(name, `a score is ${value}`, 'Scores are finite numbers.');
        scores.push(value);
        positive.push(label === 1);
      }
    },
  };

  function plainScore(row: Float32Array | Float64Array): number {
    if (row.length > 2 || row.length === 0) throw unfit(name, `the output has ${row.length} numbers for each sample`, 'Give a module that makes a score of them: `metric: { name: auc, decode: ./score.mjs }`.');
    return row.length === 1 ? row[0]! : row[1]! - row[0]!;
  }
}

function area(scores: readonly number[], positive: readonly boolean[]): number {
  const order = scores.map((_, index) => index).sort((a, b) => scores[a]! - scores[b]!);
  const count = positive.filter(Boolean).length;
  let rankSum = 0;
  for (let first = 0; first < order.length;) {
    let last = first;
    while (last + 1 < order.length && scores[order[last + 1]!] === scores[order[first]!]) last++;
    const rank = (first + last) / 2 + 1;
    for (let at = first; at <= last; at++) if (positive[order[at]!]!) rankSum += rank;
    first = last + 1;
  }
  return (rankSum - count * (count + 1) / 2) / (count * (order.length - count));
}
