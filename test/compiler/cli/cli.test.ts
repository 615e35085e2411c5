import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, shared } from '../../paths.ts';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
    place.write('warned.yaml', 'version: 1\nmodel: small.onnx\nsteps: [ fold ]\n');
    place.write('over.yaml', recipe('small.onnx', '', place.path('small.onnx')));
    place.writeModel('open.onnx', smallModel.replace('image) => (float[1,3] scores)', 'image) => (float[1,2,4,4] scores)').replaceAll('float[1,2,4,4]', 'float[N,2,4,W]').replace(/ {2}\[reshape\][^]*/, '}\n').replace('r = Relu', 'scores = Relu'));
    place.writeModel('unsound.onnx', smallModel.replace('Relu (c)', 'Reluu (c)'));
    place.write('spoil.mjs', 'export default { name: "p", api: 1, passes: [{ name: "acme/spoil", version: 1, summary: "It.", options: { type: "object", additionalProperties: false, properties: {} }, run(model, { edit, select, remark }) { for (const node of model.graph.nodes()) if (node.is("Relu") && select.has(node)) { remark({ kind: "applied", rule: "drop", message: "dropped", node }); edit.replaceUses(node.output, node.inputs[0]); edit.remove(node); } } }] };\n');
    place.write('spoil.yaml', `plugins: [ ./spoil.mjs ]\n${recipe('small.onnx', '  - fold\n  - acme/spoil\n', 'never.onnx')}`);
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
    ['compile', 2, /^$/, /^error\[usage\/command-line\]: missing required argument 'recipe'\n {2}`onnxpress compile --help` lists/],
    ['complie recipe.yaml', 2, /^$/, /^error\[usage\/command-line\]: unknown command 'complie'\n {2}Did you mean compile\?\n/],
    ['compile recipe.yaml --reprot x', 2, /^$/, /unknown option '--reprot'\n {2}Did you mean --report\?\n/],
    ['compile --format json', 2, /^$/, /^\{\n {2}"diagnostics": \[[^]*"usage\/command-line"[^]*\}\n$/],
    ['compile recipe.yaml --format json', 0, /^$/, /^\{\n {2}"diagnostics": \[\]\n\}\n$/],
    ['compile crash.yaml --format json', 70, /^$/, /^\{[^]*"internal\/step-failed"[^]*\}\n$/],
    ['compile recipe.yaml --deptarget x', 2, /^$/, /usage\/command-line[^]*Add --depfile FILE/],
    ['compile warned.yaml', 0, /^$/, /^warning\[recipe\/no-output\]/],
    ['compile warned.yaml --max-warnings 1', 0, /^$/, /^warning\[recipe\/no-output\]/],
    ['compile warned.yaml --max-warnings 0', 1, /^$/, /^warning\[recipe\/no-output\][^]*error\[output\/too-many-warnings\]: there is 1 warning, and 0 may be\n/],
    ['check warned.yaml --max-warnings 0', 1, /^$/, /output\/too-many-warnings/],
    ['check warned.yaml --max-warnings some', 2, /^$/, /usage\/bad-number/],
    ['check small.onnx', 0, /^$/, /^$/],
    ['check broken.onnx', 1, /^$/, /error\[model\//],
    ['check unsound.onnx', 1, /^$/, /error\[[^]*Reluu/],
    ['compile small.onnx', 2, /^$/, /recipe\/unreadable[^]*This is a model: `onnxpress init MODEL`/],
    ['plan over.yaml', 2, /^$/, /output\/conflict[^]*small\.onnx would overwrite a file that is read/],
    ['plan recipe.yaml --json --resolved', 2, /^$/, /cannot be used with/],
    ['inspect small.onnx --text --json', 2, /^$/, /cannot be used with/],
    ['inspect open.onnx', 0, /^open\.onnx[^]*input +image +float\[N,2,4,W\]\noutput +scores +float\[N,2,4,W\][^]*MACs[^]*Conv +1 +\?[^]*total +2 +\? [^]*--shape fixes what the model leaves open\n$/, /^$/],
    ['inspect open.onnx --shape W=4', 0, /input +image +float\[N,2,4,4\][^]*Conv +1 +64 /, /^$/],
    ['inspect open.onnx --shape image=3x2x4x8', 0, /input +image +float\[3,2,4,8\]\noutput +scores +float\[3,2,4,8\][^]*total +2 +384 /, /^$/],
    ['inspect open.onnx --shape image=1,2,5,4 --shape imgae=1 --shape W', 2, /^$/, /axis 2 of the input 'image' has length 4, and the shape says 5[^]*no input "imgae"[^]*Did you mean `image`\?[^]*--shape takes NAME=LENGTHS/],
    ['bisect recipe.yaml', 0, /^the model is good behind all steps\n$/, /^before any step: good\nafter step 2 export: good\n$/],
    ['bisect spoil.yaml -q', 1, /^step 2 acme\/spoil breaks the model at node relu: for [^]*'scores' has [^]*\n {2}applied acme\/spoil\/drop: dropped\n$/, /^$/],
    ['bisect spoil.yaml -q --json', 1, /"node": "relu"[^]*\}\n$/, /^$/],
    ['bisect spoil.yaml -q --tolerance 1e9', 0, /^the model is good/, /^$/],
    ['bisect spoil.yaml -- nosuchcommand', 1, /^$/, /error\[bisect\/command\]: cannot run nosuchcommand/],
    ['bisect spoil.yaml -- false', 1, /^$/, /error\[bisect\/bad-start\]: the model is bad before any step: false ended with exit code 1/],
    ['bisect spoil.yaml -q -- test -s', 0, /^the model is good/, /^$/],
    ['bisect spoil.yaml -q -- test -s {}x', 1, /^$/, /bisect\/bad-start[^]*test ended with exit code 1/],
    ['bisect spoil.yaml -q -- node -e process.exit(125)', 1, /^$/, /bisect\/command[^]*node cannot tell whether the model is good/],
    ['bisect spoil.yaml -- true', 0, /^the model is good/, /good/],
    ['init small.onnx --output new/folder/r.yaml', 0, /^$/, /^wrote new\/folder\/r\.yaml; next/],
    ['compile recipe.yaml --format xml', 2, /^$/, /Allowed choices are pretty, json, sarif, github/],
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
    ['passes flod', 2, /^$/, /usage\/unknown-pass[^]*Did you mean `fold`\?/],
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
    for (const [selector, expected] of [['{ opp: Conv }', /Did you mean `op`\?/], ['{ op: Convv }', /select\/no-match/], ['{', /recipe\/syntax/]] as const) {
      const refused = await place.run(['inspect', 'small.onnx', '--where', selector]);
      expect(refused.code, selector).to.equal(2);
      expect(refused.err).to.match(expected);
    }
  });

  it('tells what happened to a node, from a report', async () => {
    place.write('where.yaml', recipe('small.onnx', '  - pass: fold\n    where: { name: relu }\n', 'out/w.onnx'));
    await place.run(['compile', 'where.yaml', '-q', '--report', 'w.json']);
    expect((await place.run(['explain', 'relu', '--report', 'w.json'])).out).to.match(/^relu\nstep 1 fold \(fold\):\n {2}selected by `where` \(1 node\)\nin the end: still there\n$/);
    const unknown = await place.run(['explain', 'rleu', '--report', 'w.json']);
    expect(unknown).to.deep.include({ code: 2, out: '' });
    expect(unknown.err).to.contain('usage/unknown-node').and.contain('Did you mean `relu`?');
    expect((await place.run(['explain', 'head', '--report', 'w.json'])).out).to.equal('head\nstep 1 fold (fold):\n  not selected by `where`\nin the end: still there\n');
    expect((await place.run(['explain', 'relu', '--report', 'recipe.yaml'])).err).to.contain('usage/unreadable-report');
  });

  it('prints diagnostics as JSON and as annotations of GitHub', async () => {
    const { diagnostics } = JSON.parse((await place.run(['compile', 'wrong.yaml', '--format', 'json'])).err) as { diagnostics: Record<string, unknown>[] };
    expect(diagnostics[0]).to.deep.include({ code: 'recipe/unknown-pass', severity: 'error', file: 'wrong.yaml' });
    expect((await place.run(['compile', 'wrong.yaml', '--format', 'github'])).err).to.match(/^::error file=wrong\.yaml,line=4,col=11,endLine=4,endColumn=15,title=recipe\/unknown-pass::there is no pass/);
  });

  it('prints diagnostics as SARIF', async () => {
    const log = JSON.parse((await place.run(['compile', 'wrong.yaml', '--format', 'sarif'])).err) as { version: string; runs: { tool: { driver: { rules: { id: string }[] } }; results: Record<string, unknown>[] }[] };
    expect([log.version, log.runs[0]!.tool.driver.rules[0]!.id]).to.deep.equal(['2.1.0', 'recipe/unknown-pass']);
    expect(log.runs[0]!.results[0]).to.deep.include({
      ruleId: 'recipe/unknown-pass', level: 'error',
      locations: [{ physicalLocation: { artifactLocation: { uri: 'wrong.yaml', uriBaseId: '%SRCROOT%' }, region: { startLine: 4, startColumn: 11, endLine: 4, endColumn: 15 } } }],
    });
  });

  it('writes the targets of a dependency file that it is given', async () => {
    await place.run(['compile', 'recipe.yaml', '-q', '--depfile', 'x.d', '--deptarget', 'all models', '--deptarget', 'y']);
    expect(place.read('x.d')).to.match(/^all\\ models y: \\\n {2}recipe\.yaml \\\n {2}small\.onnx\n/);
  });

  it('writes nothing over a file that it reads, by whatever way its path leads there', async () => {
    const before = place.bytes('small.onnx');
    symlinkSync('small.onnx', place.path('link.onnx'));
    place.write('link.yaml', recipe('link.onnx', '', 'small.onnx'));
    for (const argv of [['compile', 'link.yaml'], ['plan', 'link.yaml'], ['compile', 'recipe.yaml', '--report', 'small.onnx'], ['compile', 'recipe.yaml', '--depfile', 'recipe.yaml'], ['compile', 'recipe.yaml', '--report', 'out/small.onnx']]) {
      const { code, err } = await place.run(argv);
      expect([code, err.slice(0, 23)], argv.join(' ')).to.deep.equal([2, 'error[output/conflict]:']);
    }
    expect(place.bytes('small.onnx')).to.deep.equal(before);
  });

  it('makes visible what names of a model would do to a terminal', async () => {
    place.writeModel('escape.onnx', smallModel.replace('[relu]', '["re\u001b[31mlu\nx"]'));
    const { out } = await place.run(['inspect', 'escape.onnx', '--where', '{ op: Relu }']);
    expect(out).to.contain('re␛[31mlu␊x').and.not.contain('\u001b');
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
    for (const command of ['', 'compile', 'plan', 'check', 'inspect', 'diff', 'bisect', 'init', 'eval', 'calibrate', 'merge', 'passes', 'schema', 'report', 'explain']) {
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
