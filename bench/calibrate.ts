/**
 * Calibrates models on raw samples and prints time and memory beside bare inference, for each method.
 *
 *     npm run build && node dist/bench/calibrate.js METHOD SAMPLES MODEL [SHAPE DATA]
 *
 * METHOD is a method of `calibrate`, or `bare` for inference alone, or `moments` for min-max with second moments. What layers with weights read is observed, and its channels. DATA is a file of float32 samples of the comma-separated SHAPE; without
 * it samples are noise. Time is that of the whole process, memory its peak.
 */
import { readFileSync } from 'node:fs';
import { openModelFile } from '../compiler/files/model-file.ts';
import { inferTypes, runPass, runSteps } from '../compiler/manager.ts';
import { createRuntime } from '../compiler/runtime/runtime.ts';
import { loadTarget } from '../compiler/targets.ts';
import { Editor } from '../ir/edit.ts';
import type { Model } from '../ir/model.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { sizeOf, Tensor } from '../ir/tensor.ts';
import { shapeOf } from '../ir/type.ts';
import { calibrate } from '../passes/calibrate.ts';
import type { Batch, DataSource } from '../passes/data.ts';
import { definePass, type Pass } from '../passes/pass.ts';
import type { StatisticsRequest } from '../passes/statistics/request.ts';
import { fold } from '../passes/fold.ts';

const [method = 'auto', samples = '100', path = '', shape, data] = process.argv.slice(2);

/** Raw float32 samples, or noise, for the only input of the model. */
function source(model: Model, count: number): DataSource {
  const [input] = model.graph.inputs.filter((value) => value.tensor === undefined);
  const own = shape?.split(',').map(Number) ?? (shapeOf(input!.type) ?? []).slice(1).map((dim) => (typeof dim === 'number' ? dim : 64));
  const size = sizeOf(own);
  const all = data === undefined ? undefined : readFileSync(data);
  const literal = shapeOf(input!.type)?.[0];
  const sample = (index: number): Float32Array => {
    if (all !== undefined) return new Float32Array(all.buffer.slice(all.byteOffset + 4 * size * index, all.byteOffset + 4 * size * (index + 1)));
    let state = index + 1;
    return Float32Array.from({ length: size }, () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31) - 1);
  };
  return {
    name: 'bench', count: all === undefined ? count : Math.min(count, Math.floor(all.length / (4 * size))), key: 'bench', random: all === undefined, metric: undefined,
    async *batches({ size: wanted = 1, first = 0, last = Infinity } = {}): AsyncIterable<Batch> {
      const batch = typeof literal === 'number' ? literal : wanted;
      for (let at = first; at < Math.min(last, this.count!); at += batch) {
        const indices = Array.from({ length: Math.min(batch, Math.min(last, this.count!) - at) }, (_, offset) => at + offset);
        const joined = new Float32Array(indices.length * size);
        indices.forEach((index, place) => { joined.set(sample(index), place * size); });
        yield await Promise.resolve({ feeds: new Map([[input!.name, Tensor.of('float', joined, [indices.length, ...own])]]), size: indices.length, first: at });
      }
    },
  };
}

/** A step that wants what quantization wants of layers with weights. */
const wanting: Pass = definePass({
  name: 'wanting', version: 1, summary: 'Wants statistics.', options: { type: 'object', additionalProperties: false, properties: {} },
  wants: (observed): StatisticsRequest => {
    const layers = [...observed.graph.nodes()].filter((node) => node.is('Conv', 'Gemm', 'MatMul') && node.inputs[1]?.constant !== undefined);
    const values = [...new Set(layers.map((node) => node.inputs[0]!))];
    return {
      ranges: values.map(({ name }) => ({ value: name })), moments: method === 'moments' ? layers.map(({ name }) => name) : [],
      channels: values.flatMap((value) => ((shapeOf(value.type)?.length ?? 0) > 1 ? [{ value: value.name, axis: 1 }] : [])),
    };
  },
  run: () => undefined,
});

const { model, close } = openModelFile(path);
const runtime = createRuntime();
normalizeModel(model, new Editor(model));
await inferTypes(model, runtime);
const target = loadTarget('portable');
await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target });
const loadedAt = performance.now();
const opened = source(model, Number(samples));
if (method === 'bare') {
  const session = await runtime.open(model, { optimization: 'all' });
  for await (const { feeds } of opened.batches()) await session.run(feeds);
} else {
  const step = (pass: Pass, number: number, given: Readonly<Record<string, unknown>>): Parameters<typeof runSteps>[1][number] => ({ id: pass.name, number, pass, options: given, selected: undefined });
  const given = { data: 'bench', method: method === 'moments' ? 'min-max' : method, percentile: 99.99, samples: Number(samples), statistics: {} };
  const [result] = await runSteps(model, [step(calibrate, 1, given), step(wanting, 2, {})], {
    runtime, target, data: () => Promise.resolve(opened), signal: new AbortController().signal, instruments: [],
  });
  process.stdout.write(`${[...result!.stats].map(([name, count]) => `${name} ${count}`).join(', ')}\n`);
}
await runtime.close();
close();
const { user, system } = process.cpuUsage();
const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(2);
process.stdout.write(`${method} ${path}: ${seconds(performance.now() - loadedAt)} s of ${seconds(performance.now())} s, ${seconds((user + system) / 1000)} s of processor time, ${Math.round(process.resourceUsage().maxRSS / 1024)} MB\n`);
