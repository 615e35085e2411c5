import { availableParallelism, tmpdir } from 'node:os';
import type { Graph, Model, Node, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Type } from '../../ir/type.ts';
import type { Runtime, Session, SessionOptions } from '../../passes/runtime.ts';
import { Client, type ClientOptions } from './client.ts';
import { Descriptions } from './descriptions.ts';
import { evaluateNodes, largestResult } from './evaluate.ts';
import { inferTypes } from './infer.ts';
import { optimizedNodes } from './optimized.ts';
import { refusalOf, type ModelBytes } from './loading.ts';
import { openSession, type OpenContext } from './session.ts';

/** How a runtime works. All of it has good defaults. */
export interface RuntimeOptions extends ClientOptions {
  /** Threads inside operators, for sessions that do not say. Default: all cores. */
  readonly threads?: number;
  /** Models with more bytes of constants go to ONNX Runtime through a temporary folder. Default 1 GiB; it takes none beyond 2 GB in one piece. */
  readonly inlineBytes?: number;
  /** Where temporary folders are made. Default: the system's. */
  readonly scratchFolder?: string;
}

/** Called for a node that ONNX Runtime would not take, with its reason. */
export type Declined = (node: Node, reason: string) => void;

/** The runtime of a compile. Close it at the end. */
export interface OrtRuntime extends Runtime {
  /** See `Runtime.evaluate`; results of more than `maxBytes` (default and most: 1 GiB) are declined. */
  evaluate(graph: Graph, nodes: readonly Node[], declined?: Declined, options?: { readonly maxBytes?: number }): Promise<Map<Value, Tensor>>;
  /** Why ONNX Runtime does not load a model file, in its words; undefined if it does. The bytes are taken as they are. */
  refusalOf(file: ModelBytes): Promise<string | undefined>;
  /** Releases all sessions and ends the thread. */
  close(): Promise<void>;
}

/** ONNX Runtime in a thread of its own, which starts when it is first needed and does not keep the process alive when it is idle. */
export function createRuntime(options: RuntimeOptions = {}): OrtRuntime {
  const client = new Client(options);
  const descriptions = new Descriptions((model) => client.ask({ kind: 'describe', model }));
  const unknown = new Map<string, string>();
  const infer = (model: Model, declined: Declined = () => undefined): Promise<Map<Value, Type>> => inferTypes(model, {
    unknown, declined, describe: (bytes) => descriptions.of(bytes),
  });
  const context: OpenContext = {
    client, infer, threads: options.threads ?? availableParallelism(), inlineBytes: options.inlineBytes ?? 2 ** 30, scratchFolder: options.scratchFolder ?? tmpdir(),
  };
  return {
    infer,
    evaluate: (graph, nodes, declined = () => undefined, { maxBytes = largestResult } = {}) => (
      evaluateNodes(client, graph, nodes, Math.min(maxBytes, largestResult), declined)
    ),
    open: (model: Model, settings: SessionOptions = {}): Promise<Session> => openSession(model, settings, context),
    optimized: (model) => optimizedNodes(model, context),
    refusalOf: (file) => refusalOf(file, context),
    close: () => client.close(),
  };
}
