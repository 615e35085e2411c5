import type { Model } from '../ir/model.ts';

/** A pure function of a model, worth keeping until the model changes. */
export interface Analysis<T> {
  readonly name: string;
  run(model: Model): T;
}

/** Declares an analysis: the identity, with its result type inferred. */
export function defineAnalysis<T>(analysis: Analysis<T>): Analysis<T> {
  return analysis;
}

/** Remembers results of analyses for one model, by version: an edit makes them stale. */
export class AnalysisCache {
  private readonly results = new Map<Analysis<unknown>, { readonly version: number; readonly result: unknown }>();

  get<T>(analysis: Analysis<T>, model: Model): T {
    const known = this.results.get(analysis);
    if (known?.version === model.version) return known.result as T;
    const result = analysis.run(model);
    this.results.set(analysis, { version: model.version, result });
    return result;
  }
}
