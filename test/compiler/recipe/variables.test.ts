import { expect } from 'chai';
import { mistakes, planned, planTexts } from './planning.ts';

const recipe = (vars: string, value: string, output = 'out.onnx', more = ''): string =>
  `version: 1\nmodel: a.onnx\n${more}vars: ${vars}\nsteps:\n  - { pass: structured-prune, with: { amount: ${value} } }\n  - { pass: export, with: { output: "${output}" } }\n`;
const amount = (text: string, set: string[] = []): unknown => planned(text, { set }).steps[0]!.options['amount'];

describe('variables', () => {
  it('keep their type alone, and are inserted into texts', () => {
    const plan = planned(recipe('{ a: 0.25, v: 2, s: x }', '"${vars.a}"', '${ vars.s }/v${vars.v}-$${vars.v}.onnx'));
    expect(plan.steps[0]!.options['amount']).to.equal(0.25);
    expect(plan.outputs).to.deep.equal(['x/v2-${vars.v}.onnx']);
  });

  it('may hold whole maps', () => {
    const text = 'version: 1\nmodel: a.onnx\nvars: { options: { output: b.onnx } }\nsteps: [ { pass: export, with: "${vars.options}" } ]\n';
    expect(planned(text).outputs).to.deep.equal(['b.onnx']);
  });

  it('may use each other', () => {
    expect(amount(recipe('{ a: "${vars.b}", b: "${vars.c}", c: 0.125 }', '"${vars.a}"'))).to.equal(0.125);
  });

  it('keep the text of a number as it is written', () => {
    expect(planned(recipe('{ v: 1.50 }', '0.1', 'v${vars.v}.onnx')).outputs).to.deep.equal(['v1.50.onnx']);
  });

  it('are overridden by --set, long and short', () => {
    expect(amount(recipe('{ a: 0.25 }', '"${vars.a}"'), ['vars.a=0.5'])).to.equal(0.5);
    expect(amount(recipe('{ a: 0.25 }', '"${vars.a}"'), ['a=0.5', 'a=0.75'])).to.equal(0.75);
    expect(planned(recipe('{ s: x }', '0.1', '${vars.s}.onnx'), { set: ['s=010'] }).outputs).to.deep.equal(['010.onnx']);
    expect(planned(recipe('{ s: x }', '0.1', '${vars.s}.onnx'), { set: ['s=a=b'] }).outputs).to.deep.equal(['a=b.onnx']);
    expect(amount(recipe('{ a: ~ }', '"${vars.a}"'), ['a=0.5'])).to.equal(0.5);
  });

  const refused: [string, string[]][] = [
    ['b=1', ['recipe/unknown-variable']], ['a', ['recipe/bad-reference']], ['a=true', ['recipe/variable-type']], ['a=[1]', ['recipe/variable-type']],
    ['a=', ['recipe/variable-type']], ['a="', ['recipe/syntax']], ['a=!!js/function x', ['recipe/tag', 'recipe/variable-type']], ['a=.inf', ['recipe/bad-number', 'recipe/variable-type']], ['__proto__=1', ['recipe/unknown-variable']], ['constructor=1', ['recipe/unknown-variable']],
  ];
  for (const [set, codes] of refused) {
    it(`refuse --set ${set}`, () => {
      expect(mistakes(planTexts(recipe('{ a: 0.25 }', '"${vars.a}"'), { set: [set] }))).to.deep.equal(codes);
    });
  }

  it('say where a bad value comes from', () => {
    const { diagnostics } = planTexts(recipe('{ a: much }', '"${vars.a}"'));
    expect(diagnostics.map(({ code, range, notes }) => ({ code, line: range!.line, note: notes![0] }))).to.deep.equal([{
      code: 'recipe/bad-type', line: 5,
      note: { message: 'the value comes from `vars.a`', file: 'recipe.yaml', range: { line: 3, column: 12, endLine: 3, endColumn: 16 } },
    }]);
  });

  it('read declared environment variables only, as texts', () => {
    const text = recipe('{}', '0.1', '${env.NAME}.onnx', 'env: [ NAME ]\n');
    const plan = planned(text, { env: { NAME: '12', OTHER: 'secret' } });
    expect(plan.outputs).to.deep.equal(['12.onnx']);
    expect(plan.env).to.deep.equal({ NAME: '12' });
  });

  it('leave relative paths with the file that wrote their first part', () => {
    const texts = {
      'a/recipe.yaml': 'version: 1\nextends: ../b/base.yaml\nvars: { model: mine.onnx }\n',
      'b/base.yaml': 'version: 1\nvars: { model: "", v: 1 }\nmodel: "${vars.model}"\nsteps: [ { pass: export, with: { output: "o${vars.v}.onnx" } } ]\n',
    };
    const plan = planned(texts, {}, 'a/recipe.yaml');
    expect([plan.model, ...plan.outputs]).to.deep.equal(['mine.onnx', '../b/o1.onnx']);
    expect(planned(texts, { set: ['model=from/here.onnx'] }, 'a/recipe.yaml').model).to.equal('../from/here.onnx');
  });
});
