import { expect } from 'chai';
import fc from 'fast-check';
import { parseModel } from '../../../ir/text/index.ts';
import type { Model } from '../../../ir/model.ts';
import { ModelIndex } from '../../../compiler/recipe/model-index.ts';
import { globPattern, PatternError, regexPattern } from '../../../passes/name-pattern.ts';
import { treeOf } from '../../../compiler/recipe/options.ts';
import { Problems } from '../../../compiler/recipe/problems.ts';
import { selectNodes } from '../../../compiler/recipe/select.ts';
import type { Selector } from '../../../compiler/recipe/define.ts';
import { toyModel } from './plan-golden.ts';

const body = parseModel(`<ir_version: 10, opset_import: ["" : 19]>
g (float[2] x, bool c) => (float[2] y) {
  [a] t = Relu(x)
  [if] u = If(c) <then_branch = then () => (float[2] v) { [inner] v = Neg(t) }, else_branch = other () => (float[2] w) { [outer] w = Abs(x) }>
  [Conv_1] z = Exp(u)
  [Conv_2] y = Identity(z)
}`);

function select(model: Model, selector: Selector, named: Record<string, Selector> = {}): string[] | string {
  const problems = new Problems();
  const found = selectNodes(treeOf(selector, 'test'), treeOf(named, 'test'), new ModelIndex(model), problems);
  return problems.list.length > 0 ? problems.list.map(({ code }) => code).join() : [...found].map(({ name }) => name);
}

describe('selectors', () => {
  const toy: [Selector, string[] | string][] = [
    [{ name: '/layer1/**' }, ['/layer1/conv1/Conv', '/layer1/relu/Relu']],
    [{ name: '/layer1/*' }, 'select/no-match'],
    [{ name: '/layer{1,2}/*/Conv' }, ['/layer1/conv1/Conv', '/layer2/conv2/Conv']],
    [{ name: '**' }, ['/layer1/conv1/Conv', '/layer1/relu/Relu', '/layer2/conv2/Conv', '/layer2/Add', '/pool/GlobalAveragePool', '/Flatten', '/fc/Gemm']],
    [{ name: ['/Flatten', '/fc/*'] }, ['/Flatten', '/fc/Gemm']],
    [{ regex: '/layer\\d+/.*' }, ['/layer1/conv1/Conv', '/layer1/relu/Relu', '/layer2/conv2/Conv', '/layer2/Add']],
    [{ regex: 'layer1' }, 'select/no-match'],
    [{ op: 'Conv' }, ['/layer1/conv1/Conv', '/layer2/conv2/Conv']],
    [{ op: ['Gemm', 'Flatten'] }, ['/Flatten', '/fc/Gemm']],
    [{ op: 'com.acme::Conv' }, 'select/no-match'],
    [{ op: 'com.acme::Conv', optional: true }, []],
    [{ tensor: 'fc.weight' }, ['/fc/Gemm']],
    [{ tensor: 'r1' }, ['/layer1/relu/Relu', '/layer2/conv2/Conv', '/layer2/Add']],
    [{ tensor: 'input' }, ['/layer1/conv1/Conv']],
    [{ module: 'layer1' }, ['/layer1/conv1/Conv', '/layer1/relu/Relu']],
    [{ module: 'layer*.conv*' }, ['/layer1/conv1/Conv', '/layer2/conv2/Conv']],
    [{ between: { from: 'r1', to: '/pool/GlobalAveragePool' } }, ['/layer2/conv2/Conv', '/layer2/Add', '/pool/GlobalAveragePool']],
    [{ between: { from: '/Flatten', to: 'logits' } }, ['/Flatten', '/fc/Gemm']],
    [{ between: { from: 'logits', to: 'input' } }, 'select/no-match'],
    [{ between: { from: 'nowhere', to: 'logits' } }, 'select/unknown-end'],
    [{ not: { any: [{ op: 'Conv' }, { op: 'Relu' }] } }, ['/layer2/Add', '/pool/GlobalAveragePool', '/Flatten', '/fc/Gemm']],
    [{ all: [{ op: 'Conv' }, { name: '/layer2/**' }] }, ['/layer2/conv2/Conv']],
    [{ all: [{ op: 'Conv' }, { op: 'Relu' }] }, 'select/no-match'],
    [{ any: [{ op: 'Conv' }, { op: 'Convv' }] }, 'select/no-match'],
    [{ any: [{ op: 'Gemm' }, { op: 'Convv', optional: true }] }, ['/fc/Gemm']],
    [{ op: 'Conv', expect: 2 }, ['/layer1/conv1/Conv', '/layer2/conv2/Conv']],
    [{ op: 'Conv', expect: 3 }, 'select/count'],
    ['$head', ['/fc/Gemm']],
    [{ not: '$most' }, ['/fc/Gemm']],
  ];
  for (const [selector, expected] of toy) {
    it(`${JSON.stringify(selector)} → ${typeof expected === 'string' ? expected : `${expected.length} nodes`}`, () => {
      expect(select(toyModel(), selector, { head: { op: 'Gemm' }, most: { not: '$head' } })).to.deep.equal(expected);
    });
  }

  const inBodies: [Selector, string[]][] = [
    [{ op: 'Neg' }, ['inner']],
    [{ name: 'Conv_*' }, ['Conv_1', 'Conv_2']],
    [{ between: { from: 'a', to: 'u' } }, ['a', 'if', 'inner']],
    [{ between: { from: 'x', to: 'y' } }, ['a', 'if', 'inner', 'outer', 'Conv_1', 'Conv_2']],
    [{ tensor: 't' }, ['a', 'inner']],
  ];
  for (const [selector, expected] of inBodies) {
    it(`sees bodies: ${JSON.stringify(selector)}`, () => {
      expect(select(body, selector)).to.have.members(expected).and.to.have.length(expected.length);
    });
  }

  it('finds modules that an exporter recorded, at every level', () => {
    const model = toyModel();
    const node = model.graph.first!;
    Object.assign(node, { extras: { metadata: new Map([['pkg.torch.onnx.name_scopes', "['', 'encoder', 'encoder.layers.0', 'conv2d']"]]) } });
    expect(select(model, { module: 'encoder.layers.*' })).to.deep.equal([node.name]);
    expect(select(model, { module: 'encoder' })).to.deep.equal([node.name]);
    expect(select(model, { module: 'conv2d' })).to.equal('select/no-match');
  });
});

