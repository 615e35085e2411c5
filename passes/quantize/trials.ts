import { cloneModel } from '../../ir/clone.ts';
import { Editor } from '../../ir/edit.ts';
import type { Model, Node } from '../../ir/model.ts';
import { sortModel } from '../../ir/order.ts';
import type { PassContext } from '../pass.ts';
import type { Rounding } from '../rounding/rounding.ts';
import type { FloatReason } from './explain.ts';

/** A kernel in int8. */
export interface NoisyLayer {
  /** What runs in it. */
  readonly nodes: readonly Node[];
  /** False for what only hands on or combines what is in int8 already: pools, concatenations. */
  readonly computes: boolean;
  /** Multiply-adds of one sample; undefined where they cannot be told. */
  readonly macs: number | undefined;
  /** Share of what its outputs tell that drowns, as the statistics predict it; for operators without weights, error power over power of what they read. Undefined where the statistics do not tell. */
  readonly noise: number | undefined;
}

/** Everything that runs in int8, by its first node, in graph order. */
export type LayerNoise = ReadonlyMap<Node, NoisyLayer>;

/** What of one quantization the next one of the same model uses. */
export interface Kept {
  /** Nodes that stay float beside those that the recipe leaves, and why. */
  readonly float: ReadonlyMap<Node, FloatReason>;
  /** Rounded weights by node name: they do not depend on what else is quantized. */
  readonly roundings: Map<string, Rounding>;
}

/** Quantizes a model in place. */
export type Quantizer<O> = (model: Model, context: PassContext<O>, kept: Kept) => LayerNoise;

/** Quantizes copies of a model, to see what comes of it. */
export class Trials<O> {
  readonly roundings: Map<string, Rounding> = new Map();
  private readonly model: Model;
  private readonly context: PassContext<O>;
  private readonly quantizer: Quantizer<O>;

  constructor(model: Model, context: PassContext<O>, quantizer: Quantizer<O>) {
    this.model = model;
    this.context = context;
    this.quantizer = quantizer;
  }

  /** A quantized copy with some nodes of the model in float, and the predictions for the others. */
  quantized(float: Iterable<Node>): { readonly model: Model; readonly noise: LayerNoise } {
    const copies = new Map<Node, Node>();
    const model = cloneModel(this.model, { nodes: copies });
    const originals = new Map(Array.from(copies, ([node, copy]) => [copy, node]));
    const context = { ...this.context, edit: new Editor(model), stat: ignore, remark: ignore, record: ignore };
    const noise = this.quantizer(model, context, { float: new Map(Array.from(float, (node) => [copies.get(node)!, tried])), roundings: this.roundings });
    sortModel(model);
    const layers = Array.from(noise, ([copy, each]) => [originals.get(copy)!, { ...each, nodes: each.nodes.map((node) => originals.get(node)!) }] as const);
    return { model, noise: new Map(layers) };
  }
}

const tried: FloatReason = { rule: 'float', reason: 'a trial leaves it in float' };

function ignore(): void {
  // A trial leaves no traces.
}
