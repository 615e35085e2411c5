import { expect } from 'chai';
import { randomFrom } from '../../../passes/random.ts';
import { recipe, smallModel, Workplace } from '../workplace.ts';

describe('eval, and the end of compile', () => {
  const place = new Workplace();
  const data = [
    'data:',
    '  calibration: { raw: images.bin, shape: [2, 4, 4], dtype: float32, samples: 8 }',
    '  validation: { raw: images.bin, shape: [2, 4, 4], dtype: float32, labels: { file: labels.bin, dtype: uint8 } }',
    '',
  ].join('\n');
  /** Both axes are open. */
  const open = '<ir_version: 8, opset_import: ["": 17]> main (float[N,L] x) => (float[N,L] y) { y = Relu (x) }';
  /** Too few channels for an int8 kernel. */
  const narrow = '<ir_version: 8, opset_import: ["": 17]> main (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul (x, w) }';
  before(() => {
    const random = randomFrom(3);
    place.writeModel('small.onnx');
    place.writeModel('other.onnx', smallModel.replace('kernel = {1, -2, 3, 0.5}', 'kernel = {1, -2, 3, 0.4}'));
    place.write('images.bin', new Uint8Array(Float32Array.from({ length: 20 * 32 }, () => random() * 2 - 1).buffer));
    place.write('labels.bin', Uint8Array.from({ length: 20 }, (_, index) => index % 3));
    place.write('data.yaml', `version: 1\n${data}`);
    place.write('recipe.yaml', `${recipe('small.onnx')}${data}`);
    place.write('missed.yaml', `${recipe('small.onnx', '  - fold\n', 'never.onnx')}${data}accept: { top1: { min: 99.5 }, agreement: { min: 100 }, size: { max: 1MB } }\n`);
    place.write('met.yaml', `${recipe('small.onnx', '  - fold\n', 'met.onnx')}${data}accept: { top1Drop: { max: 0.5 }, metricDrop: { max: 0.5 }, sqnr: { min: 60 } }\n`);
    place.write('unmeasured.yaml', `${recipe('small.onnx', '  - fold\n', 'never.onnx')}accept: { top1Drop: { max: 0.5 } }\n`);
    place.writeModel('open.onnx', open);
    place.writeModel('narrow.onnx', narrow);
    place.write('random.yaml', 'version: 1\ndata: { made: { random: { seed: 1 }, samples: 3 } }\n');
    place.write('profile.yaml', 'version: 1\ninputs: { x: { min: [1, 2], opt: [2, 5], max: [8, 9] } }\ndata: { made: { random: { seed: 1 }, samples: 3 } }\n');
    place.write('misfit.yaml', 'version: 1\ninputs: { x: { min: [1, 2, 3], opt: [1, 2, 3], max: [1, 2, 3] } }\ndata: { made: { random: { seed: 1 }, samples: 3 } }\n');
    place.write('idle.yaml', `${recipe('narrow.onnx', '  - pass: calibrate\n    with: { data: made }\n  - quantize-int8\n', 'never.onnx')}data: { made: { random: { seed: 1 }, samples: 3 } }\n`);
    place.write('wrong.yaml', 'version: 1\ndata: { validation: { raw: images.bin, shap: [2, 4, 4] } }\n');
  });
  after(() => { place.close(); });

  const outcomes: readonly (readonly [argv: string, code: number, out: RegExp, err: RegExp])[] = [
    ['eval small.onnx other.onnx --data data.yaml --runs 2', 0, /^ +small\.onnx +other\.onnx\ntop1 in % +\d[\d.]+ +\d[\d.]+ \([^)]* … [^)]*\)\nagreement in % +\d[\d.]+\nSQNR in dB +\d[\d.]+\nfile[^\n]*\ndeployed weights[^\n]*\nmedian latency[^\n]*×\)\n20 samples of 'validation'; computed as the files say\nin parentheses[^\n]*\n$/, /^$/],
    ['eval small.onnx small.onnx --data data.yaml --runs 0 --optimized', 0, /SQNR in dB +equal\n[^]*as ONNX Runtime runs them/, /^$/],
    ['eval small.onnx other.onnx --data data.yaml --metric sqnr --runs 0', 0, /^ +small\.onnx +other\.onnx\nsqnr in dB +equal +\d[\d.]+\nfile/, /^$/],
    ['eval small.onnx --data data.yaml --use calibration --runs 0', 0, /^[^]*8 samples of 'calibration'/, /^$/],
    ['eval small.onnx --data data.yaml --samples 5 --runs 0 --json', 0, /^\{[^]*"samples": 5,[^]*"top1"/, /^$/],
    ['eval small.onnx --data data.yaml --use valdation', 1, /^$/, /error\[data\/unknown\][^]*Did you mean `validation`\?/],
    ['eval small.onnx --data wrong.yaml', 2, /^$/, /error\[recipe\/unknown-key\][^]*shap/],
    ['eval small.onnx --data data.yaml --metric top7', 1, /^$/, /error\[data\/metric\][^]*top7/],
    ['eval small.onnx', 2, /^$/, /--data/],
    ['eval absent.onnx --data data.yaml', 1, /^$/, /error\[model\/unreadable\]/],
    ['eval open.onnx --data random.yaml --runs 0', 1, /^$/, /error\[data\/shape\][^]*float\[N,L\]/],
    ['eval open.onnx open.onnx --data profile.yaml --runs 0', 0, /SQNR in dB +equal\n[^]*3 samples of 'made'/, /warning\[data\/random\]/],
    ['eval open.onnx --data profile.yaml --runs 0 --shape L=7', 0, /3 samples of 'made'/, /warning\[data\/random\]/],
    ['eval open.onnx open.onnx --data random.yaml --runs 0 --shape x=1,5', 0, /SQNR in dB +equal\n[^]*3 samples of 'made'/, /warning\[data\/random\]/],
    ['eval open.onnx --data random.yaml --runs 0 --shape y=1,5', 2, /^$/, /error\[usage\/bad-shape\][^]*'?open\.onnx/],
    ['eval open.onnx --data misfit.yaml --runs 0', 2, /^$/, /misfit\.yaml:2[^]*error\[recipe\/input-shape\]|error\[recipe\/input-shape\][^]*misfit\.yaml:2/],
    ['compile recipe.yaml', 0, /^$/, /\n +original +compiled\ntop1 in %[^]*20 samples of 'validation'/],
    ['compile recipe.yaml --no-eval', 0, /^$/, /^(?!.*original)[^]*$/],
    ['compile idle.yaml', 0, /^$/, /\nquantize-int8 changed nothing:\n {2}1 × quantize-int8\/[\w-]+, such as: [^\n]+\n/],
    ['compile missed.yaml', 3, /^$/, /error\[accept\/budget\]: the recipe accepts at least 99\.5 for `top1`/],
    ['compile met.yaml --no-eval', 0, /^$/, /original +compiled/],
    ['compile unmeasured.yaml', 2, /^$/, /error\[accept\/unknown-metric\][^]*`top1Drop`[^]*validation/],
  ];

  for (const [argv, code, out, err] of outcomes) {
    it(`onnxpress ${argv}`, async () => {
      const outcome = await place.run(argv.split(' '));
      expect(outcome.err).to.match(err);
      expect(outcome.out).to.match(out);
      expect(outcome.code).to.equal(code);
    });
  }

  it('leaves the measurements in the report, without times in a reproducible one', async () => {
    expect((await place.run(['compile', 'recipe.yaml', '--reproducible', '--report', 'report.json'])).code).to.equal(0);
    const { evaluation } = JSON.parse(place.read('report.json')) as { evaluation: { samples: number; models: { name: string; latency?: object; scores: { name: string }[] }[] } };
    expect(evaluation.samples).to.equal(20);
    expect(evaluation.models.map(({ name, latency, scores }) => [name, latency, scores.map((score) => score.name)])).to.deep.equal([['original', undefined, ['top1']], ['compiled', undefined, ['top1', 'agreement']]]);
  });
});