describe('name patterns', () => {
  const part = fc.constantFrom('a', 'b', 'A', '/', '\\.', '.', '[ab]', '[^/]', '\\d', '\\w', '(a|b)', '(?:ab|/)', 'a?', 'b*', '.*', '[a-c]+', '(a|ab)*', 'a{2}', 'b{1,3}', '(a*)*', '.+?');
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'A', '/', '.', '1', '_'), maxLength: 12 });

  it('match as the regular expressions of JavaScript do', () => {
    fc.assert(fc.property(fc.array(part, { maxLength: 6 }), fc.array(name, { minLength: 1, maxLength: 8 }), (parts, names) => {
      const source = parts.join('');
      const ours = regexPattern(source);
      const theirs = new RegExp(`^(?:${source})$`, 'su');
      expect(names.map(ours)).to.deep.equal(names.map((text) => theirs.test(text)));
    }), { numRuns: 500, seed: 1 });
  });

  const globs: [string, string[], string[]][] = [
    ['*', ['a', ''], ['a/b', '/']], ['**', ['a/b', ''], []], ['/a/**/b', ['/a/b', '/a/x/b', '/a/x/y/b'], ['/a/xb']], ['a?c', ['abc'], ['ac', 'a/c']],
    ['[!a]b', ['bb'], ['ab']], ['{a,b/c}d', ['ad', 'b/cd'], ['bd']], ['a.b', ['a.b'], ['axb']], ['a\\*', ['a*'], ['ab']], ['*.w(1)', ['x.w(1)'], ['x.w1']],
    ['Conv_[0-9]*', ['Conv_1', 'Conv_12x'], ['Conv_', 'Conv_x']], ['a^b$', ['a^b$'], ['ab']], ['a|b', ['a|b'], ['a', 'b']],
  ];
  for (const [glob, yes, no] of globs) {
    it(`glob ${glob}`, () => {
      const matches = globPattern(glob);
      expect([yes.filter(matches), no.filter(matches)]).to.deep.equal([yes, []]);
    });
  }

  for (const source of ['(', ')', '[', 'a\\', '*', 'a**', '(?=a)', '(?<n>a)', '(a)\\1', '\\bx', '\\p{L}', 'a{3,2}', 'a{9999}', 'a^b', '('.repeat(40), 'x'.repeat(257), '(((a{99}){99}){99})', '[z-a]']) {
    it(`refuses the regular expression ${source.slice(0, 30)}`, () => {
      expect(() => regexPattern(source)).to.throw(PatternError);
    });
  }

  it('take time in proportion, where backtracking takes for ever', () => {
    const text = 'a'.repeat(2000);
    for (const source of ['(a*)*b', '(a|a)*b', '(a+)+b', '.*a.*a.*a.*a.*a.*a.*b', '(.*)(.*)(.*)(.*)(.*)(.*)(.*)b']) expect(regexPattern(source)(text)).to.equal(false);
    expect(globPattern(`${'*a'.repeat(100)}b`)(text)).to.equal(false);
  }).timeout(4000);
});
