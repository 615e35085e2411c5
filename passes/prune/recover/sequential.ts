import type { Model, Value } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import type { DataSource } from '../../data.ts';
import type { PassContext } from '../../pass.ts';
import type { Copy } from '../oracle.ts';
import type { RecoveryRecord } from '../record.ts';
import type { Survivors } from '../survivors.ts';
import { fittedLayers, type FittedLayer } from './layers.ts';
import { PiecewiseRun } from './piecewise.ts';
import { Products } from './products.ts';
import { isHeldOut, regress, type Fit } from './regression.ts';
import { channelAxis, inputRows, judgedRows, type RowPlan } from './rows.ts';

/** What recovery needs of a pass's context. */
export type RecoveryContext = Pick<PassContext<unknown>, 'runtime' | 'edit' | 'signal' | 'progress'>;

/** Samples that are run at most. */
const mostSamples = 2048;
/** Rows for a fit: so many for each column, between these limits. */
const rowsPerColumn = 16;
const fewestRows = 4096;
const mostRows = 16384;
/** Elements of the largest matrix of inputs that is kept, and the widest layer whose weights are fitted; wider ones get a bias alone. */
const largest = 2 ** 26;
const widest = 4608;
/** Bytes that each of the two models may keep between its pieces. */
const keptBytes = 2 ** 28;

/**
 * Fits the layers behind removed channels anew, one after the other, so that on samples they give what the original gave: least squares with a bias, from what the pruned model with its layers before already mended
 * reads, to what the original model gave (He et al. 2017, arXiv:1707.06168). Where a layer ends in a sum, the sum is what is held against the original, so that the last layer of a branch makes up for the other branch too. Weights are drawn to what they are (ridge), and kept only if they are better on samples that were held out. With `weights` false only biases move (the means of
 * what is gone). The model is changed through the editor.
 */
export async function recoverSequentially(
  model: Model, original: Copy, survivors: Survivors, cut: ReadonlySet<Value>, source: DataSource, weights: boolean, { runtime, edit, signal, progress }: RecoveryContext,
): Promise<RecoveryRecord['layers']> {
  const count = Math.min(source.count ?? 256, mostSamples);
  const layers = fittedLayers(model, cut).filter(({ judge }) => original.values.get(judge) !== undefined && shrinksAlone(judge, survivors));
  const goals = layers.map(({ judge }) => original.values.get(judge)!);
  const before = new PiecewiseRun(original.model, { source, count }, runtime, keptBytes);
  const after = new PiecewiseRun(model, { source, count }, runtime, keptBytes);
  const products = await Products.open(runtime);
  const record: RecoveryRecord['layers'][number][] = [];
  try {
    for (const [index, layer] of layers.entries()) {
      signal.throwIfAborted();
      progress(index, layers.length, 'layers');
      const plan: RowPlan = { layer, index, perSample: rowsPerSample(layer, count) };
      const channels = survivors.positions(layer.judge, channelAxis(layer, survivors.before(layer.judge).length));
      // What later layers are judged by must still be computable.
      const place = Math.min(...goals.slice(index).map(({ producer }) => (producer === undefined ? 0 : before.placeOf(producer))));
      const target = await before.advance([goals[index]!], place, signal, ([judge], batch) => judgedRows(plan, judge!, batch, channels));
      const found = await after.advance([layer.input, layer.judge], after.placeOf(layer.node), signal, ([input, judge], batch) => ({
        x: inputRows(plan, input!, judge!, batch), found: judgedRows(plan, judge!, batch),
      }));
      const rows: Rows = { x: joined(found.map(({ x }) => x)), found: joined(found.map((each) => each.found)), target: joined(target), samples: count };
      record.push(await mend(layer, rows, weights, edit, products));
    }
  } finally {
    await products.release();
  }
  return record;
}

const shrinksAlone = (judge: Value, survivors: Survivors): boolean => survivors.kept(judge).every(({ axes }) => axes.length === 1);

