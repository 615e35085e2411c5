import { expect } from 'chai';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { Report } from '../../../compiler/report/report.ts';
import { root } from '../../paths.ts';
import { mainFile, recipe, Workplace } from '../workplace.ts';

const pass = (name: string, options = '{}', run = ''): string =>
  `{ name: '${name}', version: 1, summary: 'Does something.', options: { type: 'object', additionalProperties: false, properties: ${options} }, run(model, { edit }) { ${run} } }`;
const plugin = (passes: string, api = '1'): string => `export default { name: 'p', api: ${api}, passes: [${passes}] };\n`;

/** What a module looks like, and the code with which it is refused. */
const refused: readonly (readonly [what: string, module: string, code: string])[] = [
  ['a module without default export', 'export const a = 1;\n', 'plugin/no-default-export'],
  ['a default export without passes', 'export default { name: "p", api: 1 };\n', 'plugin/no-default-export'],
  ['another version of the interface', plugin(pass('acme/x'), '2'), 'plugin/api-mismatch'],
  ['a name without prefix', plugin(pass('fold')), 'plugin/bad-name'],
  ['two passes of one name', plugin(`${pass('acme/x')}, ${pass('acme/x')}`), 'plugin/duplicate-pass'],
  ['an option without description', plugin(pass('acme/x', '{ a: { type: "integer" } }')), 'plugin/bad-schema'],
  ['a misspelt keyword', plugin(pass('acme/x', '{ a: { type: "integer", description: "It.", minimun: 1 } }')), 'plugin/bad-schema'],
  ['a default that its option refuses', plugin(pass('acme/x', '{ a: { type: "integer", description: "It.", minimum: 1, default: 0 } }')), 'plugin/bad-schema'],
  ['a module that throws', 'throw new Error("on purpose");\n', 'plugin/failed'],
  ['a module whose dependency is missing', 'import "not-installed-anywhere";\n', 'plugin/failed'],
];

describe('plugins', () => {
  let place: Workplace;
  beforeEach(() => {
    place = new Workplace();
    place.writeModel('small.onnx');
  });
  afterEach(() => { place.close(); });
  const use = (specifier: string, name = 'acme/x'): void => {
    place.write('recipe.yaml', `plugins: [ "${specifier}" ]\n${recipe('small.onnx', `  - pass: ${name}\n`)}`);
  };

  for (const [index, [what, module, code]] of refused.entries()) {
    it(`refuses ${what}, at its place in the recipe`, async () => {
      place.write(`plugin-${index}.mjs`, module);
      use(`./plugin-${index}.mjs`);
      const { code: exit, err } = await place.run(['compile', 'recipe.yaml']);
      expect(exit).to.equal(2);
      expect(err).to.contain(`error[${code}]`).and.contain('recipe.yaml:1:12');
      expect(err.match(/error\[/g)).to.have.length(1);
    });
  }

  it('says how to install a package that is missing', async () => {
    use('@acme/onnxpress-passes');
    const { code, err } = await place.run(['compile', 'recipe.yaml']);
    expect(code).to.equal(2);
    expect(err).to.contain('plugin/not-found').and.contain('npm i -D @acme/onnxpress-passes');
  });

  it('finds packages from the folder of the recipe, those that export to import only included', async () => {
    for (const [index, exports] of ['"./index.js"', '{ ".": { "import": "./index.js" } }', '{ "import": "./index.js" }'].entries()) {
      place.write(`r${index}/node_modules/acme/package.json`, `{ "name": "acme", "type": "module", "exports": ${exports} }`);
      place.write(`r${index}/node_modules/acme/index.js`, plugin(pass('acme/x')));
      place.write(`r${index}/recipe.yaml`, `plugins: [ acme ]\n${recipe('../small.onnx', '  - pass: acme/x\n')}`);
      expect(await place.run(['compile', `r${index}/recipe.yaml`, '-q'])).to.deep.include({ code: 0, err: '' });
    }
  });

  it('loads nothing that the recipe does not list', async () => {
    place.write('plugin.mjs', 'throw new Error("loaded");\n');
    place.write('recipe.yaml', recipe('small.onnx'));
    expect((await place.run(['compile', 'recipe.yaml', '-q'])).code).to.equal(0);
  });

  it('counts its module among the inputs', async () => {
    place.write('plugin-in.mjs', plugin(pass('acme/x')));
    use('./plugin-in.mjs');
    await place.run(['compile', 'recipe.yaml', '--report', 'r.json']);
    expect(Object.keys((JSON.parse(place.read('r.json')) as Report).inputs)).to.deep.equal(['recipe.yaml', 'small.onnx', 'plugin-in.mjs']);
  });

  it('lists its passes with --plugin', async () => {
    place.write('plugin-list.mjs', plugin(pass('acme/x')));
    expect((await place.run(['passes', '--plugin', './plugin-list.mjs'])).out).to.contain('acme/x');
  });

  describe('that fail', () => {
    const replay = async (run: string, code: string, name: string): Promise<void> => {
      place.write(`${name}.mjs`, plugin(pass('acme/x', '{}', run)));
      place.write('recipe.yaml', `plugins: [ "./${name}.mjs" ]\n${recipe('small.onnx', '  - pass: fold\n  - pass: acme/x\n    where: { op: [Conv, Relu] }\n')}`);
      const { code: exit, err } = await place.run(['compile', 'recipe.yaml', '--reproducers', 'repro']);
      expect(exit, err).to.equal(70);
      expect(err).to.contain(`error[${code}]`).and.contain('acme/x');
      expect(place.has('out')).to.equal(false);
      const [, command] = /replay it: onnxpress (.*)/.exec(err)!;
      const again = spawnSync(process.execPath, [mainFile, ...command!.split(' '), '--reproducers', place.path('again')], { encoding: 'utf8', cwd: '/' });
      expect(again.status, again.stderr).to.equal(70);
      expect(again.stderr).to.contain(`error[${code}]`);
    };

    it('leave a reproducer that replays an exception', () => replay('throw new TypeError("on purpose");', 'internal/step-failed', 'thrower'));

    it('leave a reproducer that replays an invalid model, and names the node', async () => {
      await replay('const n = model.graph.first; edit.setAttribute(n, "kernel_shape", "three");', 'internal/invalid-model', 'breaker');
    });
  });
});

describe('plugin template', () => {
  it('passes its own tests, and works in a recipe', () => {
    const place = new Workplace();
    try {
      place.linkPackage();
      cpSync(join(root, 'plugins/template'), place.path('template'), { recursive: true });
      const mocha = join(root, 'node_modules/mocha/bin/mocha.js');
      const tests = spawnSync(process.execPath, [mocha, '--no-config', '--timeout', '60000', 'test.js'], { cwd: place.path('template'), encoding: 'utf8', env: { ...process.env, CI: '1' } });
      expect(tests.status, tests.stdout + tests.stderr).to.equal(0);
      expect(tests.stdout).to.match(/\d+ passing/);

      place.writeModel('small.onnx', readFileSync(place.path('template/cases/swish.onnxtxt'), 'utf8').split('---')[0]);
      place.write('recipe.yaml', `plugins: [ ./template/index.js ]\n${recipe('small.onnx', '  - pass: template/hard-swish\n')}`);
      const compiled = spawnSync(process.execPath, [mainFile, 'compile', 'recipe.yaml'], { cwd: place.folder, encoding: 'utf8' });
      expect(compiled.status, compiled.stderr).to.equal(0);
      expect(compiled.stderr).to.match(/template\/hard-swish +\d+ changes +2 → 1/);
    } finally {
      place.close();
    }
  });
});
