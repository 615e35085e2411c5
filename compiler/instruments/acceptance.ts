import { chunksLength } from '../../ir/bytes.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import { figuresOf, type Figures } from './statistics.ts';
import type { Instrument } from './instrument.ts';

/** Least and greatest value that a metric may have. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** Budgets by metric, and what a missed one does. */
export interface Acceptance {
  readonly onFail?: 'error' | 'warn' | 'revert';
  readonly [metric: string]: Bounds | string | undefined;
}

/** Metrics that need nothing but the model. */
const metrics: Readonly<Record<string, (figures: Figures, model: Model) => number>> = {
  // The weights are not copied: the writer hands out pieces.
  size: (_figures, model) => chunksLength(writeModel(model).model),
  nodes: ({ nodes }) => nodes,
  parameters: ({ parameters }) => parameters,
  macs: ({ macs }) => macs,
};

/** Figures that were measured on data, by the name of the budget. */
export type Measured = ReadonlyMap<string, number>;

/** True for a budget that the model alone cannot answer. */
export function needsData(name: string): boolean {
  return name !== 'onFail' && !Object.hasOwn(metrics, name);
}

/**
 * Says which budgets of an acceptance can be judged: those of the model itself, and the `measurable` ones. Throws `accept/unknown-metric` for the first that cannot,
 * before anything runs.
 */
export function checkMetrics(acceptance: Acceptance, where: string, measurable: ReadonlySet<string> = new Set(), why = 'which needs data: budgets of accuracy hold for the whole recipe'): void {
  for (const name of Object.keys(acceptance)) {
    if (!needsData(name) || measurable.has(name)) continue;
    throw new Diagnostic('accept/unknown-metric', `${where} limits \`${name}\`, ${why}`, {
      expected: [...Object.keys(metrics), ...measurable], actual: name,
      suggestion: measurable.size === 0 ? `Limit one of ${Object.keys(metrics).join(', ')}, or move the budget to \`accept\` of the recipe, with \`data: { validation: … }\`.` : `Limit one of ${[...Object.keys(metrics), ...measurable].join(', ')}.`,
    });
  }
}

/** What of an acceptance a model misses: one `accept/budget` for each metric, naming the value and the limit. */
export function missedBudgets(acceptance: Acceptance, model: Model, where: string, measured: Measured = new Map()): Diagnostic[] {
  const figures = figuresOf(model);
  return Object.entries(acceptance).flatMap(([name, bounds]) => {
    if (name === 'onFail' || bounds === undefined || typeof bounds === 'string') return [];
    const value = metrics[name]?.(figures, model) ?? measured.get(name) ?? NaN;
    const { min = -Infinity, max = Infinity } = bounds;
    if (value >= min && value <= max) return [];
    const limit = value < min || max === Infinity ? `at least ${min}` : `at most ${max}`;
    return [new Diagnostic('accept/budget', `${where} accepts ${limit} for \`${name}\`, and the model has ${rounded(value)}`, {
      expected: [limit], actual: String(value), suggestion: 'Change the steps so that they meet it, or relax the budget.',
    })];
  });
}

/** Whole numbers as they are, others with four digits behind the point at most. */
const rounded = (value: number): string => String(Number.isInteger(value) ? value : Number(value.toFixed(4)));

/** The same Diagnostic as a warning. */
export function asWarning(diagnostic: Diagnostic): Diagnostic {
  return new Diagnostic(diagnostic.code, diagnostic.message, { ...diagnostic.toJSON(), severity: 'warning' });
}

/** True for a budget that a model missed: neither a defect nor a mistake in the recipe. */
export function isMissedBudget(error: unknown): boolean {
  return Diagnostic.is(error) && error.code === 'accept/budget';
}

/** Checks the budgets of each step after it: the first one missed fails the step. With `onFail: warn` it is handed to `warn` instead. */
export function acceptance(warn: (diagnostic: Diagnostic) => void): Instrument {
  return {
    after(step, model) {
      if (step.accept === undefined) return;
      for (const missed of missedBudgets(step.accept, model, `step '${step.id}'`)) {
        if (step.accept.onFail !== 'warn') throw missed;
        warn(asWarning(missed.with({ step: step.id })));
      }
    },
  };
}
