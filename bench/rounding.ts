/**
 * What rounding by second moments is worth, and where the noise of an int8 model comes from.
 *
 *     npm run build && node dist/bench/rounding.js layers|noise MODEL DATA [TARGET]
 *
 * DATA is a recipe with `data: calibration` and `data: validation`. With `layers`: for each layer with weights, the power of its output over that of the error from rounded weights alone, in dB, for rounding to
 * nearest and by second moments, both with the bias corrected; fitted on the calibration data, measured on the validation data. With `noise`: the same ratio at the outputs of the model, with weights, activations or both in int8.
 */
import { relative } from 'node:path';
import { dataOfFile } from '../compiler/eval/data-file.ts';
import { evaluate } from '../compiler/eval/evaluate.ts';
import { openModelFile } from '../compiler/files/model-file.ts';
import { quietHost } from '../compiler/host.ts';
import { inferTypes, runPass, runSteps, type Step } from '../compiler/manager.ts';
import { createRuntime } from '../compiler/runtime/runtime.ts';
import { loadTarget } from '../compiler/targets.ts';
import { cloneModel } from '../ir/clone.ts';
import { Editor } from '../ir/edit.ts';
import type { Model, Node } from '../ir/model.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { calibrate } from '../passes/calibrate.ts';
import { fold } from '../passes/fold.ts';
import { definePass, type Pass } from '../passes/pass.ts';
import { quantizeInt8, type QuantizeOptions } from '../passes/quantize-int8.ts';
import { weightMatrix } from '../passes/quantize/channels.ts';
import { problems } from '../passes/quantize/layers.ts';
import { weightScales } from '../passes/quantize/weights.ts';
import { errorOfRows, groupGrams, outputError, roundNearest, type RoundingProblem } from '../passes/rounding/problem.ts';
import { lanes } from '../passes/rounding/lanes.ts';
import { roundLayer } from '../passes/rounding/rounding.ts';
import type { LayerMoments, Statistics } from '../passes/statistics/statistics.ts';

const [mode = 'layers', path = '', dataFile = '', targetName = 'portable'] = process.argv.slice(2);
const host = quietHost({ cwd: process.cwd() });
const named = (use: string): ReturnType<typeof dataOfFile> => dataOfFile(relative(host.cwd, dataFile), { host, use, warn: () => undefined });
const open = { calibration: (await named('calibration')).open, validation: (await named('validation')).open };
const target = loadTarget(targetName);
const runtime = createRuntime();
const { model, close } = openModelFile(path);
normalizeModel(model, new Editor(model));
await inferTypes(model, runtime);
await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target });

const weighted = (each: Model): Node[] => [...each.graph.nodes()].filter((node) => node.is('Conv', 'Gemm', 'MatMul') && node.inputs[1]?.constant !== undefined);

/** Wants second moments, and keeps what was gathered. */
function keeping(keep: (statistics: Statistics) => void): Pass {
  return definePass({
    name: 'keeping', version: 1, summary: 'Keeps statistics.', options: { type: 'object', additionalProperties: false, properties: {} },
    wants: (observed) => ({ ranges: [], channels: [], moments: weighted(observed).map(({ name }) => name) }),
    run: (_, context) => { keep(context.statistics.get()!); },
  });
}

const step = (pass: Pass, options: Readonly<Record<string, unknown>>): Step => ({ id: pass.name, number: 1, pass, options, selected: undefined });
const given = (data: string, method: string): Readonly<Record<string, unknown>> => ({ data, method, percentile: 99.99, statistics: {} });

async function run(on: Model, steps: readonly Step[]): Promise<void> {
  await runSteps(on, steps, { runtime, target, signal: new AbortController().signal, instruments: [], data: (name, each) => open[name as keyof typeof open](each) });
}

async function momentsOn(data: string): Promise<Statistics['moments']> {
  let found: Statistics['moments'] = new Map();
  await run(cloneModel(model), [step(calibrate, given(data, 'min-max')), step(keeping(({ moments }) => { found = moments; }), {})]);
  return found;
}

/** Power of the error on other data: its spread there, and by how much its mean is not what the bias took up. */
function errorOn(groups: readonly RoundingProblem[], codes: Int8Array, here: LayerMoments, fitted: LayerMoments): number {
  let [total, from] = [0, 0];
  for (const [group, problem] of groups.entries()) {
    const { rows, columns } = problem;
    const own = codes.subarray(from, from += rows * columns);
    total += outputError(problem, own, groupGrams(here, group, true).fit);
    const error = new Float64Array(columns * lanes);
    for (let row = 0; row < rows; row += lanes) {
      errorOfRows(problem, own, row, error);
      const shift = new Float64Array(lanes);
      for (let k = 0; k < columns; k++) for (let lane = 0; lane < lanes; lane++) shift[lane]! += error[k * lanes + lane]! * (here.mean[group * columns + k]! - fitted.mean[group * columns + k]!);
      for (const each of shift) total += each ** 2;
    }
  }
  return total;
}

const decibels = (ratio: number): string => (10 * Math.log10(ratio)).toFixed(2).padStart(7);

