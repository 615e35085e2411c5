import { Ajv } from 'ajv';
import type { PruningRecord } from '../../../passes/prune/record.ts';
import type { PlacementRecord } from '../../../passes/quantize/record.ts';
import type { SensitivityRecord } from '../../../passes/quantize/sensitivity.ts';
import { object } from '../file.ts';
import type { Report, StepReport } from '../report.ts';

const number = { type: 'number' };
const decibels = { type: ['number', 'null'] };
const text = { type: 'string' };
const texts = { type: 'array', items: text };
const pair = { type: 'array', items: number, minItems: 2, maxItems: 2 };
const count = { type: 'number', minimum: 0 };
const index = { type: 'integer', minimum: 0 };

const scale = { scale: number, zeroPoint: number, range: pair, holds: pair, method: text };

/** What the page reads of records: a report may come from a file, and a plugin may use the same names. */
const ajv = new Ajv({ strict: false });
const isPlacement = ajv.compile<PlacementRecord>(object({
  layers: {
    type: 'array', items: object(
      { node: text, op: text, origin: texts, int8: { type: 'boolean' }, rule: text, reason: text, macs: decibels },
      { fused: texts, weights: object({ channels: number, scale: pair, rounding: text }, { axis: decibels, sqnr: decibels }), biasCorrection: decibels, sqnr: decibels },
    ),
  },
  tensors: { type: 'array', items: object({ tensor: text, class: index, rules: texts, consumers: texts }, { sqnr: decibels }) },
  classes: {
    type: 'array', items: object(scale, {
      seen: pair, clipped: number,
      histogram: object({ from: number, width: count, zeros: count, counts: { type: 'array', maxItems: 1000, items: count } }),
    }),
  },
  macs: object({ int8: number, eligible: number, share: decibels }),
}));

const isSensitivity = ajv.compile<SensitivityRecord>({ type: 'array', items: object({ node: text, measured: decibels }) });

const counts = { type: 'array', items: count };
const change = { type: 'array', items: count, minItems: 2, maxItems: 2 };
const unsure = { type: ['number', 'null'], minimum: 0 };
const cost = object({ macs: unsure, parameters: count, bytes: count });
const isPruning = ajv.compile<PruningRecord>(object({
  cost: object({ before: cost, after: cost }), prunable: count, proof: unsure,
  groups: {
    type: 'array', items: object({
      name: text, producers: texts, consumers: texts, norms: counts, scores: { type: ['array', 'null'], items: number }, kept: { type: 'array', items: { type: 'boolean' } },
      normsAfter: counts, energy: count, pins: { type: 'array', items: object({ reason: text, channels: count, chain: texts }) }, spared: { type: ['string', 'null'] },
    }),
  },
  layers: {
    type: 'array', items: object({ node: text, op: text, inputs: change, outputs: change, macs: { type: 'array', items: unsure, minItems: 2, maxItems: 2 }, parameters: change }),
  },
}, { recovery: object({ method: text, layers: { type: 'array', items: object({ node: text, used: text, dropped: count, repaired: count }) } }) }));

/** What a step pruned. */
export interface StepPruning {
  /** The id of the step. */
  readonly step: string;
  readonly record: PruningRecord;
  /** Why the result was not run beside the original, where the step remarked on that. */
  readonly unproved?: string;
}

/** What each step that pruned did, in their order. */
export function pruningRecords(report: Report): StepPruning[] {
  return lasting(report).flatMap(({ id, records, remarks }): StepPruning[] => {
    const record: unknown = records?.['pruning'];
    const unproved = remarks.find(({ rule }) => rule.endsWith('/not-compared'))?.message;
    return isPruning(record) ? [{ step: id, record, ...(unproved !== undefined && { unproved }) }] : [];
  });
}

/** Where the last step that quantized put int8, as it recorded it; undefined if none did. */
export function placementRecord(report: Report): PlacementRecord | undefined {
  return recorded(report, 'placement').findLast((record) => isPlacement(record));
}

/** What was measured with one layer alone in int8: signal over noise of the outputs in dB, by the name of the layer, the worst first. */
export function measuredSensitivity(report: Report): ReadonlyMap<string, number> {
  const record = recorded(report, 'sensitivity').findLast((each) => isSensitivity(each)) ?? [];
  return new Map(record.flatMap(({ node, measured }) => (measured === null ? [] : [[node, measured] as const])));
}

/** What the steps recorded under a name, without those that were taken back. */
function recorded(report: Report, name: string): unknown[] {
  return lasting(report).map(({ records }) => records?.[name]);
}

/** The steps without those that did not run, or were taken back. */
function lasting({ steps }: Report): StepReport[] {
  return steps.filter(({ skipped, reverted }) => skipped === undefined && reverted === undefined);
}
