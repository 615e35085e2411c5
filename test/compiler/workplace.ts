import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../compiler/cli/run.ts';
import type { Host } from '../../compiler/host.ts';
import { joinChunks } from '../../ir/bytes.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import { parseModel } from '../../ir/text/index.ts';
import { root } from '../paths.ts';

/** What a command printed and returned. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Folder of the compiled files that the tests run from. */
const built: string = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** The compiled command line, for tests that need a process of its own. */
export const mainFile: string = join(built, 'compiler/main.js');

/** A small classifier: Conv, Relu, and a head that reshapes; batch 1 is literal. */
export const smallModel: string = `<ir_version: 8, opset_import: ["": 17], producer_name: "hand", producer_version: "1">
small (float[1,2,4,4] image) => (float[1,3] scores) <
  float[2,2,1,1] kernel = {1, -2, 3, 0.5}, float[32,3] weight = {${Array.from({ length: 96 }, (_, index) => ((index * 7) % 11) - 5).join(', ')}}, int64[2] flat = {1, 32}
> {
  [conv] c = Conv <kernel_shape = [1, 1]> (image, kernel)
  [relu] r = Relu (c)
  [reshape] f = Reshape (r, flat)
  [head] scores = MatMul (f, weight)
}
`;

/** A temporary folder in which commands run, with what they print kept apart. */
export class Workplace {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'onnxpress-test-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Writes a model that is given as text. */
  writeModel(name: string, text: string = smallModel): string {
    return this.write(name, joinChunks(writeModel(parseModel(text)).model));
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  bytes(name: string): Uint8Array {
    return readFileSync(this.path(name));
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /** All files in the folder, relative to it. */
  files(): string[] {
    return readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(this.path(name)).isFile() && !name.startsWith('node_modules')).sort();
  }

  /** Makes this build importable as `onnxpress`, as an installed package is. */
  linkPackage(): void {
    const folder = this.path('node_modules/onnxpress');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), readFileSync(join(root, 'package.json')));
    symlinkSync(built, join(folder, 'dist'));
    symlinkSync(join(root, 'specs'), join(folder, 'specs'));
  }

  host(changes: Partial<Host> = {}): Host & { readonly printed: { out: string; err: string } } {
    const printed = { out: '', err: '' };
    return {
      cwd: this.folder, env: {}, isTTY: false, signal: new AbortController().signal, printed,
      stdout: { write: (text) => { printed.out += text; } }, stderr: { write: (text) => { printed.err += text; } }, ...changes,
    };
  }

  /** Runs the command line here. */
  async run(argv: readonly string[], changes: Partial<Host> = {}): Promise<Outcome> {
    const host = this.host(changes);
    const code = await run(argv, host);
    return { code, ...host.printed };
  }

  relative(path: string): string {
    return relative(this.folder, path);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A recipe that exports a model, after other steps. */
export function recipe(model: string, steps: string = '', output: string = 'out/small.onnx'): string {
  return `version: 1\nmodel: ${model}\nsteps:\n${steps}  - pass: export\n    with: { output: ${output} }\n`;
}
