import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { diskFiles } from '../../../compiler/recipe/files.ts';
import { mistakes, planned, planTexts } from './planning.ts';

const base = `version: 1
model: models/a.onnx
vars: { amount: 0.3, name: small }
data:
  c: { images: calib/*.jpg, samples: 256, preprocess: imagenet }
select: { head: { op: Gemm } }
steps:
  - fold
  - { pass: structured-prune, where: { op: Conv }, with: { amount: "\${vars.amount}", roundTo: 32 } }
  - fold
  - { pass: export, with: { output: "out/\${vars.name}.onnx" } }
`;
const child = (text: string): Record<string, string> => ({ 'recipe.yaml': `version: 1\nextends: shared/base.yaml\n${text}`, 'shared/base.yaml': base });
const ids = (text: string): string[] => planned(child(text)).steps.map(({ id }) => id);

describe('inheritance', () => {
  it('merges maps by key, replaces scalars and lists, and keeps paths with their file', () => {
    const plan = planned(child('vars: { name: large }\ndata: { c: { samples: 16 } }\ntarget: tensorrt-8\n'));
    expect(plan.model).to.equal('shared/models/a.onnx');
    expect(plan.data).to.deep.equal({ c: { images: 'shared/calib/*.jpg', samples: 16, preprocess: 'imagenet' } });
    expect(plan.outputs).to.deep.equal(['shared/out/large.onnx']);
    expect(plan.files).to.deep.equal(['recipe.yaml', 'shared/base.yaml']);
  });

  it('replaces selectors, and readers that name another source, as a whole', () => {
    const plan = planned(child('select: { head: { name: x } }\ndata: { c: { npy: b.npy } }\n'));
    expect(plan.data).to.deep.equal({ c: { npy: 'b.npy' } });
  });

  it('replaces all steps by steps', () => {
    expect(ids('steps: [ fold, { pass: export, with: { output: b.onnx } } ]\n')).to.deep.equal(['fold', 'export']);
  });

  const patches: [string, string[]][] = [
    ['[ { remove: fold } ]', ['structured-prune', 'fold-2', 'export']],
    ['[ { remove: fold }, { edit: fold-2, with: { batchNorm: false } } ]', ['structured-prune', 'fold-2', 'export']],
    ['[ { insert: fold, first: true } ]', ['fold-3', 'fold', 'structured-prune', 'fold-2', 'export']],
    ['[ { insert: { pass: fold, id: mine }, before: export } ]', ['fold', 'structured-prune', 'fold-2', 'mine', 'export']],
    ['[ { insert: { pass: fold, id: mine }, after: fold } ]', ['fold', 'mine', 'structured-prune', 'fold-2', 'export']],
    ['[ { insert: { pass: export, with: { output: z.onnx } }, last: true } ]', ['fold', 'structured-prune', 'fold-2', 'export', 'export-2']],
    ['[ { insert: { pass: fold, id: a }, after: fold }, { insert: { pass: fold, id: b }, after: a } ]', ['fold', 'a', 'b', 'structured-prune', 'fold-2', 'export']],
  ];
  for (const [patch, expected] of patches) it(`patches: ${patch}`, () => { expect(ids(`patch: ${patch}\n`)).to.deep.equal(expected); });

  it('edits options key by key and replaces where', () => {
    const [, prune] = planned(child('patch: [ { edit: structured-prune, with: { amount: 0.1 }, where: $head } ]\n')).steps;
    expect(prune!.options).to.deep.equal({ amount: 0.1, importance: 'l2', roundTo: 32, budget: {} });
    expect(prune!.where).to.include({ kind: 'scalar', value: '$head' });
  });

  it('keeps ids through a chain of patches', () => {
    const texts = {
      ...child(''), 'recipe.yaml': 'version: 1\nextends: middle.yaml\npatch: [ { edit: fold-2, with: { batchNorm: false } } ]\n',
      'middle.yaml': 'version: 1\nextends: shared/base.yaml\npatch: [ { remove: fold } ]\n',
    };
    expect(planned(texts).steps.map(({ id, options }) => [id, options['batchNorm']])).to.deep.equal([['structured-prune', undefined], ['fold-2', false], ['export', undefined]]);
  });

  it('says where an inherited mistake is written, and who extends it', () => {
    const { diagnostics } = planTexts({ ...child(''), 'shared/base.yaml': base.replace('roundTo: 32', 'roundTo: 0') });
    expect(diagnostics.map(({ code, file, range, notes }) => ({ code, file, line: range?.line, notes: notes?.map(({ message }) => message) }))).to.deep.equal([
      { code: 'recipe/out-of-range', file: 'shared/base.yaml', line: 9, notes: ['inherited from shared/base.yaml:9:95, which recipe.yaml:2:10 extends'] },
    ]);
  });

  const malformed: [string, string[]][] = [
    ['{}', ['recipe/bad-type:3:1']], ['[ { edit: fold, remove: fold } ]', ['recipe/exclusive-keys:3:24']], ['[ { insert: fold } ]', ['recipe/exclusive-keys:3:10']],
    ['[ { insert: fold, first: true, last: true } ]', ['recipe/exclusive-keys:3:39']], ['[ { remove: fold, with: {} } ]', ['recipe/exclusive-keys:3:26']],
    ['[ { edit: fold, wth: {} } ]', ['recipe/unknown-key:3:24']], ['[ { edit: fold, with: { nonsense: 1 } } ]', ['recipe/unknown-option:3:32']],
  ];
  for (const [patch, expected] of malformed) it(`refuses the patch ${patch}`, () => { expect(mistakes(planTexts(child(`patch: ${patch}\n`)))).to.deep.equal(expected); });

  for (const path of ['/abs.yaml', 'http://x/y.yaml', 'npm:@org/recipe', 'C:\\\\x.yaml', 'a\\\\b.yaml', '', 'a\\0b']) {
    it(`refuses to extend ${JSON.stringify(path)}`, () => {
      expect(mistakes(planTexts(`version: 1\nextends: "${path}"\n`))).to.deep.equal(['recipe/extends-path:2:10']);
    });
  }

  describe('files on disk', () => {
    const reading = (path: string): string => {
      try {
        return diskFiles.readText(path, 1024);
      } catch (error) {
        return (error as Error).message;
      }
    };
    const cases: [string, (folder: string) => string, RegExp][] = [
      ['a text', (folder) => { writeFileSync(join(folder, 'a'), 'ü'); return join(folder, 'a'); }, /^ü$/],
      ['a folder', (folder) => folder, /not a regular file/],
      ['a device', () => '/dev/zero', /not a regular file/],
      ['a missing file', (folder) => join(folder, 'none'), /no such file/],
      ['a large file', (folder) => { writeFileSync(join(folder, 'a'), 'x'.repeat(1025)); return join(folder, 'a'); }, /1025 bytes, and a recipe may have 1024/],
      ['bytes that are no text', (folder) => { writeFileSync(join(folder, 'a'), Uint8Array.of(0xff, 0xfe, 0)); return join(folder, 'a'); }, /not UTF-8/],
      ['a name with a zero byte', () => 'a\0b', /cannot read the recipe/],
    ];
    for (const [title, make, expected] of cases) {
      it(title, () => {
        const folder = mkdtempSync(join(tmpdir(), 'onnxpress-recipe-'));
        try {
          expect(reading(make(folder))).to.match(expected);
        } finally {
          rmSync(folder, { recursive: true });
        }
      });
    }
  });
});
