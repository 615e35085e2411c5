import { extractModel } from '../../../ir/extract.ts';
import type { Model, Value } from '../../../ir/model.ts';
import { sizeOf, Tensor } from '../../../ir/tensor.ts';
import type { DataSource } from '../../data.ts';
import type { PassContext } from '../../pass.ts';
import { randomFrom } from '../../random.ts';
import type { Copy } from '../oracle.ts';
import type { RecoveryRecord } from '../record.ts';
import type { Survivors } from '../survivors.ts';
import { fittedLayers, type FittedLayer } from './layers.ts';
import { regress, type Correction } from './regression.ts';
import { readWindow, windowOf } from './windows.ts';

/** What recovery needs of a pass's context. */
export type RecoveryContext = Pick<PassContext<unknown>, 'runtime' | 'edit' | 'signal' | 'progress'>;

/** Rows for a fit: so many for each column, between these limits. */
const rowsPerColumn = 8;
const fewestRows = 4096;
const mostRows = 24576;
/** Elements of the largest matrix of inputs that is kept, and the widest layer whose weights are fitted; wider ones get a bias alone. */
const largest = 2 ** 26;
const widest = 4608;
/** Bytes of what the original gives that are kept at once. */
const keptBytes = 2 ** 27;

/**
 * Fits the layers behind removed channels anew, one after the other, so that on samples they give what the original gave: least squares with a bias, from what the pruned model with its layers before already mended
 * reads, to what the original model gave (He et al. 2017, arXiv:1707.06168). Where a layer ends in a sum, the sum is what is held against the original, so that the last layer of a branch makes up for the other branch too.
 * Weights are drawn to what they are (ridge), and kept only if they are better on rows that were held out. With `weights` false only biases move (the means of what is gone). The model is changed through the editor.
 */
export async function recoverSequentially(
  model: Model, original: Copy, survivors: Survivors, cut: ReadonlySet<Value>, source: DataSource, weights: boolean, { runtime, edit, signal, progress }: RecoveryContext,
): Promise<RecoveryRecord['layers']> {
  const layers = fittedLayers(model, cut);
  const samples = Math.min(source.count ?? 256, 1024);
  const plans = layers.map((layer, index): Plan => ({ layer, index, perSample: rowsPerSample(layer, samples), channels: channelsOf(layer, survivors) }));
  const record: RecoveryRecord['layers'][number][] = [];
  for (const portion of portionsOf(plans, samples)) {
    const targets = await gather(original.model, portion.map((plan) => ({ plan, values: [original.values.get(plan.layer.judge)!] })), source, samples, runtime, signal, (plan, [judge], batch) => judged(plan, judge!, batch, plan.channels));
    for (const [at, plan] of portion.entries()) {
      signal.throwIfAborted();
      progress(plan.index, plans.length, 'layers');
      const { layer } = plan;
      const [found] = await gather(model, [{ plan, values: [layer.input, layer.judge] }], source, samples, runtime, signal, (own, [input, judge], batch) => ({
        x: read(own, input!, judge!, batch), judge: judged(own, judge!, batch, undefined),
      }));
      record.push(mend(layer, found!.map(({ x }) => x), found!.map(({ judge }) => judge), targets[at]!, weights, edit));
    }
  }
  return record;
}

/** What is asked about one layer. */
interface Plan {
  readonly layer: FittedLayer;
  readonly index: number;
  readonly perSample: number;
  /** The channels of the original's output that stayed; all if undefined. */
  readonly channels: Int32Array | undefined;
}

function rowsPerSample({ matrix: { columns, groups } }: FittedLayer, samples: number): number {
  const rows = Math.min(mostRows, Math.max(fewestRows, rowsPerColumn * columns), Math.floor(largest / (columns * groups)));
  return Math.max(1, Math.ceil(rows / samples));
}

const channelAxis = ({ node }: FittedLayer, rank: number): number => (node.is('Conv') ? 1 : rank - 1);

function channelsOf(layer: FittedLayer, survivors: Survivors): Int32Array | undefined {
  return survivors.positions(layer.judge, channelAxis(layer, survivors.before(layer.judge).length));
}

