import { cpSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { Workplace } from '../compiler/workplace.ts';
import { root } from '../paths.ts';

const page = (name: string): string => readFileSync(join(root, name), 'utf8');

/** Recipes that a page shows. */
const recipes = (text: string): string[] => [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map((match) => match[1]!).filter((recipe) => recipe.includes('version: 1'));

describe('README.md and pages of specs/', () => {
  const place = new Workplace();
  before(() => { cpSync(join(root, 'examples/demo/shapes.onnx'), place.path('resnet50.onnx')); });
  after(() => { place.close(); });

  it('shows a recipe of ten lines, which plans without a warning', async () => {
    const [recipe, ...others] = recipes(page('README.md'));
    expect(others).to.deep.equal([]);
    expect(recipe!.split('\n').filter((line) => /^ *[^ #]/.test(line))).to.have.lengthOf.at.most(10);
    place.write('recipe.yaml', recipe!);
    const { code, err, out } = await place.run(['plan', 'recipe.yaml']);
    expect([code, err]).to.deep.equal([0, '']);
    expect(out).to.match(/fold[^]*equalize[^]*calibrate[^]*quantize-int8[^]*export/);
  });

  it('shows what the demo runs', () => {
    const commands = [...page('README.md').matchAll(/^\$ onnxpress (.*)$/gm)].map((match) => match[1]!);
    expect(commands).to.deep.equal(['tensorrt', 'cpu'].map((name) => `compile ${name}.recipe.yaml --report build/${name}.json --html build/${name}.html`));
  });

  const examples = [...page('specs/data.md').matchAll(/^```yaml\n([^]*?)^```$/gm)].map((match) => match[1]!);
  for (const [index, example] of examples.entries()) {
    it(`specs/data.md shows data that a recipe takes (example ${index + 1} of ${examples.length})`, async () => {
      place.write('data.yaml', `version: 1\nmodel: resnet50.onnx\n${example}steps: [ { pass: export, with: { output: out.onnx } } ]\n`);
      const { code, err } = await place.run(['plan', 'data.yaml']);
      expect([code, err]).to.deep.equal([0, '']);
    });
  }

  for (const name of ['README.md', 'examples/demo/README.md', 'specs/tutorial.md', 'specs/plugin-api.md', 'specs/data.md', 'specs/cli.md', 'specs/calibration.md', 'specs/recipe.md']) {
    it(`${name} links to what is there`, () => {
      const links = [...page(name).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map((match) => match[1]!).filter((link) => !/^https?:/.test(link));
      expect(links.filter((link) => !existsSync(join(root, dirname(name), link)))).to.deep.equal([]);
    });
  }
});
