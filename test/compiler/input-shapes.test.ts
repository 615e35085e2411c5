import { expect } from 'chai';
import { fixShape, inputSymbols, shapeMistake } from '../../compiler/input-shapes.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model } from '../../ir/model.ts';
import { parseModel } from '../../ir/text/index.ts';
import { printType } from '../../ir/type.ts';
import { Workplace } from './workplace.ts';

const text = '<ir_version: 8, opset_import: ["": 17]>\nmain (float[N,3,H,H] a, float[N,?] b, float[] c) => (float[N,?] y) {\n  y = Identity(b)\n  z = Abs(a)\n  u = Abs(c)\n}\n';
const model = (): Model => parseModel(text);

describe('shapes of inputs', () => {
  const cases: readonly (readonly [name: string, shape: readonly number[], mistake: RegExp | undefined])[] = [
    ['a', [1, 3, 8, 8], undefined],
    ['c', [1, 2, 3], undefined],
    ['d', [1], /^the model has no input "d"$/],
    ['a', [1, 3, 8], /^the input 'a' has 4 axes, and the shape has 3$/],
    ['a', [1, 4, 8, 8], /^axis 1 of the input 'a' has length 3, and the shape says 4$/],
    ['a', [1, 3, 8, 9], /^all axes 'H' of the input 'a' have one length/],
  ];
  for (const [name, shape, mistake] of cases) {
    it(`${name} = [${shape.join(', ')}]${mistake === undefined ? '' : ' is refused'}`, () => {
      const found = shapeMistake(model(), name, shape)?.message;
      if (mistake === undefined) expect(found).to.equal(undefined);
      else expect(found).to.match(mistake);
    });
  }

  it('fixes symbols in all inputs that have them', () => {
    const fixed = model();
    expect(inputSymbols(fixed)).to.deep.equal(['N', 'H']);
    fixShape(fixed, new Editor(fixed), 'a', [2, 3, 8, 8]);
    expect(fixed.graph.inputs.map(({ type }) => printType(type))).to.deep.equal(['float[2,3,8,8]', 'float[2,?]', 'float[]']);
  });

  it('are fixed by a recipe, and those that do not fit are refused before anything runs', async () => {
    const place = new Workplace();
    try {
      place.writeModel('open.onnx', '<ir_version: 8, opset_import: ["": 17]>\nmain (float[N,2] x) => (float[N,2] y) {\n  [relu] y = Relu(x)\n}\n');
      const recipe = (name: string): string => `version: 1\nmodel: open.onnx\ninputs: { ${name}: { shape: [5, 2] } }\nsteps:\n  - pass: export\n    with: { output: out.onnx }\n`;
      place.write('good.yaml', recipe('x'));
      place.write('bad.yaml', recipe('xx'));
      expect((await place.run(['compile', 'good.yaml', '--report', 'r.json'])).code).to.equal(0);
      expect((await place.run(['inspect', 'out.onnx'])).out).to.match(/input +x +float\[5,2\]\noutput +y +float\[5,2\]\n/);
      expect(place.read('r.json')).to.contain("1 input shapes fixed: 'x' to [5, 2]");
      const refused = await place.run(['compile', 'bad.yaml']);
      expect([refused.code, refused.err]).to.deep.include(2);
      expect(refused.err).to.contain('bad.yaml:3:11').and.contain('did you mean `x`?');
    } finally {
      place.close();
    }
  });
});
