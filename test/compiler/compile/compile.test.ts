import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { compile, type CompileResult } from '../../../compiler/compile.ts';
import { depfile } from '../../../compiler/depfile.ts';
import { Diagnostics } from '../../../compiler/host.ts';
import { check, plan } from '../../../compiler/plan.ts';
import { defineRecipe } from '../../../compiler/recipe/define.ts';
import { memorySource } from '../../../ir/bytes.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { recipe, smallModel, Workplace } from '../workplace.ts';

describe('compile', () => {
  let place: Workplace;
  beforeEach(() => {
    place = new Workplace();
    place.writeModel('small.onnx');
    place.write('recipe.yaml', recipe('small.onnx', '  - pass: fold\n'));
  });
  afterEach(() => { place.close(); });
  const run = (options: Parameters<typeof compile>[1] = {}): Promise<CompileResult> => compile('recipe.yaml', { host: place.host(), ...options });

  it('writes the model, and nothing else', async () => {
    const { outputs, report } = await run();
    expect(outputs).to.deep.equal(['out/small.onnx']);
    expect(place.files()).to.deep.equal(['out/small.onnx', 'recipe.yaml', 'small.onnx']);
    expect(readModel(memorySource(place.bytes('out/small.onnx'))).graph.nodeCount).to.equal(report.model.after.nodes);
  });

  describe('never writes over what it reads, or one output over another', () => {
    const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
      'the model, by an absolute path': () => { place.write('recipe.yaml', recipe('small.onnx', '', place.path('small.onnx'))); return run(); },
      'the model, through a link': () => { symlinkSync('.', place.path('link')); place.write('recipe.yaml', recipe('small.onnx', '', 'link/small.onnx')); return run().finally(() => { rmSync(place.path('link')); }); },
      'the model, as the report': () => run({ report: 'small.onnx' }),
      'the recipe, as the dependency file': () => run({ depfile: './recipe.yaml' }),
      'the output, as the report': () => run({ report: 'out/small.onnx' }),
      'the report, as the dependency file': () => run({ report: 'a', depfile: 'a' }),
    };
    for (const [what, attempt] of Object.entries(attempts)) {
      it(what, async () => {
        const model = place.bytes('small.onnx');
        const error = await attempt().then(() => undefined, (thrown: unknown) => thrown as { code?: string });
        expect(error?.code).to.equal('output/conflict');
        expect(place.bytes('small.onnx')).to.deep.equal(model);
        expect(place.files()).to.deep.equal(['recipe.yaml', 'small.onnx']);
      });
    }
  });

  it('says so where a dump cannot be written', async () => {
    place.write('file', '');
    const error = await run({ dump: 'file/sub' }).then(() => undefined, (thrown: unknown) => thrown as { code?: string });
    expect(error?.code).to.equal('output/unwritable');
  });

  it('gives the same bytes twice, model and report', async () => {
    await run({ report: 'a.json', reproducible: true });
    const first = [place.bytes('out/small.onnx'), place.bytes('a.json')];
    await run({ report: 'a.json', reproducible: true });
    expect([place.bytes('out/small.onnx'), place.bytes('a.json')]).to.deep.equal(first);
  });

  it('gives the same model in another folder: no path is in it', async () => {
    await run();
    const other = new Workplace();
    try {
      other.write('deep/er/small.onnx', place.bytes('small.onnx'));
      other.write('deep/er/recipe.yaml', place.read('recipe.yaml'));
      await compile('deep/er/recipe.yaml', { host: other.host() });
      expect(other.bytes('deep/er/out/small.onnx')).to.deep.equal(place.bytes('out/small.onnx'));
    } finally {
      other.close();
    }
  });

  it('reports steps, files and figures', async () => {
    await run({ report: 'report.json' });
    const report = JSON.parse(place.read('report.json')) as CompileResult['report'];
    expect(report.steps.map(({ number, id, outputs }) => [number, id, outputs])).to.deep.equal([[0, 'normalize', []], [1, 'fold', []], [2, 'export', ['out/small.onnx']]]);
    expect(Object.keys(report.inputs)).to.deep.equal(['recipe.yaml', 'small.onnx']);
    const sums = execFileSync('sha256sum', ['small.onnx', 'out/small.onnx'], { cwd: place.folder, encoding: 'utf8' }).split('\n').map((line) => line.slice(0, 64));
    expect([report.inputs['small.onnx']!.sha256, report.outputs['out/small.onnx']!.sha256]).to.deep.equal(sums.slice(0, 2));
    // Conv: 2·16 outputs of 2 products; MatMul: 3 outputs of 32.
    expect(report.model.before).to.deep.include({ nodes: 4, macs: 64 + 96, parameters: 4 + 96 });
    expect(report.timings).to.have.all.keys('normalize', 'fold', 'export');
  });

  it('writes where the model comes from into its metadata, sorted', async () => {
    const { report } = await run();
    const { extras, producerName } = readModel(memorySource(place.bytes('out/small.onnx')));
    const metadata = [...extras!.metadata!];
    expect(metadata.map(([key]) => key)).to.deep.equal(['history', 'model', 'producer', 'recipe', 'target', 'version'].map((key) => `onnxpress.${key}`));
    const values = Object.fromEntries(metadata);
    expect(values).to.include({ 'onnxpress.producer': 'hand 1', 'onnxpress.recipe': report.recipe.sha256, 'onnxpress.target': 'portable' });
    expect((JSON.parse(values['onnxpress.history']!) as { pass: string }[]).map(({ pass }) => pass)).to.deep.equal(['fold']);
    expect(producerName).to.equal('onnxpress');
  });

  it('takes a recipe as an object, with the same bytes', async () => {
    await run();
    const fromFile = place.bytes('out/small.onnx');
    const object = defineRecipe({ version: 1, model: 'small.onnx', steps: ['fold', { pass: 'export', with: { output: 'out/small.onnx' } }] });
    await compile(object, { host: place.host() });
    expect(place.bytes('out/small.onnx')).to.deep.equal(fromFile);
  });

  it('collects all mistakes of a recipe, and writes nothing', async () => {
    place.write('recipe.yaml', 'version: 1\nmodel: small.onnx\nsteps:\n  - pass: flod\n  - pass: export\n    with: { outptu: a.onnx }\n');
    const error = await run().catch((thrown: unknown) => thrown) as Diagnostics;
    expect(error).to.be.instanceOf(Diagnostics);
    expect(error.diagnostics.map(({ code }) => code)).to.include.members(['recipe/unknown-pass', 'recipe/unknown-option']);
    expect(place.files()).to.deep.equal(['recipe.yaml', 'small.onnx']);
  });

  it('refuses selectors that match nothing before any step', async () => {
    place.write('recipe.yaml', recipe('small.onnx', '  - pass: fold\n    where: { name: convv }\n'));
    const error = await run().catch((thrown: unknown) => thrown) as Diagnostics;
    expect(error.diagnostics.map(({ code }) => code)).to.deep.equal(['select/no-match']);
  });

  it('refuses a metric that it cannot measure before anything runs', async () => {
    place.write('recipe.yaml', `${recipe('small.onnx')}accept: { top1: { min: 90 } }\n`);
    expect(await run().catch((thrown: unknown) => thrown)).to.include({ code: 'accept/unknown-metric' });
  });

  it('writes nothing when the recipe misses a budget, and a warning with `onFail: warn`', async () => {
    place.write('recipe.yaml', `${recipe('small.onnx')}accept: { nodes: { max: 3 } }\n`);
    expect(await run().catch((thrown: unknown) => thrown)).to.include({ code: 'accept/budget' });
    expect(place.has('out')).to.equal(false);
    place.write('recipe.yaml', `${recipe('small.onnx')}accept: { nodes: { max: 3 }, onFail: warn }\n`);
    expect((await run()).diagnostics.map(({ code, severity }) => [code, severity])).to.deep.equal([['accept/budget', 'warning']]);
    expect(place.has('out/small.onnx')).to.equal(true);
  });

  it('leaves an earlier output alone when it fails', async () => {
    place.write('out/small.onnx', 'old');
    place.write('recipe.yaml', `${recipe('small.onnx')}accept: { nodes: { max: 3 } }\n`);
    await run().catch(() => undefined);
    expect(place.read('out/small.onnx')).to.equal('old');
    expect(place.files()).to.deep.equal(['out/small.onnx', 'recipe.yaml', 'small.onnx']);
  });

  it('skips a step whose condition does not hold, and says why', async () => {
    place.write('recipe.yaml', recipe('small.onnx', '  - pass: fold\n    when: { opset: ">=20" }\n'));
    const { report } = await run();
    expect(report.steps[1]).to.include({ id: 'fold', skipped: 'the opset is 17', changes: 0 });
  });

  it('asks a condition about a selector that matches nothing without taking it for a mistake', async () => {
    place.write('recipe.yaml', recipe('small.onnx', '  - pass: fold\n    when: { matches: { op: Softmax } }\n'));
    expect((await run()).report.steps[1]!.skipped).to.be.a('string');
  });

  it('stops before writing when it is aborted', async () => {
    const abort = new AbortController();
    abort.abort(new Error('enough'));
    const error = await run({ host: place.host({ signal: abort.signal }) }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'enough');
    expect(place.has('out')).to.equal(false);
  });

  it('plans and checks with the same errors, and writes nothing', async () => {
    const { data, resolved } = await plan('recipe.yaml', { host: place.host() });
    expect(data.steps.map(({ id }) => id)).to.deep.equal(['fold', 'export']);
    expect(data.outputs).to.deep.equal(['out/small.onnx']);
    expect(resolved).to.contain('dynamicBatch: false');
    expect(await check('recipe.yaml', { host: place.host() })).to.deep.equal([]);
    expect(place.files()).to.deep.equal(['recipe.yaml', 'small.onnx']);
    place.write('recipe.yaml', recipe('missing.onnx'));
    const errors = await Promise.all([plan, check, compile].map((call) => call('recipe.yaml', { host: place.host() }).catch((thrown: unknown) => thrown)));
    for (const error of errors) expect(error).to.include({ code: 'model/unreadable' });
  });

  it('dumps the model before the first step and after each that changes it', async () => {
    place.writeModel('small.onnx', smallModel.replace('[relu] r = Relu (c)', '[same] s = Identity (c)\n  [relu] r = Relu (s)'));
    await run({ dump: 'texts' });
    const names = place.files().filter((name) => name.startsWith('texts/'));
    expect(names).to.deep.equal(['texts/00-input.onnxtxt', 'texts/01-fold.onnxtxt']);
    expect(names.map((name) => place.read(name).includes('Identity'))).to.deep.equal([true, false]);
  });
});

