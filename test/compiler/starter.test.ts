import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { starter } from '../../compiler/starter.ts';
import { writeImages } from '../../examples/demo/images.ts';
import { root } from '../paths.ts';
import { Workplace } from './workplace.ts';

/** Follows what a starter recipe says: takes the comment signs from the data and from the steps. */
function filledIn(text: string): string {
  return text.replace(/^# data:\n(?:# .*\n)*/m, (block) => block.replaceAll(/^# /gm, '')).replaceAll(/^ {2}# - /gm, '  - ');
}

/** A model with these inputs, which returns the first. */
const model = (inputs: string): string => `<ir_version: 8, opset_import: ["": 17]> m (${inputs}) => (y) { y = Relu (x) }`;

/** Inputs of a model, and what the recipe suggests for its calibration data. */
const suggestions: readonly (readonly [inputs: string, lines: readonly string[]])[] = [
  ['float[N,3,224,224] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: imagenet']],
  ['float[1,3,64,48] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: imagenet']],
  ['float16[N,96,96,3] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: imagenet']],
  ['float[N,3,H,W] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: imagenet']],
  ['float[1,1,28,24] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: { preset: zero-one, order: grey, resize: [28, 24] }']],
  ['uint8[N,96,64,3] x', ['images: calibration/**/*.{jpg,png}', 'preprocess: { dtype: uint8, resize: [96, 64] }']],
  ['float[N,49,10,1] x', ['npy: calibration.npy']],
  ['float[N,4,32,32] x', ['npy: calibration.npy']],
  ['float[N,640] x', ['npy: calibration.npy']],
  ['float x', ['npy: calibration.npy']],
  ['float[N,8] x, int64[N,4] "a: b"', ['inputs:', 'x: { npy: calibration/x.npy }', '"a: b": { npy: calibration/a__b.npy }']],
  ['float[N,3,32,32] x, float[1] threshold', ['inputs:', 'x: { npy: calibration/x.npy }', 'threshold: { npy: calibration/threshold.npy }']],
];

describe('the starter recipe', () => {
  const place = new Workplace();
  after(() => { place.close(); });

  for (const [inputs, lines] of suggestions) {
    it(`suggests ${lines.join(', ')} for ${inputs}`, async () => {
      place.writeModel('m.onnx', model(inputs));
      const { text } = starter('m.onnx', { host: place.host() });
      const block = /calibration:\n([^]*?)# {3}# Others/.exec(text)![1]!.split('\n').map((line) => line.replace(/^# +/, '').replace(/ #.*/, ''));
      expect(block).to.include.members([...lines]);
      place.write('m.recipe.yaml', filledIn(text));
      const { code, err, out } = await place.run(['plan', 'm.recipe.yaml']);
      expect(code, err).to.equal(0);
      expect(out).to.match(/calibrate[^]*quantize-int8[^]*export/);
    });
  }

  for (const inputs of ['string[N] x, float[N,2] b', 'optional(float[N]) x']) {
    it(`says nothing about data that no file can hold: ${inputs}`, () => {
      place.writeModel('m.onnx', model(inputs).replace('Relu', 'Identity'));
      expect(starter('m.onnx', { host: place.host() }).text).to.not.match(/data|quantize/);
    });
  }

  it('compiles as it is, and makes int8 once it is filled in and the data are there', async function () {
    this.timeout(120000);
    cpSync(join(root, 'examples/demo/shapes.onnx'), place.path('shapes.onnx'));
    expect((await place.run(['init', 'shapes.onnx'])).code).to.equal(0);
    const before = await place.run(['compile', 'shapes.recipe.yaml']);
    expect(before.code, before.err).to.equal(0);
    expect(before.err).to.match(/fold[^]*export[^]*build\/shapes\.onnx/).and.to.not.contain('quantize-int8');
    place.write('shapes.recipe.yaml', filledIn(place.read('shapes.recipe.yaml')));
    await writeImages(place.path('calibration'), { seed: 1, count: 32 });
    await writeImages(place.path('validation'), { seed: 3, count: 60 });
    const after = await place.run(['compile', 'shapes.recipe.yaml']);
    expect(after.code, after.err).to.equal(0);
    expect(after.err).to.match(/quantize-int8 +\d+ changes[^]*top1 in %[^]*60 samples of 'validation'/);
  });
});
