import { inferTypes, runSteps, type StepResult } from '../../../compiler/manager.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import type { OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import type { Model, Value } from '../../../ir/model.ts';
import { parseModel } from '../../../ir/text/index.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import { calibrate } from '../../../passes/calibrate.ts';
import type { DataSource } from '../../../passes/data.ts';
import { definePass, type Pass } from '../../../passes/pass.ts';
import type { StatisticsRequest } from '../../../passes/statistics/request.ts';
import type { Statistics } from '../../../passes/statistics/statistics.ts';

/** A model from its text, with types. */
export async function typed(text: string, runtime: OrtRuntime): Promise<Model> {
  const model = parseModel(text);
  await inferTypes(model, runtime);
  return model;
}

const nothing = { type: 'object', additionalProperties: false, properties: {} } as const;

/** What a calibration left. */
export interface Calibrated {
  readonly statistics: Statistics;
  readonly remarks: StepResult['remarks'];
  /** The saved file, if one was asked for. */
  readonly saved: Uint8Array | undefined;
}

/** Runs `calibrate` before a step that wants `request`, if any. */
export async function calibrated(model: Model, source: DataSource | (() => Promise<DataSource>), runtime: OrtRuntime, { request, files, signal, ...options }: {
  request?: StatisticsRequest; files?: Readonly<Record<string, Uint8Array>>; signal?: AbortSignal;
  method?: string; samples?: number; batch?: number; shard?: string; statistics?: { readonly load?: string; readonly save?: string };
} = {}): Promise<Calibrated> {
  let statistics: Statistics | undefined;
  const reader: Pass = definePass({
    name: 'reader', version: 1, summary: 'Reads statistics.', options: nothing, needs: ['ranges'],
    ...(request !== undefined && { wants: () => request }),
    run: (_, context) => { statistics = context.statistics.get(); },
  });
  const step = (pass: Pass, number: number, given: Readonly<Record<string, unknown>>): { id: string; number: number; pass: Pass; options: Readonly<Record<string, unknown>>; selected: undefined } => (
    { id: pass.name, number, pass, options: given, selected: undefined }
  );
  const results = await runSteps(model, [step(calibrate, 1, { data: 'calibration', method: 'min-max', percentile: 99.99, statistics: {}, ...options }), step(reader, 2, {})], {
    runtime, target: loadTarget('portable'), signal: signal ?? new AbortController().signal, instruments: [], data: typeof source === 'function' ? source : () => Promise.resolve(source),
    input: (path) => Promise.resolve(files?.[path] ?? new Uint8Array()),
  });
  const [chunk] = results[0]!.outputs[0]?.chunks ?? [];
  return { statistics: statistics!, remarks: results[0]!.remarks, saved: chunk as Uint8Array | undefined };
}

/** The elements of values for each sample, run one by one without optimisation. */
export async function activations(model: Model, source: DataSource, names: readonly string[], runtime: OrtRuntime): Promise<Map<string, Tensor[]>> {
  const values = new Map<string, Value>([...model.graph.values()].map((value) => [value.name, value]));
  const session = await runtime.open(model, { fetch: names.map((name) => values.get(name)!) });
  const found = new Map<string, Tensor[]>(names.map((name) => [name, []]));
  for await (const { feeds } of source.batches({ size: 1 })) {
    const outputs = await session.run(feeds);
    for (const [name, list] of found) list.push(outputs.get(name)!);
  }
  await session.release();
  return found;
}
