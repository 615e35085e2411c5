import { Diagnostic } from '../ir/diagnostic.ts';

/** A stream that text is written to. */
export interface TextSink {
  write(text: string): unknown;
}

/** What onnxpress asks of its surroundings: nothing else reads the process. */
export interface Host {
  /** Relative paths of the command line are relative to it. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Requested data only. */
  readonly stdout: TextSink;
  /** Diagnostics, tables and progress. */
  readonly stderr: TextSink;
  /** Whether stderr is a terminal: progress and colours. */
  readonly isTTY: boolean;
  /** Columns of the terminal. */
  readonly columns?: number;
  /** Aborted to interrupt; nothing is left behind. */
  readonly signal: AbortSignal;
}

const silent: TextSink = { write: () => true };

/** The surroundings of a program that uses the API: its working directory and environment, and no output. */
export function quietHost(host: Partial<Host> = {}): Host {
  return { cwd: process.cwd(), env: process.env, stdout: silent, stderr: silent, isTTY: false, signal: new AbortController().signal, ...host };
}

/** Several mistakes found in one run, as an error: the first one's message, and all of them in `diagnostics`. */
export class Diagnostics extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    const [first, ...others] = diagnostics;
    super(`${first?.message ?? 'no mistake'}${others.length > 0 ? ` (and ${others.length} more)` : ''}`);
    this.name = 'Diagnostics';
    this.diagnostics = diagnostics;
  }
}

/** All mistakes that an error stands for; an exception of another kind becomes `internal/error`. */
export function diagnosticsOf(error: unknown): readonly Diagnostic[] {
  if (error instanceof Diagnostics) return error.diagnostics;
  if (Diagnostic.is(error)) return [error];
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [new Diagnostic('internal/error', `onnxpress failed: ${message}`, { cause: error, suggestion: 'This is a defect of onnxpress: report it with the recipe and the text below.' })];
}
