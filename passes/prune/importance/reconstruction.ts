import { cholesky } from '../../rounding/cholesky.ts';
import { weightMatrix } from '../../quantize/channels.ts';
import type { LayerMoments } from '../../statistics/statistics.ts';
import type { Member } from '../flow.ts';
import type { Family, Scoring } from './family.ts';
import { unreadable, type Weights } from './weights.ts';

/** Share of the mean variance that is added to all variances, so that the covariance can be inverted; ten times more until it can. */
const damping = 0.01;

/** E[xxᵀ] − μμᵀ with damped diagonal, size × size row by row, in float64, and its Cholesky factor. Undefined for moments that are not finite. */
export function dampedCovariance({ size, mean, gram }: Pick<LayerMoments, 'size' | 'mean' | 'gram'>): { readonly covariance: Float64Array; readonly factor: Float64Array } | undefined {
  const covariance = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) covariance[i * size + j] = gram[i * size + j]! - mean[i]! * mean[j]!;
  let trace = 0;
  for (let i = 0; i < size; i++) trace += Math.max(0, covariance[i * (size + 1)]!);
  if (!Number.isFinite(trace)) return undefined;
  for (let share = damping; share < 1e6; share *= 10) {
    const damped = covariance.slice();
    for (let i = 0; i < size; i++) damped[i * (size + 1)]! += trace === 0 ? 1 : (share * trace) / size;
    const factor = damped.slice();
    if (cholesky(factor, size)) return { covariance: damped, factor };
  }
  return undefined;
}

/**
 * One layer Y = W X whose weights are fitted anew when rows of X go: with covariance C, removing the rows P and fitting the others leaves the error tr W_P ([C⁻¹]_PP)⁻¹ W_Pᵀ (Hassibi & Stork 1993; reference on pruning, §3.2). `weights` is
 * outputs × size, row by row; `factor` the Cholesky factor of C, found if it is not given. All in float64.
 */
export class Refit {
  private readonly weights: Float64Array;
  private readonly covariance: Float64Array;
  private readonly size: number;
  private readonly outputs: number;
  /** L⁻¹ of C = L Lᵀ, made when first asked for. */
  private inverse: Float64Array | undefined;
  private factor: Float64Array | undefined;

  constructor(weights: Float64Array, covariance: Float64Array, size: number, factor?: Float64Array) {
    this.factor = factor;
    this.weights = weights;
    this.covariance = covariance;
    this.size = size;
    this.outputs = size === 0 ? 0 : weights.length / size;
  }

  /** tr(W C Wᵀ): the power of what the layer gives, its mean aside. */
  power(): number {
    const { weights, covariance, size, outputs } = this;
    let power = 0;
    for (let output = 0; output < outputs; output++) {
      const row = weights.subarray(output * size, (output + 1) * size);
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let j = 0, at = i * size; j < size; j++, at++) sum += covariance[at]! * row[j]!;
        power += row[i]! * sum;
      }
    }
    return power;
  }

  /** The error that is left when these rows go. */
  errorWithout(rows: readonly number[]): number {
    const inverse = this.inverse ??= inverted(this.factored(), this.size);
    const { size, outputs, weights } = this;
    const count = rows.length;
    // [C⁻¹]_PP = (L⁻¹)_:Pᵀ (L⁻¹)_:P
    const block = new Float64Array(count * count);
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        for (let row = Math.max(rows[a]!, rows[b]!); row < size; row++) sum += inverse[row * size + rows[a]!]! * inverse[row * size + rows[b]!]!;
        block[a * count + b] = sum;
      }
    }
    if (!cholesky(block, count)) return 0;
    let error = 0;
    const z = new Float64Array(count);
    for (let output = 0; output < outputs; output++) {
      for (let a = 0; a < count; a++) {
        let sum = weights[output * size + rows[a]!]!;
        for (let b = 0; b < a; b++) sum -= block[a * count + b]! * z[b]!;
        z[a] = sum / block[a * (count + 1)]!;
        error += z[a]! ** 2;
      }
    }
    return error;
  }

  /** The layer that is left when these rows have gone: W' = W_S + W_P C_PS C_SS⁻¹, rows renumbered. */
  without(rows: readonly number[]): Refit {
    const { size, outputs, weights, covariance } = this;
    const gone = new Set(rows);
    const left = Array.from({ length: size }, (_, row) => row).filter((row) => !gone.has(row));
    const count = left.length;
    const own = new Float64Array(count * count);
    for (let a = 0; a < count; a++) for (let b = 0; b < count; b++) own[a * count + b] = covariance[left[a]! * size + left[b]!]!;
    const factor = own.slice();
    cholesky(factor, count);
    const fitted = new Float64Array(outputs * count);
    for (let output = 0; output < outputs; output++) {
      const x = fitted.subarray(output * count, (output + 1) * count);
      for (const row of rows) {
        const weight = weights[output * size + row]!;
        if (weight !== 0) for (let a = 0; a < count; a++) x[a]! += weight * covariance[row * size + left[a]!]!;
      }
      solve(factor, count, x);
      for (let a = 0; a < count; a++) x[a]! += weights[output * size + left[a]!]!;
    }
    return new Refit(fitted, own, count, factor);
  }

  private factored(): Float64Array {
    if (this.factor !== undefined) return this.factor;
    this.factor = this.covariance.slice();
    cholesky(this.factor, this.size);
    return this.factor;
  }
}

