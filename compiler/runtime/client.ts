import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { calling, stopping, type Answers, type Reply, type Task, type WireTensor } from './protocol.ts';

/** ONNX Runtime refused: its own words. Callers translate it into a Diagnostic, since they know what the names mean. */
export class Refusal extends Error {}

interface Pending {
  readonly resolve: (answer: Answers[keyof Answers]) => void;
  readonly reject: (error: Error) => void;
}

/** What a client may be told; the package's name is for tests. */
export interface ClientOptions {
  readonly package?: string;
  /** MiB of JavaScript heap that the worker may use. Tensors do not count. */
  readonly heap?: number;
}

/** Milliseconds that an exiting process waits for a call to return. */
const longestCall = 60_000;

/** A worker thread, and the two words that it shares: whether it is inside a native call, and whether it may begin another one. */
interface Thread {
  readonly worker: Worker;
  readonly flags: Int32Array;
  readonly ended: Promise<void>;
}

/**
 * The compiler's end of the worker thread. The thread starts with the first task and is started again after it died or a task was cancelled.
 * It keeps the process alive only while a task is under way. Sessions are numbers; those of a thread that is gone are gone with it.
 *
 * A native call cannot be interrupted (onnxruntime-node ignores RunOptions.terminate), and a thread that is terminated inside one takes the process with it
 * (the addon throws where nobody can catch). So a thread is never terminated: it is told to stop, and ends by itself when the call returns.
 */
export class Client {
  private readonly options: ClientOptions;
  private thread: Thread | undefined;
  /** Raised when a thread is given up, so that sessions can tell that theirs is gone. */
  private life = 0;
  private closed = false;
  private count = 0;
  private readonly pending = new Map<number, Pending>();
  /** All threads that have not ended; those that were given up included. */
  private readonly threads = new Set<Thread>();

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
    const { worker } = this.thread ??= this.start();
    const id = ++this.count;
    let cancel: (() => void) | undefined;
    try {
      return await new Promise<Answers[K]>((resolve, reject) => {
        this.pending.set(id, { resolve: resolve as Pending['resolve'], reject });
        worker.ref();
        worker.postMessage({ ...task, id }, transferable(task));
        // The caller goes on at once, and the next task, in a new thread, while the old one finishes its call.
        cancel = () => {
          reject(signal!.reason as Error);
          this.pending.delete(id);
          this.giveUp(new Diagnostic('runtime/cancelled', 'another run was cancelled, and ONNX Runtime was restarted', { suggestion: 'Open the session again.' }));
        };
        signal?.addEventListener('abort', cancel, { once: true });
      });
    } finally {
      if (cancel !== undefined) signal?.removeEventListener('abort', cancel);
      this.pending.delete(id);
      if (this.pending.size === 0) this.present()?.worker.unref();
    }
  }

  /** Ends the thread and waits for it and for the call that it is in; tasks under way are rejected. */
  async close(): Promise<void> {
    this.closed = true;
    this.giveUp(new Diagnostic('runtime/closed', 'the runtime was closed before it had answered'));
    await Promise.all(Array.from(this.threads, ({ worker, ended }) => {
      worker.ref();
      return ended;
    }));
  }

  private present(): Thread | undefined {
    return this.thread;
  }

  private start(): Thread {
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
      name: 'onnxruntime', execArgv: [], workerData: { package: this.options.package ?? 'onnxruntime-node', flags },
      ...(this.options.heap !== undefined && { resourceLimits: { maxOldGenerationSizeMb: this.options.heap } }),
    });
    worker.unref();
    const thread: Thread = { worker, flags, ended: new Promise((resolve) => { worker.once('exit', () => { resolve(); }); }) };
    if (this.threads.size === 0) process.on('exit', this.onExit);
    this.threads.add(thread);
    worker.on('message', (reply: Reply) => {
      const waiting = this.pending.get(reply.id);
      if (waiting === undefined) return;
      if ('answer' in reply) waiting.resolve(reply.answer);
      else waiting.reject(reply.failure.missing ? notInstalled(reply.failure.message) : new Refusal(reply.failure.message));
    });
    worker.on('error', (error: Error) => {
      if (this.thread === thread) this.giveUp(deadWorker(error.message));
    });
    worker.on('exit', (code) => {
      if (this.thread === thread) this.giveUp(deadWorker(`it ended with code ${code}`));
      this.threads.delete(thread);
      if (this.threads.size === 0) process.removeListener('exit', this.onExit);
    });
    return thread;
  }

  /** Rejects what is pending and leaves the thread to end by itself. */
  private giveUp(reason: Diagnostic): void {
    const { thread } = this;
    this.thread = undefined;
    this.life++;
    if (thread !== undefined) {
      Atomics.store(thread.flags, stopping, 1);
      thread.worker.postMessage(undefined); // wakes it
      thread.worker.unref();
    }
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }

  /** The process terminates its threads when it exits, so none should be inside a native call then. A thread that has just died cannot say so: hence the limit. */
  private readonly onExit = (): void => {
    for (const { flags } of this.threads) Atomics.store(flags, stopping, 1);
    for (const { flags } of this.threads) Atomics.wait(flags, calling, 1, longestCall);
  };
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
