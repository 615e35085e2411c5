import { Editor } from '../../../ir/edit.ts';
import { Graph, Model } from '../../../ir/model.ts';
import { Tensor } from '../../../ir/tensor.ts';
import { tensorType } from '../../../ir/type.ts';
import type { Runtime, Session } from '../../runtime.ts';

/** Multiplications below which a call of the runtime takes longer than a loop. */
const few = 2 ** 19;

/** Products of matrices (row by row), in float64 throughout; large ones by the runtime. `release` it. */
export class Products {
  private readonly inner: Session;
  private readonly outer: Session;

  private constructor(inner: Session, outer: Session) {
    this.inner = inner;
    this.outer = outer;
  }

  static async open(runtime: Pick<Runtime, 'open'>): Promise<Products> {
    return new Products(await runtime.open(gemm('transA'), { optimization: 'all' }), await runtime.open(gemm('transB'), { optimization: 'all' }));
  }

  /** Aᵀ B of A [rows × n] and B [rows × m]: sums over rows. */
  async overRows(a: Float64Array, b: Float64Array, rows: number, n: number, m: number): Promise<Float64Array> {
    if (rows * n * m > few) return product(this.inner, a, [rows, n], b, [rows, m]);
    const sums = new Float64Array(n * m);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < n; i++) {
        const own = a[row * n + i]!;
        if (own !== 0) for (let j = 0; j < m; j++) sums[i * m + j]! += own * b[row * m + j]!;
      }
    }
    return sums;
  }

  /** A Bᵀ of A [n × columns] and B [m × columns]: sums over columns. */
  async overColumns(a: Float64Array, b: Float64Array, columns: number, n: number, m: number): Promise<Float64Array> {
    if (columns * n * m > few) return product(this.outer, a, [n, columns], b, [m, columns]);
    const sums = new Float64Array(n * m);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let k = 0; k < columns; k++) sum += a[i * columns + k]! * b[j * columns + k]!;
        sums[i * m + j] = sum;
      }
    }
    return sums;
  }

  async release(): Promise<void> {
    await this.inner.release();
    await this.outer.release();
  }
}

/** In an operator set that every runtime has. */
function gemm(transposed: 'transA' | 'transB'): Model {
  const model = new Model(new Graph('product'), { irVersion: 7, opsets: new Map([['', 11]]) });
  const edit = new Editor(model);
  const { graph } = model;
  const inputs = [edit.addInput(graph, 'a', tensorType('double', ['p', 'q'])), edit.addInput(graph, 'b', tensorType('double', ['r', 's']))];
  edit.setOutput(graph, 0, edit.insert({ op: 'Gemm', inputs, attributes: { [transposed]: 1 }, outputs: [tensorType('double')] }, graph).output, 'product');
  return model;
}

async function product(session: Session, a: Float64Array, aShape: readonly number[], b: Float64Array, bShape: readonly number[]): Promise<Float64Array> {
  const results = await session.run(new Map([['a', Tensor.of('double', a, aShape)], ['b', Tensor.of('double', b, bShape)]]));
  return results.get('product')!.floats() as Float64Array;
}
