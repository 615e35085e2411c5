import { expect } from 'chai';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Node } from '../../ir/model.ts';
import { parseModel, printModel } from '../../ir/text/index.ts';
import { printType } from '../../ir/type.ts';
import { verifyModel } from '../../ir/verify.ts';
import type { Remark } from '../../passes/pass.ts';
import { any, constant, op } from '../../passes/pattern.ts';
import { no, Rewriter, rule, type Rule } from '../../passes/rewrite.ts';

interface Outcome {
  readonly model: Model;
  readonly text: string;
  readonly applied: number;
  readonly remarks: readonly string[];
  readonly rewriter: Rewriter;
  readonly stats: Record<string, number>;
}

/** Sweeps until nothing changes. Only nodes that descend from `selected` may be touched. */
function rewrite(text: string, rules: readonly Rule[], selected?: readonly string[]): Outcome {
  const model = parseModel(`<ir_version: 10, opset_import: ["": 21]> ${text}`);
  const remarks: Remark[] = [];
  const stats: Record<string, number> = {};
  const rewriter = new Rewriter(model, rules, {
    edit: new Editor(model),
    select: { everything: selected === undefined, has: (node) => selected === undefined || node.origin.some((name) => selected.includes(name)) },
    remark: (remark) => { remarks.push(remark); },
    stat: (name, count = 1) => { stats[name] = (stats[name] ?? 0) + count; },
    signal: new AbortController().signal,
  });
  let applied = 0;
  for (let now = rewriter.sweep(); now > 0; now = rewriter.sweep()) applied += now;
  rewriter.reportDeclined();
  rewriter.reportDeclined();
  expect(verifyModel(model).map((mistake) => mistake.message)).to.deep.equal([]);
  const body = printModel(model, { types: 'none' });
  return {
    model, applied, rewriter, stats, text: body.slice(body.indexOf('\n>\n') + 3).replace(/\s+/g, ' ').trim(),
    remarks: remarks.map(({ kind, rule: name, message, node }) => `${kind} ${name} at ${node?.name ?? '?'}: ${message}`),
  };
}

function nodeOf(model: Model, name: string): Node | undefined {
  return [...model.graph.walk()].find((node) => node.name === name);
}

const dropRelu = rule({ name: 'drop-relu', summary: 'Removes a Relu.', match: op('Relu', any('x')), rewrite: (_, { x }) => x });

const expOfNeg = rule({
  name: 'exp-of-neg',
  summary: 'Makes the reciprocal of an Exp of the Exp of a Neg.',
  match: op('Exp', op('Neg', any('x')).as('neg')),
  rewrite: ($, { x }) => $.op('Reciprocal', [$.op('Exp', [x])]),
});

