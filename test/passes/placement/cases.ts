import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { Model } from '../../../ir/model.ts';
import { sizeOf, Tensor } from '../../../ir/tensor.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { defaultPlacement, type PlacementOptions } from '../../../passes/placement/placement.ts';
import { root } from '../../paths.ts';

const folder = join(root, 'test/passes/placement/cases');

/** A small model, and where its pairs go. */
export interface PlacementCase {
  readonly name: string;
  readonly file: string;
  readonly target: string;
  readonly options: PlacementOptions;
  readonly text: string;
  readonly expected: readonly string[];
}

/** Options as a case states them at its head, in comments: `# target: onnxruntime-cpu`, `# sizes: { N: 1 }`. */
interface Settings {
  readonly target?: string;
  readonly sizes?: Readonly<Record<string, number>>;
  /** Outputs of nodes that may not be quantized. */
  readonly leave?: readonly string[];
  readonly attention?: PlacementOptions['attention'];
  readonly concat?: PlacementOptions['concat'];
  readonly memoryBound?: PlacementOptions['memoryBound'];
}

const keys: readonly string[] = ['target', 'sizes', 'leave', 'attention', 'concat', 'memoryBound'] satisfies (keyof Settings)[];

/** All cases: files `cases/GROUP/NAME.onnxtxt`, the model before a line of three hyphens, the placement behind it. */
export function placementCases(): PlacementCase[] {
  return readdirSync(folder).sort().flatMap((group) => readdirSync(join(folder, group)).sort().map((file) => readCase(`${group}/${file.replace('.onnxtxt', '')}`, join(folder, group, file))));
}

function readCase(name: string, file: string): PlacementCase {
  const [text = '', expected = ''] = readFileSync(file, 'utf8').split('\n---\n');
  const settings: Record<string, unknown> = {};
  for (const [, key, value] of text.matchAll(/^# ([a-z][a-zA-Z]*): (.*)$/gm)) {
    if (!keys.includes(key!)) throw new Error(`${file}: there is no setting '${key}'`);
    settings[key!] = parseYaml(value!);
  }
  const { target = 'portable', sizes = {}, leave = [], ...options } = settings as Settings;
  return {
    name, file, target, text, expected: expected.split('\n').filter((line) => line !== ''),
    options: { ...defaultPlacement, ...options, sizes: new Map(Object.entries(sizes)), select: (node) => !leave.includes(node.outputs[0]?.name ?? '') },
  };
}

/** The model of a case. Its weights are zeros: no rule looks at them. */
export function modelOf({ text, file }: PlacementCase): Model {
  return parseModel(text, { name: file, fill: (words, dtype, shape) => (words === 'zeros' ? Tensor.of(dtype, new Array<number>(sizeOf(shape)).fill(0), shape) : undefined) });
}

/** Replaces what is expected of a case. */
export function recordCase({ file, text }: PlacementCase, lines: readonly string[]): void {
  writeFileSync(file, `${text}\n---\n${lines.join('\n')}\n`);
}
