import { expect } from 'chai';
import { parseModel } from '../../../ir/text/index.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { diagnosticOf } from '../diagnostics.ts';

const header = '<ir_version: 10, opset_import: ["": 21]>\n';
const deep = (count: number, open: string, inner: string, close: string): string => open.repeat(count) + inner + close.repeat(count);
const body = (count: number): string => (count === 0 ? 'y = Relu (x)' : `y = l.Op (x) <b = g () => (y) { ${body(count - 1)} }>`);

/** Text behind the header, and what is said about it: code, line:column–line:column, and words of the message. */
const cases: readonly (readonly [text: string, code: string, place: string, message: RegExp])[] = [
  ['g (float x) => (float y) { y = Relu (x }', 'text/syntax', '2:40–2:41', /expected ',' or '\)', but found }/],
  ['g (float x) => (float y) { y Relu (x) }', 'text/syntax', '2:30–2:34', /expected ',' or '=', but found Relu/],
  ['g (float x) => (float y) {\n  y = Relu (x)', 'text/syntax', '3:15–3:15', /expected a node, such as y = Relu \(x\), or '}', but found the end/],
  ['g (float x) => (float y) { y = Relu <a = ~> (x) }', 'text/syntax', '2:42–2:43', /'~' has no meaning/],
  ['g (float x) => (float y) { y = Relu <a = "x> (x) }', 'text/syntax', '2:42–2:43', /string is not closed/],
  ['g (float x => (float y) {}', 'text/syntax', '2:12–2:14', /expected ',' or '\)', but found =>/],
  ['g (float[) => () {}', 'text/syntax', '2:10–2:11', /a dimension/],
  ['g (map(x, float) y) => () {}', 'text/syntax', '2:8–2:9', /an element type/],
  ['g () => () <float[2] w = 5> {}', 'text/syntax', '2:26–2:27', /elements in \{ \} or the place of external data/],
  ['g () => () <float[2] w = {1, 2, 3}> {}', 'text/syntax', '2:33–2:34', /expected '}' after 2 elements of float\[2\]/],
  ['g () => () <float[2] w = "1f0c"> {}', 'text/syntax', '2:26–2:32', /sha256:/],
  ['g () => () <float[3] w = {1, 2}> {}', 'text/tensor-size', '2:26–2:32', /needs 3 elements, but has 2/],
  ['g () => () <float[N] w = {1, 2}> {}', 'text/tensor-type', '2:13–2:18', /float\[N\] is no type for the elements/],
  ['g () => () <seq(float) w = {1, 2}> {}', 'text/tensor-type', '2:13–2:16', /seq\(float\)/],
  ['g () => () <float[99999999,99999999,9] w = {1}> {}', 'text/number', '2:13–2:18', /too large a tensor/],
  ['g () => () <float[9007199254740993] w = {1}> {}', 'text/number', '2:19–2:35', /no length of an axis/],
  ['g () => () <int8[2] w = {1, 128}> {}', 'text/number', '2:29–2:32', /128 does not fit int8/],
  ['g () => () <uint4[1] w = {-1}> {}', 'text/number', '2:27–2:29', /-1 does not fit uint4/],
  ['g () => () <bool[1] w = {2}> {}', 'text/number', '2:26–2:27', /2 does not fit bool/],
  ['g () => () <float8e4m3fn[1] w = {0.3}> {}', 'text/number', '2:34–2:37', /float8e4m3fn has no 0.3/],
  ['g () => () <float[1] w = {1e39}> {}', 'text/number', '2:27–2:31', /beyond the range of float/],
  ['g (float x) => (float y) { y = Relu <a = 9223372036854775808> (x) }', 'text/number', '2:42–2:61', /does not fit int64/],
  [`g (float x) => (float y) { y = Relu <a = ${'9'.repeat(1001)}> (x) }`, 'text/number', '2:42–2:1043', /more than 1000 characters/],
  ['g (float x) => (float y) { y = Relu <a: ints = [1, "b"]> (x) }', 'text/attribute-kind', '2:52–2:55', /values of one kind: int/],
  ['g (float x) => (float y) { y = Relu <a: int = "b"> (x) }', 'text/attribute-kind', '2:47–2:50', /declared as int, but this is string/],
  ['g (float x) => (float y) { y = Relu <a = []> (x) }', 'text/attribute-kind', '2:42–2:43', /empty list/],
  ['g (float x) => (float y) { y = Relu <a = 1, a = 2> (x) }', 'text/duplicate-name', '2:45–2:46', /attribute 'a' was given already/],
  ['g (float x) => (float y) {\n  y = Relu (x)\n  y = Neg (x)\n}', 'text/duplicate-name', '4:3–4:4', /'y' names another value of this graph already, in line 3/],
  ['g (float x) => (float y) { y = Relu (z) }', 'text/undefined-name', '2:38–2:39', /nothing here is named 'z'/],
  ['g (float x) => (float y) { y = l.Op (x) <b = h () => (v) { v = Relu (w) }> }', 'text/undefined-name', '2:70–2:71', /'w'/],
  ['g (float x) => (float y) { t = Relu (x) }', 'text/undefined-name', '2:23–2:24', /'y'/],
  [`g (${deep(40, 'seq(', 'float', ')')} x) => () {}`, 'text/too-deep', '2:128–2:131', /types are nested/],
  [`g (float x) => (float y) { ${body(40)} }`, 'text/too-deep', '2:1006–2:1007', /graphs are nested/],
];

describe('text: mistakes', () => {
  for (const [text, code, place, message] of cases) {
    it(`${code}: ${text.slice(0, 80).replace(/\n/g, ' ')}`, () => {
      const error = diagnosticOf(() => parseModel(header + text, { name: 'case.onnxtxt' }));
      const { line, column, endLine, endColumn } = error.range!;
      expect([error.code, error.file, `${line}:${column}–${endLine}:${endColumn}`]).to.deep.equal([code, 'case.onnxtxt', place]);
      expect(error.message).to.match(message);
    });
  }

  it('a key given twice', () => {
    expect(diagnosticOf(() => parseModel('<ir_version: 10, ir_version: 9> g () => () {}')).toJSON()).to.deep.include({ code: 'text/duplicate-name', range: { line: 1, column: 18, endLine: 1, endColumn: 28 } });
  });

  it('an elided tensor that nobody has, or that is another one', () => {
    const text = `${header}g () => () <float[3] w = "sha256:${'0'.repeat(64)}"> {}`;
    expect(diagnosticOf(() => parseModel(text))).to.include({ code: 'text/elided-tensor' }).and.have.property('suggestion').that.contains('beside the weights');
    expect(diagnosticOf(() => parseModel(text, { tensor: () => Tensor.of('float', [1, 2]) })).message).to.contain('is float[2], not float[3]');
  });

  it('external data needs its folder', () => {
    const text = `${header}g () => () <float[1] w = ["location": "w.bin", "offset": "4"]> {}`;
    expect(diagnosticOf(() => parseModel(text)).code).to.equal('model/external-data');
    const source = { name: 'w.bin', size: 8, read: (offset: number, length: number): Uint8Array => new Uint8Array(new Float32Array([7, 9]).buffer, offset, length) };
    const [value] = parseModel(text, { external: () => source }).graph.constants;
    expect([...value!.tensor!.floats()]).to.deep.equal([9]);
  });
});
