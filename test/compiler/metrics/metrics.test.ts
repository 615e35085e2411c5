import { expect } from 'chai';
import fc from 'fast-check';
import { aucMetric } from '../../../compiler/metrics/auc.ts';
import { mapMetric, type Detection } from '../../../compiler/metrics/detection.ts';
import type { Metric, Scored } from '../../../compiler/metrics/metric.ts';
import { metricNames, openMetric } from '../../../compiler/metrics/open.ts';
import { Tensor } from '../../../ir/tensor.ts';
import type { Label } from '../../../passes/data.ts';

const outputs = (rows: readonly (readonly number[])[]): Scored['outputs'] => new Map([['y', Tensor.of('float', Float32Array.from(rows.flat()), [rows.length, rows[0]!.length])]]);

interface Case {
  readonly what: string;
  readonly metric: string;
  readonly rows: readonly (readonly number[])[];
  readonly labels?: readonly Label[];
  readonly reference?: readonly (readonly number[])[];
  readonly value: number;
  readonly perSample?: readonly number[];
}

const softmax = (row: readonly number[]): number[] => {
  const total = row.reduce((sum, score) => sum + Math.exp(score), 0);
  return row.map((score) => Math.exp(score) / total);
};
const divergence = (p: readonly number[], q: readonly number[]): number => p.reduce((sum, each, index) => sum + each * Math.log(each / q[index]!), 0);

/** Values computed by hand. */
const cases: readonly Case[] = [
  { what: 'half right', metric: 'top1', rows: [[1, 2, 0], [5, 4, 3]], labels: [1, 2], value: 50, perSample: [100, 0] },
  { what: 'the first of equal scores', metric: 'top1', rows: [[2, 2]], labels: [1], value: 0 },
  { what: 'NaN is never right', metric: 'top1', rows: [[NaN, NaN]], labels: [0], value: 0 },
  { what: 'among five', metric: 'top5', rows: [[6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 2, 1]], labels: [4, 5], value: 50, perSample: [100, 0] },
  { what: 'with the original', metric: 'agreement', rows: [[1, 2], [2, 1]], reference: [[0, 9], [0, 9]], value: 50, perSample: [100, 0] },
  { what: 'signal 25, noise 0.25: 20 dB', metric: 'sqnr', rows: [[3.5, 4]], reference: [[3, 4]], value: 20, perSample: [20] },
  { what: 'no noise', metric: 'sqnr', rows: [[3, 4]], reference: [[3, 4]], value: Infinity },
  { what: 'over samples, powers are added', metric: 'sqnr', rows: [[1, 0], [0, 9]], reference: [[0, 0], [0, 10]], value: 10 * Math.log10(50) },
  { what: 'a right angle and the same direction', metric: 'cosine', rows: [[1, 0], [2, 2]], reference: [[0, 1], [1, 1]], value: 0.5 },
  { what: 'of logits', metric: 'kl', rows: [[1, 2]], reference: [[2, 1]], value: divergence(softmax([2, 1]), softmax([1, 2])) },
  { what: 'of probabilities', metric: 'kl', rows: [[0.5, 0.5]], reference: [[0.25, 0.75]], value: divergence([0.25, 0.75], [0.5, 0.5]) },
  { what: 'over all samples', metric: 'maxError', rows: [[1, 2], [3, 4]], reference: [[1, 2.5], [2, 4]], value: 1, perSample: [0.5, 1] },
  { what: 'a pair of four is wrong', metric: 'auc', rows: [[0.1], [0.4], [0.35], [0.8]], labels: [0, 0, 1, 1], value: 75 },
  { what: 'ties count half', metric: 'auc', rows: [[1], [1]], labels: [0, 1], value: 50 },
  { what: 'of two classes', metric: 'auc', rows: [[0, 1], [1, 0]], labels: [1, 0], value: 100 },
];

async function fed(metric: Metric, { rows, labels, reference }: Case): Promise<Metric> {
  // One sample at a time, as a literal batch gives them.
  for (const [index, row] of rows.entries()) {
    await metric.add({ outputs: outputs([row]), size: 1, ...(labels && { labels: [labels[index]!] }), ...(reference && { reference: outputs([reference[index]!]) }) });
  }
  return metric;
}

describe('metrics', () => {
  for (const each of cases) {
    it(`${each.metric}: ${each.what}`, async () => {
      const make = await openMetric(each.metric, '.');
      const metric = await fed(make(), each);
      if (Number.isFinite(each.value)) expect(metric.value()).to.be.closeTo(each.value, 1e-6);
      else expect(metric.value()).to.equal(each.value);
      if (each.perSample !== undefined) for (const [index, value] of each.perSample.entries()) expect(metric.perSample![index]).to.be.closeTo(value, 1e-9);
      const whole = make();
      await whole.add({ outputs: outputs(each.rows), size: each.rows.length, ...(each.labels && { labels: each.labels }), ...(each.reference && { reference: outputs(each.reference) }) });
      expect(whole.value()).to.deep.equal(metric.value());
    });
  }

  it('auc equals the share of pairs in the right order', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { minLength: 2, maxLength: 20 }), async (samples) => {
      const [high, low] = [samples.filter(([, positive]) => positive), samples.filter(([, positive]) => !positive)];
      fc.pre(high.length > 0 && low.length > 0);
      const metric = aucMetric();
      await metric.add({ outputs: outputs(samples.map(([score]) => [score])), size: samples.length, labels: samples.map(([, positive]) => Number(positive)) });
      const right = high.flatMap(([a]) => low.map(([b]): number => (a > b ? 1 : a === b ? 0.5 : 0)));
      expect(metric.value()).to.be.closeTo(100 * right.reduce((sum, each) => sum + each) / right.length, 1e-9);
    }));
  });

  it('names what is near an unknown one, and knows what each needs', async () => {
    const failure = async (make: () => Promise<unknown>): Promise<{ code?: string; suggestion?: string }> => make().then(() => ({}), (error: unknown) => error as { code: string });
    expect(await failure(() => openMetric('top2', '.'))).to.include({ code: 'data/metric' }).with.property('suggestion').that.includes('top1');
    expect(await failure(() => openMetric('map', '.'))).to.include({ code: 'data/metric' });
    for (const name of metricNames.filter((each) => each !== 'map')) {
      const metric = (await openMetric(name, '.'))();
      expect(await failure(async () => metric.add({ outputs: outputs([[1, 2]]), size: 1 }))).to.include({ code: 'data/metric' });
    }
  });
});