/** As many layers at once as what the original gives for them can be kept. */
function portionsOf(plans: readonly Plan[], samples: number): Plan[][] {
  const portions: Plan[][] = [];
  let bytes = Infinity;
  for (const plan of plans) {
    const own = 4 * samples * plan.perSample * plan.layer.matrix.outputs;
    if (bytes + own > keptBytes) {
      portions.push([]);
      bytes = 0;
    }
    portions.at(-1)!.push(plan);
    bytes += own;
  }
  return portions;
}

/** One batch of the data, as rows are chosen from it. */
interface BatchPlace {
  readonly first: number;
  readonly size: number;
}

/** Runs the part of a model that makes these values on all samples, and puts together what `look` makes of them for each plan. */
async function gather<T>(
  model: Model, wanted: readonly { readonly plan: Plan; readonly values: readonly Value[] }[], source: DataSource, samples: number, runtime: RecoveryContext['runtime'], signal: AbortSignal,
  look: (plan: Plan, tensors: readonly Tensor[], batch: BatchPlace) => T,
): Promise<T[][]> {
  const outputs = [...new Set(wanted.flatMap(({ values }) => values))];
  const inner = outputs.filter((value) => !value.isInput);
  const part = extractModel(model, { inputs: model.graph.inputs.filter((value) => value.tensor === undefined), outputs: inner });
  const session = await runtime.open(part);
  const found = wanted.map((): T[] => []);
  try {
    const names = new Set(part.graph.inputs.map(({ name }) => name));
    for await (const { feeds, first, size } of source.batches({ last: samples, signal })) {
      const results = await session.run(new Map([...feeds].filter(([name]) => names.has(name))), signal);
      wanted.forEach(({ plan, values }, at) => found[at]!.push(look(plan, values.map((value) => (value.isInput ? feeds.get(value.name)! : results.get(value.name)!)), { first, size })));
    }
  } finally {
    await session.release();
  }
  return found;
}

