import type { Graph, Model, Node, Value } from '../ir/model.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Type } from '../ir/type.ts';

/** Named tensors: what goes into a model or comes out of it, by interface name. */
export type Feeds = ReadonlyMap<string, Tensor>;

/** How a session over a model is opened. */
export interface SessionOptions {
  /** Values to fetch besides the model's outputs. */
  readonly fetch?: readonly Value[];
  /** Graph optimisations of ONNX Runtime; `disabled` keeps every value as the model states it. Default `disabled`. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Threads inside operators. Default: all cores. One thread is repeatable across runs of all kernels. */
  readonly threads?: number;
}

/** An open model. `release` it; a runtime that closes releases what is left. */
export interface Session {
  /** Runs one batch; returns the outputs by slot name and the fetched values by their names. Throws a Diagnostic that names our node. */
  run(feeds: Feeds, signal?: AbortSignal): Promise<Map<string, Tensor>>;
  release(): Promise<void>;
}

/** A node of the graph that ONNX Runtime makes of a model. */
export interface OptimizedNode {
  readonly op: string;
  readonly domain: string;
  /** The node of the model whose name it bears; what ONNX Runtime adds of its own has none. */
  readonly node: Node | undefined;
  /** Whether something that it reads, and that depends on the sample, comes right from a DequantizeLinear. */
  readonly dequantized: boolean;
}

/**
 * ONNX Runtime, as passes see it. It runs in a worker thread; only compiler/runtime knows how.
 * Everything is given as parts of a Model and comes back as Tensors and Types.
 */
export interface Runtime {
  /**
   * Types and shapes of all values of the model, symbolic dimensions kept, for the main graph and every body. Values that the runtime
   * cannot type (unknown operators and what follows from them) keep the type they have; they are absent from the result if they have none.
   * The model is not changed. `declined` learns of each node that the runtime refused, and why.
   */
  infer(model: Model, declined?: (node: Node, reason: string) => void): Promise<Map<Value, Type>>;
  /** Evaluates nodes that depend on constants only, all in one session; returns the tensors of those outputs that could be computed. `declined` collects reasons for the others. */
  evaluate(graph: Graph, nodes: readonly Node[], declined?: (node: Node, reason: string) => void): Promise<Map<Value, Tensor>>;
  open(model: Model, options?: SessionOptions): Promise<Session>;
  /** The main graph after all optimisations for this processor, in order; undefined for models too large to be written in one file. */
  optimized(model: Model): Promise<readonly OptimizedNode[] | undefined>;
}
