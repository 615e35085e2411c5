import { expect } from 'chai';
import { compile } from '../../../compiler/compile.ts';
import { randomFrom } from '../../../passes/random.ts';
import { Workplace } from '../workplace.ts';

/** The model takes one sample at a time; 8 of 12 samples calibrate, in two files, of which the second is not needed. */
const recipe = (metric: string): string => `version: 1
model: small.onnx
data:
  calibration: { raw: 'images*.bin', shape: [2, 4, 4], dtype: float32, samples: 8 }
  validation: { raw: images.bin, shape: [2, 4, 4], dtype: float32, labels: { file: labels.bin, dtype: uint8 }, metric: ${metric} }
steps:
  - pass: fold
  - pass: calibrate
    with: { data: calibration, method: min-max }
  - pass: export
    with: { output: out.onnx }
`;

describe('compile with data', () => {
  const place = new Workplace();
  before(() => {
    const random = randomFrom(5);
    const samples = (count: number): Uint8Array => new Uint8Array(Float32Array.from({ length: count * 32 }, () => random() * 2 - 1).buffer);
    place.writeModel('small.onnx');
    place.write('images.bin', samples(8));
    place.write('images2.bin', samples(4));
    place.write('labels.bin', Uint8Array.from({ length: 8 }, (_, index) => index % 2));
    place.write('metrics/score.mjs', 'export default ({ scores }) => scores.data[0];');
    place.write('metrics/own.mjs', 'export default () => { let sum = 0, count = 0; return { add({ scores }, label) { sum += scores.data[label]; count++; }, value: () => sum / count }; };');
    place.write('top1.yaml', recipe('top1'));
    place.write('decode.yaml', recipe('{ name: auc, decode: metrics/score.mjs }'));
    place.write('own.yaml', recipe('metrics/own.mjs'));
    place.write('overwrite.yaml', recipe('metrics/own.mjs').replace('out.onnx', 'metrics/own.mjs'));
  });
  after(() => { place.close(); });

  const cases: readonly (readonly [file: string, metric: string, modules: readonly string[]])[] = [
    ['top1.yaml', 'top1', []],
    ['decode.yaml', 'auc', ['metrics/score.mjs']],
    ['own.yaml', 'own', ['metrics/own.mjs']],
  ];
  for (const [file, metric, modules] of cases) {
    it(`has the samples that it read, their labels and the modules of the metric among its inputs: ${file}`, async () => {
      const { report } = await compile(file, { host: place.host(), depfile: 'out.d' });
      const inputs = [file, 'small.onnx', 'images.bin', 'labels.bin', ...modules];
      expect(Object.keys(report.inputs)).to.have.members(inputs);
      for (const { sha256 } of Object.values(report.inputs)) expect(sha256).to.match(/^[0-9a-f]{64}$/);
      const [target, needs] = place.read('out.d').replaceAll('\\\n', ' ').split('\n')[0]!.split(':');
      expect(target!.trim()).to.equal('out.onnx');
      expect(needs!.trim().split(/\s+/)).to.have.members(inputs);
      expect(report.evaluation!.models[1]!.scores[0]!.name).to.equal(metric);
    });
  }

  it('never writes over what its metric consists of', async () => {
    const module = place.read('metrics/own.mjs');
    const error: unknown = await compile('overwrite.yaml', { host: place.host() }).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'output/conflict' });
    expect(place.read('metrics/own.mjs')).to.equal(module);
  });
});
