/** A place in a text file. Lines and columns count from 1; `endColumn` is exclusive. */
export interface Range {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}

/** A node as its author knows it: its present name, and the names it had in the model that was read. */
export interface NodeReference {
  readonly name: string;
  readonly op: string;
  readonly origin: readonly string[];
}

/** A secondary remark below a diagnostic, with a place of its own when it has one. */
export interface Note {
  readonly message: string;
  readonly file?: string;
  readonly range?: Range;
}

/** Everything that is known about a mistake. All fields beyond code, severity and message are optional. */
export interface DiagnosticFields {
  /** Stable identifier, `area/what`, listed in specs/diagnostics.md. */
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'note';
  /** One sentence that says what is wrong, with the names and numbers involved. */
  readonly message: string;
  readonly file?: string;
  readonly range?: Range;
  readonly node?: NodeReference;
  readonly tensor?: string;
  /** The recipe step that was running, by id. */
  readonly step?: string;
  /** What would have been accepted. */
  readonly expected?: readonly string[];
  readonly actual?: string;
  /** What to do next, as an imperative sentence, or the spelling that was probably meant. */
  readonly suggestion?: string;
  readonly notes?: readonly Note[];
}

/** The properties of a Diagnostic that a throwing site may add to its code and message. */
export type DiagnosticDetails = Omit<DiagnosticFields, 'code' | 'message' | 'severity'> & { readonly severity?: DiagnosticFields['severity'] };

/**
 * The one error that users see. Whatever input, recipe or model is at fault, a Diagnostic is thrown (or collected);
 * any other exception is a defect of onnxpress and leads to exit code 70.
 */
export class Diagnostic extends Error implements DiagnosticFields {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'note';
  readonly file?: string;
  readonly range?: Range;
  readonly node?: NodeReference;
  readonly tensor?: string;
  readonly step?: string;
  readonly expected?: readonly string[];
  readonly actual?: string;
  readonly suggestion?: string;
  readonly notes?: readonly Note[];

  constructor(code: string, message: string, details: DiagnosticDetails & { readonly cause?: unknown } = {}) {
    const { cause, ...fields } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Diagnostic';
    this.code = code;
    this.severity = 'error';
    Object.assign(this, fields);
  }

  /** True for a Diagnostic of any copy of this package, since plugins may bring their own. */
  static is(error: unknown): error is Diagnostic {
    return error instanceof Error && error.name === 'Diagnostic' && 'code' in error;
  }

  /** The same mistake with more known about it (the file that was read, the step that ran). Present fields win. */
  with(details: DiagnosticDetails): Diagnostic {
    const { code, message } = this;
    return new Diagnostic(code, message, { ...details, ...this.fields(), cause: this.cause });
  }

  /** Plain data, for JSON output; absent fields are left out. */
  toJSON(): DiagnosticFields {
    return { code: this.code, severity: this.severity, message: this.message, ...this.fields() };
  }

  private fields(): DiagnosticDetails {
    const names = ['severity', 'file', 'range', 'node', 'tensor', 'step', 'expected', 'actual', 'suggestion', 'notes'] as const;
    return Object.fromEntries(names.filter((name) => this[name] !== undefined).map((name) => [name, this[name]]));
  }
}