describe('depfile', () => {
  it('is read by make, with names that are hard to write', () => {
    const place = new Workplace();
    try {
      const names = ['plain.onnx', 'with space.yaml', 'pound#sign.onnx', 'dollar$.onnx'];
      for (const name of names) place.write(name, 'x');
      place.write('Makefile', 'out.onnx:\n\t@echo building; touch out.onnx\n-include out.d\n');
      place.write('out.d', depfile(['out.onnx'], names));
      const make = (): string => execFileSync('make', ['out.onnx'], { cwd: place.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      expect(make()).to.contain('building');
      expect(make()).to.contain('up to date');
      for (const name of names) {
        execFileSync('touch', ['-d', 'tomorrow', name], { cwd: place.folder });
        expect(make(), name).to.contain('building');
        execFileSync('touch', ['-d', 'yesterday', name], { cwd: place.folder });
      }
      // A dependency that is gone leads to a rebuild, not to "no rule to make target".
      execFileSync('rm', ['plain.onnx'], { cwd: place.folder });
      expect(make()).to.contain('building');
    } finally {
      place.close();
    }
  });

  it('is written by compile, with everything that was read', async () => {
    const place = new Workplace();
    try {
      place.writeModel('m/small.onnx');
      place.write('base.yaml', 'version: 1\nmodel: m/small.onnx\n');
      place.write('recipe.yaml', 'version: 1\nextends: ./base.yaml\nsteps:\n  - pass: export\n    with: { output: out.onnx }\n');
      await compile('recipe.yaml', { host: place.host(), depfile: 'out.d' });
      expect(readFileSync(place.path('out.d'), 'utf8').split('\n')[0]).to.equal('out.onnx: \\');
      expect(place.read('out.d')).to.equal('out.onnx: \\\n  recipe.yaml \\\n  base.yaml \\\n  m/small.onnx\n\nrecipe.yaml:\n\nbase.yaml:\n\nm/small.onnx:\n');
    } finally {
      place.close();
    }
  });
});
