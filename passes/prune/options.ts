import type { OptionsOf } from '../options.ts';

/** The options of `structured-prune`. */
export const pruneOptions = {
  type: 'object',
  additionalProperties: false,
  properties: {
    amount: {
      type: 'number', minimum: 0, maximum: 1, unit: 'ratio',
      description: 'The share of the channels that is removed, of those that can go: in each group, or by `scope` in several at once. The number to remove is rounded as PyTorch does, halves to even (0.4 of 64 removes 26). Heads of attention count one each. Either this or `budget`.',
    },
    budget: {
      type: 'object', additionalProperties: false,
      description: 'What may stay, instead of an amount: as few channels go as it takes. With several figures all are met. Where channels of several groups are ranked together by losses that add up (`reconstruction`), each is weighed against what the budget gains by it.',
      properties: {
        macs: { type: 'number', exclusiveMinimum: 0, maximum: 1, unit: 'ratio', description: 'The share of the multiply-accumulates that stays at most, counted on the pruned model.' },
        parameters: { type: 'number', exclusiveMinimum: 0, maximum: 1, unit: 'ratio', description: 'The share of the trained parameters that stays at most, counted on the pruned model.' },
        bytes: { type: 'number', exclusiveMinimum: 0, maximum: 1, unit: 'ratio', description: 'The share of the bytes of constants that stays at most, counted on the pruned model.' },
        latency: { type: 'number', exclusiveMinimum: 0, maximum: 1, unit: 'ratio', description: 'The share of the predicted time that stays at most: node by node the larger of its multiply-accumulates and 64 times the bytes that it reads and writes.' },
      },
    },
    lossless: { type: 'boolean', default: false, description: 'Removes only channels that nobody misses: those that are zero wherever they are read, those that only zero weights read, those that are numbers which biases can take up, and those that others are the same as. No output changes. Stands instead of `amount` and `budget`.' },
    scope: {
      type: 'string', enum: ['layer', 'global', 'isomorphic'], default: 'layer',
      description: 'Which channels are ranked together: `layer` those of one group, so that each loses the same share; `global` all; `isomorphic` those of groups that the same operators make and read.',
    },
    layers: {
      type: 'array', default: [],
      description: 'What holds for some layers; later entries win, field by field. A group of channels is meant if one of the layers that make it is.',
      items: {
        type: 'object', additionalProperties: false, description: 'Layers, and what holds for them.',
        properties: {
          nodes: { type: 'array', minItems: 1, items: { type: 'string', description: 'A name or glob: `*` stays between slashes, `**` crosses them.' }, description: 'Names of layers that make channels, now or in the model as it was read.' },
          ops: { type: 'array', minItems: 1, items: { type: 'string', description: 'An operator.' }, description: 'Operators of these layers; with `nodes` both must fit.' },
          amount: { type: 'number', minimum: 0, maximum: 1, unit: 'ratio', description: 'The share of their channels that is removed, each group by itself, whatever `scope` and `budget` say.' },
          maxRatio: { type: 'number', minimum: 0, maximum: 1, unit: 'ratio', description: 'The largest share of their channels that may be removed.' },
        },
      },
    },
    importance: {
      type: 'string', enum: ['l1', 'l2', 'bn-scale', 'fpgm', 'lamp', 'activation', 'reconstruction', 'random'], default: 'l2',
      description: 'How channels are scored; those with the lowest scores go. `l1`, `l2`: norms of the weights that make them. `bn-scale`: the scale of the batch normalization behind them (fold with `batchNorm: false`). `fpgm`: distance of their weights from those of the others (geometric median). `lamp`: squared norm over the sum of those that are no smaller. `activation`: norm of the weights that read them times what was seen of them. `reconstruction`: the error that is left in the layers that read them when their weights are fitted anew (wants second moments). `random`: by `seed`.',
    },
    aggregate: {
      type: 'string', enum: ['mean', 'sum', 'max', 'first'],
      description: 'How the scores of a channel that is made (or read) in several places become one. `mean` if absent; for `reconstruction` `sum`.',
    },
    normalize: {
      type: 'string', enum: ['none', 'mean', 'max', 'sum', 'lamp'],
      description: 'What the scores of a group are divided by before groups are compared: nothing, or their mean, largest, or sum; `lamp` takes the square of each over the squares of those that are no smaller. `mean` if absent; `none` for importances that can be compared as they are (`lamp`, `reconstruction`, `random`).',
    },
    residual: { type: 'boolean', default: true, description: 'Whether channels of sums of layers (residual streams) are removed as well. Every layer along a stream loses them, so that they cost more accuracy than channels inside of blocks; without training after it `false` is often better.' },
    roundTo: { type: 'integer', minimum: 1, maximum: 4096, default: 1, description: 'Widths that change are rounded up to a multiple of this number of channels; of what would be lost the best stays.' },
    maxRatio: { type: 'number', minimum: 0, maximum: 1, default: 0.9, unit: 'ratio', description: 'The largest share of its channels that a group may lose, at once or in steps.' },
    minKeep: { type: 'integer', minimum: 1, maximum: 1e6, default: 1, description: 'How many channels (or heads) of each group stay at least.' },
    steps: { type: 'integer', minimum: 1, maximum: 100, default: 1, description: 'In how many equal steps channels are removed; those that are left are scored anew after each.' },
    heads: { type: 'string', enum: ['heads', 'features'], default: 'heads', description: 'How attention shrinks: by whole heads, or by the same features of all heads.' },
    seed: { type: 'integer', minimum: 0, maximum: 4294967295, default: 0, description: 'Seed of the importance `random`.' },
    data: { type: 'string', format: 'reader', description: 'The samples that `recover` runs: a name under `data` of the recipe; `calibration` if absent.' },
    recover: {
      type: 'string', enum: ['none', 'mean', 'least-squares'], default: 'none',
      description: 'How layers behind removed channels are mended, one after the other, on samples: not at all; `mean`: their biases take up the means of what is missing; `least-squares`: their weights are fitted anew to what the original gave. Kept where it is better on samples that were held out.',
    },
    verify: { type: 'boolean', default: true, description: 'Runs the pruned model beside the original whose readers of removed channels have been silenced, and refuses it if they differ.' },
  },
} as const;

/** What the step says, with defaults. */
export type PruneOptions = OptionsOf<typeof pruneOptions>;

/** What of the options decides which channels go. */
export type SelectionOptions = Pick<PruneOptions, 'lossless' | 'scope' | 'layers' | 'importance' | 'residual' | 'roundTo' | 'maxRatio' | 'minKeep' | 'steps' | 'seed'> & Partial<Pick<PruneOptions, 'amount' | 'budget' | 'aggregate' | 'normalize'>>;
