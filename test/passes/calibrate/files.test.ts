import { expect } from 'chai';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { DataSource } from '../../../passes/data.ts';
import { mergeArtefacts } from '../../../passes/statistics/artefact.ts';
import { readArtefact, writeArtefact } from '../../../passes/statistics/file.ts';
import { calibrated, typed } from './run.ts';
import { noise, TestSource } from './source.ts';

const text = (weight: string): string => `<ir_version: 8, opset_import: ["": 17]>
m (float[N,2,5,5] x) => (float[N,3,5,5] y) < float[3,2,3,3] w = {${weight}} > { r = Relu (x)  [layer] y = Conv <pads = [1, 1, 1, 1]> (r, w) }`;
const network = text(Array.from(noise(1, 54)).join(', '));
const request = { ranges: [{ value: 'r' }, { value: 'y' }], channels: [{ value: 'y', axis: 1 }], moments: ['layer'] };
const save = { save: 'stats.bin' };

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('calibrate: shards and files', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  it('gathers shards that merge, in any order, to the bytes of one run', async () => {
    const model = await typed(network, runtime);
    const run = async (shard?: string): Promise<Uint8Array> => {
      const { saved } = await calibrated(model, new TestSource(model, 300), runtime, { request, method: 'auto', batch: 8, statistics: save, ...(shard !== undefined && { shard }) });
      return saved!;
    };
    const whole = await run();
    for (const [count, order] of [[2, [1, 0]], [3, [2, 0, 1]], [7, [6, 3, 1, 0, 2, 5, 4]]] as const) {
      const parts = await Promise.all(order.map((index) => run(`${index + 1}/${count}`)));
      const merged = writeArtefact(mergeArtefacts(parts.map((part) => readArtefact(part, 'part'))));
      expect(Buffer.from(merged).equals(Buffer.from(whole)), `${count} shards`).to.equal(true);
    }
  });

  it('gives the same bytes again', async () => {
    const model = await typed(network, runtime);
    const run = async (): Promise<Uint8Array> => (await calibrated(model, new TestSource(model, 20), runtime, { method: 'auto', statistics: save })).saved!;
    expect(Buffer.from(await run()).equals(Buffer.from(await run()))).to.equal(true);
  });

  it('loads what it saved, without data', async () => {
    const model = await typed(network, runtime);
    const { saved, statistics } = await calibrated(model, new TestSource(model, 20), runtime, { request, method: 'auto', statistics: save });
    const source = new TestSource(model, 20);
    const again = await calibrated(model, source, runtime, { request, method: 'auto', statistics: { load: 'stats.bin' }, files: { 'stats.bin': saved! } });
    expect(again.statistics).to.deep.equal(statistics);
    expect(source.largest).to.equal(0);
    const other = await calibrated(model, source, runtime, { request, method: 'entropy', statistics: { load: 'stats.bin' }, files: { 'stats.bin': saved! } });
    expect(other.statistics.method).to.equal('entropy');
  });

  it('says when it loads statistics of other data, or of data that cannot be opened', async () => {
    const model = await typed(network, runtime);
    const { saved } = await calibrated(model, new TestSource(model, 20), runtime, { request, method: 'min-max', statistics: save });
    const rules = async (source: () => Promise<DataSource>): Promise<string[]> => {
      const { remarks } = await calibrated(model, source, runtime, { request, method: 'min-max', statistics: { load: 'stats.bin' }, files: { 'stats.bin': saved! } });
      return remarks.map(({ rule }) => rule);
    };
    const source = new TestSource(model, 20);
    const { name, count, random, metric } = source;
    expect(await rules(() => Promise.resolve(source))).not.to.include('calibrate/other-data');
    expect(await rules(() => Promise.resolve({ name, count, random, metric, key: 'of other samples', batches: (options) => source.batches(options) }))).to.include('calibrate/other-data');
    expect(await rules(() => Promise.reject(new Diagnostic('data/unreadable', 'there is no file samples.npy')))).to.include('calibrate/data-not-compared').and.not.to.include('calibrate/other-data');
  });

  it('says when a shard is loaded as if it were all', async () => {
    const model = await typed(network, runtime);
    const { saved } = await calibrated(model, new TestSource(model, 300), runtime, { request, method: 'min-max', batch: 8, statistics: save, shard: '1/2' });
    const { remarks } = await calibrated(model, new TestSource(model, 300), runtime, { request, method: 'min-max', statistics: { load: 'stats.bin' }, files: { 'stats.bin': saved! } });
    expect(remarks.find(({ rule }) => rule === 'calibrate/partial')?.message).to.match(/128 samples.*300/);
  });

  it('refuses statistics of another model, without what is wanted, and without histograms', async () => {
    const model = await typed(network, runtime);
    const load = async (changed: typeof request, method: string, target = model): Promise<unknown> => {
      const { saved } = await calibrated(model, new TestSource(model, 4), runtime, { request, method: 'min-max', statistics: save });
      return failure(calibrated(target, new TestSource(model, 4), runtime, { request: changed, method, statistics: { load: 'stats.bin' }, files: { 'stats.bin': saved! } }));
    };
    const another = await typed(text(Array.from(noise(2, 54)).join(', ')), runtime);
    expect(await load(request, 'min-max', another)).to.have.property('code', 'statistics/other-model');
    expect(await load({ ...request, ranges: [...request.ranges, { value: 'x' }] }, 'min-max')).to.have.property('message').that.matches(/lack 'x'/);
    expect(await load(request, 'entropy')).to.have.property('code', 'statistics/no-histogram');
    expect(await failure(calibrated(model, new TestSource(model, 4), runtime, { statistics: { load: 'nothing.bin' } }))).to.have.property('code', 'statistics/unreadable');
  });

  for (const shard of ['0/2', '3/2', '1/0']) {
    it(`refuses the shard ${shard}`, async () => {
      const model = await typed(network, runtime);
      expect(await failure(calibrated(model, new TestSource(model, 4), runtime, { shard }))).to.have.property('code', 'statistics/shard');
    });
  }
});
