import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Diagnostic } from '../ir/diagnostic.ts';
import { diagnosticCatalogue, explainCode } from './diagnostics.ts';
import { quietHost, type Host } from './host.ts';
import { nearNames } from './recipe/suggest.ts';
import type { Report, StepReport } from './report/report.ts';

/** The long text of a diagnostic's code. Throws `usage/unknown-code` with near ones. */
export function explain(code: string): string {
  const explanation = explainCode(code);
  if (explanation !== undefined) return `${code}: ${explanation.title}\n\n${explanation.text}\n`;
  const near = nearNames(code, Object.keys(diagnosticCatalogue));
  throw new Diagnostic('usage/unknown-code', `there is no diagnostic with the code ${JSON.stringify(code)}`, {
    ...(near.length > 0 && { expected: near }), suggestion: 'For everything that happened to a node: onnxpress explain NODE --report FILE.',
  });
}

/** Everything that a report says about a node: which steps selected it, and all remarks, by any name it ever had. Throws `usage/unknown-node`. */
export function explainNode(name: string, reportFile: string, { host: given }: { readonly host?: Partial<Host> } = {}): string {
  const report = readReport(resolve(quietHost(given).cwd, reportFile), reportFile);
  const about = (step: StepReport): readonly string[] => step.remarks
    .filter(({ node, tensor, message }) => node?.name === name || node?.origin.includes(name) === true || tensor === name || message.includes(`'${name}'`))
    .map(({ kind, rule, message, node }) => `  ${kind} ${rule}: ${message}${node && node.name !== name ? ` (now ${node.name}, ${node.op})` : ''}`);
  const lines = report.steps.flatMap((step) => {
    const remarks = about(step);
    const selected = step.selected?.includes(name) === true ? [`  selected by \`where\` (${step.selected.length} nodes)`] : [];
    const passedOver = step.selected !== undefined && selected.length === 0 && remarks.length > 0 ? ['  not selected by `where`'] : [];
    const found = [...selected, ...passedOver, ...remarks];
    return found.length === 0 ? [] : [`step ${step.number} ${step.id} (${step.pass}):`, ...found];
  });
  if (lines.length > 0) return `${name}\n${lines.map((line) => `${line}\n`).join('')}`;
  const known = new Set(report.steps.flatMap(({ selected = [], remarks }) => [...selected, ...remarks.flatMap(({ node }) => (node ? [node.name, ...node.origin] : []))]));
  const near = nearNames(name, known);
  throw new Diagnostic('usage/unknown-node', `${reportFile} says nothing about a node '${name}'`, {
    ...(near.length > 0 && { expected: near }), suggestion: 'Names are those of the model that was compiled: onnxpress inspect MODEL --where "{ name: \'**\' }" lists them.',
  });
}

function readReport(path: string, shown: string): Report {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as Partial<Report>;
    if (report.schema === 1 && Array.isArray(report.steps)) return report as Report;
  } catch (error) {
    throw new Diagnostic('usage/unreadable-report', `cannot read the report ${shown}: ${error instanceof Error ? error.message : String(error)}`, {
      file: shown, suggestion: 'Write one with: onnxpress compile RECIPE --report FILE.',
    });
  }
  throw new Diagnostic('usage/unreadable-report', `${shown} is no report of this version of onnxpress`, { file: shown, suggestion: 'Write one with: onnxpress compile RECIPE --report FILE.' });
}