function rowsPerSample({ matrix: { columns, groups } }: FittedLayer, samples: number): number {
  const rows = Math.min(mostRows, Math.max(fewestRows, rowsPerColumn * columns), Math.floor(largest / (columns * groups)));
  return Math.max(1, Math.ceil(rows / samples));
}

interface Rows {
  readonly x: Float32Array;
  readonly found: Float32Array;
  readonly target: Float32Array;
  readonly samples: number;
}

/** Fits one layer, and writes what is best on held-out rows. */
async function mend(layer: FittedLayer, { x, found, target, samples }: Rows, weights: boolean, edit: RecoveryContext['edit'], products: Products): Promise<RecoveryRecord['layers'][number]> {
  const { matrix: { outputs, columns, groups }, bias, node } = layer;
  const rows = found.length / outputs;
  const together = Math.max(1, Math.floor(rows / samples));
  const perGroup = outputs / groups;
  const fitted = weights && columns <= widest;
  const current = weightsOf(layer);
  const fits: Fit[] = [];
  for (let group = 0; group < groups; group++) {
    fits.push(await regress({
      rows, columns: fitted ? columns : 0, outputs: perGroup, together,
      x: fitted ? columnsOf(x, rows, columns * groups, group * columns, columns) : new Float32Array(0), found: columnsOf(found, rows, outputs, group * perGroup, perGroup), target: columnsOf(target, rows, outputs, group * perGroup, perGroup),
    }, current.subarray(group * perGroup * columns, (group + 1) * perGroup * columns), { intercept: bias !== 'none' }, products));
  }
  const sum = (of: 'before' | 'withBias' | 'after'): number => fits.reduce((total, fit) => total + fit[of], 0);
  const [before, withBias, after] = [sum('before'), sum('withBias'), sum('after')];
  const used = fitted && after < Math.min(before, withBias) ? 'weights' : withBias < before ? 'bias' : 'none';
  if (used === 'weights') addWeights(layer, fits, edit);
  if (used !== 'none') addBias(layer, Float64Array.from({ length: outputs }, (_, o) => fits[Math.floor(o / perGroup)]![used].bias[o % perGroup]!), edit);
  const power = powerOf(target, { rows, together }, outputs);
  return { node: node.name, used, dropped: before / power, repaired: { weights: after, bias: withBias, none: before }[used] / power };
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

/** Σ (y − E y)² over the rows that are held out from fits. */
function powerOf(target: Float32Array, place: { readonly rows: number; readonly together: number }, width: number): number {
  const sums = new Float64Array(width);
  let [squares, count] = [0, 0];
  for (let row = 0; row < place.rows; row++) {
    if (!isHeldOut(row, place)) continue;
    count++;
    for (let o = 0; o < width; o++) {
      const y = target[row * width + o]!;
      sums[o]! += y;
      squares += y ** 2;
    }
  }
  return Math.max(sums.reduce((power, sum) => power - sum ** 2 / count, squares), Number.MIN_VALUE);
}

/** outputs × columns, row by row. */
function weightsOf({ weight, matrix: { outputs, columns, rowStride, columnStride } }: FittedLayer): Float64Array {
  const elements = weight.constant!.floats();
  const weights = new Float64Array(outputs * columns);
  for (let o = 0; o < outputs; o++) for (let k = 0; k < columns; k++) weights[o * columns + k] = elements[o * rowStride + k * columnStride]!;
  return weights;
}

function addWeights({ weight, matrix: { outputs, columns, groups, rowStride, columnStride } }: FittedLayer, fits: readonly Fit[], edit: RecoveryContext['edit']): void {
  const tensor = weight.constant!;
  const elements = Float32Array.from(tensor.floats());
  const perGroup = outputs / groups;
  for (let o = 0; o < outputs; o++) {
    const own = fits[Math.floor(o / perGroup)]!.weights.weights;
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
