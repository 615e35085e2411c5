import { Editor } from '../../ir/edit.ts';
import { Graph, Model, type Value } from '../../ir/model.ts';
import { Tensor } from '../../ir/tensor.ts';
import { tensorType } from '../../ir/type.ts';
import type { Runtime, Session } from '../runtime.ts';
import type { Layout } from '../statistics/artefact.ts';
import type { ObserverGraph } from './graph.ts';
import type { MomentPlan } from './moments.ts';
import type { Portion } from './portion.ts';

/** One of so many samples is held out of the second moments: this one of each round. */
const heldOutOf = 8;
const heldOut = 3;

/** Bytes of columns that wait for their products. */
const waitingBytes = 2 ** 26;

/** Columns of one layer that wait: those that are used, and those held out. */
interface Waiting {
  readonly plan: MomentPlan;
  readonly output: string;
  readonly rows: Int32Array;
  readonly parts: readonly [Float32Array[], Float32Array[]];
}

/**
 * Gathers sums of x and of x xᵀ over the columns of what layers read. The columns leave the graph as they are, since there are few of them: a layer's whole matrix of products from every run would be
 * more. The products of many are computed at once, by the runtime, in float32; sums of them in float64.
 */
export class Grams {
  private readonly layers: readonly Waiting[];
  private readonly products: Session;
  private bytes = 0;

  private constructor(layers: readonly Waiting[], products: Session) {
    this.layers = layers;
    this.products = products;
  }

  /** Makes the columns outputs of the graph. Undefined without plans. `release` it. */
  static async open(graph: ObserverGraph, plans: readonly MomentPlan[], runtime: Runtime): Promise<Grams | undefined> {
    if (plans.length === 0) return undefined;
    const layers = plans.map((plan): Waiting => ({
      plan, output: graph.output(plan.unfold(graph, graph.float(plan.value))),
      rows: Int32Array.from({ length: plan.size }, (_, row) => plan.order(row)), parts: [[], []],
    }));
    return new Grams(layers, await runtime.open(productsModel(), { optimization: 'all' }));
  }

  /** Takes the columns of a portion; true if so many wait that they should be flushed. */
  take({ outputs, first, size }: Portion): boolean {
    for (const { output, parts, plan } of this.layers) {
      const columns = outputs.get(output)!.floats() as Float32Array;
      const length = plan.groups * plan.size;
      const parted = columns.length % (size * length) === 0 ? size : 1;
      const each = columns.length / parted;
      for (let sample = 0; sample < parted; sample++) parts[(first + sample) % heldOutOf === heldOut ? 1 : 0].push(columns.subarray(sample * each, (sample + 1) * each));
      this.bytes += columns.byteLength;
    }
    return this.bytes > waitingBytes;
  }

  /** Adds what waits to the sums of a chunk. Samples with elements that are not finite are left out: one such element would void everything. */
  async flush(slab: Float64Array, { moments }: Layout): Promise<void> {
    this.bytes = 0;
    for (const { plan, rows, parts } of this.layers) {
      const { at, half } = moments.get(plan.name)!;
      for (const [index, part] of parts.entries()) {
        const waiting = part.splice(0);
        if (waiting.length > 0) await this.add(plan, rows, waiting, slab, at + index * half);
      }
    }
  }

  async release(): Promise<void> {
    await this.products.release();
  }

  private async add({ groups, size }: MomentPlan, rows: Int32Array, parts: readonly Float32Array[], slab: Float64Array, at: number): Promise<void> {
    const width = groups * size;
    const sums = new Float64Array(width);
    const finite = parts.filter((part) => addColumns(sums, part));
    const columns = new Float32Array(finite.reduce((length, part) => length + part.length, 0));
    finite.reduce((to, part) => (columns.set(part, to), to + part.length), 0);
    const count = columns.length / width;
    if (count === 0) return;
    const outputs = await this.products.run(new Map([['columns', Tensor.of('float', columns, [count, groups, size])]]));
    const products = outputs.get('products')!.floats() as Float32Array;
    if (!products.every(Number.isFinite)) return;
    let to = at;
    slab[to++]! += count;
    for (let group = 0; group < groups; group++) for (let row = 0; row < size; row++) slab[to++]! += sums[group * size + rows[row]!]!;
    for (let group = 0; group < groups; group++) {
      for (let row = 0; row < size; row++) {
        const base = (group * size + rows[row]!) * size;
        for (let column = row; column < size; column++) slab[to++]! += products[base + rows[column]!]!;
      }
    }
  }
}

/** Adds columns to sums, unless one of their elements is not finite: then it changes nothing and returns false. */
function addColumns(sums: Float64Array, columns: Float32Array): boolean {
  const own = new Float64Array(sums.length);
  for (let at = 0; at < columns.length;) for (let row = 0; row < own.length; row++) own[row]! += columns[at++]!;
  if (!own.every(Number.isFinite)) return false;
  for (let row = 0; row < own.length; row++) sums[row]! += own[row]!;
  return true;
}

/** x [columns, groups, rows] → Σ x xᵀ [groups, rows, rows], in an operator set that every runtime has. */
function productsModel(): Model {
  const model = new Model(new Graph('products'), { irVersion: 7, opsets: new Map([['', 11]]) });
  const edit = new Editor(model);
  const { graph } = model;
  const columns = edit.addInput(graph, 'columns', tensorType('float', ['columns', 'groups', 'rows']));
  const node = (op: string, inputs: readonly Value[], perm?: readonly number[]): Value => edit.insert({ op, inputs, ...(perm && { attributes: { perm: [...perm] } }), outputs: [tensorType('float')] }, graph).output;
  edit.setOutput(graph, 0, node('MatMul', [node('Transpose', [columns], [1, 2, 0]), node('Transpose', [columns], [1, 0, 2])]), 'products');
  return model;
}