describe('mean average precision', () => {
  const square = (left: number, side = 10): [number, number, number, number] => [left, 0, left + side, side];
  const found = (score: number, box: Detection['box'], kind = 0): Detection => ({ class: kind, score, box });
  const all = new Map([['y', Tensor.of('float', [0], [1, 1])]]);

  async function measured(images: readonly { detections: readonly Detection[]; label: Label }[]): Promise<{ map: number; ap50: number }> {
    let next = 0;
    const metric = mapMetric(() => images[next++]!.detections);
    for (const { label } of images) await metric.add({ outputs: all, size: 1, labels: [label] });
    return { map: metric.value(), ap50: metric.ap50() };
  }
  const boxes = (...list: [number, number, number, number][]): Label => ({ boxes: list.map((box) => ({ class: 0, box })) });

  it('is 100 where everything is found exactly, and 0 where nothing is', async () => {
    expect((await measured([{ detections: [found(0.9, square(0))], label: boxes(square(0)) }])).map).to.equal(100);
    expect((await measured([{ detections: [], label: boxes(square(0)) }])).map).to.equal(0);
  });

  it('counts an overlap of 0.8 for the thresholds up to it', async () => {
    // 10 × 8 of 10 × 10: thresholds 0.5, 0.55, …, 0.8 are seven of ten (0.8 itself is a hair above the sum of its steps).
    const { map, ap50 } = await measured([{ detections: [found(0.9, [0, 0, 10, 8.01])], label: boxes(square(0)) }]);
    expect(ap50).to.equal(100);
    expect(map).to.be.closeTo(70, 1e-9);
  });

  it('reads precision at 101 recalls', async () => {
    // Right, wrong, right of two objects: precision 1 up to recall 0.5 (51 recalls), then 2/3 (50 recalls).
    const { map } = await measured([{ detections: [found(0.9, square(0)), found(0.8, square(50)), found(0.7, square(20))], label: boxes(square(0), square(20)) }]);
    expect(map).to.be.closeTo(100 * (51 + 50 * 2 / 3) / 101, 1e-9);
  });

  it('counts an object once, and a crowd neither way', async () => {
    const crowd: Label = { boxes: [{ class: 0, box: square(0) }, { class: 0, box: square(40, 40), crowd: true }] };
    expect((await measured([{ detections: [found(0.9, square(45, 5)), found(0.8, square(0))], label: crowd }])).map).to.equal(100);
    expect((await measured([{ detections: [found(0.9, square(0)), found(0.8, square(0))], label: boxes(square(0)) }])).map).to.equal(100);
    expect((await measured([{ detections: [found(0.9, square(0)), found(0.95, square(0.1))], label: boxes(square(0), square(90)) }])).ap50).to.be.closeTo(100 * 51 / 101, 1e-9);
  });

  it('does not find what is nowhere', async () => {
    for (const detection of [found(NaN, square(0)), found(0.9, [NaN, 0, 10, 10]), found(0.9, [0, 0, Infinity, 10])]) {
      expect((await measured([{ detections: [detection], label: boxes(square(0)) }])).map).to.equal(0);
    }
  });

  it('says what is wrong with modules and labels', async () => {
    const fails = async (given: () => unknown, label: unknown): Promise<unknown> => Promise.resolve(mapMetric(given as () => Detection[]).add({ outputs: all, size: 1, labels: [label as Label] })).catch((error: unknown) => error);
    const label = boxes(square(0));
    for (const given of [undefined, 3, [null], [{ class: 0, score: 1 }], [{ class: 0, score: 1, box: [0, 1] }], [{ class: 'cat', score: 1, box: square(0) }]]) {
      expect(await fails(() => given, label), JSON.stringify(given)).to.include({ code: 'data/metric' });
    }
    for (const wrong of [null, 3, { boxes: 3 }, { boxes: [null] }, { boxes: [{ class: 0 }] }]) expect(await fails(() => [], wrong), JSON.stringify(wrong)).to.include({ code: 'data/metric' });
    const broken = (): never => { throw new TypeError('it is broken'); };
    expect(await fails(broken, label)).to.include({ code: 'data/metric' }).with.property('message').that.includes('it is broken');
    expect(await Promise.resolve(aucMetric(broken).add({ outputs: all, size: 1, labels: [1] })).catch((error: unknown) => error)).to.include({ code: 'data/metric' });
  });

  it('averages over classes that occur, and maps boxes back to the image', async () => {
    const label: Label = { boxes: [{ class: 0, box: square(0) }, { class: 1, box: square(20) }], placement: { size: [40, 40], scale: [2, 2], offset: [5, 3] } };
    const placed = found(0.9, [5, 3, 25, 23]);
    expect((await measured([{ detections: [placed, found(0.9, square(0), 7)], label }])).map).to.equal(50);
  });
});
