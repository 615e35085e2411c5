import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAfter, folder, testSeed } from '../../examples/demo/before-after.ts';
import { evaluate, relativeDifference } from '../../examples/demo/evaluate.ts';
import { classNames, preprocess, shapes, side } from '../../examples/demo/shapes.ts';

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

  it('is preprocessed from NHWC bytes to NCHW numbers', () => {
    const size = side * side * 3;
    const images = new Uint8Array(2 * size);
    images.set([128, 192, 0], 0);
    images.set([255], size + (side + 1) * 3 + 1);
    const values = preprocess(images);
    const plane = side * side;
    expect([values[0], values[plane], values[2 * plane]]).to.deep.equal([0, 1, -2]);
    expect(values[size + plane + side + 1]).to.equal(127 / 64);
    expect(values).to.have.length(2 * size);
  });
});

describe('the network of the demo', () => {
  const file = join(folder, 'shapes.onnx');

  it('has the accuracy that its README states', async function () {
    this.timeout(60000);
    const stated = /\*\*([\d.]+) %\*\*/.exec(readFileSync(join(folder, 'README.md'), 'utf8'))?.[1];
    const { accuracy, scores } = await evaluate(file, shapes(testSeed, 1000));
    // One image of 1000: kernels of other processors may round one close decision the other way.
    expect(accuracy).to.be.closeTo(Number(stated), 0.1 + 1e-9);
    expect(scores).to.have.length(10000);
  });

  it('gives the same scores whatever the rest of the batch is', async () => {
    const { images, labels } = shapes(testSeed, 101);
    const size = side * side * 3;
    const all = await evaluate(file, { images, labels });
    const last = await evaluate(file, { images: images.subarray(100 * size), labels: labels.subarray(100) });
    expect(relativeDifference(all.scores.subarray(1000), last.scores)).to.be.below(1e-6);
  });

  it('stays small', () => {
    expect(readFileSync(file).length).to.be.below(600_000);
  });
});

describe('the recipe of the demo', () => {
  it('gives a smaller graph with the same accuracy', async function () {
    this.timeout(60000);
    const { before, after, difference } = await beforeAfter('demo.recipe.yaml', 300);
    expect(after.nodes).to.be.below(before.nodes / 1.5);
    expect(after.size).to.be.below(before.size);
    // Only rounding may differ: folded BatchNormalization adds in another order.
    expect(difference).to.be.below(1e-5);
    expect(after.accuracy).to.be.closeTo(before.accuracy, 100 / 300 + 1e-9);
  });
});
