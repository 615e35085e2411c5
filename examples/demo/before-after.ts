import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { evaluate, relativeDifference } from './evaluate.ts';
import { shapes } from './shapes.ts';

/** This example's folder in the repository, wherever the compiled program lies. */
export const folder: string = join(dirname(createRequire(import.meta.url).resolve('#package')), 'examples', 'demo');

/** Seed of the test images. The network was trained on those of seed 1 and watched on those of seed 2. */
export const testSeed = 3;

/** A network in figures. */
export interface Measured {
  readonly nodes: number;
  readonly parameters: number;
  /** Bytes of the file. */
  readonly size: number;
  /** Percent. */
  readonly accuracy: number;
}

/** What a compile made of a network. */
export interface Comparison {
  readonly before: Measured;
  readonly after: Measured;
  /** Largest difference of an output, as a share of the largest output. */
  readonly difference: number;
}

/** Compiles a recipe of this folder that reads shapes.onnx and writes one model, and measures both networks on `count` images they have not seen. */
export async function beforeAfter(recipe: string, count: number): Promise<Comparison> {
  const { outputs, report } = await compile(join(folder, recipe), { host: { cwd: folder } });
  const [original, compiled] = [join(folder, 'shapes.onnx'), join(folder, outputs.at(-1)!)];
  const data = shapes(testSeed, count);
  const [first, second] = [await evaluate(original, data), await evaluate(compiled, data)];
  return {
    before: { ...report.model.before, size: statSync(original).size, accuracy: first.accuracy },
    after: { ...report.model.after, size: statSync(compiled).size, accuracy: second.accuracy },
    difference: relativeDifference(first.scores, second.scores),
  };
}

/** The comparison as a table for people. */
export function table({ before, after, difference }: Comparison): string {
  const rows = [
    ['', 'original', 'compiled'],
    ['nodes', before.nodes, after.nodes],
    ['parameters', before.parameters, after.parameters],
    ['file in bytes', before.size, after.size],
    ['accuracy in %', before.accuracy.toFixed(2), after.accuracy.toFixed(2)],
    ['largest relative difference', '', difference.toExponential(1)],
  ].map((row) => row.map(String));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map(line).join('\n');
}
