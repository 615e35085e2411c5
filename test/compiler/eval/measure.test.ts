import { expect } from 'chai';
import { measurer, type MeasurerOptions } from '../../../compiler/eval/measure.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Batch, DataSource } from '../../../passes/data.ts';

/** Scores of three classes: the input times a factor for each. */
const scores = (factors: string): ReturnType<typeof parseModel> => parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (float[N,3] y) <float[3] f = {${factors}}> { y = Mul (x, f) }`);

/** Four samples, and the classes that they are said to be. */
const samples = [[3, 1, 2], [1, 2, 0.9], [0, 1, 5], [2.1, 2, 0]];
const classes = [0, 1, 2, 1];

describe('measuring while a recipe runs', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime(); });
  after(() => runtime.close());

  let reads = 0;
  const source: DataSource = {
    name: 'held', count: 4, key: 'k', random: false, metric: undefined,
    async* batches(): AsyncGenerator<Batch> {
      reads++;
      await Promise.resolve();
      yield { feeds: new Map([['x', Tensor.of('float', Float32Array.from(samples.flat()), [4, 3])]]), size: 4, first: 0, labels: classes };
    },
  };
  const measuring = (settings: object): ReturnType<typeof measurer> => measurer({
    data: { held: settings }, open: () => Promise.resolve(source), folder: '.', runtime, target: loadTarget('portable'), signal: new AbortController().signal,
  } satisfies MeasurerOptions);
  // With 1.2 for the second class, the last sample changes its class from 0 to 1.
  const [original, candidate] = [scores('1, 1, 1'), scores('1, 1.2, 1')];

  it('takes top-1 where there are labels: a model can gain', async () => {
    expect(await measuring({ labels: 'labels.json' })(original, candidate, 'held')).to.deep.equal({ metric: 'top1', value: 100, drop: -25 });
  });

  it('takes agreement with the original where there is nothing else', async () => {
    expect(await measuring({})(original, candidate, 'held')).to.deep.equal({ metric: 'agreement', value: 75, drop: 25 });
  });

  it('takes the metric of the data, also one of which less is better', async () => {
    const { metric, drop } = await measuring({ metric: 'maxError' })(original, candidate, 'held');
    expect(metric).to.equal('maxError');
    // 0.2 times the largest number of the second column.
    expect(drop).to.be.closeTo(0.4, 1e-6);
  });

  it('reads the samples once', async () => {
    reads = 0;
    const measure = measuring({});
    for (let time = 0; time < 3; time++) await measure(original, candidate, 'held');
    expect(reads).to.equal(1);
  });

  it('refuses outputs that nothing can score', async () => {
    const flat = parseModel('<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (int64[1] y) { s = Shape <start = 1> (x) y = Identity (s) }');
    let code: string | undefined;
    await measuring({})(flat, flat, 'held').catch((error: unknown) => { code = (error as { code?: string }).code; });
    expect(code).to.equal('eval/no-metric');
  });
});