async function layers(): Promise<void> {
  const [fitted, held] = [await momentsOn('calibration'), await momentsOn('validation')];
  const gains: number[] = [];
  const methods = new Map<string, number>();
  let [milliseconds, nearestSum, fittedSum] = [0, 0, 0];
  for (const node of weighted(model)) {
    const tensor = node.inputs[1]!.constant!;
    const matrix = weightMatrix(node, tensor);
    const [fit, judge] = [fitted.get(node.name), held.get(node.name)];
    if (matrix === undefined || fit === undefined || judge === undefined || fit.size !== matrix.columns) continue;
    const axis = node.is('Conv') ? 0 : matrix.rowStride === 1 ? 1 : 0;
    const groups = problems(tensor, axis, matrix, weightScales(tensor, axis, target.numbers.weights).scales, target.numbers.weights);
    const began = performance.now();
    const rounding = roundLayer(groups, fit, true);
    milliseconds += performance.now() - began;
    const nearest = groups.map(roundNearest);
    const zeros = new Int8Array(matrix.outputs * matrix.columns);
    const power = groups.reduce((sum, problem, group) => sum + outputError(problem, zeros, groupGrams(judge, group, false).fit), 0);
    const before = errorOn(groups, Int8Array.from(nearest.flatMap((codes) => [...codes])), judge, fit);
    const after = errorOn(groups, rounding.codes, judge, fit);
    if (!(before > 0) || !(after > 0) || !(power > 0)) continue;
    gains.push(10 * Math.log10(before / after));
    nearestSum += 10 * Math.log10(power / before);
    fittedSum += 10 * Math.log10(power / after);
    methods.set(rounding.method, (methods.get(rounding.method) ?? 0) + 1);
    process.stdout.write(`${node.name.slice(-40).padEnd(40)} ${String(matrix.groups).padStart(4)} × ${String(matrix.outputs / matrix.groups).padStart(4)} × ${String(matrix.columns).padStart(5)}, ${String(fit.columns).padStart(6)} columns ${decibels(power / before)} → ${decibels(power / after)} ${rounding.method}\n`);
  }
  const sorted = gains.toSorted((a, b) => a - b);
  process.stdout.write(`${path}: ${gains.length} layers, mean ${(nearestSum / gains.length).toFixed(2)} → ${(fittedSum / gains.length).toFixed(2)} dB, gain mean ${((fittedSum - nearestSum) / gains.length).toFixed(2)}, median ${sorted[sorted.length >> 1]!.toFixed(2)}, least ${sorted[0]!.toFixed(2)}, most ${sorted.at(-1)!.toFixed(2)} dB; ${[...methods].map(([name, count]) => `${name} ${count}`).join(', ')}; ${Math.round(milliseconds)} ms\n`);
}

/** Takes the pairs of constants, or those of activations, out of a quantized model. */
function without(quantized: Model, constants: boolean): Model {
  const copy = cloneModel(quantized);
  const edit = new Editor(copy);
  for (const node of [...copy.graph.walk()]) {
    const source = node.is('DequantizeLinear') ? node.inputs[0]?.producer : undefined;
    if (source?.is('QuantizeLinear') === true && (source.inputs[0]!.constant !== undefined) === constants) edit.replaceUses(node.output, source.inputs[0]!);
  }
  return copy;
}

async function noise(): Promise<void> {
  const quantized = async (method: string, options: Partial<QuantizeOptions>): Promise<Model> => {
    const copy = cloneModel(model);
    const all = { rounding: 'nearest', biasCorrection: true, attention: 'auto', concat: 'auto', memoryBound: 'both', saturation: 'ignore', overrides: [], ...options };
    await run(copy, [step(calibrate, given('calibration', method)), step(quantizeInt8, all)]);
    return copy;
  };
  const [auto, fitted, raw, wide] = [await quantized('auto', {}), await quantized('auto', { rounding: 'gptq' }), await quantized('auto', { biasCorrection: false }), await quantized('min-max', {})];
  const wideRaw = await quantized('min-max', { biasCorrection: false });
  const subjects = [
    { name: 'original', model }, { name: 'all, nearest', model: auto }, { name: 'all, gptq', model: fitted }, { name: 'weights only, nearest', model: without(auto, false) },
    { name: 'weights only, gptq', model: without(fitted, false) }, { name: 'activations only', model: without(raw, true) },
    { name: 'all, no clipping', model: wide }, { name: 'activations only, no clipping', model: without(wideRaw, true) },
  ];
  const { models } = await evaluate(subjects, await open.validation(model), { runtime, optimization: 'disabled' });
  for (const { name, outputs, scores } of models.slice(1)) {
    process.stdout.write(`${path} ${name.padEnd(30)} ${outputs.map(({ sqnr }) => sqnr.toFixed(2).padStart(7)).join(' ')} dB ${scores.map((score) => `${score.name} ${score.value.toFixed(2)}`).join(' ')}\n`);
  }
}

await (mode === 'noise' ? noise() : layers());
await runtime.close();
close();
