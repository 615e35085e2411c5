import { hashModel } from '../ir/hash.ts';
import type { Model } from '../ir/model.ts';
import { observe } from './calibrate/observe.ts';
import { followChannels, type ChannelClasses } from './equalize/channels.ts';
import { chooseFactors, type ObservedValue } from './equalize/factors.ts';
import { isGate } from './equalize/gates.ts';
import { centre, centringOf, ChannelValues, linearInputs, look } from './equalize/inputs.ts';
import { rescale } from './equalize/rescale.ts';
import { channelRule, scalable } from './equalize/rules.ts';
import type { Batch, DataSource } from './data.ts';
import { definePass, type PassContext, type PassDeclaration } from './pass.ts';
import type { OptionsOf } from './options.ts';
import type { Feeds } from './runtime.ts';
import { finish } from './statistics/finish.ts';

const options = {
  type: 'object',
  additionalProperties: false,
  properties: {
    data: { type: 'string', default: 'calibration', format: 'reader', description: 'The samples: a name under `data` of the recipe.' },
    samples: { type: 'integer', minimum: 1, maximum: 1e6, unit: 'samples', default: 64, description: 'How many samples are looked at, at most. Only the largest magnitude and the energy of each channel are taken from them, and the values of inputs.' },
    centerInputs: {
      type: 'boolean', default: true,
      description: 'Whether graph inputs that use one side of zero, or whose channels differ in range, are centred before the first layer (a Pad, a Sub and where needed a Div on the input, made up for in its weights), where the target has no zero points.',
    },
  },
} as const;

/** Scales the channels of activations so that they use the range of their tensor evenly; the weights around them take up the factors. */
export const equalize: PassDeclaration<typeof options> = definePass({
  name: 'equalize',
  version: 1,
  summary: 'Balances the channels of activations before they share one scale, with the factors folded into the weights around them.',
  description: [
    'An int8 tensor has one scale for all its channels, so that small channels are rounded coarsely. Where everything between two layers passes positive factors through (Relu, pools,',
    'residual additions, Concat, LayerNormalization before it), each channel can be divided by a factor and the weights that read it multiplied: the model computes the same, and the channels',
    'use the range of their tensor. Weights with one scale for each output channel take the division for free; the multiplication makes their rows uneven, and each group of channels takes',
    'the strength at which both kinds of noise together are least. This is cross-layer equalisation and SmoothQuant as one rule, driven by what was seen of the activations.',
    '',
    'A graph input whose values lie on one side of zero, as those of images do, would use half of the codes of a type without zero point, before the first layer. Where the target has none, such an',
    'input is centred channel by channel, and the first layer makes up for it; values that come from 8 bits are then quantized without any error.',
    '',
    'Put it before `calibrate`: it changes the ranges of the activations.',
  ].join('\n'),
  options,
  idempotent: false,
  async run(model, context) {
    const { edit, remark, stat, options: { centerInputs } } = context;
    const gates = context.target.placement.epilogue === 'pointwise';
    const classes = followChannels(model, (node) => channelRule(node, gates));
    const inputs = centerInputs && context.target.numbers.activations.symmetric ? linearInputs(model, (node) => context.select.has(node)) : [];
    const seen = inputs.map((input) => ({ input, channels: Array.from({ length: input.channels }, () => new ChannelValues()) }));
    const observed = await observeReaders(model, classes, context, seen.length === 0 ? undefined : (feeds) => { for (const { input, channels } of seen) look(feeds, input, channels); });
    const { groups } = chooseFactors(observed, classes);
    const gated = gates ? gatedClasses(model, classes) : new Set<number>();
    const factors = new Map<number, number>();
    for (const { values, strength, gain, factors: own } of groups) {
      const [first] = values;
      const others = values.length > 1 ? ` and ${values.length - 1} more that share channels` : '';
      if (strength === 0) {
        remark({ kind: 'missed', rule: 'even', tensor: first!.name, message: `'${first!.name}'${others} stay as they are: balancing their channels would cost more in the weights than it saves` });
        continue;
      }
      if (gain < gateGain && [...own].some(([root, factor]) => factor !== 1 && gated.has(root))) {
        remark({ kind: 'missed', rule: 'gate', tensor: first!.name, message: `'${first!.name}'${others} stay as they are: balancing their channels would take ${gain.toFixed(1)} dB of noise away, which is not worth the multiplications that their activation functions would need` });
        continue;
      }
      for (const [root, factor] of own) factors.set(root, factor);
      stat('tensors balanced', values.length);
      remark({ kind: 'applied', rule: 'balanced', tensor: first!.name, message: `channels of '${first!.name}'${others} balanced with strength ${strength}: ${gain.toFixed(1)} dB less rounding noise expected in what reads them` });
    }
    if ([...factors.values()].some((factor) => factor !== 1)) rescale(model, edit, classes, factors);
    for (const { input, channels } of seen) {
      const centring = centringOf(channels);
      if (centring === undefined || !centre(input, centring, model, edit)) continue;
      stat('inputs centred', 1);
      remark({ kind: 'applied', rule: 'centred', tensor: input.input.name, message: `'${input.input.name}' is centred before '${input.linear.node.name}', channel by channel: its codes are ${centring.gain.toFixed(2)} times as fine` });
    }
  },
});

/** Least gain, in dB, for which activation functions that are gates (SiLU, HardSwish) get a multiplication each. */
const gateGain = 3;

/** Classes of channels whose factors cost a multiplication. */
function gatedClasses(model: Model, classes: ChannelClasses): Set<number> {
  const gates = [...model.graph.nodes()].filter(isGate);
  return new Set(gates.flatMap(({ inputs: [x] }) => [...classes.of(x)?.ids ?? []].map((id) => classes.root(id))));
}

/** The batches, each shown to an observer before it is handed on. */
async function* watched(batches: AsyncIterable<Batch>, look: (feeds: Feeds) => void): AsyncIterable<Batch> {
  for await (const each of batches) {
    look(each.feeds);
    yield each;
  }
}

/** The channels of everything that a linear operator reads and whose channels may be scaled. */
async function observeReaders(model: Model, classes: ChannelClasses, { options: { data, samples }, select, runtime, signal, progress, remark, ...context }: PassContext<OptionsOf<typeof options>>, look: ((feeds: Feeds) => void) | undefined): Promise<ObservedValue[]> {
  const readers = new Map<string, Omit<ObservedValue, 'statistics'> & { readonly axis: number }>();
  for (const node of model.graph.nodes()) {
    const linear = select.has(node) ? scalable(node) : undefined;
    const [value] = node.inputs;
    const channels = classes.of(value);
    if (linear === undefined || value === undefined || channels === undefined || channels.ids.every((id) => classes.isPinned(id))) continue;
    const known = readers.get(value.name);
    readers.set(value.name, { value, axis: channels.axis, readers: [...known?.readers ?? [], linear] });
  }
  if (readers.size === 0 && look === undefined) return [];
  const given = await context.data(data);
  const source: DataSource = look === undefined ? given : { name: given.name, count: given.count, key: given.key, random: given.random, metric: given.metric, batches: (options) => watched(given.batches(options), look) };
  const { channels } = finish(await observe(model, { ranges: [], moments: [], channels: [...readers].map(([value, { axis }]) => ({ value, axis })) }, {
    model: hashModel(model), method: 'min-max', percentile: 100, samples, runtime, source, signal, remark, progress: (done, total) => { progress(done, total, 'samples'); },
  }));
  return [...readers].flatMap(([name, { value, readers: linears }]) => {
    const statistics = channels.get(name);
    return statistics === undefined ? [] : [{ value, statistics, readers: linears }];
  });
}
