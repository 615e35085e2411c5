import { expect } from 'chai';
import { inferTypes, runPass, runSteps, type StepResult } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { Editor } from '../../../ir/edit.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { Graph, Node, type Model } from '../../../ir/model.ts';
import { calibrate } from '../../../passes/calibrate.ts';
import { fold } from '../../../passes/fold.ts';
import type { PassContext } from '../../../passes/pass.ts';
import { quantize, quantizeInt8, type QuantizeOptions } from '../../../passes/quantize-int8.ts';
import type { PlacementRecord } from '../../../passes/quantize/record.ts';
import type { NoiseMeter } from '../../../passes/quantize/measured-noise.ts';
import { suspects, type Sensitivity, type SensitivityRecord } from '../../../passes/quantize/sensitivity.ts';
import { Trials } from '../../../passes/quantize/trials.ts';
import { noise, TestSource } from '../calibrate/source.ts';
import { typed } from '../calibrate/run.ts';
import { shared } from '../../paths.ts';
import { loadModel } from '../../real-models.ts';
import { supposed } from './supposed.ts';

const weights = (seed: number, ...shape: readonly number[]): string => `{${Array.from(noise(seed, shape.reduce((product, size) => product * size, 1))).join(', ')}}`;
const options = { rounding: 'nearest', saturation: 'ignore', biasCorrection: true, attention: 'auto', concat: 'auto', memoryBound: 'both', maxFloatMacs: 0, overrides: [] } as const;
const target = loadTarget('portable');

/** Three layers; the second one reads a channel a thousand times as large as the others, which spoils the scale of what it reads, and ignores it. */
const text = `<ir_version: 8, opset_import: ["": 17]>
m (float[N,16] x) => (float[N,16] y) <float[16,16] a = ${weights(1, 16, 16)}, float[16] large = {1000${', 1'.repeat(15)}}, float[16,16] b = {${'0, '.repeat(16)}${weights(2, 15, 16).slice(1)}, float[16,16] c = ${weights(3, 16, 16)}> {
  [first] p = Gemm (x, a)  q = Mul (p, large)  [spoilt] r = Gemm (q, b)  s = Relu (r)  [last] y = Gemm (s, c)
}`;

