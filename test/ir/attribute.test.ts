import { expect } from 'chai';
import { attribute, floatAttribute, graphsOf, type Attribute, type AttributeLike } from '../../ir/attribute.ts';
import { Graph } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';

const tensor: Attribute = { kind: 'tensor', value: Tensor.scalar('float', 1) };

const cases: readonly [string, AttributeLike, Attribute][] = [
  ['a string', 'same', { kind: 'string', value: 'same' }],
  ['a whole number', 3, { kind: 'int', value: 3 }],
  ['a bigint', 2n ** 63n - 1n, { kind: 'int', value: 2n ** 63n - 1n }],
  ['a fraction', 0.5, { kind: 'float', value: 0.5 }],
  ['a list of whole numbers', [1, -1], { kind: 'ints', value: [1, -1] }],
  ['a list of bigints', [1n], { kind: 'ints', value: [1n] }],
  ['a list with a fraction', [1, 0.5], { kind: 'floats', value: [1, 0.5] }],
  ['a list of strings', ['a', ''], { kind: 'strings', value: ['a', ''] }],
  ['an empty list', [], { kind: 'ints', value: [] }],
  ['an attribute', tensor, tensor],
];

describe('ir/attribute', () => {
  for (const [what, like, expected] of cases) it(`makes ${expected.kind} of ${what}`, () => { expect(attribute(like)).to.deep.equal(expected); });

  it('makes a float of a whole number when told to', () => { expect(floatAttribute(2)).to.deep.equal({ kind: 'float', value: 2 }); });

  it('lists the graphs of an attribute', () => {
    const [a, b] = [new Graph('a'), new Graph('b')];
    expect(graphsOf({ kind: 'graph', value: a })).to.deep.equal([a]);
    expect(graphsOf({ kind: 'graphs', value: [a, b] })).to.deep.equal([a, b]);
    expect(graphsOf(tensor)).to.deep.equal([]);
  });
});
