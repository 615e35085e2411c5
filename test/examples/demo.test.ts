import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { compile, evalModels, type Evaluation } from '../../compiler/index.ts';
import { imageSets, writeImages } from '../../examples/demo/images.ts';
import { classNames, shapes, side } from '../../examples/demo/shapes.ts';
import { Workplace } from '../compiler/workplace.ts';
import { root } from '../paths.ts';

const folder = join(root, 'examples/demo');
const testSeed = imageSets.validation.seed;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the generator of the demo', () => {
  it('draws the same images on every machine', () => {
    const { images, labels } = shapes(testSeed, 16);
    expect([...labels]).to.deep.equal([6, 6, 8, 5, 9, 3, 7, 6, 7, 9, 3, 0, 2, 4, 9, 0]);
    expect(sha256(images)).to.equal('0d41021166cf043d213e2f88379e54fd994761dd639e286603582ca53f5c973c');
  });

  it('makes a shorter set the beginning of a longer one, and another set of another seed', () => {
    const [long, short, other] = [shapes(5, 40), shapes(5, 10), shapes(6, 10)];
    expect(long.images.subarray(0, short.images.length)).to.deep.equal(short.images);
    expect(long.labels.subarray(0, 10)).to.deep.equal(short.labels);
    expect(sha256(other.images)).to.not.equal(sha256(short.images));
  });

  it('draws all classes about equally often, and no image twice', () => {
    const { images, labels } = shapes(testSeed, 500);
    const counts = classNames.map((_, label) => labels.filter((each) => each === label).length);
    // 50 expected; 5 standard deviations of 6.7 either way.
    for (const count of counts) expect(count).to.be.within(17, 83);
    const size = side * side * 3;
    expect(new Set(Array.from(labels, (_, at) => sha256(images.subarray(at * size, (at + 1) * size))))).to.have.property('size', 500);
  });
});

describe('the network of the demo', () => {
  const place = new Workplace();
  after(() => { place.close(); });

  it('has the accuracy that its README states, on images read from files', async function () {
    this.timeout(120000);
    const stated = /\*\*([\d.]+) %\*\*/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))?.[1];
    cpSync(join(folder, 'tensorrt.recipe.yaml'), place.path('recipe.yaml'));
    await writeImages(place.path('build/validation'), { seed: testSeed, count: 1000 });
    const { samples, models } = await evalModels([join(folder, 'shapes.onnx')], { host: place.host(), data: 'recipe.yaml', optimized: true, runs: 0 });
    expect(samples).to.equal(1000);
    // One image of 1000: kernels of other processors may round one close decision the other way.
    expect(models[0]!.scores.find(({ name }) => name === 'top1')?.value).to.be.closeTo(Number(stated), 0.1 + 1e-9);
  });

  it('stays small', () => {
    expect(statSync(join(folder, 'shapes.onnx')).size).to.be.below(600_000);
  });
});

describe('the recipes of the demo', () => {
  const place = new Workplace();
  after(() => { place.close(); });
  before(async () => {
    for (const name of ['shapes.onnx', 'tensorrt.recipe.yaml', 'cpu.recipe.yaml']) cpSync(join(folder, name), place.path(name));
    await writeImages(place.path('build/calibration'), { seed: imageSets.calibration.seed, count: 64 });
    await writeImages(place.path('build/validation'), { seed: testSeed, count: 200 });
  });

  for (const [name, hasLatency] of [['tensorrt', false], ['cpu', true]] as const) {
    it(`${name}.recipe.yaml makes a model of a third of the size that answers alike, within its budgets`, async function () {
      this.timeout(120000);
      const { outputs, diagnostics, report } = await compile(`${name}.recipe.yaml`, { host: place.host() });
      expect(diagnostics).to.deep.equal([]);
      expect(outputs).to.deep.equal([`build/shapes.${name}.onnx`]);
      const { samples, batch, models: [original, compiled] } = report.evaluation as Evaluation;
      expect(samples).to.equal(200);
      // 126 522 parameters, one byte for each in place of four.
      expect(compiled!.deployedBytes).to.be.within(126_522, 0.3 * original!.deployedBytes);
      expect(statSync(place.path(outputs[0]!)).size).to.be.below(0.4 * statSync(place.path('shapes.onnx')).size);
      expect([compiled!.latency === undefined, batch === undefined]).to.deep.equal([!hasLatency, !hasLatency]);
      expect(readFileSync(join(folder, `${name}.recipe.yaml`), 'utf8').split('\n').filter((line) => /^ *[^ #]/.test(line))).to.have.lengthOf.at.most(10);
    });
  }
});
