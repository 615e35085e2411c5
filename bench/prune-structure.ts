/**
 * What structured pruning can remove of real models, and the proof that it removes it rightly.
 *
 *     npm run build && node dist/bench/prune-structure.js [--share 0.3] [--seeds 2] [--heads heads|features] [FILE.onnx | FOLDER …]
 *
 * Without files: all models of ../shared/models. For each model: groups of channels, channels that can be removed, the share of parameters that belong to them, the largest difference, as a share
 * of the largest output, between the model with random channels removed and the original with their readers silenced (A), and between the model with all channels in another order and the original (C),
 * in float32; then what holds most of the other parameters. `-` stands where removal has no such equal (a mean over channels, say).
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createRuntime } from '../compiler/runtime/runtime.ts';
import { formatTable } from '../compiler/report/table.ts';
import { checkPermutation, checkRemoval, followed, randomRemoval } from '../compiler/testing/pruning.ts';
import { memorySource } from '../ir/bytes.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { readModel } from '../ir/onnx/read.ts';
import type { HeadMode } from '../passes/prune/flow.ts';
import { overviewOf } from '../passes/prune/overview.ts';
import { randomFrom } from '../passes/random.ts';

const { values: { share, seeds, heads }, positionals } = parseArgs({
  allowPositionals: true,
  options: { share: { type: 'string', default: '0.3' }, seeds: { type: 'string', default: '2' }, heads: { type: 'string', default: 'heads' } },
});
const models = resolve(createRequire(import.meta.url).resolve('#specs/recipe.schema.json'), '../../../shared/models');
const files = (positionals.length === 0 ? [models] : positionals).flatMap((path) => (
  statSync(path).isDirectory() ? readdirSync(path).filter((name) => name.endsWith('.onnx')).sort().map((name) => join(path, name)) : [path]));

/** Lengths that some models ask for. */
const lengths: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  tinytimemixer: { sequence_length: 512 },
};

function load(file: string): Model {
  const model = readModel(memorySource(readFileSync(file), file));
  normalizeModel(model, new Editor(model));
  return model;
}

const runtime = createRuntime();
const rows: string[][] = [];
const notes: string[] = [];
for (const file of files) {
  const name = basename(file, '.onnx');
  const started = process.cpuUsage();
  try {
    const sizes = new Map(Object.entries(lengths[name] ?? {}));
    const open = () => followed(load(file), runtime, heads as HeadMode, sizes);
    const first = await open();
    const { groups, parameters, prunable } = overviewOf(first.model, first.channels);
    let [a, c, inexact] = [0, 0, 0];
    for (let seed = 1; seed <= Number(seeds); seed++) {
      const subject = await open();
      const outcome = await checkRemoval(subject, randomRemoval(subject, Number(share), randomFrom(seed)), runtime, seed);
      if (outcome.exact) a = Math.max(a, outcome.relative);
      else inexact++;
      c = Math.max(c, (await checkPermutation(await open(), runtime, seed)).relative);
    }
    const held = new Map<string, number>();
    for (const { pins } of groups) for (const { reason, channels } of pins) held.set(reason, (held.get(reason) ?? 0) + channels);
    const worst = [...held].sort(([, x], [, y]) => y - x).slice(0, 2).map(([reason, count]) => `${count}: ${reason}`);
    const count = (of: 'channels' | 'free'): number => groups.reduce((total, group) => total + group[of], 0);
    rows.push([name, String(groups.length), String(count('channels')), String(count('free')), (100 * prunable / Math.max(1, parameters)).toFixed(1), inexact === Number(seeds) ? '-' : a.toExponential(1), c.toExponential(1), (process.cpuUsage(started).user / 1e6).toFixed(1)]);
    notes.push(`${name}: ${worst.join('; ')}`);
  } catch (error) {
    rows.push([name, 'failed']);
    notes.push(`${name}: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`);
  }
  process.stderr.write(`${rows.at(-1)!.join('  ')}\n${notes.at(-1)!}\n`);
}
process.stdout.write(`${formatTable(['model', 'groups', 'channels', 'removable', 'parameters in %', 'A', 'C', 'seconds'], rows)}\n${notes.join('\n')}\n`);
await runtime.close();
