import { basename, dirname, relative, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { OptionsSchema } from '../passes/options.ts';
import type { Graph } from '../ir/model.ts';
import { printType, shapeOf } from '../ir/type.ts';
import { builtInPasses } from '../passes/index.ts';
import type { Pass } from '../passes/pass.ts';
import { openModelFile } from './files/model-file.ts';
import { quietHost, type Host } from './host.ts';
import { figuresOf } from './instruments/statistics.ts';
import { normalized } from './prepare.ts';
import { starterData } from './starter-data.ts';
import { targetNames } from './targets.ts';

/** A starter recipe: its text, and where it would go. */
export interface Starter {
  readonly file: string;
  readonly text: string;
}

/** Steps of a starter recipe; those to int8 stay comments until there are data. */
const steps = ['fold', 'equalize', 'calibrate', 'quantize-int8', 'export'];
const wantData: ReadonlySet<string> = new Set(['equalize', 'calibrate', 'quantize-int8']);

/**
 * A commented recipe for a model that compiles as it is. It names the model relative to the recipe, which goes to `file` (default: the
 * model's name with `.recipe.yaml`, in the working directory). Throws a Diagnostic for an unreadable model.
 */
export function starter(model: string, { host: given, file }: { readonly host?: Partial<Host>; readonly file?: string } = {}): Starter {
  const { cwd } = quietHost(given);
  const stem = basename(model).replace(/\.onnx$/i, '');
  const path = file ?? `${stem}.recipe.yaml`;
  const opened = openModelFile(resolve(cwd, model), model);
  try {
    normalized(opened.model);
    const { graph, irVersion } = opened.model;
    const { nodes, parameters } = figuresOf(opened.model);
    const folder = dirname(resolve(cwd, path));
    const from = relative(folder, resolve(cwd, model)).replaceAll('\\', '/');
    const passes = new Map(builtInPasses.map((pass) => [pass.name, pass]));
    const data = starterData(opened.model, scalar);
    const lines = [
      `# Compresses ${basename(model)}: ${nodes} nodes, ${parameters} parameters, opset ${opened.model.opset() ?? '?'}, IR ${irVersion}.`,
      ...graph.inputs.map(({ name, type }) => comment(`input ${name}: ${printType(type)}`)),
      ...graph.outputs.map(({ name, value, type }) => comment(`output ${name}: ${printType(type ?? value.type)}`)),
      '#',
      `#   onnxpress plan ${basename(path)}       what would happen`,
      `#   onnxpress compile ${basename(path)}    do it`,
      '',
      'version: 1',
      `model: ${scalar(from)}`,
      '',
      `# Where the result is going to run: ${targetNames.join(', ')}.`,
      'target: portable',
      '',
      ...shapeHint(graph),
      ...(data.length === 0 ? [] : [
        '# Makes int8 of it: say where the data are, and take the first `# ` from the lines down to the next empty one, and from the three steps.',
        '# All about data: specs/data.md; all about int8: specs/tutorial.md.',
        ...data.map((line) => `# ${line}`), '',
      ]),
      '# The passes, in the order in which they run; `onnxpress passes` lists all, `onnxpress passes NAME` explains one.',
      'steps:',
      ...steps.flatMap((name) => {
        const pass = passes.get(name)!;
        if (wantData.has(name)) return data.length === 0 ? [] : [`  # - ${name} # ${pass.summary}`];
        return step(pass, name === 'export' ? { output: `build/${stem}.onnx` } : {});
      }),
      '',
      '# Budgets that the result must hold, else nothing is written and the exit code is 3; the first of them is in percentage points of accuracy:',
      '# accept: { top1Drop: { max: 1 }, size: { max: 10MB } }',
      '',
    ];
    return { file: path, text: lines.join('\n') };
  } finally {
    opened.close();
  }
}

/** How to fix what inputs leave open, where they do. */
function shapeHint({ inputs }: Graph): string[] {
  const open = inputs.filter(({ tensor, type }) => tensor === undefined && shapeOf(type)?.some((dim) => typeof dim !== 'number'));
  if (open.length === 0) return [];
  const shapes = open.map(({ name, type }) => `#   ${JSON.stringify(name)}: { shape: [${shapeOf(type)!.map((dim) => (typeof dim === 'number' ? dim : 1)).join(', ')}] }`);
  return ['# Fixes what the model leaves open about the shapes of its inputs:', '# inputs:', ...shapes, ''];
}

/** A step with its summary, what is given, and all other options with their defaults as comments. */
function step({ name, summary, options }: Pass, given: Readonly<Record<string, string>>): string[] {
  const rest = Object.entries((options as OptionsSchema).properties).filter(([key, option]) => !(key in given) && option.type !== 'object' && option.default !== undefined);
  const values = Object.entries(given);
  return [
    `  # ${summary}`,
    `  - pass: ${name}`,
    ...(values.length > 0 ? ['    with:', ...values.map(([key, value]) => `      ${key}: ${scalar(value)}`)] : rest.length > 0 ? ['    # with:'] : []),
    ...rest.map(([key, option]) => `      # ${key}: ${JSON.stringify('default' in option ? option.default : undefined)}`),
  ];
}

/** A text as YAML in one line; `${` would be taken for a variable. */
function scalar(text: string): string {
  return stringify(text.replaceAll('${', () => '$${'), { lineWidth: 0 }).trimEnd();
}

/** Names in a model may hold anything, line breaks included. */
function comment(text: string): string {
  return `#   ${JSON.stringify(text).slice(1, -1)}`;
}
