import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { imageSets, writeImages } from '../../examples/demo/images.ts';
import { Workplace } from '../compiler/workplace.ts';
import { root } from '../paths.ts';

/** Files that the page shows (a recipe names itself in its first line), and commands, in the order of the page. */
type Part = { readonly file: string; readonly text: string } | { readonly command: string };

function partsOf(page: string): Part[] {
  return [...page.matchAll(/^```(yaml|sh)\n([^]*?)^```$/gm)].flatMap(([, kind, text]): Part[] => (
    kind === 'yaml' ? [{ file: /^# (\S+)\n/.exec(text!)![1]!, text: text! }] : text!.split('\n').filter((line) => line.startsWith('onnxpress ')).map((command) => ({ command }))
  ));
}

describe('specs/tutorial.md, from top to bottom', () => {
  const place = new Workplace();
  const page = readFileSync(join(root, 'specs/tutorial.md'), 'utf8');
  const parts = partsOf(page);
  before(async function () {
    this.timeout(60000);
    cpSync(join(root, 'examples/demo/shapes.onnx'), place.path('model.onnx'));
    await writeImages(place.path('calibration'), imageSets.calibration);
    // Half of them judge `maxDrop`: one image of 120 is 0.8 points.
    await writeImages(place.path('validation'), { ...imageSets.validation, count: 240 });
  });
  after(() => { place.close(); });

  it('has its recipes and commands', () => {
    expect(parts.filter((part) => 'file' in part)).to.have.length(6);
    expect(parts.filter((part) => 'command' in part)).to.have.length(13);
  });

  for (const part of parts) {
    if ('file' in part) {
      it(`${part.file} plans without a warning`, async () => {
        place.write(part.file, part.text);
        const { code, err } = await place.run(['plan', part.file]);
        expect([code, err]).to.deep.equal([0, '']);
      });
    } else {
      it(part.command, async function () {
        this.timeout(120000);
        const [, ...argv] = part.command.split(' ');
        const { code, err } = await place.run(argv);
        expect(code, err).to.equal(0);
        expect(err).to.not.contain('warning');
      });
    }
  }

  it('merges statistics to those of one run', async function () {
    this.timeout(60000);
    expect((await place.run(['calibrate', 'prepared.recipe.yaml', '-o', 'build/whole.stats'])).code).to.equal(0);
    expect(Buffer.from(place.bytes('build/whole.stats')).equals(place.bytes('build/model.stats'))).to.equal(true);
  });

  it('shows what `explain` says', async () => {
    const { out } = await place.run(['explain', '/head/Gemm', '--report', 'build/report.json']);
    expect(page).to.contain(`\`\`\`text\n${out}\`\`\``);
  });
});
