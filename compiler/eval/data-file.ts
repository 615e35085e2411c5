import { dirname, resolve } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { FileHashes } from '../data/file-hashes.ts';
import { recipeData } from '../data/recipe-data.ts';
import { sizesOf } from '../data/sizes.ts';
import type { ReaderSettings } from '../data/settings.ts';
import { Diagnostics, type Host } from '../host.ts';
import type { InputShapes } from '../input-shapes.ts';
import { metricOf, openMetric } from '../metrics/open.ts';
import type { Metric } from '../metrics/metric.ts';
import { checkInputs } from '../prepare.ts';
import { definitions, recipeSchema } from '../recipe/envelope.ts';
import { diskFiles } from '../recipe/files.ts';
import { normalise } from '../recipe/options.ts';
import { readRecipe } from '../recipe/recipe.ts';
import { didYouMean } from '../recipe/suggest.ts';
import { child, plain } from '../recipe/tree.ts';
import { validateTree } from '../recipe/validate.ts';
import type { Model } from '../../ir/model.ts';
import type { OpenedData } from '../data/source.ts';

/** Named data of a recipe, to be opened for a model, and what its metric makes. */
export interface DataOfFile {
  readonly name: string;
  /** Throws `recipe/input-shape` where `inputs` of the recipe do not fit a model as it was read. */
  readonly checkInputs: (model: Model) => void;
  /** Opens them; axes that the model leaves open have the lengths that `inputs` of the recipe say. */
  readonly open: (model: Model) => Promise<OpenedData>;
  readonly metrics: readonly (() => Metric)[];
}

export interface DataFileOptions {
  readonly host: Host;
  readonly set?: readonly string[] | undefined;
  /** Which of its data; `validation`, or the only one, if absent. */
  readonly use?: string | undefined;
  /** A metric in place of that of the data. */
  readonly metric?: string | undefined;
  readonly sources?: Map<string, string>;
  readonly warn: (warning: Diagnostic) => void;
}

/**
 * The data of a recipe, which may lack everything else (model, steps); of the rest only `inputs` count. Throws all mistakes of its `data` and `inputs`, `data/unknown`, and `data/metric`.
 */
export async function dataOfFile(file: string, { host, set = [], use, metric, sources, warn }: DataFileOptions): Promise<DataOfFile> {
  const path = resolve(host.cwd, file);
  const document = readRecipe(file, { set, env: host.env, files: { readText: (name, limit) => diskFiles.readText(resolve(host.cwd, name), limit) } });
  for (const [name, text] of document.sources) sources?.set(name, text);
  const { problems } = document;
  const section = (key: 'data' | 'inputs'): unknown => {
    const schema = recipeSchema.properties![key]!;
    const written = child(document.tree, key);
    const tree = written && normalise(written, schema, file, definitions);
    if (tree) validateTree({ ...schema, definitions }, tree, problems, { what: `\`${key}\`` });
    return tree ? plain(tree) : {};
  };
  const all = section('data') as Readonly<Record<string, ReaderSettings>>;
  const inputs = section('inputs') as InputShapes;
  if (problems.failed) throw new Diagnostics(problems.sorted([...document.sources.keys()]));
  const names = Object.keys(all);
  const name = use ?? (names.includes('validation') ? 'validation' : names.length === 1 ? names[0]! : undefined);
  if (name === undefined || !Object.hasOwn(all, name)) {
    throw new Diagnostic('data/unknown', name === undefined ? `${file} has no data 'validation'` : `${file} has no data '${name}'`, {
      file, expected: names, suggestion: (name === undefined ? undefined : didYouMean(name, names)) ?? (names.length === 0 ? 'Add `data:` with a reader.' : 'Say which data with `--use NAME`.'),
    });
  }
  const folder = dirname(path);
  const chosen = metric ?? metricOf(all[name]!);
  const hashes = new FileHashes();
  return {
    name,
    checkInputs: (model) => { checkInputs({ inputs, tree: document.tree }, model); },
    open: (model) => recipeData(all, { folder, hashes, warn, sizes: sizesOf(inputs, model) })(name, model),
    metrics: chosen === undefined ? [] : [await openMetric(chosen, metric === undefined ? folder : host.cwd)],
  };
}
