import { expect } from 'chai';
import { noise } from '../../passes/calibrate/source.ts';
import { Workplace } from '../workplace.ts';

/** The model takes one image at a time; the images are raw numbers. */
const recipe = (statistics = ''): string => `version: 1
model: model.onnx
data:
  calibration: { raw: images.bin, shape: [2, 4, 4], dtype: float32 }
steps:
  - pass: fold
  - pass: calibrate
    with: { data: calibration, method: mse${statistics} }
  - pass: export
    with: { output: out.onnx }
`;

describe('onnxpress calibrate and merge', () => {
  const workplace = new Workplace();
  before(() => {
    workplace.writeModel('model.onnx');
    workplace.write('images.bin', new Uint8Array(Float32Array.from(Array.from({ length: 150 }, (_, sample) => Array.from(noise(sample, 32))).flat()).buffer));
    workplace.write('recipe.yaml', recipe());
    workplace.write('loading.yaml', recipe(', statistics: { load: whole.bin }'));
  });
  after(() => { workplace.close(); });

  const bytes = (name: string): Buffer => Buffer.from(workplace.bytes(name));

  it('gather shards that merge to the bytes of one run', async () => {
    const whole = await workplace.run(['calibrate', 'recipe.yaml', '-o', 'whole.bin']);
    expect(whole.code, whole.err).to.equal(0);
    expect(whole.err).to.match(/whole\.bin: \d+ values over 150 samples/);
    expect(whole.out).to.equal('');
    for (const shard of [1, 2, 3]) expect((await workplace.run(['calibrate', 'recipe.yaml', '--shard', `${shard}/3`, '-o', `part${shard}.bin`])).code).to.equal(0);
    const merged = await workplace.run(['merge', 'part3.bin', 'part1.bin', 'part2.bin', '-o', 'merged.bin']);
    expect(merged.code, merged.err).to.equal(0);
    expect(merged.err).to.equal('merged.bin: 150 samples of 3 files\n');
    expect(bytes('merged.bin').equals(bytes('whole.bin'))).to.equal(true);
  });

  it('leave statistics that a compile loads', async () => {
    const { code, err } = await workplace.run(['compile', 'loading.yaml', '--report', 'report.json']);
    expect(code, err).to.equal(0);
    interface Told { readonly inputs: object; readonly steps: readonly { readonly remarks?: readonly { readonly rule: string }[] }[] }
    const rules = (): string[] => (JSON.parse(workplace.read('report.json')) as Told).steps.flatMap(({ remarks = [] }) => remarks.map(({ rule }) => rule));
    expect((JSON.parse(workplace.read('report.json')) as Told).inputs).to.have.property('whole.bin');
    expect(rules().filter((rule) => /other-data|not-compared/.test(rule))).to.deep.equal([]);
    workplace.write('other.yaml', workplace.read('loading.yaml').replace('dtype: float32', 'dtype: float32, samples: 149'));
    expect((await workplace.run(['compile', 'other.yaml', '--report', 'report.json'])).code).to.equal(0);
    expect(rules()).to.include('calibrate/other-data');
    workplace.write('elsewhere.yaml', workplace.read('loading.yaml').replace('images.bin', 'nowhere.bin'));
    expect((await workplace.run(['compile', 'elsewhere.yaml', '--report', 'report.json'])).code).to.equal(0);
    expect(rules()).to.include('calibrate/data-not-compared');
  });

  const failures: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a shard that is none', ['calibrate', 'recipe.yaml', '--shard', '4/3', '-o', 'x.bin'], 1, /statistics\/shard/],
    ['a recipe without calibration', ['calibrate', 'plain.yaml', '-o', 'x.bin'], 1, /statistics\/no-calibrate/],
    ['no output', ['calibrate', 'recipe.yaml'], 2, /output/],
    ['the same part twice', ['merge', 'part1.bin', 'part1.bin', '-o', 'x.bin'], 1, /statistics\/merge/],
    ['a file that is not there', ['merge', 'nowhere.bin', '-o', 'x.bin'], 1, /input\/unreadable.*nowhere\.bin/s],
    ['a file of something else', ['merge', 'model.onnx', '-o', 'x.bin'], 1, /statistics\/unreadable/],
    ['to overwrite what is read', ['merge', 'part1.bin', '-o', 'part1.bin'], 2, /part1\.bin/],
  ];
  for (const [what, command, code, message] of failures) {
    it(`refuse ${what}`, async () => {
      workplace.write('plain.yaml', recipe().replace(/ {2}- pass: calibrate\n.*\n/, ''));
      const outcome = await workplace.run(command);
      expect(outcome.err).to.match(message);
      expect(outcome.code).to.equal(code);
      expect(workplace.files()).not.to.include('x.bin');
    });
  }
});
