import { statSync } from 'node:fs';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { metricFiles } from '../metrics/open.ts';
import { didYouMean } from '../recipe/suggest.ts';
import { openData, type OpenDataOptions } from './open.ts';
import type { ReaderSettings } from './settings.ts';
import type { OpenedData } from './source.ts';

/** Opens the data of a recipe by name, for whatever model a step has before it. A warning that is given twice is passed on once. Modules of their metrics are among the files that are hashed. Throws `data/unknown`, and what `openData` throws. */
export function recipeData(data: Readonly<Record<string, unknown>>, options: Omit<OpenDataOptions, 'model'>): (name: string, model: Model) => Promise<OpenedData> {
  const given = new Set<string>();
  const warn = (warning: Diagnostic): void => {
    if (given.has(warning.message)) return;
    given.add(warning.message);
    options.warn?.(warning);
  };
  return async (name, model) => {
    if (!Object.hasOwn(data, name)) {
      throw new Diagnostic('data/unknown', `there is no data '${name}'`, {
        expected: Object.keys(data), suggestion: didYouMean(name, Object.keys(data)) ?? 'Name it under `data` in the recipe.',
      });
    }
    const settings = data[name] as ReaderSettings;
    // A missing one is reported by whoever opens the metric.
    for (const file of metricFiles(settings.metric, options.folder)) if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) options.hashes?.of(file);
    return openData(name, settings, { ...options, model, warn });
  };
}
