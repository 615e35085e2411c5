import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { printModel } from '../../ir/text/index.ts';
import { diff, type Diff } from '../diff.ts';
import { writeFiles } from '../files/write-files.ts';
import { inspect, openTyped, type Inspection } from '../inspect.ts';
import { groupsText, inspectGroups } from '../inspect-groups.ts';
import { formatBytes, formatChange, formatCount, formatTable } from '../report/table.ts';
import { visible } from '../report/visible.ts';
import { starter } from '../starter.ts';
import { count } from './arguments.ts';
import { collect, shared, type Session, type SharedOptions } from './session.ts';

interface InspectFlags extends SharedOptions {
  readonly text?: boolean;
  readonly json?: boolean;
  readonly where?: string;
  readonly shape?: readonly string[];
  readonly elide: number;
  readonly groups?: boolean;
}

/** Adds the commands that take models: inspect, diff, init. */
export function addReading(root: Command, session: Session): void {
  const { host } = session;
  shared(root.command('inspect'))
    .summary('show what a model consists of')
    .description('Shows operators with what they cost, inputs and outputs, and versions of a model. Multiply-accumulates and types are inferred.')
    .argument('<model>', 'ONNX file')
    .option('--where <selector>', 'only these nodes, listed one by one: a selector as in recipes, such as "{ op: Conv }"')
    .option('--shape <name=lengths>', 'the shape of an input (INPUT=1,3,224,224) or the length of a symbol (SYMBOL=8), where the model leaves it open (may be repeated)', collect)
    .addOption(new Option('--groups', 'show the channels that structured-prune can remove, what ties them, and what holds the others').conflicts(['text', 'where']))
    .addOption(new Option('--text', 'print the model in the ONNX text form').conflicts(['json', 'where']))
    .option('--elide <count>', 'with --text: print constants of more elements as their hash', count('--elide'), 16)
    .option('--json', 'print everything as JSON')
    .action(async (model: string, { text, json, where, shape, elide, groups }: InspectFlags) => {
      if (text) {
        const opened = await openTyped(model, host, shape);
        try {
          host.stdout.write(printModel(opened.model, { elideAbove: elide, types: 'comments' }));
        } finally {
          opened.close();
        }
        return;
      }
      if (groups) {
        const found = await inspectGroups(model, { host, ...(shape && { shapes: shape }) });
        host.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : groupsText(model, found));
        return;
      }
      const inspection = await inspect(model, { host, ...(where !== undefined && { where }), ...(shape && { shapes: shape }) });
      host.stdout.write(json ? `${JSON.stringify(inspection, undefined, 2)}\n` : inspectionText(inspection));
    });

  shared(root.command('diff'))
    .summary('compare two models; exit code 1 if they differ')
    .description('Compares two models: their nodes by what they compute and by name, their constants by name. The exit code is 1 if they do not compute the same.')
    .argument('<before>', 'ONNX file')
    .argument('<after>', 'ONNX file')
    .option('--json', 'print everything as JSON')
    .action((before: string, after: string, { json }: SharedOptions & { readonly json?: boolean }) => {
      const found = diff(before, after, { host });
      host.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : diffText(found));
      if (!found.same) session.exitCode = 1;
    });

  shared(root.command('init'))
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
      writeFiles([{ path, chunks: [new TextEncoder().encode(text)] }]);
      if (!quiet) host.stderr.write(`wrote ${file}; next: onnxpress compile ${file}\n`);
    });
}

function macsText(macs: number | undefined): string {
  return macs === undefined ? '?' : formatCount(macs);
}

function inspectionText({ file, irVersion, opsets, producer, metadata, inputs, outputs, figures, operators, nodes, normalization }: Inspection): string {
  const slots = (what: string, list: Inspection['inputs']): string => list.map(({ name, type }) => `${what.padEnd(9)}${visible(name)}  ${visible(type)}\n`).join('');
  const head = [
    `${file}: IR ${irVersion}, opset ${Object.entries(opsets).map(([domain, version]) => (domain === 'ai.onnx' ? version : `${domain} ${version}`)).join(', ')}${producer === '' ? '' : `, by ${visible(producer)}`}\n`,
    slots('input', inputs), slots('output', outputs),
    ...Object.entries(metadata).slice(0, 12).map(([key, value]) => `metadata ${visible(key)}  ${visible(value.length > 100 ? `${value.slice(0, 99)}…` : value)}\n`), '\n',
  ].join('');
  if (nodes !== undefined) {
    const rows = nodes.map(({ name, operator, outputs: types, macs, parameters, bytes }) => [name, operator, types.join(' '), macsText(macs), formatCount(parameters), formatBytes(bytes)]);
    return head + formatTable(['node', 'operator', 'output', 'MACs', 'parameters', 'constants'], rows, ['left', 'left', 'left']);
  }
  const rows = operators.map(({ operator, nodes: count, macs, parameters, bytes }) => [operator, String(count), macsText(macs), formatCount(parameters), formatBytes(bytes)]);
  const { uncounted } = figures;
  const total = ['total', String(figures.nodes), uncounted === 0 ? formatCount(figures.macs) : figures.macs === 0 ? '?' : `${formatCount(figures.macs)} +?`, formatCount(figures.parameters), formatBytes(figures.bytes)];
  const open = inputs.some(({ type }) => /\[.*[^\d,\]].*\]/.test(type)) ? '; --shape fixes what the model leaves open' : '';
  const unknown = uncounted > 0 ? `?: the operations of ${uncounted} node${uncounted === 1 ? '' : 's'} cannot be told: shapes or operators are unknown${open}\n` : '';
  const changes = normalization.length === 0 ? '' : `\na compile would begin with: ${normalization.map(({ what, count }) => `${count} ${what}`).join(', ')}\n`;
  return head + formatTable(['operator', 'nodes', 'MACs', 'parameters', 'constants'], [...rows, total]) + unknown + changes;
}

/** Most differences that are listed, and most of those that are only other names. */
const listed = { differences: 60, names: 6 };

function diffText({ same, figures: { before, after }, operators, differences }: Diff): string {
  if (differences.length === 0) return 'the models are the same\n';
  const signs = { added: '+', removed: '-', changed: '~', renamed: '=' };
  const lines = (of: Diff['differences'], most: number, rest: string): string[] => [
    ...of.slice(0, most).map(({ kind, change, name, what }) => `${signs[change]} ${kind} ${visible(name)}  ${visible(what)}\n`),
    of.length > most ? `… and ${of.length - most} more${rest} (--json lists all)\n` : '',
  ];
  return [
    same ? 'the models compute the same; inner names differ\n\n' : '',
    formatTable(['', 'before', 'after'], [
      ['nodes', formatCount(before.nodes), formatCount(after.nodes)], ['parameters', formatCount(before.parameters), formatCount(after.parameters)],
      ['constants', formatBytes(before.bytes), formatBytes(after.bytes)],
    ]),
    operators.length === 0 ? '' : `\n${formatTable(['operator', 'nodes'], operators.map((row) => [row.operator, formatChange(row.before, row.after)]), ['left', 'left'])}`,
    '\n', ...lines(differences.filter(({ change }) => change !== 'renamed'), listed.differences, ''),
    ...lines(differences.filter(({ change }) => change === 'renamed'), listed.names, ' that only have other names'),
  ].join('');
}
