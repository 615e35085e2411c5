import type { NodeReference, Note } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import type { Step } from '../manager.ts';

/** A remark as it is kept: with the names that its node has and had, not with the node, which may be gone by the end. */
export interface RemarkRecord {
  readonly kind: 'applied' | 'missed' | 'analysis';
  /** `pass/rule`. */
  readonly rule: string;
  readonly message: string;
  readonly node?: NodeReference;
  readonly tensor?: string;
}

/** What a step did, measured by the manager. */
export interface Change {
  /** Number of edits; 0 means that the model is as it was. */
  readonly count: number;
  /** The model before the step. Its tensors are shared with the model after it. */
  readonly before: Model;
  readonly remarks: readonly RemarkRecord[];
  readonly stats: ReadonlyMap<string, number>;
}

/** A step that did not succeed. The model that instruments see beside it is what the step left; the manager rolls it back afterwards. */
export interface Failure {
  readonly error: unknown;
  readonly before: Model;
  /** Instruments may add what they know; it ends up below the error message. */
  readonly notes: Note[];
}

type Awaitable<T> = T | Promise<T>;

/**
 * Something that happens around steps: checking, measuring, recording. `before` is called in the order of the list, `after` and `failed`
 * in reverse order. What `before` or `after` throws fails the step. Only `before` may edit the model, and only what belongs to no pass
 * (its metadata).
 */
export interface Instrument {
  readonly before?: (step: Step, model: Model) => Awaitable<void>;
  readonly after?: (step: Step, model: Model, change: Change) => Awaitable<void>;
  readonly failed?: (step: Step, model: Model, failure: Failure) => Awaitable<void>;
  readonly progress?: (step: Step, done: number, total: number, what?: string) => void;
}
