import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Diagnostic } from '../ir/diagnostic.ts';
import { Editor } from '../ir/edit.ts';
import { normalizeModel } from '../ir/normalize.ts';
import { dataOfFile } from './eval/data-file.ts';
import { evaluate, type Evaluation, type Subject } from './eval/evaluate.ts';
import { fusedLoss } from './eval/fused.ts';
import { giveShapes } from './given-shapes.ts';
import { openModelFile, type OpenedModel } from './files/model-file.ts';
import { quietHost, type Host } from './host.ts';
import { inferTypes } from './manager.ts';
import { createRuntime } from './runtime/runtime.ts';

/** How models are compared. Paths are relative to the host's working directory. */
export interface EvalOptions {
  readonly host?: Partial<Host>;
  /** A recipe, of which `data` and `inputs` count. */
  readonly data: string;
  /** Which of its data: `validation`, or the only one, if absent. */
  readonly use?: string;
  /** `NAME=VALUE` for variables of the recipe. */
  readonly set?: readonly string[];
  /** A metric in place of that of the data. */
  readonly metric?: string;
  /** Samples at most. */
  readonly samples?: number;
  /** `INPUT=1,3,224,224` or `SYMBOL=8`: lengths for axes that the models leave open, and neither `inputs` of the recipe nor the samples fix. */
  readonly shapes?: readonly string[];
  /** Measure accuracy with all optimisations of ONNX Runtime, as a program on this processor would run the files. */
  readonly optimized?: boolean;
  /** Timed runs of each model; 20 if absent, 0 for none. */
  readonly runs?: number;
  /** Filled with the text of each recipe file, for printing diagnostics. */
  readonly sources?: Map<string, string>;
  readonly progress?: (done: number, total: number | undefined) => void;
}

export interface EvalResult extends Evaluation {
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Measures models side by side on the same samples; the first is the one that the others are compared with. Throws Diagnostics for what is wrong with models and data. */
export async function evalModels(files: readonly string[], { host: given, data, use, set, metric, samples, shapes = [], optimized = false, runs = 20, sources, progress }: EvalOptions): Promise<EvalResult> {
  const host = quietHost(given);
  const diagnostics: Diagnostic[] = [];
  const { checkInputs, open, metrics } = await dataOfFile(data, { host, set, use, metric, ...(sources && { sources }), warn: (warning) => { diagnostics.push(warning); } });
  const opened: OpenedModel[] = [];
  const runtime = createRuntime();
  try {
    const subjects: Subject[] = [];
    for (const file of files) {
      const each = openModelFile(resolve(host.cwd, file), file);
      opened.push(each);
      const bytes = each.files.reduce((total, path) => total + statSync(path).size, 0);
      normalizeModel(each.model, new Editor(each.model));
      if (subjects.length === 0) checkInputs(each.model);
      giveShapes(each.model, file, shapes);
      await inferTypes(each.model, runtime);
      subjects.push({ name: file, model: each.model, bytes });
    }
    const source = await open(subjects[0]!.model);
    const evaluation = await evaluate(subjects, source, {
      runtime, metrics, runs, signal: host.signal, optimization: optimized ? 'all' : 'disabled', ...(samples !== undefined && { samples }), ...(progress && { progress }),
    });
    for (const subject of subjects.slice(1)) {
      const loss = await fusedLoss(subjects[0]!, subject, source, { runtime, signal: host.signal });
      if (loss !== undefined) diagnostics.push(loss);
    }
    return { ...evaluation, diagnostics };
  } finally {
    await runtime.close();
    for (const { close } of opened) close();
  }
}
