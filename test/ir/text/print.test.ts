import { expect } from 'chai';
import fc from 'fast-check';
import { dtypes } from '../../../ir/dtype.ts';
import { Editor } from '../../../ir/edit.ts';
import { float32Text, numberValue } from '../../../ir/text/numbers.ts';
import { parseGraph, parseModel, printModel, printNode } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { smallModel } from '../build.ts';

const header = '<\n  ir_version: 10,\n  opset_import: ["": 21]\n>\n';

/** Texts that print as they are: the canonical form, one structure each. */
const canonical: Readonly<Record<string, string>> = {
  'signature, initializers, types, labels': `main (float[N,3] x) => (float[N,4] y)
<
  float[3,4] w = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
  float[4] b = {0.1, -0.25, 1e-7, 123456790},
  float[N,4] t
>
{
  [/fc/MatMul] t = MatMul (x, w)
  [add] y = Add (t, b)
}
`.replace('[/fc/MatMul]', '["/fc/MatMul"]'),
  'no declarations': 'main (float[N] x) => (float[N] y) {\n  y = Relu (x)\n}\n',
  'attributes of all kinds': `main (float[1] x) => (y) {
  y = l.Op <a = -5, b = 1.0, c = nan, d = "s", e = [1, 2], f = [1.0, -inf], g = ["u", "v"], h: ints = [], i = float[2] {1, 2}, j = int64 k {3}, l = seq(float[N,?]), m = [float[1] {1}, float {2}], n = [int64, float[]], o: tensors = []> (x)
}
`,
  'quoted words': `main (float[1] "x:0") => (y) {
  y = "my-domain"."my op":"v 1" <"a-b" = 1> ("x:0")
}
`,
  'sparse tensors': `main (float[1] x) => (y)
<
  sparse_tensor(float[9]) w = {float[2] {1, 2}, int64[2] {3, 7}}
>
{
  y = l.Op <a = sparse_tensor(float[2,2]) {float[1] {5}, int64[1,2] {0, 1}}> (x, w)
}
`,
  'bit patterns are explained': `main (float[1] x) => (y)
<
  float16[2] a = {15360, 64512},  # 1, -inf
  bfloat16 b = {16128},  # 0.5
  float8e4m3fn[2] c = {56, 127}  # 1, nan
>
{
  y = l.Op <d = float4e2m1[1] {7}> (x, a, b, c)  # 6
}
`,
  'elements below eight bits': `main (float[1] x) => (y)
<
  int4[3] a = {-8, 7, 1},
  uint2[3] b = {3, 0, 2}
>
{
  y = l.Op (x, a, b)
}
`,
  'bodies': `main (bool c, float[1] x) => (float[1] y) {
  [choose] y = If (c) <then_branch = yes () => (float[1] r) {
    r = Relu (x)
  }, else_branch = no () => (float[1] s)
  <
    float[1] half = {0.5}
  >
  {
    s = Mul (x, half)
  }>
}
`,
  'defaults of inputs': `main (float[2] x = {1, 2}, float[N] w = float[3] {1, 2, 3}) => (y) {
  y = l.Op (x, w)
}
`,
  'functions': `main (float[1] x) => (float[1] y) {
  y = l.f:v (x)
}
<
  domain: "l",
  overload: "v",
  opset_import: ["": 21]
>
f <alpha, beta = 1.5> (a) => (b) {
  b = LeakyRelu <alpha: float = @alpha> (a)
}
`,
};

