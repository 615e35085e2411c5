import type { Explanation } from '../diagnostics.ts';

/** Codes of statistics, and of files that steps read. */
export const statisticsDiagnostics: Readonly<Record<string, Explanation>> = {
  'statistics/unreadable': {
    title: 'A file is not one of statistics, or is damaged.',
    text: 'Statistics are written by `calibrate` (`statistics: { save: FILE }`), `onnxpress calibrate` and `onnxpress merge`. The message says what is wrong with the bytes. A file that was cut off while it was copied has to be copied or gathered again.',
  },
  'statistics/other-model': {
    title: 'Statistics are of another model than the one they are loaded for.',
    text: `Statistics hold for the model as it is at the step \`calibrate\`: other weights, or other steps before it, make another model. Gather them anew with \`onnxpress calibrate RECIPE\`.

Whatever stands behind \`calibrate\` in the recipe may change freely, as long as the statistics hold what it wants.`,
  },
  'statistics/missing': {
    title: 'Loaded statistics lack what a later step wants.',
    text: 'What is observed is what the steps behind `calibrate` ask for while it runs. Statistics that were gathered before a step was added, or with other options (second moments for `rounding: gptq`), lack what it needs: gather them again.',
  },
  'statistics/no-histogram': {
    title: 'A method needs the histogram of a value, and there is none.',
    text: 'The methods `min-max` and `mean-min-max` gather no histograms, since they need none. `auto`, `percentile`, `entropy` and `mse` do: calibrate with one of them, and every method can be used on what was gathered.',
  },
  'statistics/format': {
    title: 'A range was asked for in a number format that has none.',
    text: 'Ranges are chosen for int8, uint8, int16 and uint16. Other formats (float8, int4) scale differently.',
  },
  'statistics/shard': {
    title: 'A shard is not one, or the samples cannot be divided.',
    text: 'A shard is written i/n: part i of n, counted from 1. Samples are divided in whole chunks of 64 (or of the model\'s literal batch, if that is larger), so that parts merge exactly; with fewer chunks than shards, some shards are empty. Data of unknown length (`module` without a count) can be divided only if `calibrate` says how many `samples` it wants.',
  },
  'statistics/merge': {
    title: 'Statistics cannot be merged.',
    text: 'Parts of one run merge: the same recipe, model, data, method and batch, and different shards i/n of one n. The message says in what these parts differ, or which samples are in two of them.',
  },
  'statistics/no-calibrate': {
    title: '`onnxpress calibrate` was given a recipe that does not calibrate.',
    text: 'The command runs the steps up to the first `calibrate` and writes what that step gathers. A step that its `when` skips does not count.',
  },
  'input/unreadable': {
    title: 'A file that a step names cannot be read.',
    text: 'Paths in a recipe are relative to the recipe; those on the command line to the folder in which it is started. The message holds the words of the operating system.',
  },
};
