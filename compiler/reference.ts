import type { OptionSchema, OptionsSchema } from '../passes/options.ts';
import type { Pass, Tokens } from '../passes/pass.ts';
import { diagnosticCatalogue } from './diagnostics.ts';
import { formatTable } from './report/table.ts';

/** One line for each pass: name and summary. */
export function passList(passes: readonly Pass[]): string {
  return formatTable(['pass', 'what it does'], passes.map(({ name, summary }) => [name, summary]), ['left', 'left']);
}

/** The reference page of a pass in Markdown, from its declaration. */
export function passPage(pass: Pass): string {
  const { name, version, summary, description, needs, gives, keeps, idempotent = true } = pass;
  const facts = [
    `Version ${version}.`,
    ...[tokenFact('Needs', needs), tokenFact('Gives', gives), tokenFact('Keeps', keeps)].filter((text) => text !== ''),
    idempotent ? '' : 'Running it twice does more than running it once.',
  ].filter((text) => text !== '');
  const rows = optionRows(pass.options as OptionsSchema, '');
  const options = rows.length === 0 ? 'It has no options.' : ['## Options', '', '| option | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return [`# ${name}`, summary, facts.join(' '), ...(description === undefined ? [] : [description]), options, `\`\`\`yaml\n${example(pass)}\`\`\``].join('\n\n') + '\n';
}

function tokenFact(verb: string, tokens: Tokens<never> | undefined): string {
  if (tokens === undefined || tokens.length === 0) return '';
  return typeof tokens === 'function' ? `${verb} tokens that depend on the options.` : `${verb} ${tokens.map((token) => `\`${token}\``).join(', ')}.`;
}

function optionRows({ properties, required = [] }: OptionsSchema, prefix: string): string[] {
  return Object.entries(properties).flatMap(([name, option]) => {
    const path = `${prefix}${name}`;
    if (option.type === 'object') return [`| \`${path}\` | map | | ${cell(option.description ?? '')} |`, ...optionRows(option, `${path}.`)];
    const value = option.default === undefined ? (required.includes(name) ? '(required)' : '') : `\`${JSON.stringify(option.default)}\``;
    return [`| \`${path}\` | ${cell(typeText(option))} | ${cell(value)} | ${cell(option.description)} |`];
  });
}

function typeText(option: Exclude<OptionSchema, OptionsSchema>): string {
  switch (option.type) {
    case 'string':
      return option.enum !== undefined ? option.enum.map((item) => `\`${item}\``).join(', ') : option.format === 'path' ? 'path' : 'text';
    case 'integer':
    case 'number': {
      const { minimum, maximum, exclusiveMinimum, unit, type } = option;
      const bounds = [
        ...(minimum === undefined ? [] : [`≥ ${minimum}`]), ...(exclusiveMinimum === undefined ? [] : [`> ${exclusiveMinimum}`]), ...(maximum === undefined ? [] : [`≤ ${maximum}`]),
      ];
      return [type, ...(bounds.length > 0 ? [bounds.join(', ')] : []), ...(unit === undefined ? [] : [`in ${unit}`])].join(' ');
    }
    case 'array':
      return `list of ${option.items.type === 'object' ? 'maps' : typeText(option.items)}`;
    default:
      return option.type;
  }
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** A step with what is required and every default written out. */
function example({ name, options }: Pass): string {
  const { properties, required = [] } = options as OptionsSchema;
  const entries = Object.entries(properties).flatMap(([key, option]) => {
    if (option.type === 'object') return [];
    if (option.default !== undefined) return [`    ${key}: ${JSON.stringify(option.default)}\n`];
    return required.includes(key) ? [`    ${key}: ${option.type === 'string' && option.format === 'path' ? 'build/model.onnx' : '…'}\n`] : [];
  });
  return `- pass: ${name}\n${entries.length > 0 ? `  with:\n${entries.join('')}` : ''}`;
}

/** All diagnostics in Markdown, by area. */
export function diagnosticsPage(): string {
  const entries = Object.entries(diagnosticCatalogue);
  const areaOf = (code: string): string => code.split('/')[0]!;
  const sections = [...new Set(entries.map(([code]) => areaOf(code)))].map((area) => [
    `## ${area}`, ...entries.filter(([code]) => areaOf(code) === area).map(([code, { title, text }]) => `### ${code}\n\n${title}\n\n${text}`),
  ].join('\n\n'));
  return `# Diagnostics\n\nWhat each code means, and what to do; \`onnxpress explain CODE\` prints the same. This page is generated from compiler/diagnostics.ts.\n\n${sections.join('\n\n')}\n`;
}
