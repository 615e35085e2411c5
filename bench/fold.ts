/**
 * Folds models in one process and prints nodes in the file before and after and the time of each.
 *
 *     npm run build && node dist/bench/fold.js FILE…
 *
 * Time includes reading, type inference, folding and writing to memory; a session that warms up ONNX Runtime comes first and is not counted.
 */
import { basename } from 'node:path';
import { openModelFile } from '../compiler/files/model-file.ts';
import { inferTypes, runPass } from '../compiler/manager.ts';
import { loadTarget } from '../compiler/targets.ts';
import { createRuntime } from '../compiler/runtime/runtime.ts';
import { chunksLength } from '../ir/bytes.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { writeModel } from '../ir/onnx/write.ts';
import { fold } from '../passes/fold.ts';

/** Nodes in the file: those of the main graph and its Constant nodes, and those of all bodies. */
function nodesOf(model: Model): readonly [main: number, all: number] {
  const constants = [...model.graph.constants].filter((value) => value.form?.kind === 'node').length;
  const main = model.graph.nodeCount + constants;
  return [main, constants + [...model.graph.walk()].length];
}

// A runtime remembers what it inferred: the warm-up has one of its own.
let runtime = createRuntime();
const options = { batchNorm: true, compounds: false };
let total = 0;
// The first file runs twice: once to warm up.
for (const [round, path] of [process.argv[2], ...process.argv.slice(2)].entries()) {
  if (path === undefined) continue;
  const { model, close } = openModelFile(path);
  const before = nodesOf(model);
  const start = performance.now();
  normalizeModel(model, new Editor(model));
  await inferTypes(model, runtime);
  await runPass(model, fold, options, { runtime, target: loadTarget('portable') });
  const bytes = chunksLength(writeModel(model).model);
  const seconds = (performance.now() - start) / 1000;
  close();
  if (round === 0) {
    await runtime.close();
    runtime = createRuntime();
    continue;
  }
  total += seconds;
  const [main, all] = nodesOf(model);
  console.log(`${basename(path, '.onnx').padEnd(30)} nodes ${before[0]} → ${main}${all > main ? ` (with bodies ${before[1]} → ${all})` : ''}  ${bytes} bytes  ${seconds.toFixed(2)} s`);
}
console.log(`total ${total.toFixed(2)} s, peak ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
await runtime.close();
