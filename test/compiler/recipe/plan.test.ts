import { expect } from 'chai';
import { printPlan } from '../../../compiler/recipe/print.ts';
import { mistakes, planned, planTexts } from './planning.ts';

const exportStep = '  - { pass: export, with: { output: out.onnx } }\n';
const recipe = (steps: string, head = ''): string => `version: 1\nmodel: a.onnx\n${head}steps:\n${steps}${exportStep}`;

describe('planning', () => {
  it('fills in every default, normalises sizes and keeps what is written', () => {
    const { steps, target } = planned(recipe('  - { pass: fold, with: { maxGrowth: 1.5KiB } }\n  - structured-prune\n'));
    expect(target).to.equal('portable');
    expect(steps.map(({ id, number, options }) => ({ id, number, options }))).to.deep.equal([
      { id: 'fold', number: 1, options: { maxGrowth: 1536, batchNorm: true } },
      { id: 'structured-prune', number: 2, options: { amount: 0.5, importance: 'l2', roundTo: 8, budget: {} } },
      { id: 'export', number: 3, options: { output: 'out.onnx', externalData: 'auto', dynamicBatch: false } },
    ]);
  });

  const sizes: [string, number][] = [['0B', 0], ['64kB', 64_000], ['64 KB', 64_000], ['2MB', 2e6], ['1GB', 1e9], ['1KiB', 1024], ['0.5MiB', 524_288], ['3 GiB', 3 * 2 ** 30]];
  for (const [text, bytes] of sizes) {
    it(`reads the size ${text} as ${bytes} bytes`, () => {
      expect(planned(recipe(`  - { pass: fold, with: { maxGrowth: ${text} } }\n`)).steps[0]!.options['maxGrowth']).to.equal(bytes);
    });
  }
  for (const text of ['1mib', '1Mb', '0.3B', '9999999999GiB', '-1kB', '1e3kB', '1KiB ', 'KiB']) {
    it(`refuses the size ${JSON.stringify(text)}`, () => {
      expect(mistakes(planTexts(recipe(`  - { pass: fold, with: { maxGrowth: "${text}" } }\n`)))).to.deep.equal(['recipe/bad-type:4:38']);
    });
  }

  it('numbers steps of one pass, and never takes an id that is written', () => {
    const { steps } = planned(recipe('  - fold\n  - { pass: structured-prune, id: fold-2 }\n  - fold\n  - fold\n'));
    expect(steps.map(({ id }) => id)).to.deep.equal(['fold', 'fold-2', 'fold-3', 'fold-4', 'export']);
  });

  it('lists all mistakes of one run, in the order of the file', () => {
    const text = 'version: 1\nmodell: a.onnx\nmodel: 3\ntarget: x\nsteps:\n  - { pass: fold, with: { batchNorm: 1, x: 2 } }\n  - nothing\n  - { pass: export, with: {}, where: $none }\n';
    expect(mistakes(planTexts(text))).to.deep.equal([
      'recipe/unknown-key:2:1', 'recipe/bad-type:3:8', 'recipe/unknown-target:4:9', 'recipe/bad-type:6:38', 'recipe/unknown-option:6:41',
      'recipe/unknown-pass:7:5', 'recipe/missing-key:8:21', 'select/unknown-name:8:38',
    ]);
  });

  it('takes JSON', () => {
    const text = JSON.stringify({ version: 1, model: 'a.onnx', steps: [{ pass: 'export', with: { output: 'b.onnx' } }] }, undefined, '\t');
    expect(planned(text, {}, 'recipe.json').outputs).to.deep.equal(['b.onnx']);
  });

  it('reads on, no and 010 as YAML 1.2 does', () => {
    expect(planned(recipe('', 'vars: { a: on, b: no, c: 010, d: 0x10, e: 0o17, f: ~, g: True }\n')).vars).to.deep.equal({ a: 'on', b: 'no', c: 10, d: 16, e: 15, f: null, g: true });
  });

  it('points into an alias where the value is written', () => {
    const text = recipe('  - { pass: fold, with: *fold }\n', 'x-fold: &fold { maxGrowth: lots }\n');
    expect(mistakes(planTexts(text))).to.deep.equal(['recipe/bad-type:3:28']);
  });

  describe('tokens', () => {
    const data = 'data: { d: { npy: a.npy } }\n';
    const calibrate = '  - { pass: calibrate, with: { data: d } }\n';
    const cases: [string, string, string | undefined][] = [
      ['given directly before', `${calibrate}  - quantize-int8\n`, undefined],
      ['kept by a pass in between', `${calibrate}  - fold\n  - quantize-int8\n`, undefined],
      ['dropped and given again', `${calibrate}  - structured-prune\n${calibrate}  - quantize-int8\n`, undefined],
      ['never given', '  - quantize-int8\n', '`calibrate` gives it: add it before `quantize-int8`'],
      ['given too late', `  - quantize-int8\n${calibrate}`, 'move `calibrate` before `quantize-int8`'],
      ['dropped', `${calibrate}  - structured-prune\n  - quantize-int8\n`, 'move `calibrate` between `structured-prune` and `quantize-int8`, or repeat it there'],
      ['used up by the step itself', `${calibrate}  - quantize-int8\n  - quantize-int8\n`, 'move `calibrate` between `quantize-int8` and `quantize-int8-2`, or repeat it there'],
      ['dropped only by a step that is skipped', `${calibrate}  - { pass: structured-prune, when: { target: tensorrt-* } }\n  - quantize-int8\n`, undefined],
      ['dropped by a step that is not decided yet', `${calibrate}  - { pass: structured-prune, when: { opset: ">=13" } }\n  - quantize-int8\n`, 'move `calibrate` between `structured-prune` and `quantize-int8`, or repeat it there'],
      ['given by a skipped step', '  - { pass: calibrate, with: { data: d }, when: { target: tensorrt-* } }\n  - quantize-int8\n', '`calibrate` (step 1) gives it, but its condition skips it: the target is portable'],
      ['needed because of an option', '  - { pass: structured-prune, with: { importance: taylor } }\n', 'no known pass gives it; change the option that asks for it, or list the plugin whose pass gives it'],
    ];
    for (const [title, steps, suggestion] of cases) {
      it(title, () => {
        const { diagnostics } = planTexts(recipe(steps, data));
        expect(diagnostics.map(({ code, suggestion: text }) => ({ code, text }))).to.deep.equal(suggestion === undefined ? [] : [{ code: 'recipe/missing-token', text: suggestion }]);
      });
    }
  });

  describe('conditions', () => {
    const vars = 'target: tensorrt-10\nvars: { p: int8, n: 3, b: true }\n';
    const cases: [string, 'run' | 'skip' | 'pending'][] = [
      ['{ var: p, is: int8 }', 'run'], ['{ var: p, is: int4 }', 'skip'], ['{ var: n, in: [ 1, 2, 3 ] }', 'run'], ['{ var: n, in: [ 1 ] }', 'skip'],
      ['{ var: b, not: true }', 'skip'], ['{ var: n, not: "3" }', 'run'], ['{ target: tensorrt-* }', 'run'], ['{ target: [ onnxruntime-cpu, portable ] }', 'skip'],
      ['{ not: { target: portable } }', 'run'], ['{ opset: ">=19" }', 'pending'], ['{ opset: 19 }', 'pending'], ['{ matches: { op: Conv } }', 'pending'],
      ['{ all: [ { opset: ">1" }, { var: n, is: 4 } ] }', 'skip'], ['{ any: [ { opset: ">1" }, { var: n, is: 3 } ] }', 'run'],
      ['{ all: [ { opset: ">1" }, { var: n, is: 3 } ] }', 'pending'], ['{ not: { opset: "<5" } }', 'pending'],
    ];
    for (const [when, state] of cases) {
      it(`${when} is ${state}`, () => {
        expect(planned(recipe(`  - { pass: fold, when: ${when} }\n`, vars)).steps[0]!.decision.state).to.equal(state);
      });
    }
  });

  it('prints a recipe that plans to the same', () => {
    const texts = {
      'recipe.yaml': 'version: 1\nextends: base/base.yaml\nvars: { m: entropy, path: build/x }\nselect: { stem: { between: { from: a, to: b } } }\n'
        + 'patch:\n  - { edit: prune, with: { amount: 0.25 }, when: { any: [ { opset: ">=13" }, { var: m, is: entropy } ] } }\n',
      'base/base.yaml': 'version: 1\nmodel: a.onnx\nvars: { m: min-max, dollar: "a$${b}" }\ndata: { c: { images: x/*.jpg, labels: folder } }\naccept: { size: { max: 2MiB }, top1Drop: { max: 0.5 } }\n'
        + 'steps:\n  - fold\n  - { pass: structured-prune, id: prune, where: { not: $stem } }\n  - { pass: calibrate, with: { data: c, method: "${vars.m}", save: "stats-${vars.m}.bin" } }\n  - { pass: export, with: { output: "${vars.path}.onnx" } }\n',
    };
    const plan = planned(texts);
    expect(plan.model).to.equal('base/a.onnx');
    expect(plan.outputs).to.deep.equal(['base/stats-entropy.bin', 'build/x.onnx']);
    for (const origins of [false, true]) {
      const again = planned(printPlan(plan, { origins }));
      const essence = ({ steps, model, target, vars, data, accept, outputs }: typeof plan): unknown => ({
        model, target, vars, data, accept, outputs, steps: steps.map(({ id, options, decision, accept: limit }) => ({ id, options, decision, limit })),
      });
      expect(essence(again)).to.deep.equal(essence(plan));
      expect(printPlan(again)).to.equal(printPlan(plan));
    }
    expect(printPlan(plan, { origins: true })).to.contain('amount: 0.25 # recipe.yaml:6:36').and.to.contain('roundTo: 8 # default of structured-prune')
      .and.to.contain('method: entropy # base/base.yaml:9:49; the value comes from `vars.m` (recipe.yaml:3:12)');
  });
});
