import type { Editor } from '../ir/edit.ts';
import type { Model, Node } from '../ir/model.ts';
import type { Analysis } from './analysis.ts';
import type { OptionsOf, OptionsSchema } from './options.ts';
import type { DataSource } from './data.ts';
import type { Runtime } from './runtime.ts';
import type { StatisticsRequest } from './statistics/request.ts';
import type { Statistics } from './statistics/statistics.ts';
import type { Target } from './target.ts';

/**
 * Names of what steps hand to each other. An artefact token (`ranges`, `moments`) stands for data about the values of the model: the
 * step that gives it collects the data, and every later step that changes the model drops it unless it says that it keeps it.
 */
export type Token = string;

/** A list of tokens, or a function of the options where it depends on them. */
export type Tokens<O> = readonly Token[] | ((options: O) => readonly Token[]);

/** Something that a pass wants its user to know about one place. */
export interface Remark {
  /** `applied`: done. `missed`: looked at and left alone, for this reason. `analysis`: a fact. */
  readonly kind: 'applied' | 'missed' | 'analysis';
  /** Rule or topic, kebab-case; with the pass's name it is unique: `fold/conv-batch-norm`. */
  readonly rule: string;
  readonly message: string;
  /** The node concerned, or a value by name. */
  readonly node?: Node;
  readonly tensor?: string;
}

/** The nodes that a step may touch, frozen when the recipe is resolved. A node that replaced a selected one is selected through its origin. */
export interface Selection {
  /** True if the node descends from a selected node. With no `where` in the recipe, always true. */
  has(node: Node): boolean;
  /** True if the step has no `where`. */
  readonly everything: boolean;
}

/** Everything a running pass is given. It reaches the world through this and nothing else. */
export interface PassContext<O> {
  /** The step's options, validated, with defaults. */
  readonly options: O;
  readonly select: Selection;
  readonly edit: Editor;
  readonly runtime: Runtime;
  readonly target: Target;
  /** Adds to a named count of the step's statistics. */
  readonly stat: (name: string, count?: number) => void;
  readonly remark: (remark: Remark) => void;
  /** Says how far the step is; shown on a terminal only. */
  readonly progress: (done: number, total: number, what?: string) => void;
  /** Result of an analysis of the model as it is now; computed once for each version of the model. */
  readonly analysis: <T>(analysis: Analysis<T>) => T;
  /** Opens data that the recipe names under `data`, for the inputs of the model. Throws `data/unknown` for any other name. */
  readonly data: (name: string) => Promise<DataSource>;
  /** The sizes of symbolic dimensions at which the model will mostly run: the opt shapes of the recipe's `inputs`. */
  readonly sizes: ReadonlyMap<string, number>;
  /** What later steps want to know about the model as it is now (`wants`), for the step that gathers it. */
  readonly wanted: readonly StatisticsRequest[];
  /** The statistics that are valid for the model as it is now, or nothing. Setting them is what gives the tokens `ranges` and `moments` their content. */
  readonly statistics: { get(): Statistics | undefined; set(statistics: Statistics): void };
  /** Measures a model, by what the named data measure, beside the model that the recipe began with. Throws `data/unknown`, and what running the model throws. */
  readonly measure: (model: Model, data: string) => Promise<Measurement>;
  /** Leaves data of the step for the report, under a name: JSON that `--report` and the HTML report show. */
  readonly record: (name: string, data: unknown) => void;
  /** Reads a file that the step's options name (relative to the recipe). Throws a Diagnostic that names it. */
  readonly input: (path: string) => Promise<Uint8Array>;
  /** Registers an output file; nothing is written unless the whole compile succeeds. */
  readonly output: (file: OutputFile) => void;
  /** Aborted when the user interrupts; `throwIfAborted()` at safe points. */
  readonly signal: AbortSignal;
}

/** What a model is worth. */
export interface Measurement {
  /** The metric, as messages call it. */
  readonly metric: string;
  readonly value: number;
  /** How much worse than the original, in the unit of the metric: percentage points for shares; of the signal-to-noise ratio, the noise in percent of the signal. */
  readonly drop: number;
}

/** What a pass may look at to say which statistics it will want. */
export type WantsContext<O> = Pick<PassContext<O>, 'options' | 'select' | 'target' | 'sizes' | 'analysis'>;

/** A file that a pass wants to leave behind. `main` marks the model, which is renamed into place last. */
export interface OutputFile {
  /** Path as the recipe gives it (relative to the recipe). */
  readonly path: string;
  readonly main?: boolean;
  /** Bytes in order; ranges are copied from their source. */
  readonly chunks: readonly (Uint8Array | import('../ir/bytes.ts').ByteRange)[];
}

/** The declaration of a pass; everything that is known about it derives from here. */
export interface PassDeclaration<S extends OptionsSchema = OptionsSchema> {
  /** Kebab-case; plugins prefix theirs with `vendor/`. */
  readonly name: string;
  /** Raised whenever the same options on the same model may give another result. */
  readonly version: number;
  /** One sentence, in the present tense. */
  readonly summary: string;
  /** Longer text for the reference page, in Markdown. */
  readonly description?: string;
  readonly options: S;
  /** Tokens that must be present before the step. */
  readonly needs?: Tokens<OptionsOf<S>>;
  /** Tokens that the step makes available. */
  readonly gives?: Tokens<OptionsOf<S>>;
  /** Artefact tokens that stay valid although the step changes the model. */
  readonly keeps?: Tokens<OptionsOf<S>>;
  /**
   * Statistics that the step will want of the model as it is when they are gathered. Called by the manager just before a step that gives
   * `ranges` or `moments` runs; the steps between them keep these tokens, so the model will be the same as far as the request goes.
   */
  readonly wants?: (model: Model, context: WantsContext<OptionsOf<S>>) => StatisticsRequest;
  /** Files that the step will write, from its options alone: static, for build systems. */
  readonly outputs?: (options: OptionsOf<S>) => readonly string[];
  /** False for a pass that changes the model again when it runs again (pruning by an amount). */
  readonly idempotent?: boolean;
  /** True for a step that is never skipped when failures are bisected (export). */
  readonly required?: boolean;
  run(model: Model, context: PassContext<OptionsOf<S>>): Promise<void> | void;
}

/** Any pass, where its options do not matter. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the options of a pass are contravariant; a list of passes has no common type
export type Pass = PassDeclaration<any>;

/** Declares a pass: the identity, with the type of `options` inferred from the schema. */
export function definePass<const S extends OptionsSchema>(pass: PassDeclaration<S>): PassDeclaration<S> {
  return pass;
}

/** The tokens of a list or function. */
export function tokensFor<O>(tokens: Tokens<O> | undefined, options: O): readonly Token[] {
  return typeof tokens === 'function' ? tokens(options) : tokens ?? [];
}