/** The places of a batch that become rows: the same for the original and the pruned model. */
function placesOf({ index, perSample }: Plan, places: number, { first, size }: BatchPlace): Int32Array {
  const count = Math.min(places, perSample * size);
  if (count === places) return Int32Array.from({ length: places }, (_, at) => at);
  const random = randomFrom((Math.imul(first + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0);
  // One from each of as many equal stretches.
  return Int32Array.from({ length: count }, (_, at) => Math.floor(((at + random()) * places) / count));
}

/** Rows of the judged value: [place, channel]. */
function judged(plan: Plan, judge: Tensor, batch: BatchPlace, channels: Int32Array | undefined): Float32Array {
  const data = judge.floats();
  const axis = channelAxis(plan.layer, judge.shape.length);
  const all = judge.shape[axis]!;
  const inner = sizeOf(judge.shape.slice(axis + 1));
  const places = placesOf(plan, judge.size / all, batch);
  const width = channels?.length ?? all;
  const rows = new Float32Array(places.length * width);
  places.forEach((place, row) => {
    const start = Math.floor(place / inner) * all * inner + (place % inner);
    for (let channel = 0; channel < width; channel++) rows[row * width + channel] = data[start + (channels?.[channel] ?? channel) * inner]!;
  });
  return rows;
}

/** Rows of what the layer reads at the same places: [place, group · columns]. */
function read(plan: Plan, input: Tensor, judge: Tensor, batch: BatchPlace): Float32Array {
  const { node, matrix: { columns, groups }, weight } = plan.layer;
  const data = input.floats();
  const width = columns * groups;
  const axis = channelAxis(plan.layer, judge.shape.length);
  const places = placesOf(plan, judge.size / judge.shape[axis]!, batch);
  const rows = new Float32Array(places.length * width);
  if (!node.is('Conv')) {
    places.forEach((place, row) => { for (let k = 0; k < columns; k++) rows[row * columns + k] = data[place * columns + k]!; });
    return rows;
  }
  const [, channels, height, across] = input.shape as readonly [number, number, number, number];
  const [, , outHeight, outAcross] = judge.shape as readonly [number, number, number, number];
  const [, , ...kernel] = weight.constant!.shape as [number, number, number, number];
  const window = windowOf(node, kernel, [height, across], [outHeight, outAcross]);
  places.forEach((place, row) => {
    const [image, at] = [Math.floor(place / (outHeight * outAcross)), place % (outHeight * outAcross)];
    readWindow(data, image * channels * height * across, [height, across], channels, window, [Math.floor(at / outAcross), at % outAcross], rows, row * width);
  });
  return rows;
}

/** Fits one layer, and writes what is better on held-out rows. */
function mend(layer: FittedLayer, inputs: readonly Float32Array[], judged: readonly Float32Array[], wanted: readonly Float32Array[], weights: boolean, edit: RecoveryContext['edit']): RecoveryRecord['layers'][number] {
  const { matrix: { outputs, columns, groups }, bias, node } = layer;
  const x = joined(inputs);
  const target = joined(wanted);
  const residual = joined(judged).map((value, at) => target[at]! - value);
  const rows = residual.length / outputs;
  const [perGroup, width] = [outputs / groups, columns * groups];
  const fit = weights && columns <= widest;
  const corrections = Array.from({ length: groups }, (_, group) => regress({
    rows, columns: fit ? columns : 0, outputs: perGroup,
    x: fit ? columnsOf(x, rows, width, group * columns, columns) : new Float32Array(0), residual: columnsOf(residual, rows, outputs, group * perGroup, perGroup),
  }, bias !== 'none'));
  const sum = (of: (correction: Correction) => number): number => corrections.reduce((total, correction) => total + of(correction), 0);
  const [before, withBias, after] = [sum((each) => each.before), sum((each) => each.withBias), sum((each) => each.after)];
  const power = powerOf(target, rows, outputs);
  const used = after < Math.min(before, withBias) && fit ? 'weights' : withBias < before && bias !== 'none' ? 'bias' : 'none';
  if (used === 'weights') addWeights(layer, corrections, edit);
  if (used !== 'none' && bias !== 'none') {
    const shift = Float64Array.from({ length: outputs }, (_, o) => (used === 'weights' ? corrections[Math.floor(o / perGroup)]!.bias[o % perGroup]! : meanOf(residual, rows, outputs, o)));
    addBias(layer, shift, edit);
  }
  return { node: node.name, used, dropped: before / power, repaired: (used === 'weights' ? after : used === 'bias' ? withBias : before) / power };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function columnsOf(matrix: Float32Array, rows: number, width: number, from: number, count: number): Float32Array {
  if (count === width) return matrix;
  const result = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++) result.set(matrix.subarray(row * width + from, row * width + from + count), row * count);
  return result;
}

function meanOf(matrix: Float32Array, rows: number, width: number, column: number): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += matrix[row * width + column]!;
  return sum / rows;
}

/** Σ (y − E y)² over the rows that are held out from fits: every fifth. */
function powerOf(matrix: Float32Array, rows: number, width: number): number {
  let power = 0;
  for (let column = 0; column < width; column++) {
    const mean = meanOf(matrix, rows, width, column);
    for (let row = 4; row < rows; row += 5) power += (matrix[row * width + column]! - mean) ** 2;
  }
  return Math.max(power, Number.MIN_VALUE);
}

function addWeights({ weight, matrix: { outputs, columns, groups, rowStride, columnStride } }: FittedLayer, corrections: readonly Correction[], edit: RecoveryContext['edit']): void {
  const tensor = weight.constant!;
  const elements = Float32Array.from(tensor.floats());
  const perGroup = outputs / groups;
  for (let o = 0; o < outputs; o++) {
    const own = corrections[Math.floor(o / perGroup)]!.weights;
    for (let k = 0; k < columns; k++) elements[o * rowStride + k * columnStride]! += own[(o % perGroup) * columns + k]!;
  }
  edit.setTensor(weight, Tensor.of('float', elements, tensor.shape));
}

function addBias({ node, bias, matrix: { outputs } }: FittedLayer, shift: Float64Array, edit: RecoveryContext['edit']): void {
  if (bias === 'none') return;
  if (bias === 'absent') {
    edit.setInput(node, 2, edit.constant(node.graph, Tensor.of('float', Float32Array.from(shift), [outputs]), `${node.name}_bias`));
    return;
  }
  const tensor = bias.constant!;
  edit.setTensor(bias, Tensor.of('float', tensor.floats().map((value, o) => value + shift[o]!) as Float32Array, tensor.shape));
}
