/** Rows and columns of a tile: three of them fit in the first-level cache. */
const tile = 48;

/**
 * Cholesky factor of a symmetric positive definite matrix, in place: the lower triangle of `a` (size × size, row by row) becomes L with
 * A = L Lᵀ, in float64; what is above the diagonal is not touched. Returns false, with `a` spoilt, where the matrix is not positive definite.
 */
export function cholesky(a: Float64Array, size: number): boolean {
  for (let from = 0; from < size; from += tile) {
    const to = Math.min(from + tile, size);
    if (!factorDiagonal(a, size, from, to)) return false;
    for (let i = to; i < size; i++) solveRow(a, size, i, from, to);
    for (let i = to; i < size; i += tile) {
      for (let j = to; j <= i; j += tile) subtractProduct(a, size, i, Math.min(i + tile, size), j, Math.min(j + tile, size), from, to);
    }
  }
  return true;
}

/** Factors the diagonal tile, whose earlier columns have been subtracted already. */
function factorDiagonal(a: Float64Array, size: number, from: number, to: number): boolean {
  for (let j = from; j < to; j++) {
    solveRow(a, size, j, from, j);
    let pivot = a[j * size + j]!;
    for (let k = from; k < j; k++) pivot -= a[j * size + k]! ** 2;
    if (!(pivot > 0)) return false;
    a[j * size + j] = Math.sqrt(pivot);
  }
  return true;
}

/** Columns `from` to `to` of row `i` of the factor, by forward substitution. */
function solveRow(a: Float64Array, size: number, i: number, from: number, to: number): void {
  const row = i * size;
  for (let j = from; j < to; j++) {
    let sum = a[row + j]!;
    const other = j * size;
    for (let k = from; k < j; k++) sum -= a[row + k]! * a[other + k]!;
    a[row + j] = sum / a[other + j]!;
  }
}

/** Subtracts the product of two strips of the factor from a tile of the lower triangle, four columns at a time. */
function subtractProduct(a: Float64Array, size: number, top: number, bottom: number, left: number, right: number, from: number, to: number): void {
  for (let i = top; i < bottom; i++) {
    const row = i * size;
    const end = Math.min(right, i + 1);
    let j = left;
    for (; j + 3 < end; j += 4) {
      const [b0, b1, b2, b3] = [j * size, (j + 1) * size, (j + 2) * size, (j + 3) * size];
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      for (let k = from; k < to; k++) {
        const x = a[row + k]!;
        s0 += x * a[b0 + k]!;
        s1 += x * a[b1 + k]!;
        s2 += x * a[b2 + k]!;
        s3 += x * a[b3 + k]!;
      }
      a[row + j]! -= s0;
      a[row + j + 1]! -= s1;
      a[row + j + 2]! -= s2;
      a[row + j + 3]! -= s3;
    }
    for (; j < end; j++) {
      let sum = 0;
      for (let k = from; k < to; k++) sum += a[row + k]! * a[j * size + k]!;
      a[row + j]! -= sum;
    }
  }
}
