import { expect } from 'chai';
import type { Node } from '../../ir/model.ts';
import { parseModel } from '../../ir/text/index.ts';
import { any, attributeOf, constant, isCommutative, oneOf, op, optional, type Constant, type OpPattern } from '../../passes/pattern.ts';

/** The nodes of a main graph by label. */
function nodesOf(text: string, opset = 21): Record<string, Node> {
  const model = parseModel(`<ir_version: 10, opset_import: ["": ${opset}, "com.example": 1]> ${text}`);
  return Object.fromEntries([...model.graph.walk()].map((node) => [node.name, node]));
}

/** What a pattern binds at a node, as names; undefined where it does not match. */
function names(pattern: OpPattern<unknown>, node: Node | undefined): Record<string, string> | undefined {
  return pattern.find(node!, (match) => Object.fromEntries(Object.entries(match as Record<string, Node>).filter(([key]) => key !== 'root').map(([key, thing]) => [key, thing.name])));
}

const convolutions = `main (float[1,2,4,4] x, float[1] override = {1}) => (float[1,2,4,4] y, float[1,2,4,4] z)
<float[2,2,1,1] w = {1, 0, 0, 1}, float[2] b = {1, 2}, float[2] s = {1, 1}, float scalar = {3}> {
  [conv] a = Conv <kernel_shape = [1, 1]> (x, w, b)
  [bn] y = BatchNormalization(a, s, b, b, s)
  [bare] c = Conv(x, w)
  [relu] d = Relu(c)
  [add] e = Add(override, d)
  [again] f = Add(scalar, e)
  [mul] z = Mul(d, f)
}`;

