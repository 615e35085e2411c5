import { expect } from 'chai';
import { diffModels } from '../../compiler/diff.ts';
import { nodesOf, pairNodes } from '../../compiler/pairing.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model } from '../../ir/model.ts';
import { normalizeModel } from '../../ir/normalize.ts';
import { parseModel } from '../../ir/text/index.ts';

/** A chain of these nodes, each `name: Operator` on the value before it. */
function chain(...nodes: readonly string[]): Model {
  const lines = nodes.map((text, index) => {
    const [name, op] = text.split(': ');
    return `  [${name!}] ${index === nodes.length - 1 ? 'y' : `v${index}`} = ${op!.replace('_', index === 0 ? 'x' : `v${index - 1}`)}`;
  });
  const model = parseModel(`<ir_version: 8, opset_import: ["": 17]>\nmain (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> {\n${lines.join('\n')}\n}\n`);
  normalizeModel(model, new Editor(model));
  return model;
}

const differences = (a: Model, b: Model): string[] => diffModels(a, b).differences.map(({ change, kind, name, what }) => `${change} ${kind} ${name} ${what}`);

describe('pairing of nodes', () => {
  const cases: readonly (readonly [what: string, a: Model, b: Model, expected: readonly string[]])[] = [
    ['other names', chain('a: Relu(_)', 'b: Add(_, w)', 'c: Exp(_)'), chain('n0: Relu(_)', 'n1: Add(_, w)', 'n2: Exp(_)'), ['renamed node a now n0', 'renamed node b now n1', 'renamed node c now n2']],
    // Names that count shift behind an insertion, and say nothing.
    ['an insertion under names that count', chain('n0: Relu(_)', 'n1: Exp(_)', 'n2: Relu(_)', 'n3: Exp(_)'), chain('n0: Relu(_)', 'n1: Exp(_)', 'n2: Abs(_)', 'n3: Relu(_)', 'n4: Exp(_)'),
      ['changed node n2 input 0: n1 → n2; now n3', 'renamed node n3 now n4', 'added node n2 Abs']],
    ['a removal', chain('a: Relu(_)', 'b: Abs(_)', 'c: Exp(_)'), chain('a: Relu(_)', 'c: Exp(_)'), ['removed node b Abs', 'changed node c input 0: b → a']],
    ['another operator under the same name', chain('a: Relu(_)', 'b: Abs(_)', 'c: Exp(_)'), chain('a: Relu(_)', 'b: Neg(_)', 'c: Exp(_)'), ['changed node b Abs → Neg']],
    ['another constant, renamed', chain('a: Relu(_)', 'b: Add(_, w)', 'c: Exp(_)'), chain('p: Relu(_)', 'q: Add(_, v)', 'r: Exp(_)'),
      ['renamed node a now p', 'changed node b input 1: w → v; now q', 'renamed node c now r']],
    ['an attribute', chain('a: Relu(_)', 'b: Elu<alpha = 1.0>(_)'), chain('a: Relu(_)', 'b: Elu<alpha = 2.0>(_)'), ['changed node b attribute alpha']],
  ];
  for (const [what, a, b, expected] of cases) {
    it(`${what}: ${expected.length} differences`, () => {
      expect(differences(a, b).filter((text) => !text.includes(' constant '))).to.deep.equal(expected);
    });
  }

  it('pairs every node of a model with itself', () => {
    const model = chain('a: Relu(_)', 'b: Relu(_)', 'c: Relu(_)');
    const { pairs, removed, added } = pairNodes(model, model);
    expect([removed, added]).to.deep.equal([[], []]);
    expect(nodesOf(model).map((node) => pairs.get(node))).to.deep.equal(nodesOf(model));
  });

  it('is linear in nodes that cannot be told apart', () => {
    const many = (count: number): Model => chain(...Array.from({ length: count }, (_, index) => `n${index}: Relu(_)`));
    const [a, b] = [many(3000), many(2999)];
    expect(pairNodes(a, b).removed).to.have.length(1);
  });
});
