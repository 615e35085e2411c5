import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Answers, Reply, Task, WireTensor } from './protocol.ts';

/** ONNX Runtime refused: its own words. Callers translate it into a Diagnostic, since they know what the names mean. */
export class Refusal extends Error {}

interface Pending {
  resolve(answer: Answers[keyof Answers]): void;
  reject(error: Error): void;
}

/** What a client may be told; the package's name is for tests. */
export interface ClientOptions {
  readonly package?: string;
  /** MiB of JavaScript heap that the worker may use. Tensors do not count. */
  readonly heap?: number;
}

/**
 * The compiler's end of the worker thread. The thread starts with the first task and is started again after it died or was stopped.
 * It keeps the process alive only while a task is under way. Sessions are numbers; those of a thread that is gone are gone with it.
 */
export class Client {
  private readonly options: ClientOptions;
  private worker: Worker | undefined;
  /** Raised when a thread ends, so that sessions can tell that theirs is gone. */
  private life = 0;
  private closed = false;
  private count = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly ending = new Set<Promise<unknown>>();

  constructor(options: ClientOptions = {}) {
    this.options = options;
  }

  /** The present thread's number; a session made under another one no longer exists. */
  get generation(): number {
    return this.life;
  }

  /** A number for a new session. */
  newSession(): number {
    return ++this.count;
  }

  /**
   * Has the worker do something. Buffers of models and tensors change owner. Rejects with a Refusal when ONNX Runtime refuses, with a Diagnostic
   * (`runtime/not-installed`, `runtime/died`, `runtime/closed`) when there is no runtime, and with the signal's reason as soon as it is aborted.
   */
  async ask<K extends Task['kind']>(task: Task & { readonly kind: K }, signal?: AbortSignal): Promise<Answers[K]> {
    signal?.throwIfAborted();
    if (this.closed) throw new Diagnostic('runtime/closed', 'the runtime has been closed', { suggestion: 'Create a runtime that lives as long as its sessions.' });
    const worker = this.worker ??= this.start();
    const id = ++this.count;
    let cancel: (() => void) | undefined;
    try {
      return await new Promise<Answers[K]>((resolve, reject) => {
        this.pending.set(id, { resolve: resolve as Pending['resolve'], reject });
        worker.ref();
        worker.postMessage({ ...task, id }, transferable(task));
        // A native call cannot be interrupted: onnxruntime-node ignores RunOptions.terminate. So the caller is released at once, and the
        // thread, which ends as soon as the call returns, is replaced by a new one at the next task.
        cancel = () => {
          reject(signal!.reason as Error);
          this.pending.delete(id);
          this.stop(new Diagnostic('runtime/cancelled', 'another run was cancelled, and ONNX Runtime was restarted', { suggestion: 'Open the session again.' }));
        };
        signal?.addEventListener('abort', cancel, { once: true });
      });
    } finally {
      if (cancel !== undefined) signal?.removeEventListener('abort', cancel);
      this.pending.delete(id);
      if (this.pending.size === 0) this.worker?.unref();
    }
  }

  /** Ends the thread and waits for it; tasks under way are rejected. */
  async close(): Promise<void> {
    this.closed = true;
    this.stop(new Diagnostic('runtime/closed', 'the runtime was closed before it had answered'));
    await Promise.all(this.ending);
  }

  private start(): Worker {
    const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
      name: 'onnxruntime', execArgv: [], workerData: { package: this.options.package ?? 'onnxruntime-node' },
      ...(this.options.heap !== undefined && { resourceLimits: { maxOldGenerationSizeMb: this.options.heap } }),
    });
    worker.unref();
    worker.on('message', (reply: Reply) => {
      const waiting = this.pending.get(reply.id);
      if (waiting === undefined) return;
      if ('answer' in reply) waiting.resolve(reply.answer);
      else waiting.reject(reply.failure.missing ? notInstalled(reply.failure.message) : new Refusal(reply.failure.message));
    });
    const died = (why: string): void => {
      if (this.worker === worker) this.stop(deadWorker(why));
    };
    worker.on('error', (error: Error) => { died(error.message); });
    worker.on('exit', (code) => { died(`the thread ended with code ${code}`); });
    return worker;
  }

  private stop(reason: Diagnostic): void {
    const { worker } = this;
    this.worker = undefined;
    this.life++;
    if (worker !== undefined) {
      const end = worker.terminate().finally(() => this.ending.delete(end));
      this.ending.add(end);
    }
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }
}

function transferable(task: Task): ArrayBuffer[] {
  if (task.kind === 'release') return [];
  if (task.kind !== 'run') return task.model instanceof Uint8Array ? [task.model.buffer as ArrayBuffer] : [];
  return [...task.feeds.values()].flatMap(({ data }: WireTensor) => (data instanceof ArrayBuffer ? [data] : []));
}

function notInstalled(why: string): Diagnostic {
  return new Diagnostic('runtime/not-installed', `onnxruntime-node cannot be loaded: ${why}`, {
    suggestion: 'Install it with `ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node` (the variable keeps its installer from downloading GPU libraries).',
  });
}

function deadWorker(why: string): Diagnostic {
  return new Diagnostic('runtime/died', `the ONNX Runtime thread died: ${why}`, {
    suggestion: 'If memory ran out, use smaller batches or fewer extra outputs; the next call starts a new thread.',
  });
}