describe('text: printing', () => {
  for (const [name, text] of Object.entries(canonical)) {
    it(name, () => {
      expect(printModel(parseModel(header + text))).to.equal(header + text);
    });
  }

  it('Constant nodes come before their readers, and slots name their values', () => {
    const { model, edit, graph, node, value } = smallModel();
    edit.setTensor(value('w'), Tensor.of('float', [1, 1, 1, 1]));
    edit.setOutput(graph, 2, node('add').output, 'again');
    expect(printModel(model)).to.equal(`<
  ir_version: 8,
  opset_import: ["": 17, "test": 1]
>
main (float[N,4] x, bool c) => (float[N,4] y, float[N,4] z, float[N,4] again)
<
  float[4] w = {1, 1, 1, 1},
  float[N,4] relu_output
>
{
  [relu] relu_output = Relu (x)
  [add] y = Add (relu_output, w)
  [choose] z = If (c) <then_branch = yes () => (float[N,4] yes_out) {
    [neg] yes_out = Neg (relu_output)
  }, else_branch = no () => (float[N,4] no_out)
  <
    float half = {0.5}
  >
  {
    [mul] no_out = Mul (x, half)
  }>
  again = Identity (y)
}
`);
  });

  it('types in comments, or nowhere', () => {
    const { model } = smallModel();
    const comments = printModel(model, { types: 'comments' });
    expect(comments).to.contain('  [relu] relu_output = Relu (x)  # float[N,4]\n').and.not.contain('float[N,4] relu_output');
    expect(printModel(parseModel(comments), { types: 'none' })).to.equal(printModel(model, { types: 'none' }));
    expect(printModel(model, { types: 'none' })).not.to.contain('#');
  });

  it('large tensors are elided to their hash, everywhere', () => {
    const tensor = Tensor.of('float', [1, 2, 3]);
    const graph = 'main (float[1] x, float[3] d = {1, 2, 3}) => (y)\n<\n  float[3] w = {1, 2, 3}\n>\n{\n  y = l.Op <a = float[3] {1, 2, 3}, b = float[2] {1, 2}> (x, w)\n}\n';
    const text = printModel(parseModel(header + graph), { elideAbove: 2 });
    const hash = `"sha256:${tensor.hash()}"`;
    expect(text).to.equal(header + graph.replace('d = {1, 2, 3}', `d = ${hash}`).replace('w = {1, 2, 3}', `w = ${hash}`).replace('float[3] {1, 2, 3}', `float[3] = ${hash}`));
    expect(printModel(parseModel(text, { tensor: (wanted) => (wanted === tensor.hash() ? tensor : undefined) }))).to.equal(header + graph);
  });

  it('one node, by labels', () => {
    const { node } = smallModel();
    expect(printNode(node('add'))).to.equal('[add] add_output = Add (relu_output, w)');
    expect(printNode(node('choose'))).to.match(/^\[choose\] choose_output = If \(c\) <then_branch = yes \(\) => \(float\[N,4\] yes_out\) \{\n {2}\[neg\] yes_out = Neg \(relu_output\)\n\}/);
  });

  it('one graph', () => {
    const graph = parseGraph('g (float[2] x) => (y) { y = l.Op (x) }', { '': 17, l: 2 });
    expect([graph.opset(), graph.opset('l'), [...graph.nodes()].map(({ op }) => op)]).to.deep.equal([17, 2, ['Op']]);
  });

  it('reading builds use lists that the editor can go on with', () => {
    const model = parseModel(`${header}main (float[1] x) => (float[1] y) { t = Neg (x)\n y = Add (t, t) }`);
    const [neg, add] = [...model.graph.nodes()];
    expect(neg!.output.uses).to.deep.equal([{ user: add, index: 0 }, { user: add, index: 1 }]);
    const edit = new Editor(model);
    expect(edit.replaceUses(neg!.output, model.graph.inputs[0]!)).to.equal(2);
    edit.remove(neg!);
    expect(printModel(model)).to.contain('y = Add (x, x)\n').and.not.contain('Neg');
  });
});

describe('text: numbers', () => {
  it('a float32 is printed with the fewest digits that read back', () => {
    fc.assert(fc.property(fc.float({ noNaN: true }), (value) => {
      const text = float32Text(value);
      expect(Math.fround(numberValue(text))).to.equal(value);
      const digits = (/^-?([\d.]+)/.exec(text)?.[1] ?? '').replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length;
      if (digits <= 1) return;
      // Half-way between two floats does not count: a reader need not round it as Math.fround does.
      const shorter = Number(value.toPrecision(digits - 1));
      const mirrored = 2 * shorter - value;
      expect(Math.fround(shorter) === value && Math.fround(mirrored) !== mirrored, `${shorter}`).to.equal(false);
    }), { numRuns: 3000 });
  });

  const table: readonly (readonly [number, string])[] = [
    [0, '0'], [-0, '-0'], [1, '1'], [0.1, '0.1'], [16777216, '16777216'], [1e10, '10000000000'], [3.4028234663852886e38, '3.4028235e+38'], [1.401298464324817e-45, '1e-45'],
    [NaN, 'nan'], [Infinity, 'inf'], [-Infinity, '-inf'], [2 / 3, '0.6666667'],
  ];
  for (const [value, text] of table) it(text, () => { expect(float32Text(Math.fround(value))).to.equal(text); });

  const values: readonly (readonly [dtype: string, value: string, code: number])[] = [
    ['float16', '1.0', 0x3c00], ['float16', '-0.0', 0x8000], ['float16', '65504.0', 0x7bff], ['float16', 'inf', 0x7c00], ['bfloat16', '0.5', 0x3f00],
    ['float8e4m3fn', '448.0', 0x7e], ['float8e4m3fnuz', 'nan', 0x80], ['float8e5m2', '-inf', 0xfc], ['float8e8m0', '0.5', 126], ['float4e2m1', '-6.0', 15],
  ];
  for (const [dtype, value, code] of values) {
    it(`${dtype} {${value}} is ${code} in bits`, () => {
      const read = (element: string): string => parseGraph(`g () => () <${dtype}[1] a = {${element}}> {}`).constants.values().next().value!.tensor!.hash();
      expect(read(value)).to.equal(read(String(code)));
    });
  }

  it('every element type has a text', () => {
    for (const dtype of dtypes) {
      const elements = dtype === 'string' ? '"", "a"' : dtype.startsWith('complex') ? '0, 1, 1, 0' : '0, 1';
      expect(printModel(parseModel(`${header}g () => ()\n<\n  ${dtype}[2] a = {${elements}}\n>\n{\n}\n`))).to.contain(`  ${dtype}[2] a = {${elements}}`);
    }
  });
});
