import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { definePass, type Pass } from '../../../passes/pass.ts';
import { checkPass, readCase, testPass, type Failure, type PassTests } from '../../../compiler/testing/index.ts';
import { codeOf } from '../../ir/diagnostics.ts';

const options = {
  type: 'object', additionalProperties: false,
  properties: { most: { type: 'integer', minimum: 1, default: 9, description: 'How many to remove at most.' } },
} as const;

/** Removes Identity nodes, a few. */
const shorten = definePass({
  name: 'shorten', version: 1, summary: 'Removes Identity nodes.', options, idempotent: false,
  run(model, context) {
    const { edit, select, options: { most } } = context;
    let count = 0;
    for (const node of model.graph.nodes()) {
      if (!node.is('Identity') || !select.has(node)) continue;
      if (count++ >= most) {
        context.remark({ kind: 'missed', rule: 'most', message: 'enough were removed', node });
        continue;
      }
      edit.replaceUses(node.output, node.inputs[0]!);
      edit.remove(node);
    }
  },
});

const two = '<ir_version: 8, opset_import: ["": 17]>\nmain (float[2] x) => (float[2] y) {\n  [a] t = Relu (x)\n  [b] u = Identity (t)\n  [c] y = Identity (u)\n}\n';
const both = 'main (float[2] x) => (float[2] y) {\n  [a] y = Relu (x)\n}\n';
const one = 'main (float[2] x) => (float[2] y) {\n  [a] t = Relu (x)\n  [c] y = Identity (t)\n}\n# missed shorten/most at c: enough were removed\n';

describe('testing: folders of cases', () => {
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'onnxpress-testing-')); });
  afterEach(() => { rmSync(folder, { recursive: true, force: true }); });

  const put = (files: Readonly<Record<string, string>>): void => { for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text); };
  const check = async (tests: Partial<PassTests> = {}, pass: Pass = shorten): Promise<string[]> => {
    const failures: Failure[] = await checkPass(pass, { folder, ci: false, update: false, ...tests });
    return failures.map(({ check: kind, name }) => (name === undefined ? kind : `${kind} ${name}`));
  };

  it('all cases are run, each with its options', async () => {
    put({ 'both.onnxtxt': `${two}---\n${both}`, 'one.onnxtxt': `# Removes one only.\n# options: { most: 1 }\n${two}---\n${one}` });
    expect(await check()).to.deep.equal([]);
    put({ 'one.onnxtxt': `# options: { most: 2 }\n${two}---\n${one}` });
    expect(await check()).to.deep.equal(['expectation one']);
  });

  it('expectations are recorded on demand, never under CI', async () => {
    put({ 'both.onnxtxt': two, 'one.onnxtxt': `# options: { most: 1 }\n${two}---\nunchanged\n` });
    expect(await check({ ci: true, update: true })).to.deep.equal(['expectation both', 'expectation one']);
    expect(await check({ update: true })).to.deep.equal([]);
    expect(readFileSync(join(folder, 'both.onnxtxt'), 'utf8')).to.equal(`${two}---\n${both}`);
    expect(readFileSync(join(folder, 'one.onnxtxt'), 'utf8')).to.equal(`# options: { most: 1 }\n${two}---\n${one}`);
    expect(await check({ ci: true })).to.deep.equal([]);
  });

  it('a case that is there twice, an empty folder, and under CI what is no case', async () => {
    expect(await check()).to.deep.equal(['case']);
    put({ 'a.onnxtxt': `${two}---\n${both}`, 'b.onnxtxt': `# The same.\n${two.replace(/\n/g, '\n\n')}---\n${both}`, 'c.onnxtxt': `# options: { most: 5 }\n${two}---\n${both}`, 'notes.txt': '' });
    expect(await check()).to.deep.equal(['case b']);
    expect(await check({ ci: true })).to.deep.equal(['case b', 'case notes.txt']);
  });

  it('options that must be refused', async () => {
    put({ 'both.onnxtxt': `${two}---\n${both}` });
    const invalid = [{ options: { most: 0 }, code: 'recipe/out-of-range' }, { options: { mots: 1 }, code: 'recipe/unknown-option' }, { options: { most: 'all' }, code: 'recipe/bad-type' }];
    expect(await check({ invalid })).to.deep.equal([]);
    expect(await check({ invalid: [{ options: { most: 3 }, code: 'recipe/out-of-range' }, { options: { most: 0 }, code: 'recipe/bad-type' }] })).to.deep.equal(['options', 'options']);
    put({ 'both.onnxtxt': `# options: { most: 0 }\n${two}---\n${both}` });
    expect(await check()).to.deep.equal(['case both']);
  });

  const mistakes: Readonly<Record<string, Partial<Pass>>> = {
    'a name that is not in kebab-case': { name: 'Shorten' },
    'a version that does not count': { version: 0.5 },
    'a summary that is no sentence': { summary: 'Shortens' },
    'an option without description': { options: { ...options, properties: { most: { type: 'integer', default: 9 } } } },
    'a default that the option refuses': { options: { ...options, properties: { most: { ...options.properties.most, default: 0 } } } },
  };
  for (const [what, mistake] of Object.entries(mistakes)) {
    it(`declaration: ${what}`, async () => {
      put({ 'both.onnxtxt': `# tolerance: exact\n${two}---\n${both}` });
      expect((await check({}, { ...shorten, ...mistake } as Pass)).filter((failure) => failure === 'declaration')).to.deep.equal(['declaration']);
    });
  }

  it('settings that do not exist, or are wrong', () => {
    for (const line of ['# option: {}', '# options: 3', '# select: relu', '# tolerance: 2', '# tolerance: -1', '# options: {']) expect(codeOf(() => readCase('case', `${line}\n${two}`)), line).to.equal('testing/case');
    expect(readCase('case', `# Note: prose\n#\n# options: { most: 2 }\n# select: [a]\n# tolerance: 0.5\n${two}`).settings).to.deep.equal({ options: { most: 2 }, select: ['a'], tolerance: 0.5 });
  });

  it('under a test framework: a test for each case, and texts to compare where one fails', async () => {
    put({ 'both.onnxtxt': `${two}---\nunchanged`, 'one.onnxtxt': `# options: { most: 1 }\n${two}---\n${one}` });
    const run = new Map<string, () => Promise<void> | void>();
    const closing: (() => Promise<void>)[] = [];
    const scope = globalThis as unknown as Record<'describe' | 'it' | 'after', unknown>;
    const { describe: outer, it: inner, after: last } = scope;
    Object.assign(scope, {
      describe: (title: string, body: () => void) => { expect(title).to.equal('pass shorten'); body(); },
      it: (title: string, body: () => void) => run.set(title, body),
      after: (body: () => Promise<void>) => closing.push(body),
    });
    try {
      testPass(shorten, { folder, ci: false, update: false, invalid: [{ options: { most: 0 }, code: 'recipe/out-of-range' }] });
    } finally {
      Object.assign(scope, { describe: outer, it: inner, after: last });
    }
    expect([...run.keys()]).to.deep.equal(['is declared well', 'has cases that are sound', 'refuses {"most":0}', 'both', 'one']);
    const errors = new Map<string, Error & { actual?: string; expected?: string }>();
    for (const [title, body] of run) await Promise.resolve().then(body).catch((error: unknown) => errors.set(title, error as Error));
    for (const close of closing) await close();
    expect([...errors.keys()]).to.deep.equal(['both']);
    expect(errors.get('both')).to.include({ expected: 'unchanged', actual: both.trimEnd() });
  });
});
