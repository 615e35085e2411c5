import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Diagnostic } from '../ir/diagnostic.ts';
import { writeModel } from '../ir/onnx/write.ts';
import type { BisectOptions, Candidate } from './bisect.ts';
import { openModelFile } from './files/model-file.ts';
import { writeFiles } from './files/write-files.ts';
import type { Host } from './host.ts';
import { numericDifference } from './testing/numbers.ts';

type Judge = BisectOptions['judge'];

/** Exit code with which a command says that it cannot tell, as for `git bisect run`. */
const cannotTell = 125;

/**
 * Judges a model by a command: `{}` in its words is the path of the model's file, which comes last if no word has it. Exit code 0 is good, 125
 * ends the bisection, everything else is bad, a crash included. What it prints goes to the host's stderr. Throws `bisect/command`.
 */
export function judgeByCommand(command: readonly string[], { cwd, env, stderr }: Host): Judge {
  return (candidate, { signal }) => withFile(candidate, async (file) => {
    const words = command.some((word) => word.includes('{}')) ? command.map((word) => word.replaceAll('{}', () => file)) : [...command, file];
    const outcome = await new Promise<number | NodeJS.Signals>((done, fail) => {
      const child = spawn(words[0]!, words.slice(1), { cwd, env: { ...env }, signal, stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { stderr.write(text); });
      child.on('error', (error) => {
        if (signal.aborted) fail(signal.reason as Error);
        else fail(new Diagnostic('bisect/command', `cannot run ${words[0]!}: ${error.message}`, { suggestion: 'Check the command behind `--`; it runs in this folder, without a shell.' }));
      });
      child.on('close', (code, killed) => { done(code ?? killed!); });
    });
    if (outcome === cannotTell) throw new Diagnostic('bisect/command', `${words[0]!} cannot tell whether the model is good: its exit code is ${cannotTell}`, { suggestion: 'Make it decide: 0 for good, anything else for bad.' });
    return outcome === 0 ? undefined : `${basename(words[0]!)} ended with ${typeof outcome === 'number' ? `exit code ${outcome}` : outcome}`;
  });
}

/** Judges a model by its outputs on seeded random inputs: they must be those of the original, up to a share of the largest magnitude. */
export function judgeByNumbers(tolerance: number): Judge {
  return (candidate, { original, runtime }) => {
    if (candidate.outputs.length === 0) return numericDifference(original, candidate.model, { runtime, tolerance });
    return withFile(candidate, async (file) => {
      const opened = openModelFile(file);
      try {
        return await numericDifference(original, opened.model, { runtime, tolerance });
      } finally {
        opened.close();
      }
    });
  };
}

/** Writes a candidate into a new folder, with its side files, and removes the folder afterwards. */
async function withFile(candidate: Candidate, use: (file: string) => Promise<string | undefined>): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'onnxpress-bisect-'));
  try {
    const { outputs, model } = candidate;
    const files = outputs.map(({ path, chunks }) => ({ path: join(folder, basename(path)), chunks }));
    const main = outputs.findIndex((file) => file.main === true);
    if (main >= 0) writeFiles(files);
    else writeFiles([{ path: join(folder, 'model.onnx'), chunks: writeModel(model).model }]);
    return await use(main >= 0 ? files[main]!.path : join(folder, 'model.onnx'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
