import { extractModel } from '../../../ir/extract.ts';
import { Node, type Graph, type Model, type Value } from '../../../ir/model.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { DataSource } from '../../data.ts';
import type { Runtime } from '../../runtime.ts';

/** Some samples that are run together. */
export interface BatchPlace {
  /** Position of the first one among all. */
  readonly first: number;
  readonly size: number;
}

/** Samples on which a model is run. */
export interface Samples {
  readonly source: DataSource;
  /** The first so many. */
  readonly count: number;
}

/** What crosses one place of the model, for one batch. */
interface Crossing extends BatchPlace {
  readonly tensors: ReadonlyMap<Value, Tensor>;
}

/**
 * A model that is run on all samples piece by piece, from its inputs on: what crosses the place between the pieces is kept, so that the whole costs about one run however many values are asked for. Weights of nodes that have not been
 * passed may change in between. Where more would have to be kept than `memory` (bytes), the place stays where it was, and the pieces behind it become longer.
 */
export class PiecewiseRun {
  private readonly model: Model;
  private readonly samples: Samples;
  private readonly runtime: Pick<Runtime, 'open'>;
  private readonly memory: number;
  /** Place of each node in the order of the graph. */
  private readonly places: ReadonlyMap<Node, number>;
  /** What is kept; undefined as long as the data are read. */
  private kept: { readonly place: number; readonly batches: readonly Crossing[] } | undefined;

  constructor(model: Model, samples: Samples, runtime: Pick<Runtime, 'open'>, memory: number) {
    this.model = model;
    this.samples = samples;
    this.runtime = runtime;
    this.memory = memory;
    this.places = new Map(Array.from(model.graph.nodes(), (node, place) => [node, place]));
  }

  /** The place of a node, or of the node of the main graph in whose body it is. */
  placeOf(node: Node): number {
    const { owner } = node.graph;
    return owner instanceof Node ? this.placeOf(owner) : this.places.get(node)!;
  }

  /**
   * Calculates values for all samples, batch by batch, and moves on: nothing that comes before the node at `place` is computed again. All that is asked for later must be computable from there on.
   */
  async advance<T>(values: readonly Value[], place: number, signal: AbortSignal, look: (tensors: readonly Tensor[], batch: BatchPlace) => T): Promise<T[]> {
    const crossing = place > (this.kept?.place ?? -1) ? this.crossing(place) : undefined;
    const known = this.kept?.batches[0]?.tensors;
    const wanted = [...new Set([...values, ...crossing ?? []])].filter((value) => known === undefined ? !value.isInput : !known.has(value));
    const part = extractModel(this.model, { inputs: known === undefined ? this.model.graph.inputs.filter(({ tensor }) => tensor === undefined) : [...known.keys()], outputs: wanted });
    const session = wanted.length === 0 ? undefined : await this.runtime.open(part);
    const found: T[] = [];
    let next: Crossing[] | undefined = crossing === undefined ? undefined : [];
    let bytes = 0;
    try {
      for await (const { tensors, first, size } of this.batches(signal)) {
        signal.throwIfAborted();
        const results = await session?.run(new Map(Array.from(tensors, ([{ name }, tensor]) => [name, tensor])), signal);
        const of = (value: Value): Tensor => tensors.get(value) ?? results!.get(value.name)!;
        found.push(look(values.map(of), { first, size }));
        if (next === undefined) continue;
        const own = new Map(crossing!.map((value) => [value, of(value)]));
        for (const tensor of own.values()) bytes += tensor.byteLength;
        next.push({ tensors: own, first, size });
        if (bytes > this.memory) next = undefined;
      }
    } finally {
      await session?.release();
    }
    if (next !== undefined) this.kept = { place, batches: next };
    return found;
  }

  /** Values that are made before a place and read behind it. Undefined if one of them cannot be the input of a piece. */
  private crossing(place: number): Value[] | undefined {
    const made = [...this.model.graph.inputs.filter(({ tensor }) => tensor === undefined)];
    for (const [node, at] of this.places) if (at < place) made.push(...node.outputs.filter((value) => value !== undefined));
    const crossing = made.filter((value) => value.constant === undefined && value.uses.some(({ user }) => this.isBehind(user, place)));
    return crossing.every(({ type }) => type?.kind === 'tensor') ? crossing : undefined;
  }

  private isBehind(user: Node | Graph, place: number): boolean {
    if (user instanceof Node) return this.placeOf(user) >= place;
    return user.owner instanceof Node && this.placeOf(user.owner) >= place;
  }

  private async *batches(signal: AbortSignal): AsyncIterable<Crossing> {
    if (this.kept !== undefined) {
      yield* this.kept.batches;
      return;
    }
    const { source, count } = this.samples;
    const inputs = this.model.graph.inputs.filter(({ tensor }) => tensor === undefined);
    for await (const { feeds, first, size } of source.batches({ last: count, signal })) yield { first, size, tensors: new Map(inputs.map((value) => [value, feeds.get(value.name)!])) };
  }
}