describe('rewriting', () => {
  it('hands name, label, type and origin on, and leaves what others read', () => {
    const { model, text, stats, remarks } = rewrite('main (float[2] x) => (float[2] y, float[2] z) <float[2] b> { [a] b = Neg(x) [e] c = Exp(b) [f] y = Abs(c) [g] z = Sqrt(b) }', [expOfNeg]);
    expect(text).to.equal('main (float[2] x) => (float[2] y, float[2] z) { [a] b = Neg (x) [e_1] e_1_output = Exp (x) [e] c = Reciprocal (e_1_output) [f] y = Abs (c) [g] z = Sqrt (b) }');
    expect(nodeOf(model, 'e')?.origin).to.deep.equal(['e', 'a']);
    expect(nodeOf(model, 'e_1')?.origin).to.deep.equal(['e', 'a']);
    expect(stats).to.deep.equal({ 'exp-of-neg': 1 });
    expect(remarks).to.deep.equal(['applied exp-of-neg at e: Makes the reciprocal of an Exp of the Exp of a Neg.']);
  });

  it('gives a new value the type of the one that it replaces', () => {
    const renew = rule({ name: 'renew', summary: 'Makes Abs of Neg.', match: op('Neg', any('x')), rewrite: ($, { x }) => $.op('Abs', [x]) });
    const { model } = rewrite('main (float[N] x) => (float[N] z) <float[N] y> { [n] y = Neg(x) [e] z = Exp(y) }', [renew]);
    expect(printType(nodeOf(model, 'n')?.output.type)).to.equal('float[N]');
  });

  it('removes what only the removed nodes read, and keeps graph outputs', () => {
    const take = rule({ name: 'take', summary: 'Takes the first operand.', match: op('Add', any('x'), any('y')), rewrite: (_, { x }) => x });
    const { text } = rewrite(`main (float[2] x) => (float[2] y, float[2] kept) <float[2] w = {1, 2}, float[2] v = {3, 4}> {
      [a] b = Mul(x, w) [c] d = Exp(b) [k] kept = Mul(x, v) [f] g = Neg(kept) [h] i = Sub(d, g) [j] y = Add(x, i)
    }`, [take]);
    expect(text).to.equal('main (float[2] x) => (float[2] y, float[2] kept) < float[2] v = {3, 4} > { [k] kept = Mul (x, v) y = Identity (x) }');
  });

  it('replaces several outputs, and the root alone where only inputs or attributes change', () => {
    const halves = rule({
      name: 'halves', summary: 'Slices in place of a Split.', match: op('Split', any('x')).where((node) => node.outputs.length === 2),
      rewrite: ($, { x }) => [[0, 2], [2, 4]].map(([start, end]) => $.op('Slice', [x, $.ints([start!]), $.ints([end!])])),
    });
    const flip = rule({ name: 'flip', summary: 'Turns the axis.', match: op('Softmax').with({ axis: 0 }), rewrite: ($, { root }) => { $.setAttribute(root, 'axis', -1); return undefined; } });
    const { text, applied } = rewrite('main (float[4] x) => (float[2] y, float[2] z) { [s] a, b = Split <num_outputs = 2> (x) [p] y = Softmax <axis = 0> (b) [n] z = Neg(a) }', [halves, flip]);
    expect(applied).to.equal(2);
    expect(text).to.contain('[s] a = Slice (x, s_constant, s_constant_1)').and.to.contain('b = Slice (x, s_constant_2, s_constant_3)').and.to.contain('[p] y = Softmax <axis = -1> (b)');
  });

  it('reports a decline once for each node and rule, if it still stands at the end', () => {
    const picky = rule({
      name: 'picky', summary: 'Never applies.', match: op('Add', any('x'), any('y')),
      when: ({ x, root }) => (x.producer === undefined ? no('its operand is an input') : x.producer.op === 'Relu' ? no('its operand is a Relu', root) : false),
      rewrite: (_, { x }) => x,
    });
    const { remarks, rewriter } = rewrite('main (float[2] x, float[2] w) => (float[2] y, float[2] z) { [r] a = Relu(w) [one] y = Add(x, x) [n] m = Neg(x) [two] z = Add(a, m) }', [picky, dropRelu]);
    expect(remarks).to.deep.equal(['applied drop-relu at r: Removes a Relu.', 'missed picky at one: its operand is an input', 'missed picky at two: its operand is an input']);
    expect(rewriter.counts.get('drop-relu')).to.deep.equal({ tried: 1, declined: 0, applied: 1 });
    expect(rewriter.counts.get('picky')!.declined).to.be.at.least(2);
  });

  it('gives the data of `when` to `rewrite`, and tries other matches after a refusal', () => {
    const scale = rule({
      name: 'scale', summary: 'Doubles a constant.', match: op('Mul', any('x'), constant('c')),
      when: ({ x, c }) => x.isInput && { factor: c.constant.floats()[0]! * 2 },
      rewrite: ($, { x, c }, { factor }) => $.op('Mul', [$.op('Abs', [x]), $.constant(c.constant, `times_${factor}`)]),
    });
    const { text } = rewrite('main (float[2] x) => (float[2] y) <float two = {2}> { [m] y = Mul(two, x) }', [scale]);
    expect(text).to.contain('[m] y = Mul (m_1_output, times_4)').and.to.contain('[m_1] m_1_output = Abs (x)');
  });

  it('touches nothing that is not selected, interior nodes included', () => {
    const text = 'main (float[2] x) => (float[2] y) { [a] b = Neg(x) [e] y = Exp(b) }';
    expect(['a', 'e'].map((name) => rewrite(text, [expOfNeg], [name]).applied)).to.deep.equal([0, 0]);
    expect(rewrite(text, [expOfNeg], ['a', 'e']).applied).to.equal(1);
  });

  it('works in bodies, with constants of the graphs around them', () => {
    const divide = rule({
      name: 'divide', summary: 'Multiplies by a reciprocal.', match: op('Div', any('x'), constant('c')),
      rewrite: ($, { x, c }) => $.op('Mul', [x, $.op('Reciprocal', [c])]),
    });
    const { text, applied } = rewrite(`main (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
      [if] y = If(c) <then_branch = t () => (float[2] p) { [d] p = Div(x, w) }, else_branch = e () => (float[2] q) { [r] s = Relu(x) [n] q = Neg(s) }>
    }`, [divide, dropRelu]);
    expect(applied).to.equal(2);
    expect(text).to.contain('[d_1] d_1_output = Reciprocal (w) [d] p = Mul (x, d_1_output)').and.to.contain('[n] q = Neg (x)');
  });

  it('reaches matches that lie several nodes behind a change, in one sweep', () => {
    const deep = rule({ name: 'deep', summary: 'Shortens.', match: op('Abs', op('Exp', op('Neg', op('Sqrt', any('x'))))), rewrite: ($, { x }) => $.op('Log', [x]) });
    const { applied, text } = rewrite('main (float[2] x) => (float[2] y) { [s] a = Sqrt(x) [r] b = Relu(a) [n] c = Neg(b) [e] d = Exp(c) [b] y = Abs(d) }', [deep, dropRelu]);
    expect([applied, text]).to.deep.equal([2, 'main (float[2] x) => (float[2] y) { [b] y = Log (x) }']);
  });

  it('names the rules that undo each other, and the node', () => {
    const there = rule({ name: 'there', summary: 'Makes Sub.', match: op('Add', any('x'), any('y')), rewrite: ($, { x, y }) => $.op('Sub', [x, y]) });
    const back = rule({ name: 'back', summary: 'Makes Add.', match: op('Sub', any('x'), any('y')), rewrite: ($, { x, y }) => $.op('Add', [x, y]) });
    const text = 'main (float[2] x, float[2] w) => (float[2] y) { [quiet] z = Neg(x) [war] y = Add(z, w) }';
    expect(() => rewrite(text, [there, dropRelu, back])).to.throw(Diagnostic, "rules 'back', 'there' undo each other at node 'war'").with.property('code', 'fold/no-fixpoint');
    const grow = rule({ name: 'grow', summary: 'Makes more.', match: op('Neg', any('x')), rewrite: ($, { x }) => $.op('Neg', [$.op('Abs', [x])]) });
    expect(() => rewrite(text, [grow])).to.throw(Diagnostic, "rule 'grow' never settles at node 'quiet'");
  });

  it('refuses a rule that rewrites and changes nothing, and two rules of one name', () => {
    const idle = rule({ name: 'idle', summary: 'Does nothing.', match: op('Neg', any('x')), rewrite: () => undefined });
    expect(() => rewrite('main (float x) => (float y) { [n] y = Neg(x) }', [idle])).to.throw(Error, "rule 'idle' was to rewrite 'n' and changed nothing");
    expect(() => rewrite('main (float x) => (float y) { [n] y = Neg(x) }', [dropRelu, dropRelu])).to.throw(Error, 'two rules have one name');
  });

  it('takes time in proportion to the nodes', () => {
    const chain = (length: number): string => `main (float x) => (float y) { ${Array.from({ length }, (_, at) => `[r${at}] v${at + 1} = Relu(${at === 0 ? 'x' : `v${at}`})`).join(' ')} [n] y = Neg(v${length}) }`;
    const { rewriter, applied } = rewrite(chain(3000), [dropRelu]);
    expect(applied).to.equal(3000);
    expect(rewriter.counts.get('drop-relu')!.tried).to.equal(3000);
  });
});
