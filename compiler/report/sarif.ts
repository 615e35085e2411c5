import { createHash } from 'node:crypto';
import type { DiagnosticFields, Note, Range } from '../../ir/diagnostic.ts';
import { explainCode } from '../diagnostics.ts';
import { version } from '../version.ts';

/**
 * Diagnostics as a SARIF 2.1.0 log: one run, the codes as rules with what the catalogue says of them, files relative to the folder in which onnxpress
 * ran, nodes as logical locations. Fingerprints are made of code and node or message, so that a finding stays the same when lines move.
 */
export function diagnosticsSarif(diagnostics: readonly DiagnosticFields[]): string {
  const codes = [...new Set(diagnostics.map(({ code }) => code))];
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'onnxpress', version, rules: codes.map(rule) } },
      columnKind: 'utf16CodeUnits',
      results: diagnostics.map((diagnostic) => result(diagnostic, codes.indexOf(diagnostic.code))),
    }],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function rule(code: string): object {
  const explanation = explainCode(code);
  return { id: code, ...(explanation && { shortDescription: { text: explanation.title }, fullDescription: { text: explanation.text } }) };
}

function result({ code, severity, message, file, range, node, tensor, step, suggestion, notes = [] }: DiagnosticFields, ruleIndex: number): object {
  const logical = [
    ...(node ? [{ name: node.name, kind: 'element' }] : []), ...(tensor === undefined ? [] : [{ name: tensor, kind: 'variable' }]),
    ...(step === undefined ? [] : [{ name: step, kind: 'namespace' }]),
  ];
  const place = { ...physical(file, range), ...(logical.length > 0 && { logicalLocations: logical }) };
  const related = notes.map((note, id) => ({ id, message: { text: note.message }, ...physicalOf(note) }));
  return {
    ruleId: code,
    ruleIndex,
    level: severity,
    message: { text: suggestion === undefined ? message : `${message}\n${suggestion}` },
    ...(Object.keys(place).length > 0 && { locations: [place] }),
    ...(related.length > 0 && { relatedLocations: related }),
    partialFingerprints: { 'onnxpress/v1': createHash('sha256').update(JSON.stringify([code, node?.origin[0] ?? node?.name ?? message])).digest('hex') },
  };
}

const physicalOf = ({ file, range }: Note): object => physical(file, range);

function physical(file: string | undefined, range: Range | undefined): object {
  if (file === undefined) return {};
  const region = range && { startLine: range.line, startColumn: range.column, endLine: range.endLine, endColumn: range.endColumn };
  return { physicalLocation: { artifactLocation: { uri: encodeURI(file.replaceAll('\\', '/')), uriBaseId: '%SRCROOT%' }, ...(region && { region }) } };
}
