import { expect } from 'chai';
import { runSteps, type StepResult } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { Model } from '../../../ir/model.ts';
import { calibrate } from '../../../passes/calibrate.ts';
import { quantizeInt8, type QuantizeOptions } from '../../../passes/quantize-int8.ts';
import type { NoiseRecord } from '../../../passes/quantize/float-layers.ts';
import type { PlacementRecord } from '../../../passes/quantize/record.ts';
import { typed } from '../calibrate/run.ts';
import { noise, TestSource } from '../calibrate/source.ts';

const listed = (numbers: Iterable<number>): string => `{${[...numbers].join(', ')}}`;
const weights = (seed: number): Float32Array => noise(seed, 256);
const options = { rounding: 'nearest', saturation: 'ignore', biasCorrection: true, attention: 'auto', concat: 'auto', memoryBound: 'both', maxFloatMacs: 40, overrides: [] } as const;

/** Three layers of the same size with one or two outputs; the second layer reads a channel `loud` times as large as the others, which spoils the scale of what it reads, and ignores it. */
const text = (loud: number, outputs: readonly string[]): string => `<ir_version: 8, opset_import: ["": 17]>
m (float[N,16] x) => (${outputs.map((name) => `float[N,16] ${name}`).join(', ')}) <
  float[16,16] a = ${listed(weights(1).map((weight, at) => (at % 16 === 0 ? loud * weight : weight)))},
  float[16,16] b = ${listed(weights(2).map((weight, at) => (at < 16 ? 0 : weight)))},
  float[16,16] c = ${listed(weights(3))}
> {
  [first] p = Gemm (x, a)  [spoilt] q = Gemm (p, b)  r = Relu (q)  [last] y = Gemm (r, c)
}`;

interface Found {
  readonly model: Model;
  readonly result: StepResult;
  readonly record: NoiseRecord | undefined;
  readonly inInt8: readonly string[];
  /** Rule and message of what was said of the noise, and of layers in float for it. */
  readonly said: readonly (readonly [rule: string, message: string])[];
}

describe('layers in float for the noise that they make', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  async function run(loud: number, given: Partial<QuantizeOptions> = {}, { target = 'portable', outputs = ['y', 'r'] as readonly string[], samples = 32, there = true } = {}): Promise<Found> {
    const model = await typed(text(loud, outputs), runtime);
    let opened = 0;
    const step = (pass: typeof calibrate | typeof quantizeInt8, own: object): Parameters<typeof runSteps>[1][number] => ({ id: pass.name, number: 1, pass, options: own as Readonly<Record<string, unknown>>, selected: undefined });
    const [, result] = await runSteps(model, [step(calibrate, { data: 'calibration', method: 'auto', percentile: 99.99, statistics: {} }), step(quantizeInt8, { ...options, ...given })], {
      runtime, target: loadTarget(target), signal: new AbortController().signal, instruments: [],
      data: (name, each) => (opened++ === 0 || there ? Promise.resolve(new TestSource(each, samples)) : Promise.reject(new Diagnostic('data/unknown', `there is no data '${name}'`, {}))),
      measure: () => Promise.resolve({ metric: 'top1', value: 0, drop: 0 }),
    });
    const { records, remarks } = result!;
    const rows = (records.get('placement') as PlacementRecord).layers;
    return {
      model, result: result!, record: records.get('noise') as NoiseRecord | undefined,
      inInt8: ['first', 'spoilt', 'last'].filter((name) => rows.find(({ node }) => node === name)!.int8),
      said: remarks.filter(({ rule }) => rule.endsWith('noise')).map(({ rule, message }) => [rule.slice('quantize-int8/'.length), message] as const),
    };
  }

  // ONNX Runtime has no int8 kernel for a layer whose output is read in float as well.
  for (const [target, outputs] of [['portable', ['y', 'r']], ['tensorrt-8', ['y', 'r']], ['tensorrt-10', ['y', 'r']], ['tensorrt-11', ['y', 'r']], ['onnxruntime-cpu', ['y']]] as const) {
    it(`leaves the one layer that makes the noise in float, and says so in remark, record and placement (${target})`, async () => {
      const { result, record, inInt8, said } = await run(1000, {}, { target, outputs });
      expect(inInt8).to.deep.equal(['first', 'last']);
      const { node, removed } = record!.float[0]!;
      expect([node, record!.float.length, record!.data]).to.deep.equal(['spoilt', 1, 'calibration']);
      // A step of 1000 · 4 / 127 leaves nothing of numbers up to 4; without it there is the noise of two layers of 8 bits, a hundredth of that at most.
      expect(record!.int8).to.be.below(3);
      expect(record!.now! - record!.int8!).to.be.above(20);
      expect(removed).to.be.within(0.99, 1);
      expect(record!.macs).to.be.closeTo(1 / 3, 1e-12);
      expect(said).to.deep.include(['float-for-noise', `it stays float because the noise of the outputs falls by ${Math.round(100 * removed)} % with it, within \`maxFloatMacs\``]);
      expect(said.find(([rule]) => rule === 'noise')![1]).to.match(/^on samples of 'calibration' the outputs stand .* dB above their noise with all layers in int8, and .* dB with 1 of \d layers and 33\.333 % of the multiply-adds in float$/);
      expect(result.stats.get('layers left float')).to.equal(1);
      const { layers, macs } = result.records.get('placement') as PlacementRecord;
      expect(layers.find((row) => row.node === 'spoilt')!.rule).to.equal('float-for-noise');
      expect(macs.share).to.be.closeTo(2 / 3, 1e-12);
    });
  }

  it('decides the same each time', async () => {
    const [one, other] = [await run(1000), await run(1000)];
    expect(one.record).to.deep.equal(other.record);
    expect(one.result.remarks).to.deep.equal(other.result.remarks);
  });

  it('does with few samples', async () => {
    expect((await run(1000, {}, { samples: 1 })).inInt8).to.deep.equal(['first', 'last']);
  });

  it('quantizes everything and says nothing where the outputs are not noisy', async () => {
    const { inInt8, said, record } = await run(1);
    expect(inInt8).to.deep.equal(['first', 'spoilt', 'last']);
    expect(said).to.deep.equal([]);
    expect(record).to.deep.include({ float: [], macs: 0 });
    expect(record!.now).to.equal(record!.int8);
  });

  it('respects the share: a third of the multiply-adds is more than the default', async () => {
    const { inInt8, said } = await run(1000, { maxFloatMacs: 5 });
    expect(inInt8).to.deep.equal(['first', 'spoilt', 'last']);
    expect(said.map(([rule]) => rule)).to.deep.equal(['noise']);
    expect(said[0]![1]).to.match(/with all layers in int8, and no few layers make most of it$/);
  });

  it('measures nothing where nothing may stay float, or a metric decides', async () => {
    for (const given of [{ maxFloatMacs: 0 }, { maxDrop: 1 }]) {
      const { inInt8, record } = await run(1000, given);
      expect(inInt8).to.deep.equal(['first', 'spoilt', 'last']);
      expect(record).to.equal(undefined);
    }
  });

  it('quantizes everything where the data of the statistics are not there', async () => {
    const { inInt8, said } = await run(1000, {}, { there: false });
    expect(inInt8).to.deep.equal(['first', 'spoilt', 'last']);
    expect(said).to.deep.equal([['noise', "no layer stays float for its noise, which could not be measured: there is no data 'calibration'"]]);
  });
});
