import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, shared } from '../../paths.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { mainFile, recipe, smallModel, Workplace } from '../workplace.ts';

const goldens = join(root, 'test/compiler/cli/help');

describe('command line', () => {
  let place: Workplace;
  before(() => {
    place = new Workplace();
    place.writeModel('small.onnx');
    place.writeModel('other.onnx', smallModel.replace('Relu', 'Abs'));
    place.write('recipe.yaml', recipe('small.onnx', '  - pass: fold\n'));
    place.write('wrong.yaml', recipe('small.onnx', '  - pass: flod\n'));
    place.write('budget.yaml', `${recipe('small.onnx', '', 'never.onnx')}accept: { nodes: { max: 1 } }\n`);
    place.write('broken.onnx', new Uint8Array([8, 8, 255, 255]));
    place.write('crash.mjs', 'export default { name: "p", api: 1, passes: [{ name: "acme/x", version: 1, summary: "It.", options: { type: "object", additionalProperties: false, properties: {} }, run() { throw new Error("on purpose"); } }] };\n');
    place.write('crash.yaml', `plugins: [ ./crash.mjs ]\n${recipe('small.onnx', '  - pass: acme/x\n', 'never.onnx')}`);
  });
  after(() => { place.close(); });

  /** What is typed, the exit code, and what is printed to stdout and stderr. */
  const outcomes: readonly (readonly [argv: string, code: number, out: RegExp, err: RegExp])[] = [
    ['--version', 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    ['--help', 0, /^Usage: onnxpress/, /^$/],
    ['compile --help', 0, /^Usage: onnxpress compile/, /^$/],
    ['', 2, /^$/, /Usage: onnxpress/],
    ['compile', 2, /^$/, /missing required argument/],
    ['complie recipe.yaml', 2, /^$/, /Did you mean compile\?/],
    ['compile recipe.yaml --reprot x', 2, /^$/, /unknown option '--reprot'[^]*Did you mean --report\?/],
    ['compile recipe.yaml --format xml', 2, /^$/, /Allowed choices are pretty, json, github/],
    ['compile recipe.yaml', 0, /^$/, /^step +did[^]*out\/small\.onnx/],
    ['compile recipe.yaml --quiet', 0, /^$/, /^$/],
    ['compile nowhere.yaml', 2, /^$/, /error\[recipe\/unreadable\]/],
    ['compile wrong.yaml', 2, /^$/, /error\[recipe\/unknown-pass\][^]*wrong\.yaml:4:11[^]*did you mean `fold`/],
    ['compile recipe.yaml --set a=1', 2, /^$/, /error\[recipe\/unknown-variable\]/],
    ['compile budget.yaml', 3, /^$/, /error\[accept\/budget\]/],
    ['compile crash.yaml --reproducers repro', 70, /^$/, /error\[internal\/step-failed\][^]*replay it: onnxpress compile [^]*Error: on purpose\n +at/],
    ['check recipe.yaml', 0, /^$/, /^$/],
    ['check wrong.yaml', 2, /^$/, /unknown-pass/],
    ['plan recipe.yaml', 0, /^model: small\.onnx[^]*1 +fold[^]*2 +export[^]*writes:\n {2}out\/small\.onnx\n$/, /^$/],
    ['plan recipe.yaml --resolved', 0, /externalData: auto/, /^$/],
    ['plan recipe.yaml --json', 0, /^\{[^]*\}\n$/, /^$/],
    ['inspect small.onnx', 0, /^small\.onnx: IR 8, opset 17, by hand 1\ninput +image +float\[1,2,4,4\][^]*MatMul +1 +96[^]*total +4 +160 +100/, /^$/],
    ['inspect small.onnx --json', 0, /^\{[^]*"macs": 160[^]*\}\n$/, /^$/],
    ['inspect small.onnx --text', 0, /\[conv\] c = Conv/, /^$/],
    ['inspect small.onnx --text --elide x', 2, /^$/, /usage\/bad-number/],
    ['inspect broken.onnx', 1, /^$/, /error\[model\//],
    ['inspect nowhere.onnx', 1, /^$/, /error\[model\/unreadable\]: cannot read nowhere\.onnx/],
    ['diff small.onnx small.onnx', 0, /^the models are the same\n$/, /^$/],
    ['diff small.onnx other.onnx', 1, /Abs +0 → 1[^]*~ node relu +Relu → Abs/, /^$/],
    ['diff small.onnx other.onnx --json', 1, /"same": false/, /^$/],
    ['diff small.onnx nowhere.onnx', 1, /^$/, /model\/unreadable/],
    ['passes', 0, /export +Writes[^]*fold +Evaluates/, /^$/],
    ['passes fold', 0, /^# fold\n[^]*maxGrowth/, /^$/],
    ['passes flod', 2, /^$/, /usage\/unknown-pass[^]*did you mean `fold`/],
    ['schema', 0, /^\{[^]*"options of fold"[^]*\}\n$/, /^$/],
    ['explain recipe/unknown-option', 0, /^recipe\/unknown-option: /, /^$/],
    ['explain recipe/unknown-optoin', 2, /^$/, /usage\/unknown-code[^]*recipe\/unknown-option/],
    ['init small.onnx --output -', 0, /^# Compresses small\.onnx: 4 nodes/, /^$/],
    ['init small.onnx --output recipe.yaml', 2, /^$/, /usage\/file-exists/],
  ];
  for (const [argv, code, out, err] of outcomes) {
    it(`onnxpress ${argv}: exit code ${code}`, async () => {
      const outcome = await place.run(argv.split(' ').filter((word) => word !== ''));
      expect(outcome.err).to.match(err);
      expect(outcome.out).to.match(out);
      expect(outcome.code).to.equal(code);
    });
  }

  it('leaves nothing of compiles that failed', () => {
    expect(place.files().filter((name) => !name.startsWith('repro/') && /never|tmp/.test(name))).to.deep.equal([]);
  });

  it('lists the nodes that a selector names, and refuses a wrong one', async () => {
    const { out, code } = await place.run(['inspect', 'small.onnx', '--where', '{ op: [Conv, Relu] }']);
    expect([code, out.split('\n').filter((line) => /^(conv|relu|head)/.test(line)).length]).to.deep.equal([0, 2]);
    for (const [selector, expected] of [['{ opp: Conv }', /did you mean `op`/], ['{ op: Convv }', /select\/no-match/], ['{', /recipe\/syntax/]] as const) {
      const refused = await place.run(['inspect', 'small.onnx', '--where', selector]);
      expect(refused.code, selector).to.equal(2);
      expect(refused.err).to.match(expected);
    }
  });

  it('tells what happened to a node, from a report', async () => {
    place.write('where.yaml', recipe('small.onnx', '  - pass: fold\n    where: { name: relu }\n', 'out/w.onnx'));
    await place.run(['compile', 'where.yaml', '-q', '--report', 'w.json']);
    expect((await place.run(['explain', 'relu', '--report', 'w.json'])).out).to.match(/^relu\nstep 1 fold \(fold\):\n {2}selected by `where` \(1 nodes\)\n/);
    const unknown = await place.run(['explain', 'rleu', '--report', 'w.json']);
    expect(unknown).to.deep.include({ code: 2, out: '' });
    expect(unknown.err).to.contain('usage/unknown-node').and.contain('relu');
    expect((await place.run(['explain', 'relu', '--report', 'recipe.yaml'])).err).to.contain('usage/unreadable-report');
  });

  it('prints diagnostics as JSON and as annotations of GitHub', async () => {
    const { diagnostics } = JSON.parse((await place.run(['compile', 'wrong.yaml', '--format', 'json'])).err) as { diagnostics: Record<string, unknown>[] };
    expect(diagnostics[0]).to.deep.include({ code: 'recipe/unknown-pass', severity: 'error', file: 'wrong.yaml' });
    expect((await place.run(['compile', 'wrong.yaml', '--format', 'github'])).err).to.match(/^::error file=wrong\.yaml,line=4,col=11,endLine=4,endColumn=15,title=recipe\/unknown-pass::there is no pass/);
  });

  it('uses colours on a terminal only, unless the environment says otherwise', async () => {
    const colored = async (isTTY: boolean, env: Record<string, string>): Promise<boolean> => (await place.run(['compile', 'wrong.yaml'], { isTTY, env })).err.includes('\u001B[');
    expect(await colored(false, {})).to.equal(false);
    expect(await colored(true, {})).to.equal(true);
    expect(await colored(true, { NO_COLOR: '1' })).to.equal(false);
    expect(await colored(false, { FORCE_COLOR: '1' })).to.equal(true);
    expect(await colored(false, { FORCE_COLOR: '1', NO_COLOR: '1' })).to.equal(false);
  });

  it('shows progress on a terminal only', async () => {
    expect((await place.run(['compile', 'recipe.yaml'], { isTTY: true })).err).to.contain('[1/2] fold');
    expect((await place.run(['compile', 'recipe.yaml'])).err).not.to.contain('\r');
  });

  it('ends with 130 when it is interrupted, and writes nothing', async () => {
    const outcome = await place.run(['compile', 'recipe.yaml', '--report', 'interrupted.json'], { signal: AbortSignal.abort() });
    expect(outcome).to.deep.equal({ code: 130, out: '', err: 'interrupted: nothing was written\n' });
    expect(place.has('interrupted.json')).to.equal(false);
  });

  describe('as a process', () => {
    it('is quiet when its reader has seen enough', () => {
      const { status, stderr, stdout } = spawnSync('bash', ['-c', `"$0" "$1" schema | head -c 100; echo " \${PIPESTATUS[0]}"`, process.execPath, mainFile], { encoding: 'utf8' });
      expect([status, stderr]).to.deep.equal([0, '']);
      expect(stdout.slice(100)).to.equal(' 0\n');
    });

    it('leaves nothing behind on Ctrl-C in the middle of a step', async () => {
      place.write('slow.mjs', 'export default { name: "p", api: 1, passes: [{ name: "acme/slow", version: 1, summary: "It.", options: { type: "object", additionalProperties: false, properties: {} }, run: (_m, { signal }) => new Promise((_resolve, reject) => { const t = setInterval(() => undefined, 1000); process.stderr.write("started\\n"); signal.addEventListener("abort", () => { clearInterval(t); reject(signal.reason); }); }) }] };\n');
      place.write('slow.yaml', `plugins: [ ./slow.mjs ]\n${recipe('small.onnx', '  - pass: acme/slow\n', 'slow/never.onnx')}`);
      const files = place.files();
      const child = spawn(process.execPath, [mainFile, 'compile', 'slow.yaml', '--report', 'slow.json', '--depfile', 'slow.d'], { cwd: place.folder, stdio: ['ignore', 'ignore', 'pipe'] });
      let err = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
        if (text.includes('started')) child.kill('SIGINT');
      });
      const code = await new Promise((resolve) => { child.on('close', resolve); });
      expect([code, err]).to.deep.equal([130, 'started\ninterrupted: nothing was written\n']);
      expect(place.files()).to.deep.equal(files);
    });
  });

  describe('help', () => {
    for (const command of ['', 'compile', 'plan', 'check', 'inspect', 'diff', 'init', 'passes', 'schema', 'explain']) {
      it(`of ${command === '' ? 'the program' : command} is as recorded (UPDATE=1 records it)`, async () => {
        const { out } = await place.run([...(command === '' ? [] : [command]), '--help']);
        const file = join(goldens, `${command === '' ? 'onnxpress' : command}.txt`);
        if (process.env['UPDATE'] === '1') writeFileSync(file, out);
        expect(out).to.equal(readFileSync(file, 'utf8'));
      });
    }
  });

  describe(`init on real models${shared === undefined ? ' (skipped: no ../shared)' : ''}`, () => {
    for (const name of ['mnist_cntk', 'cifar10_resnet20', 'silero_vad_v6', 'yunet_n_dynamic', 'hand_history_lstm', 'rl_godot_ships']) {
      it(`${name}: the starter recipe compiles as it is`, async function () {
        if (shared === undefined) return this.skip();
        const model = join(shared, 'models', `${name}.onnx`);
        const init = await place.run(['init', model]);
        expect(init.code, init.err).to.equal(0);
        const compiled = await place.run(['compile', `${name}.recipe.yaml`]);
        expect(compiled.code, compiled.err).to.equal(0);
        expect(place.has(`build/${name}.onnx`)).to.equal(true);
      });
    }
  });
});