describe('patterns', () => {
  const nodes = nodesOf(convolutions);

  it('bind values, constants and nodes with their types', () => {
    const pattern = op('BatchNormalization', op('Conv', any('x'), constant('w'), optional(constant('b'))).soleUse().as('conv'), constant('scale')).open();
    const found = pattern.find(nodes['bn']!, (match) => {
      const { root, conv, x, scale } = match;
      const weights: Constant = match.w;
      const bias: Constant | undefined = match.b;
      // @ts-expect-error a name that the pattern does not bind
      expect(match.nope).to.equal(undefined);
      return [root.name, conv.name, x.name, weights.constant.shape, bias?.constant.size, scale.name];
    });
    expect(found).to.deep.equal(['bn', 'conv', 'x', [2, 2, 1, 1], 2, 's']);
  });

  it('leave the names of an absent operand undefined', () => {
    const pattern = op('Conv', any('x'), constant('w'), optional(constant('b')));
    expect(names(pattern, nodes['bare'])).to.deep.equal({ x: 'x', w: 'w' });
    expect(names(pattern, nodes['conv'])).to.deep.equal({ x: 'x', w: 'w', b: 'b' });
    expect(names(op('Conv', any('x'), constant('w')), nodes['conv'])).to.equal(undefined, 'a third operand is not described');
    expect(names(op('Conv', any('x'), any('w')).open(), nodes['conv'])).to.deep.equal({ x: 'x', w: 'w' });
    expect(names(op('Conv', any('x'), any('w'), any('b')), nodes['bare'])).to.equal(undefined);
  });

  it('take an input with a default for no constant', () => {
    expect(names(op('Add', constant('c'), any('x')), nodes['add'])).to.equal(undefined);
    expect(names(op('Add', constant('c', (tensor) => tensor.size === 1), any('x')), nodes['again'])).to.deep.equal({ c: 'scalar', x: 'e' });
    expect(names(op('Add', constant('c', (tensor) => tensor.size === 2), any('x')), nodes['again'])).to.equal(undefined);
  });

  it('try operators without an order both ways, also inside each other', () => {
    const pattern = op('Mul', op('Add', op('Add', any('p'), any('x')), constant('c')), any('x'));
    expect(names(pattern, nodes['mul'])).to.deep.equal({ p: 'override', x: 'd', c: 'scalar' });
    const { sub, pow } = nodesOf('main (float a, float b) => (float c, float d) { [sub] c = Sub(a, b) [pow] d = Pow(a, b) }');
    expect(names(op('Sub', any('x'), any('y', (value) => value.name === 'a')), sub)).to.equal(undefined);
    expect([sub, pow, nodes['add']].map((node) => isCommutative(node!))).to.deep.equal([false, false, true]);
  });

  it('take one name for one value', () => {
    const { same, other } = nodesOf('main (float[2] a, float[2] b) => (float[2] c, float[2] d) { [same] c = Div(a, a) [other] d = Div(a, b) }');
    const square = op('Div', any('x'), any('x'));
    expect([names(square, same), names(square, other)]).to.deep.equal([{ x: 'a' }, undefined]);
  });

  it('know sole uses, a graph output and a second reader included', () => {
    const sole = op('Relu', op('Conv').soleUse());
    expect(names(sole, nodes['relu'])).to.deep.equal({});
    const { relu } = nodesOf('main (float[1,1,1] x, float[1,1,1] w) => (float[1,1,1] a, float[1,1,1] b) { [conv] a = Conv(x, w) [relu] b = Relu(a) }');
    expect([names(sole, relu), names(op('Relu', op('Conv')), relu)]).to.deep.equal([undefined, {}]);
    expect(names(op('Conv').soleUse(), relu!.inputs[0]!.producer)).to.equal(undefined);
  });

  it('test attributes against values, predicates and defaults', () => {
    const { a, b } = nodesOf('main (float[2,3] x) => (float[2,3] y, float[2,3] z) { [a] y = Softmax(x) [b] z = Softmax <axis = 0> (x) }');
    expect([a, b].map((node) => attributeOf(node!, 'axis'))).to.deep.equal([-1, 0]);
    expect([a, b].map((node) => names(op('Softmax').with({ axis: -1 }), node) !== undefined)).to.deep.equal([true, false]);
    expect(names(op('Softmax').with({ axis: (axis) => axis === 0 }), b)).to.deep.equal({});
    expect(attributeOf(nodesOf('main (float[2,3] x) => (float[2,3] y) { [a] y = Softmax(x) }', 12)['a']!, 'axis')).to.equal(1, 'the default before opset 13');
    expect(names(op('Conv').with({ kernel_shape: [1, 1], auto_pad: 'NOTSET', pads: (pads) => pads === undefined }), nodes['conv'])).to.deep.equal({});
  });

  it('name operators of other domains with their domain, and any of several operators', () => {
    const { own, relu, exp } = nodesOf('main (float x) => (float y) { [own] a = com.example.Relu(x) [relu] b = Relu(a) [exp] y = Exp(b) }');
    expect([own, relu].map((node) => names(op('Relu', any('x')), node))).to.deep.equal([undefined, { x: 'a' }]);
    expect(names(op('Relu', op('com.example::Relu').as('inner')), relu)).to.deep.equal({ inner: 'own' });
    expect([relu, exp].map((node) => names(oneOf(['Relu', 'Exp']).as('node'), node))).to.deep.equal([{ node: 'relu' }, { node: 'exp' }]);
  });

  it('ask for one output of a node, the first unless they say otherwise', () => {
    const { neg, exp } = nodesOf('main (float[4] x) => (float[2] y, float[2] z) { [split] a, b = Split <num_outputs = 2> (x) [neg] y = Neg(a) [exp] z = Exp(b) }');
    const of = (output?: number | 'any'): OpPattern<unknown> => oneOf(['Neg', 'Exp'], output === undefined ? op('Split') : op('Split').output(output));
    expect([names(of(), neg), names(of(), exp), names(of(1), exp), names(of('any'), neg)]).to.deep.equal([{}, undefined, {}, {}]);
  });

  it('stay inside the graph of the root, constants aside', () => {
    const { inner } = nodesOf(`main (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
      [outer] a = Exp(x)
      [if] y = If(c) <then_branch = t () => (float[2] p) { [inner] p = Mul(a, w) }, else_branch = e () => (float[2] q) { [neg] q = Neg(x) }>
    }`);
    expect(names(op('Mul', op('Exp'), any('w')), inner)).to.equal(undefined);
    expect(names(op('Mul', any('x'), constant('w')), inner)).to.deep.equal({ x: 'a', w: 'w' });
  });

  it('say early that nothing can match', () => {
    const pattern = op('Add', op('Conv'), any('x'));
    expect([pattern.rejects(nodes['add']!), op('Relu', op('Conv')).rejects(nodes['relu']!)]).to.deep.equal([true, false]);
    expect(pattern.depth).to.equal(2);
  });
});
