import { expect } from 'chai';
import { deployedBytes, evaluate } from '../../../compiler/eval/evaluate.ts';
import { agreementMetric, topMetric } from '../../../compiler/metrics/classification.ts';
import type { Metric } from '../../../compiler/metrics/metric.ts';
import { cosineMetric, maxErrorMetric } from '../../../compiler/metrics/similarity.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Batch, DataSource } from '../../../passes/data.ts';

/** Scores of three classes: the input times a factor for each. */
const scores = (factors: string): ReturnType<typeof parseModel> => parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (float[N,3] y) <float[3] f = {${factors}}> { y = Mul (x, f) }`);

/** Four samples in batches of at most three; the class is the greatest element. */
const samples = [[3, 1, 2], [1, 2, 0.9], [0, 1, 5], [2.1, 2, 0]];
const source: DataSource = {
  name: 'four', count: 4, key: 'k', random: false, metric: undefined,
  async* batches({ last = 4 } = {}): AsyncGenerator<Batch> {
    for (let first = 0; first < last; first += 3) {
      const rows = samples.slice(first, Math.min(first + 3, last));
      await Promise.resolve();
      yield { feeds: new Map([['x', Tensor.of('float', Float32Array.from(rows.flat()), [rows.length, 3])]]), size: rows.length, first, labels: [0, 1, 2, 0].slice(first, first + rows.length) };
    }
  },
};

describe('evaluation', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  const subjects = [{ name: 'a', model: scores('1, 1, 1') }, { name: 'b', model: scores('1, 1.2, 1'), bytes: 7 }];

  it('gives metrics, agreement with the first model, and the ratio of signal to noise, over all batches', async () => {
    const { models, samples: count, random, optimization } = await evaluate(subjects, source, { runtime, metrics: [() => topMetric('top1', 1)] });
    expect([count, random, optimization]).to.deep.equal([4, false, 'disabled']);
    const [a, b] = models as [typeof models[number], typeof models[number]];
    expect(a.scores.map(({ name, value, change }) => [name, value, change])).to.deep.equal([['top1', 100, undefined]]);
    expect(b.scores.map(({ name, value, change }) => [name, value, change?.difference])).to.deep.equal([['top1', 75, -25], ['agreement', 75, undefined]]);
    // Signal: all squares; noise: (0.2 x₁)².
    const [signal, noise] = [samples.flat().reduce((sum, x) => sum + x * x, 0), samples.reduce((sum, [, x]) => sum + (0.2 * x!) ** 2, 0)];
    expect(b.outputs[0]!.output).to.equal('y');
    expect(b.outputs[0]!.sqnr).to.be.closeTo(10 * Math.log10(signal / noise), 1e-5);
    expect(b.bytes).to.equal(7);
    expect(a.outputs).to.deep.equal([]);
  });

  it('has the agreement once where the data name it, and refuses what it cannot be asked of', async () => {
    const { models } = await evaluate(subjects, source, { runtime, metrics: [() => agreementMetric()] });
    expect(models[1]!.scores.map(({ name, value }) => [name, value])).to.deep.equal([['agreement', 75]]);
    expect(await evaluate(subjects, source, { runtime, metrics: [() => agreementMetric('z')] }).catch((thrown: unknown) => thrown)).to.include({ code: 'data/metric' });
  });

  /** What an output of two samples is reshaped to, 0 being the batch, and whether it looks like classes. */
  const shapes: readonly (readonly [shape: string, type: string, classes: boolean])[] = [
    ['0, 4', 'float', true], ['0, 4, 1, 1', 'float', true], ['0, 1, 4', 'float', true], ['0, 4', 'int64', false], ['0, 2, 2', 'float', false], ['1, -1, 4', 'float', false], ['-1, 1', 'float', false], ['-1', 'float', false],
  ];
  for (const [shape, type, classes] of shapes) {
    it(`${classes ? 'has' : 'lacks'} agreement of outputs of ${type}[${shape}] where nobody asks for it, and has it where somebody does`, async () => {
      const reshaped = parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,4] x) => (${type} y) <int64[${shape.split(',').length}] s = {${shape}}> { r = Reshape (x, s)  y = Cast <to = ${type === 'float' ? 1 : 7}> (r) }`);
      const pair = [{ name: 'a', model: reshaped }, { name: 'b', model: reshaped }];
      const two: DataSource = {
        ...source,
        async* batches(): AsyncGenerator<Batch> {
          await Promise.resolve();
          yield { feeds: new Map([['x', Tensor.of('float', Float32Array.from({ length: 8 }, (_, index) => index), [2, 4])]]), size: 2, first: 0 };
        },
      };
      const names = async (metrics: readonly (() => Metric)[]): Promise<string[]> => (await evaluate(pair, two, { runtime, metrics })).models[1]!.scores.map(({ name }) => name);
      expect(await names([])).to.deep.equal(classes ? ['agreement'] : []);
      expect(await names([() => cosineMetric()])).to.deep.equal(['cosine']);
      expect(await names([() => agreementMetric()])).to.deep.equal(['agreement']);
    });
  }

  it('takes agreement from the output that the metric of classes reads', async () => {
    const two = (factors: string): ReturnType<typeof parseModel> => parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (float[N,3] same, float[N,3] y) <float[3] f = {${factors}}> { same = Identity (x)  y = Mul (x, f) }`);
    const { models } = await evaluate([{ name: 'a', model: two('1, 1, 1') }, { name: 'b', model: two('1, 1.2, 1') }], source, { runtime, metrics: [() => topMetric('top1', 1, 'y')] });
    expect(models[1]!.scores.map(({ name, value }) => [name, value])).to.deep.equal([['top1', 75], ['agreement', 75]]);
  });

  it('gives the interval of a difference for means alone', async () => {
    const { models } = await evaluate(subjects, source, { runtime, metrics: [() => maxErrorMetric(), () => cosineMetric()] });
    const [most, cosine] = models[1]!.scores;
    expect(most).to.include({ name: 'maxError' }).and.not.to.have.property('change');
    expect(most!.value).to.be.closeTo(0.4, 1e-6);
    expect(cosine!.change!.difference).to.be.closeTo(cosine!.value - 1, 1e-12);
  });

  it('looks at no more samples than it is told', async () => {
    expect((await evaluate(subjects, source, { runtime, samples: 2 })).samples).to.equal(2);
  });

  it('takes the time of each model if asked', async () => {
    const { models } = await evaluate(subjects, source, { runtime, runs: 2 });
    for (const { latency } of models) expect(latency?.runs).to.equal(2);
  });

  it('refuses data without samples', async () => {
    const error: unknown = await evaluate(subjects, { ...source, async* batches(): AsyncGenerator<Batch> { yield* await Promise.resolve([]); } }, { runtime }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'eval/no-samples' });
  });

  it('counts constants in the bodies of control flow', () => {
    const body = (name: string): string => `${name} = g () => (float[3] ${name}_y) <float[3] ${name}_f = {1, 2, 3}> { ${name}_y = Mul (x, ${name}_f) }`;
    const model = parseModel(`<ir_version: 8, opset_import: ["": 17]> main (bool c, float[3] x) => (float[3] y) { y = If (c) <${body('then_branch')}, ${body('else_branch')}> }`);
    expect(deployedBytes(model)).to.equal(2 * 3 * 4);
  });

  it('counts weights before a QuantizeLinear in eight bits', () => {
    const model = parseModel('<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (float[N,3] y) <float[3] f = {1, 2, 3}, float s = {0.1}, int8 z = {0}> { q = QuantizeLinear (f, s, z)  d = DequantizeLinear (q, s, z)  y = Mul (x, d) }');
    expect(deployedBytes(model)).to.equal(3 + 4 + 1);
  });
});
