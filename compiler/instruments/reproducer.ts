import { stringify } from 'yaml';
import type { Chunk } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import { printModel } from '../../ir/text/index.ts';
import type { OptionsSchema } from '../../passes/options.ts';
import { selectionOf, type Step } from '../manager.ts';
import type { Instrument } from './instrument.ts';

/** What of the compile a replay needs beside the step. */
export interface ReplayFacts {
  readonly version: string;
  /** Node, ONNX Runtime and platform, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly target: string;
  /** Modules of the plugins, as absolute paths. */
  readonly plugins: readonly string[];
}

/** Makes a folder, puts the files into it, and returns its path. */
export type ReproducerWriter = (step: Step, files: ReadonlyMap<string, string | readonly Chunk[]>) => string;

/** True for what is a defect of onnxpress or a plugin, and not a mistake in model or recipe. */
export function isDefect(error: unknown): boolean {
  return !Diagnostic.is(error) || error.code.startsWith('internal/');
}

/**
 * When a step ends in an internal error, or leaves an invalid model: writes the model as it was before the step, a recipe of that step alone,
 * and the versions, and says which command replays it. Selected nodes are written by name, since the origins of an earlier model are unknown to
 * the copy. An abort leaves nothing.
 */
export function reproducer(facts: ReplayFacts, write: ReproducerWriter, signal: AbortSignal): Instrument {
  return {
    failed(step, _model, { error, before, notes }) {
      if (signal.aborted || !isDefect(error)) return;
      const files = new Map<string, string | readonly Chunk[]>([
        ['model.onnx', writeModel(before).model],
        ['model.onnxtxt', printModel(before, { elideAbove: 64, types: 'comments' })],
        ['recipe.yaml', stringify(replayRecipe(step, before, facts), { lineWidth: 0 })],
        ['versions.json', `${JSON.stringify({ onnxpress: facts.version, ...facts.versions }, undefined, 2)}\n`],
        ['error.txt', `${error instanceof Error ? error.stack ?? error.message : String(error)}\n`],
      ]);
      const folder = write(step, files);
      notes.push({ message: `replay it: onnxpress compile ${quoted(`${folder}/recipe.yaml`)}` });
    },
  };
}

function replayRecipe({ id, pass, options, selected }: Step, model: Model, { target, plugins }: ReplayFacts): object {
  const where = selected && whereOf(selected, model);
  return {
    version: 1,
    ...(plugins.length > 0 && { plugins }),
    model: 'model.onnx',
    target,
    steps: [{ pass: pass.name, id, ...(where && { where }), with: literal(pass.outputs === undefined ? options : withLocalPaths(options, pass.options as OptionsSchema)) }],
  };
}

/** Regular expressions, because names may hold characters that globs give a meaning. */
function whereOf(selected: ReadonlySet<string>, model: Model): object {
  const selection = selectionOf(selected);
  const names = [...model.graphs()].flatMap((graph) => [...graph.walk()]).filter((node) => selection.has(node)).map(({ name }) => name);
  return { any: names.length > 0 ? names.map((name) => ({ regex: escaped(name) })) : [{ name: '(nothing was selected)' }], optional: true };
}

function escaped(name: string): string {
  return name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Paths of outputs stay inside the folder: a replay overwrites nothing. */
function withLocalPaths(options: Readonly<Record<string, unknown>>, schema: OptionsSchema): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => {
    const option = schema.properties[name];
    const isPath = option?.type === 'string' && option.format === 'path';
    return [name, isPath && typeof value === 'string' ? value.split(/[\\/]/).at(-1) : value];
  }));
}

/** The same data, with every `${` escaped: none of it refers to variables any more. */
function literal(data: unknown): unknown {
  if (typeof data === 'string') return data.replaceAll('${', () => '$${');
  if (Array.isArray(data)) return data.map(literal);
  if (typeof data === 'object' && data !== null) return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, literal(value)]));
  return data;
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll('\'', '\'\\\'\'')}'`;
}
