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
  const measuring = (settings: object, through: MeasurerOptions['runtime'] = runtime): ReturnType<typeof measurer> => measurer({
    data: { held: settings }, open: () => Promise.resolve(source), folder: '.', runtime: through, target: loadTarget('portable'), signal: new AbortController().signal,
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

  it('runs the original once, whatever the candidates', async () => {
    let runs = 0;
    const counting: MeasurerOptions['runtime'] = {
      infer: (...given) => runtime.infer(...given), evaluate: (...given) => runtime.evaluate(...given), optimized: (given) => runtime.optimized(given),
      async open(model, options) {
        const session = await runtime.open(model, options);
        if (model !== original) return session;
        return { release: () => session.release(), run: (feeds, abort) => { runs++; return session.run(feeds, abort); } };
      },
    };
    const measure = measuring({ metric: 'maxError' }, counting);
    const drops = [];
    for (const factors of ['1, 1.2, 1', '1, 1, 1', '1, 1.4, 1']) drops.push((await measure(original, scores(factors), 'held')).drop);
    expect(runs).to.equal(1);
    for (const [index, drop] of [0.4, 0, 0.8].entries()) expect(drops[index]).to.be.closeTo(drop, 1e-6);
  });

  it('takes the drop of the ratio of signal to noise for the noise in percent of the signal', async () => {
    const squares = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x * x, 0);
    const { metric, value, drop } = await measuring({ metric: 'sqnr' })(original, candidate, 'held');
    expect(metric).to.match(/^sqnr, as noise in percent/);
    // The second column is 0.2 times too large.
    const share = squares(samples.map(([, x]) => 0.2 * x!)) / squares(samples.flat());
    expect(drop).to.be.closeTo(100 * share, 1e-4);
    expect(value).to.be.closeTo(-10 * Math.log10(share), 1e-5);
    expect((await measuring({ metric: 'sqnr' })(original, original, 'held')).drop).to.equal(0);
  });

  it('refuses to judge pictures and boxes by their greatest number, and says what to do', async () => {
    const picture = (factor: number): ReturnType<typeof parseModel> => parseModel(`<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (float[N,3,2] y) <float[1,1,2] f = {1, ${factor}}, int64[1] a = {2}> { c = Unsqueeze (x, a)  y = Mul (c, f) }`);
    const error: unknown = await measuring({})(picture(1), picture(2), 'held').catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'eval/no-metric', tensor: 'y' });
    expect((error as Error).message).to.include("'y' is float[N,3,2]");
    expect((error as { suggestion: string }).suggestion).to.include('metric: sqnr');
    expect((await measuring({ metric: 'agreement' })(picture(1), picture(2), 'held')).metric).to.equal('agreement');
  });

  it('refuses outputs that nothing can score', async () => {
    const flat = parseModel('<ir_version: 8, opset_import: ["": 17]> main (float[N,3] x) => (int64[1] y) { s = Shape <start = 1> (x) y = Identity (s) }');
    let code: string | undefined;
    await measuring({})(flat, flat, 'held').catch((error: unknown) => { code = (error as { code?: string }).code; });
    expect(code).to.equal('eval/no-metric');
  });
});