/** L Lᵀ x = b, in place. */
function solve(factor: Float64Array, size: number, x: Float64Array): void {
  for (let i = 0; i < size; i++) {
    let sum = x[i]!;
    for (let k = 0; k < i; k++) sum -= factor[i * size + k]! * x[k]!;
    x[i] = sum / factor[i * (size + 1)]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    x[i] = x[i]! / factor[i * (size + 1)]!;
    for (let k = 0; k < i; k++) x[k]! -= factor[i * size + k]! * x[i]!;
  }
}

/** L⁻¹, row by row: the lower triangle. */
function inverted(factor: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = i * size;
    for (let k = 0; k < i; k++) {
      const coefficient = factor[row + k]!;
      if (coefficient === 0) continue;
      for (let j = 0, from = k * size; j <= k; j++) inverse[row + j]! -= coefficient * inverse[from + j]!;
    }
    const pivot = factor[row + i]!;
    for (let j = 0; j < i; j++) inverse[row + j] = inverse[row + j]! / pivot;
    inverse[row + i] = 1 / pivot;
  }
  return inverse;
}

/** For each layer that reads channels, the errors of all channels that it reads, found together: the inverse is made once. */
const known = new WeakMap<Weights, Map<Member, ReadonlyMap<number, number> | string>>();

/** Σ over the layers that read a channel of the error that is left when it goes and they are fitted anew, as a share of the power of what they give. */
export const reconstruction: Family = {
  aggregate: 'sum', normalize: 'none', adds: true,
  score(group, scoring) {
    if (group.consumers.length === 0) return 'is read by no layer with weights';
    const found: Float64Array[] = [];
    const cache = known.get(scoring.weights) ?? new Map<Member, ReadonlyMap<number, number> | string>();
    known.set(scoring.weights, cache);
    for (const member of group.consumers) {
      const errors = cache.get(member) ?? errorsOf(member, scoring);
      cache.set(member, errors);
      if (typeof errors === 'string') return errors;
      found.push(Float64Array.from(group.channels, ({ root }) => errors.get(root) ?? NaN));
    }
    return found;
  },
};

function errorsOf(member: Member, { weights, statistics }: Scoring): ReadonlyMap<number, number> | string {
  const { node, value, axis, ids } = member;
  const whole = weights.whole(value);
  if (whole === undefined) return unreadable(member);
  const moments = statistics?.moments.get(node.name);
  const matrix = weightMatrix(node, whole);
  if (moments === undefined || matrix?.columns !== moments.size || moments.groups !== 1 || node.inputs[1] !== value) return `is read by '${node.name}', of whose input there are no second moments`;
  const outputs = weights.left(value, axis === 0 ? 1 : 0, matrix.outputs);
  const data = whole.floats();
  const rows = new Float64Array(outputs.length * moments.size);
  outputs.forEach((output, at) => {
    for (let column = 0; column < moments.size; column++) rows[at * moments.size + column] = data[output * matrix.rowStride + column * matrix.columnStride]!;
  });
  const damped = dampedCovariance(moments);
  if (damped === undefined) return `is read by '${node.name}', the second moments of whose input are not finite`;
  const layer = new Refit(rows, damped.covariance, moments.size, damped.factor);
  const power = layer.power();
  const columnsOf = new Map<number, number[]>();
  const gone: number[] = [];
  let next = 0;
  ids.forEach((id, channel) => {
    const root = weights.rootOf(id);
    for (let tap = 0; tap < matrix.taps; tap++) {
      if (weights.removed.has(root)) gone.push(channel * matrix.taps + tap);
      else columnsOf.set(root, [...columnsOf.get(root) ?? [], next++]);
    }
  });
  const left = gone.length === 0 ? layer : layer.without(gone);
  return new Map(Array.from(columnsOf, ([root, columns]) => [root, power === 0 ? 0 : left.errorWithout(columns) / power]));
}
