import { parentPort, workerData } from 'node:worker_threads';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { calling, stopping, type Answers, type OrtType, type Reply, type Request, type SessionSettings, type WireOutput, type WireTensor } from './protocol.ts';

/**
 * The thread that holds ONNX Runtime, whose calls block. It answers one request after the other and knows nothing about models: sessions are
 * numbers, tensors are bytes. What it sends, it gives away.
 */
type Ort = typeof import('onnxruntime-node');

const arrays = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
} as const;

const { package: packageName, flags } = workerData as { readonly package: string; readonly flags: Int32Array };
const port = parentPort!;
const sessions = new Map<number, InferenceSession>();
let loaded: Ort | undefined;
let queue = Promise.resolve();

port.on('message', (request: Request | undefined) => {
  queue = queue.then(() => reply(request));
});

async function reply(request: Request | undefined): Promise<void> {
  Atomics.store(flags, calling, 1);
  if (request === undefined || Atomics.load(flags, stopping) === 1) {
    leave();
    process.exit(0);
  }
  const { id } = request;
  try {
    const answer = await perform(request);
    leave();
    const buffers = new Set(request.kind === 'run' ? (answer as readonly WireTensor[]).flatMap(({ data }) => (data instanceof ArrayBuffer ? [data] : [])) : []);
    port.postMessage({ id, answer } satisfies Reply, [...buffers]);
  } catch (error) {
    leave();
    port.postMessage({ id, failure: { missing: loaded === undefined, message: error instanceof Error ? error.message : String(error) } } satisfies Reply);
  }
}

function leave(): void {
  Atomics.store(flags, calling, 0);
  Atomics.notify(flags, calling);
}

async function perform(request: Request): Promise<Answers[keyof Answers]> {
  const ort = loaded ??= await load();
  switch (request.kind) {
    case 'create': {
      const session = await create(ort, request.model, request.settings);
      sessions.set(request.session, session);
      return outputsOf(session);
    }
    case 'describe': {
      const session = await create(ort, request.model, { optimization: 'disabled', threads: 1 });
      try {
        return outputsOf(session);
      } finally {
        await session.release();
      }
    }
    case 'run': {
      const feeds: Record<string, Tensor> = Object.create(null) as Record<string, Tensor>;
      for (const [name, { type, shape, data }] of request.feeds) feeds[name] = makeTensor(ort, type, shape, data);
      const results = await sessions.get(request.session)!.run(feeds, request.fetch);
      return request.fetch.map((name) => wireTensor(results[name]!));
    }
    case 'release': {
      const session = sessions.get(request.session);
      sessions.delete(request.session);
      await session?.release();
      return undefined;
    }
  }
}

function create(ort: Ort, model: Uint8Array | string, { optimization, threads, optimizedTo }: SessionSettings): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    graphOptimizationLevel: optimization, intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 4,
    // After the first run it would plan one block for everything, beside the blocks that the first run left in the arena.
    enableMemPattern: false,
    ...(optimizedTo !== undefined && { optimizedModelFilePath: optimizedTo }),
  };
  // Two signatures, one call each: a union of them is neither.
  return typeof model === 'string' ? ort.InferenceSession.create(model, options) : ort.InferenceSession.create(model, options);
}

function outputsOf(session: InferenceSession): WireOutput[] {
  return session.outputMetadata.map(({ name, ...facts }) => (
    facts.isTensor ? { name, type: facts.type, shape: facts.shape } : { name, type: undefined, shape: [] }
  ));
}

async function load(): Promise<Ort> {
  const ort = await import(packageName) as Ort & { readonly default?: Ort };
  const found = ort.default ?? ort;
  // What ONNX Runtime has to say arrives as errors; stderr belongs to the compiler.
  found.env.logLevel = 'fatal';
  return found;
}

function makeTensor(ort: Ort, type: OrtType, shape: readonly number[], data: WireTensor['data']): Tensor {
  const elements = data instanceof ArrayBuffer ? new arrays[type as keyof typeof arrays](data) : data;
  return new (ort.Tensor as new (type: OrtType, data: unknown, dims: readonly number[]) => Tensor)(type, elements, shape);
}

function wireTensor({ type, dims, data }: Tensor): WireTensor {
  if (Array.isArray(data)) return { type: type, shape: dims, data };
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  const whole = byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
  return { type: type, shape: dims, data: whole ? buffer : new Uint8Array(buffer, byteOffset, byteLength).slice().buffer };
}
