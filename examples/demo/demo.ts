import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { evaluate, relativeDifference } from './evaluate.ts';
import { shapes } from './shapes.ts';

/** This example's folder in the repository, wherever the compiled program lies. */
export const folder: string = join(dirname(createRequire(import.meta.url).resolve('#package')), 'examples', 'demo');

/** Seed of the test images; the network never saw them. Training used seed 1, the choice of its length seed 2. */
export const testSeed = 3;

/** What the demo needs of onnxpress. */
export interface Compiler {
  /** Runs a recipe; the model it writes replaces an earlier one. */
  compile(recipeFile: string): Promise<unknown>;
  /** Counts the nodes and the parameters of a model file. */
  inspect(modelFile: string): Promise<{ readonly nodes: number; readonly parameters: number }>;
}

/** Compiles the demo's recipe and returns the before/after table, with accuracies on `count` generated images. */
export async function demo(compiler: Compiler, count = 2000): Promise<string> {
  await compiler.compile(join(folder, 'demo.recipe.yaml'));
  const files = [join(folder, 'shapes.onnx'), join(folder, 'build', 'demo.onnx')] as const;
  const data = shapes(testSeed, count);
  const [before, after] = [await evaluate(files[0], data), await evaluate(files[1], data)];
  const [original, compiled] = [await compiler.inspect(files[0]), await compiler.inspect(files[1])];
  return table([
    ['', 'original', 'compiled'],
    ['nodes', String(original.nodes), String(compiled.nodes)],
    ['parameters', String(original.parameters), String(compiled.parameters)],
    ['file, bytes', ...files.map((file) => String(statSync(file).size))],
    [`accuracy on ${count} images, %`, before.accuracy.toFixed(2), after.accuracy.toFixed(2)],
    ['largest output difference, relative', '', relativeDifference(before.scores, after.scores).toExponential(1)],
  ]);
}

/** Rows as text: the first column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}
