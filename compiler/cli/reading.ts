import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { printModel } from '../../ir/text/index.ts';
import { diff, type Diff } from '../diff.ts';
import { inspect, openTyped, type Inspection } from '../inspect.ts';
import { formatBytes, formatChange, formatCount, formatTable } from '../report/table.ts';
import { starter } from '../starter.ts';
import { shared, type Session, type SharedOptions } from './session.ts';

interface InspectFlags extends SharedOptions {
  readonly text?: boolean;
  readonly json?: boolean;
  readonly where?: string;
  readonly elide: string;
}

/** Adds the commands that take models: inspect, diff, init. */
export function addReading(root: Command, session: Session): void {
  const { host } = session;
  shared(root.command('inspect'), session)
    .summary('show what a model consists of')
    .description('Shows operators with what they cost, inputs and outputs, and versions of a model. Multiply-accumulates and types are inferred.')
    .argument('<model>', 'ONNX file')
    .option('--where <selector>', 'only these nodes, listed one by one: a selector as in recipes, such as "{ op: Conv }"')
    .option('--text', 'print the model in the ONNX text form')
    .option('--elide <count>', 'with --text: print constants of more elements as their hash', '16')
    .option('--json', 'print everything as JSON')
    .action(async (model: string, { text, json, where, elide }: InspectFlags) => {
      if (text) {
        const opened = await openTyped(model, host);
        try {
          host.stdout.write(printModel(opened.model, { elideAbove: wholeNumber(elide), types: 'comments' }));
        } finally {
          opened.close();
        }
        return;
      }
      const inspection = await inspect(model, { host, ...(where !== undefined && { where }) });
      host.stdout.write(json ? `${JSON.stringify(inspection, undefined, 2)}\n` : inspectionText(inspection));
    });

  shared(root.command('diff'), session)
    .summary('compare two models; exit code 1 if they differ')
    .description('Compares two models by the names of their nodes and constants. The exit code is 1 if they do not compute the same.')
    .argument('<before>', 'ONNX file')
    .argument('<after>', 'ONNX file')
    .option('--json', 'print everything as JSON')
    .action((before: string, after: string, { json }: SharedOptions & { readonly json?: boolean }) => {
      const found = diff(before, after, { host });
      host.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : diffText(found));
      if (!found.same) session.exitCode = 1;
    });

  shared(root.command('init'), session)
    .summary('write a starter recipe for a model')
    .description('Writes a commented recipe for a model, which compiles as it is. An existing file is not overwritten.')
    .argument('<model>', 'ONNX file')
    .option('-o, --output <file>', 'the recipe to write, or - for stdout (default: the name of the model with .recipe.yaml, here)')
    .action((model: string, { output, quiet }: SharedOptions & { readonly output?: string }) => {
      const { file, text } = starter(model, { host, ...(output !== undefined && output !== '-' && { file: output }) });
      if (output === '-') {
        host.stdout.write(text);
        return;
      }
      const path = resolve(host.cwd, file);
      if (existsSync(path)) throw new Diagnostic('usage/file-exists', `${file} exists already`, { file, suggestion: 'Give another name with --output, or - to print the recipe.' });
      writeFileSync(path, text);
      if (!quiet) host.stderr.write(`wrote ${file}; next: onnxpress compile ${file}\n`);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Diagnostic('usage/bad-number', `--elide takes a number of elements, not ${JSON.stringify(text)}`, { suggestion: 'Write something like --elide 64.' });
  return Number(text);
}

function macsText(macs: number | undefined): string {
  return macs === undefined ? '?' : formatCount(macs);
}

function inspectionText({ file, irVersion, opsets, producer, inputs, outputs, figures, operators, nodes, normalization }: Inspection): string {
  const slots = (what: string, list: Inspection['inputs']): string => list.map(({ name, type }) => `${what.padEnd(8)}${name}  ${type}\n`).join('');
  const head = [
    `${file}: IR ${irVersion}, opset ${Object.entries(opsets).map(([domain, version]) => (domain === 'ai.onnx' ? version : `${domain} ${version}`)).join(', ')}${producer === '' ? '' : `, by ${producer}`}\n`,
    slots('input', inputs), slots('output', outputs), '\n',
  ].join('');
  if (nodes !== undefined) {
    const rows = nodes.map(({ name, operator, outputs: types, macs, parameters, bytes }) => [name, operator, types.join(' '), macsText(macs), formatCount(parameters), formatBytes(bytes)]);
    return head + formatTable(['node', 'operator', 'output', 'MACs', 'parameters', 'constants'], rows, ['left', 'left', 'left']);
  }
  const rows = operators.map(({ operator, nodes: count, macs, parameters, bytes }) => [operator, String(count), macsText(macs), formatCount(parameters), formatBytes(bytes)]);
  const { uncounted } = figures;
  const total = ['total', String(figures.nodes), `${formatCount(figures.macs)}${uncounted > 0 ? ' +?' : ''}`, formatCount(figures.parameters), formatBytes(figures.bytes)];
  const unknown = uncounted > 0 ? `?: the operations of ${uncounted} nodes cannot be told: shapes or operators are unknown\n` : '';
  const changes = normalization.length === 0 ? '' : `\na compile would begin with: ${normalization.map(({ what, count }) => `${count} ${what}`).join(', ')}\n`;
  return head + formatTable(['operator', 'nodes', 'MACs', 'parameters', 'constants'], [...rows, total]) + unknown + changes;
}

/** Most differences that are listed. */
const listed = 60;

function diffText({ same, figures: { before, after }, operators, differences }: Diff): string {
  if (differences.length === 0) return 'the models are the same\n';
  const signs = { added: '+', removed: '-', changed: '~' };
  const lines = differences.slice(0, listed).map(({ kind, change, name, what }) => `${signs[change]} ${kind} ${name}  ${what}\n`);
  const rest = differences.length - listed;
  return [
    same ? 'the models compute the same; inner names differ\n\n' : '',
    formatTable(['', 'before', 'after'], [
      ['nodes', formatCount(before.nodes), formatCount(after.nodes)], ['parameters', formatCount(before.parameters), formatCount(after.parameters)],
      ['constants', formatBytes(before.bytes), formatBytes(after.bytes)],
    ]),
    operators.length === 0 ? '' : `\n${formatTable(['operator', 'nodes'], operators.map((row) => [row.operator, formatChange(row.before, row.after)]), ['left', 'left'])}`,
    '\n', ...lines, rest > 0 ? `… and ${rest} more (--json lists all)\n` : '',
  ].join('');
}
