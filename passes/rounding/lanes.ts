/** Rows of weights that are worked on together, element by element beside each other, so that each element of a matrix is loaded once for all of them. */
export const lanes = 4;

/** For each lane r, sums[r] = Σ_{k<count} a[from + k] · b[k · lanes + r]. */
export function laneDots(a: Float64Array, from: number, b: Float64Array, count: number, sums: Float64Array): void {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (let k = 0, at = 0; k < count; k++, at += lanes) {
    const x = a[from + k]!;
    s0 += x * b[at]!;
    s1 += x * b[at + 1]!;
    s2 += x * b[at + 2]!;
    s3 += x * b[at + 3]!;
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}
