/**
 * Sums over the slabs of an array along an axis: element c of the result is Σ f(x) over all elements with index c there. `data` is row-major. Accumulates in float64.
 */
export function slabSums(data: ArrayLike<number>, shape: readonly number[], axis: number, f: (element: number, at: number) => number): Float64Array {
  const length = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const sums = new Float64Array(length);
  for (let at = 0; at < data.length;) {
    for (let index = 0; index < length; index++) {
      let sum = 0;
      for (const end = at + inner; at < end; at++) sum += f(data[at]!, at);
      sums[index]! += sum;
    }
  }
  return sums;
}

/** Σ |x| of each slab. */
export const absoluteSums = (data: ArrayLike<number>, shape: readonly number[], axis: number): Float64Array => slabSums(data, shape, axis, Math.abs);

/** Σ x² of each slab. */
export const squareSums = (data: ArrayLike<number>, shape: readonly number[], axis: number): Float64Array => slabSums(data, shape, axis, (x) => x * x);

/** The slabs of an array along an axis as rows of a matrix, in float64. */
export function slabRows(data: ArrayLike<number>, shape: readonly number[], axis: number): Float64Array {
  const length = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const size = length === 0 ? 0 : data.length / length;
  const rows = new Float64Array(data.length);
  for (let outer = 0, at = 0; at < data.length; outer++) {
    for (let index = 0; index < length; index++) for (let to = index * size + outer * inner, end = to + inner; to < end; to++) rows[to] = data[at++]!;
  }
  return rows;
}
