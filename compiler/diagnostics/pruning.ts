import type { Explanation } from '../diagnostics.ts';

/** Codes of structured pruning. */
export const pruningDiagnostics: Readonly<Record<string, Explanation>> = {
  'prune/amount': {
    title: 'How much is to be removed is not said, said twice, or more than `maxRatio` allows.',
    text: 'Either `amount` (a share of the channels) or `budget` (what may stay: `macs`, `parameters`, `bytes`, `latency`) says how much goes; entries of `layers` with an `amount` of their own may stand beside both, or alone. `maxRatio` is hard: an amount beyond it is refused rather than cut down.',
  },
  'prune/budget': {
    title: 'The budget is one of something that cannot be counted.',
    text: 'Multiply-accumulates follow from the lengths of all axes. Where the inputs of a model have symbolic axes beside the batch, say how long they mostly are, under `inputs` of the recipe; or give a budget of `parameters` or `bytes`, which need no sizes.',
  },
  'prune/inconsistent': {
    title: 'The pruned model does not hold together.',
    text: 'After the cut the channels are followed again through the rewired model, and somewhere other channels or other lengths were met than were kept. Nothing is written. This is a defect in a relation of channels: leave the layer that is named out with `where`, and report it with the model.',
  },
  'prune/layers': {
    title: 'An entry of `layers` cannot be read, or fits nothing.',
    text: 'An entry names layers that make channels by `nodes` (names or globs, of the model now or as it was read), by `ops`, or by both, and gives them an `amount`, a `maxRatio`, or both. `onnxpress inspect MODEL --groups` lists the layers that make channels.',
  },
  'prune/no-scores': {
    title: 'The chosen importance can score no channel of the model.',
    text: `\`bn-scale\` needs BatchNormalization: fold with \`batchNorm: false\`. \`activation\` and \`reconstruction\` need statistics of what layers read: put a \`calibrate\` step right before the pruning.

A group that alone cannot be scored is left as it is, with a remark; this is raised where it is all of them.`,
  },
  'prune/not-equal': {
    title: 'The pruned model does not compute what the original computes without the removed channels.',
    text: 'The pruned model was run beside the original whose readers of removed channels had been set to zero, which must give the same. Nothing is written. This is a defect in a relation of channels: leave layers out with `where` until it is found, and report it with the model.',
  },
  'prune/unreachable': {
    title: 'As much as is asked for cannot be removed.',
    text: `With all channels removed that may go, the budget is not met, or the amount is not reached. The message says how far it comes, and the notes say what keeps the others: outputs of the model and operators that cannot be followed, layers that are not selected, \`maxRatio\`, \`minKeep\`, \`roundTo\`, and that every axis keeps one channel.

Ask for less, select more layers, or loosen these.`,
  },
};
