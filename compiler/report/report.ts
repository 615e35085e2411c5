import type { Evaluation } from '../eval/evaluate.ts';
import type { DiagnosticFields } from '../../ir/diagnostic.ts';
import type { StepResult } from '../manager.ts';
import type { SkippedStep } from '../prepare.ts';
import type { Figures, Statistics } from '../instruments/statistics.ts';
import type { RemarkRecord } from '../instruments/instrument.ts';

/** A file and what is in it. */
export interface FileRecord {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** One step of a compile. */
export interface StepReport {
  readonly id: string;
  /** 0 for the normalisation. */
  readonly number: number;
  readonly pass: string;
  readonly version: number;
  /** Complete, with defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Names of the selected nodes in the model as read; absent without `where`. */
  readonly selected?: readonly string[];
  /** Why the step did not run. */
  readonly skipped?: string;
  /** The budget that it missed, for which it was taken back. */
  readonly reverted?: string;
  /** Number of edits. */
  readonly changes: number;
  readonly stats: Readonly<Record<string, number>>;
  readonly remarks: readonly RemarkRecord[];
  /** Files that it wrote, relative to the recipe. */
  readonly outputs: readonly string[];
  /** What the pass left for the report, by name. */
  readonly records?: Readonly<Record<string, unknown>>;
  /** Absent for a step that did not run. */
  readonly figures?: { readonly before: Figures; readonly after: Figures };
}

/** Everything that a compile decided and did. Paths are relative to the working directory; without `timings` it is the same for the same inputs. */
export interface Report {
  readonly schema: 1;
  /** Version of onnxpress. */
  readonly version: string;
  /** The recipe file, and the hash of the recipe with everything filled in. */
  readonly recipe: { readonly file: string; readonly sha256: string };
  readonly target: string;
  readonly inputs: Readonly<Record<string, FileRecord>>;
  readonly outputs: Readonly<Record<string, FileRecord>>;
  readonly steps: readonly StepReport[];
  /** For each node of the model as it was read: the names of those that stand for it in the end. None if it was evaluated or does nothing. */
  readonly nodes: Readonly<Record<string, readonly string[]>>;
  readonly model: { readonly before: Figures; readonly after: Figures };
  /** The compiled model beside the original on the validation data. */
  readonly evaluation?: Evaluation;
  /** Warnings. */
  readonly diagnostics: readonly DiagnosticFields[];
  /** Milliseconds by step id; left out of reproducible reports. */
  readonly timings?: Readonly<Record<string, number>>;
}

/** The reports of all steps, those that did not run included, in the order of the recipe. */
export function stepReports(results: readonly StepResult[], skipped: readonly SkippedStep[], figures: Statistics['figures']): StepReport[] {
  const ran = results.map(({ step: { id, number, pass, options, selected }, count, stats, remarks, outputs, records, reverted }): StepReport => {
    const measured = figures.get(id);
    return {
      id, number, pass: pass.name, version: pass.version, options,
      ...(selected && { selected: [...selected] }),
      ...(reverted && { reverted: reverted.message }),
      changes: count, stats: Object.fromEntries(stats), remarks, outputs: outputs.map(({ path }) => path),
      ...(records.size > 0 && { records: Object.fromEntries(records) }),
      ...(measured && number > 0 && { figures: measured }),
    };
  });
  const left = skipped.map(({ step: { id, number, pass, options }, reason }): StepReport => (
    { id, number, pass: pass.name, version: pass.version, options, skipped: reason, changes: 0, stats: {}, remarks: [], outputs: [] }
  ));
  return [...ran, ...left].sort((a, b) => a.number - b.number);
}

/** What became of the nodes with these names: those of the final model that descend from them. */
export function descendants(names: Iterable<string>, nodes: Iterable<{ readonly name: string; readonly origin: readonly string[] }>): Record<string, readonly string[]> {
  const found = new Map<string, string[]>([...names].map((name) => [name, []]));
  for (const { name, origin } of nodes) for (const each of new Set(origin)) found.get(each)?.push(name);
  return Object.fromEntries(found);
}
