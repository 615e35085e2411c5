import { resolve } from 'node:path';
import { Diagnostic } from '../ir/diagnostic.ts';
import { builtInPasses } from '../passes/index.ts';
import { diagnosticCatalogue, explainCode } from './diagnostics.ts';
import { quietHost, type Host } from './host.ts';
import { nearby } from './recipe/select.ts';
import { nearNames } from './recipe/suggest.ts';
import { readReport } from './report/file.ts';
import type { Report, StepReport } from './report/report.ts';

/** The long text of a diagnostic's code. Throws `usage/unknown-code` with near ones. */
export function explain(code: string): string {
  const explanation = explainCode(code);
  if (explanation !== undefined) return `${code}: ${explanation.title}\n\n${explanation.text}\n`;
  const near = nearNames(code, Object.keys(diagnosticCatalogue));
  throw new Diagnostic('usage/unknown-code', `there is no diagnostic with the code ${JSON.stringify(code)}`, {
    ...(near.length > 0 && { expected: near }),
    suggestion: builtInPasses.some(({ name }) => name === code.split('/')[0]) ? `\`onnxpress passes ${code.split('/')[0]!}\` explains the pass; what its rules did is in the report of a compile.` : 'For everything that happened to a node: onnxpress explain NODE --report FILE.',
  });
}

/**
 * Everything that a report says about a node, by any name it ever had: which steps selected it, all remarks, and what became of it. Throws
 * `usage/unknown-node` with near names.
 */
export function explainNode(name: string, reportFile: string, { host: given }: { readonly host?: Partial<Host> } = {}): string {
  const report = readReport(resolve(quietHost(given).cwd, reportFile), reportFile);
  const { nodes } = report;
  const isKnown = Object.hasOwn(nodes, name);
  const fate = isKnown ? fateOf(name, nodes) : undefined;
  const lines = report.steps.flatMap((step) => stepLines(step, name, isKnown ? nodes[name]! : undefined));
  if (lines.length > 0 || fate !== undefined) return `${[name, ...lines, ...(lines.length === 0 ? ['no step selected it or remarked on it'] : []), ...(fate === undefined ? [] : [fate])].join('\n')}\n`;
  const known = new Set([...Object.keys(nodes), ...report.steps.flatMap(({ selected = [], remarks }) => [...selected, ...remarks.flatMap(({ node }) => (node ? [node.name, ...node.origin] : []))])]);
  const near = nearby([name], [...known]);
  throw new Diagnostic('usage/unknown-node', `${reportFile} says nothing about a node '${name}'`, {
    suggestion: near ?? 'Names are those of the model that was compiled: onnxpress inspect MODEL --where "{ name: \'**\' }" lists them.',
  });
}

/** What a step did with a node, or said of it, of what descends from it, and of those that became part of the same. `now`: its descendants, if it was in the model as read. */
function stepLines({ id, number, pass, selected, remarks }: StepReport, name: string, now: readonly string[] | undefined): string[] {
  const names = new Set([name, ...now ?? []]);
  const about = remarks
    .filter(({ node, tensor, message }) => (node && (names.has(node.name) || node.origin.includes(name))) || tensor === name || message.includes(`'${name}'`))
    .map(({ kind, rule, message, node }) => `  ${kind} ${rule}: ${message}${node && node.name !== name ? ` (at ${node.name}, ${node.op})` : ''}`);
  const isSelected = selected?.includes(name);
  const passedOver = isSelected === false && (now !== undefined || about.length > 0);
  const chosen = isSelected === true ? [`  selected by \`where\` (${selected!.length} ${selected!.length === 1 ? 'node' : 'nodes'})`] : passedOver ? ['  not selected by `where`'] : [];
  return chosen.length + about.length === 0 ? [] : [`step ${number} ${id} (${pass}):`, ...chosen, ...about];
}

/** What became of a node of the model as it was read. */
function fateOf(name: string, nodes: Report['nodes']): string {
  const now = nodes[name]!;
  if (now.length === 0) return 'in the end: gone; it was evaluated, or does nothing that the outputs need';
  const others = Object.keys(nodes).filter((other) => other !== name && nodes[other]!.some((each) => now.includes(each)));
  const together = others.length === 0 ? '' : `; what it became was also made of ${others.slice(0, 3).join(', ')}${others.length > 3 ? ` and ${others.length - 3} more` : ''}`;
  return now.length === 1 && now[0] === name ? `in the end: still there${together}` : `in the end: ${now.join(', ')}${together}`;
}