describe('sensitivity', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  /** Reads activations in int8. */
  const inInt8 = (model: Model, name: string): boolean => [...model.graph.nodes()].find((node) => node.name === name)!.inputs[0]!.producer?.is('DequantizeLinear') === true;

  const shareOf = ({ records }: StepResult): number | null => (records.get('placement') as PlacementRecord).macs.share;

  async function run(given: Partial<QuantizeOptions>): Promise<{ readonly model: Model; readonly result: StepResult; readonly measurements: number }> {
    const model = await typed(text, runtime);
    let measurements = 0;
    const step = (pass: typeof calibrate | typeof quantizeInt8, own: object): Parameters<typeof runSteps>[1][number] => ({ id: pass.name, number: 1, pass, options: own as Readonly<Record<string, unknown>>, selected: undefined });
    const [, result] = await runSteps(model, [step(calibrate, { data: 'calibration', method: 'auto', percentile: 99.99, statistics: {} }), step(quantizeInt8, { ...options, ...given })], {
      runtime, target, signal: new AbortController().signal, instruments: [], data: (_, each) => Promise.resolve(new TestSource(each, 32)),
      measure: (_, candidate) => {
        measurements++;
        return Promise.resolve({ metric: 'top1', value: 0, drop: inInt8(candidate, 'spoilt') ? 5 : 0.5 });
      },
    });
    return { model, result: result!, measurements };
  }

  it('ranks layers as they were measured, one alone in int8, and leaves them for the report', async () => {
    const { result, measurements } = await run({ sensitivity: 3 });
    const record = result.records.get('sensitivity') as SensitivityRecord;
    expect(record.map(({ node }) => node)).to.have.members(['first', 'spoilt', 'last']);
    expect(record[0]!.node).to.equal('spoilt');
    // A step of 1000 · 4 / 127 leaves nothing of numbers up to 4.
    expect(record[0]!.measured).to.be.below(3);
    // The noise of a lone layer at the end is that of the outputs. Prediction and measurement are of different samples, the former counts columns as independent, and it leaves out the mean of what the layer reads:
    // of a normal number that a Relu cut, the second moment is 1 / (1 − 1/π) of the variance, or 1.7 dB.
    const last = record.find(({ node }) => node === 'last')!;
    expect(last.measured! - last.predicted!).to.be.within(1.7 - 3, 1.7 + 3);
    expect(last.measured).to.be.above(30);
    expect(measurements).to.equal(0);
  });

  it('measures no more layers than it is told', async () => {
    const record = (await run({ sensitivity: 1 })).result.records.get('sensitivity') as SensitivityRecord;
    expect(record.map(({ measured }) => measured !== null)).to.deep.equal([true, false, false]);
  });

  it('leaves the layer that costs most in float, and says why', async () => {
    const { model, result, measurements } = await run({ maxDrop: 1 });
    expect(['first', 'spoilt', 'last'].map((name) => inInt8(model, name))).to.deep.equal([true, false, true]);
    expect(measurements).to.equal(2);
    expect(result.remarks.filter(({ rule }) => rule === 'quantize-int8/float-for-accuracy').map(({ node }) => node?.name)).to.deep.equal(['spoilt']);
    expect(result.remarks.find(({ rule }) => rule === 'quantize-int8/drop')?.message).to.equal("on 'validation' top1 falls by 5, and 0.5 with 1 of 3 layers in float");
    expect(result.stats.get('layers left float')).to.equal(1);
    expect(shareOf(result)).to.equal(2 / 3);
  });

  it('quantizes everything where the drop is allowed', async () => {
    const { model, measurements } = await run({ maxDrop: 5 });
    expect(['first', 'spoilt', 'last'].map((name) => inInt8(model, name))).to.deep.equal([true, true, true]);
    expect(measurements).to.equal(1);
  });

  it('counts layers that the recipe leaves in float among those that could be int8', async () => {
    const overrides = [{ nodes: ['spoilt'], precision: 'float' }] as unknown as QuantizeOptions['overrides'];
    expect(shareOf((await run({ overrides })).result)).to.equal(2 / 3);
    expect(shareOf((await run({})).result)).to.equal(1);
  });

  it('ranks first a layer that reads one loud channel, beside which the others drown', async () => {
    const { result } = await run({ sensitivity: 0 });
    const record = result.records.get('sensitivity') as SensitivityRecord;
    expect(record[0]!.node).to.equal('spoilt');
    expect(record[0]!.predicted).to.be.below(3);
  });

  it('refuses a budget that cannot be held', async () => {
    const error: unknown = await run({ maxDrop: 1, maxFloatLayers: 0 }).then(() => undefined, (reason: unknown) => reason);
    expect(Diagnostic.is(error) && [error.code, error.step]).to.deep.equal(['quantize/max-drop', 'quantize-int8']);
  });

  it('suspects what makes most of the noise, though its prediction is the best', async () => {
    const graph = new Graph('layers');
    const layers = Array.from({ length: 40 }, (_, index): Sensitivity => {
      const node = new Node(graph, 'Gemm', { name: `layer${index}` });
      return { node, nodes: [node], macs: 1, predicted: index === 5 ? 0 : index, measured: undefined };
    });
    // A quantized copy, here, is what of it is float; layer 5 makes half of the noise.
    const trials = { quantized: (float: readonly Node[]) => ({ model: float }) } as unknown as Trials<unknown>;
    const meter = { noise: (float: readonly Node[]) => Promise.resolve(layers.reduce((sum, { node }, index) => sum + (float.includes(node) ? 0 : index === 5 ? 39 : 1), 0)) } as unknown as NoiseMeter;
    const names = async (dominant: boolean): Promise<string[]> => Array.from(await suspects(layers, 2, dominant, trials, meter), ({ node }) => node.name);
    expect(await names(false)).to.deep.equal(['layer39', 'layer38']);
    expect(await names(true)).to.deep.equal(['layer39', 'layer38', 'layer5']);
  });

  for (const name of shared === undefined ? [] : ['mlperf_tiny_ic_resnet8', 'cifar10_resnet20', 'fastestdet']) {
    it(`${name}: what is wanted does for any layers in float`, async () => {
      const model = loadModel(name);
      await inferTypes(model, runtime);
      await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target });
      const given = { ...options, maxDrop: 1 };
      const ignore = (): void => undefined;
      const context = { options: given, select: { has: () => true, everything: true }, target, sizes: new Map<string, number>(), edit: new Editor(model), stat: ignore, remark: ignore, record: ignore } as unknown as PassContext<QuantizeOptions>;
      const statistics = supposed(model, quantizeInt8.wants!(model, context));
      const trials = new Trials(model, { ...context, statistics: { get: () => statistics, set: ignore } }, quantize);
      const { noise: layers } = trials.quantized([]);
      const all = [...layers.values()];
      expect(all.length).to.be.above(5);
      for (const [index, [head, alone]] of [...layers].entries()) {
        if (!alone.computes || index % Math.ceil(all.length / 6) !== 0) continue;
        // Additions and pools are quantized only beside others.
        expect(trials.quantized(all.flatMap((each) => (each === alone ? [] : each.nodes))).noise.has(head)).to.equal(head.is('Conv', 'Gemm'));
        expect(trials.quantized(alone.nodes).noise.has(head)).to.equal(false);
        trials.quantized(all.slice(0, index).flatMap(({ nodes }) => nodes));
      }
    });
  }
});
