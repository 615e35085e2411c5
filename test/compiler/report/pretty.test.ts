import { expect } from 'chai';
import { formatDiagnostics } from '../../../compiler/report/pretty.ts';
import { Diagnostic, type DiagnosticDetails } from '../../../ir/diagnostic.ts';

const at = (line: number, column: number, endLine: number, endColumn: number): DiagnosticDetails => ({ file: 'f', range: { line, column, endLine, endColumn } });
const printed = (details: DiagnosticDetails, text: string, message = 'wrong'): string => formatDiagnostics([new Diagnostic('a/b', message, details)], { source: () => text });

describe('printing diagnostics', () => {
  const cases: [string, DiagnosticDetails, string, string[]][] = [
    ['a caret under the range', at(2, 3, 2, 6), 'one\nx yyy z\n', [' 2 | x yyy z', '   |   ^^^']],
    ['a range over several lines', at(1, 3, 2, 2), 'x yyy\nz', [' 1 | x yyy', '   |   ^^^']],
    ['an empty range', at(1, 2, 1, 2), 'x', [' 1 | x', '   |  ^']],
    ['tabs', at(1, 3, 1, 4), '\tx\ty', [' 1 |  x y', '   |   ^']],
    ['Windows line ends', at(2, 1, 2, 2), 'x\r\ny\r\n', [' 2 | y', '   | ^']],
    ['characters of two units', at(1, 4, 1, 5), '😀 y', [' 1 | 😀 y', '   |   ^']],
    ['two digits', at(10, 1, 10, 2), 'x\n'.repeat(10), [' 10 | x', '    | ^']],
    ['a long line', at(1, 201, 1, 203), `${'x'.repeat(200)}yy${'z'.repeat(500)}`, [` 1 | …${'x'.repeat(30)}yy${'z'.repeat(118)}…`, `   | ${' '.repeat(31)}^^`]],
    ['control characters', at(1, 2, 1, 3), '\x1b[2Jx\u202e', [' 1 | ␛[2Jx�', '   |  ^']],
  ];
  for (const [title, details, text, expected] of cases) {
    it(title, () => {
      expect(printed(details, text).split('\n').slice(2, 4)).to.deep.equal(expected);
    });
  }

  it('without the source, only the place', () => {
    expect(formatDiagnostics([new Diagnostic('a/b', 'wrong', { ...at(3, 4, 3, 5), suggestion: 'Mend it.' })])).to.equal('error[a/b]: wrong\n  f:3:4\n  Mend it.\n  see: onnxpress explain a/b\n');
  });

  it('everything else that is known', () => {
    const diagnostic = new Diagnostic('a/b', 'line\nbreak', {
      severity: 'warning', node: { name: 'n', op: 'Conv', origin: ['m', 'o'] }, tensor: 't', step: 's', expected: ['x', 'y'], suggestion: 'Do.',
      notes: [{ message: 'there', ...at(1, 2, 1, 3) as { file: string } }, { message: 'and' }],
    });
    expect(formatDiagnostics([diagnostic])).to.equal(
      'warning[a/b]: line␊break\n  node: n (Conv), from m, o\n  tensor: t\n  step: s\n  Do.\n  expected: x, y\n  note: there: f:1:2\n  note: and\n  see: onnxpress explain a/b\n');
  });

  it('twenty, then a count; the hint once for each code', () => {
    const text = formatDiagnostics(Array.from({ length: 23 }, (_, index) => new Diagnostic('a/b', `number ${index}`)));
    expect(text.match(/^error/gm)).to.have.length(20);
    expect(text.match(/explain/g)).to.have.length(1);
    expect(text).to.match(/\n… and 3 more\n$/);
  });

  it('colours only when asked', () => {
    const diagnostics = [new Diagnostic('a/b', 'wrong')];
    expect(formatDiagnostics(diagnostics)).to.not.contain('\x1b');
    expect(formatDiagnostics(diagnostics, { color: true })).to.contain('\x1b[31merror[a/b]\x1b[0m');
    expect(formatDiagnostics([])).to.equal('');
  });
});
