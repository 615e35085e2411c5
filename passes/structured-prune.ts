import { cloneModel } from '../ir/clone.ts';
import { Diagnostic } from '../ir/diagnostic.ts';
import type { Model, Node, Value } from '../ir/model.ts';
import { dtypeOfType, shapeOf } from '../ir/type.ts';
import { definePass, type PassContext, type PassDeclaration } from './pass.ts';
import { followChannels } from './prune/channels.ts';
import { concreteDims } from './prune/concrete.ts';
import { cut } from './prune/cut.ts';
import { describeAfter, describeBefore } from './prune/describe.ts';
import type { DimsOf } from './prune/flow.ts';
import { channelsOf, type Channels } from './prune/groups.ts';
import { statisticsFor } from './prune/importance/importance.ts';
import { amend } from './prune/lossless/amend.ts';
import type { DeadKind } from './prune/lossless/dead.ts';
import { pruneOptions, type PruneOptions } from './prune/options.ts';
import { zeroReaders, type Copy } from './prune/oracle.ts';
import type { PruningRecord, RecoveryRecord } from './prune/record.ts';
import { differenceOf, feedsAt } from './prune/proof.ts';
import { expectationOf, replay } from './prune/replay.ts';
import { selectChannels, type Removal } from './prune/select.ts';
import { recoverSequentially } from './prune/recover/sequential.ts';
import { survivorsOf, type Survivors } from './prune/survivors.ts';

/** Removes whole channels and rewires everything behind them. */
export const structuredPrune: PassDeclaration<typeof pruneOptions> = definePass({
  name: 'structured-prune',
  version: 1,
  summary: 'Removes whole channels, filters, features and heads, and rewires everything behind them.',
  description: [
    'Channels are followed through the whole model, so that everything that can only be removed together is one channel: outputs of layers that are added to each other, scales and biases that go along with them, the weights that',
    'read them. The least important ones are removed; weights, attributes, shapes and positions are rewritten, and the result is proved. See [pruning](../pruning.md).',
  ].join('\n'),
  options: pruneOptions,
  idempotent: false,
  needs: ({ importance }) => (importance === 'reconstruction' ? ['moments'] : importance === 'activation' ? ['ranges'] : []),
  wants: (model, { options: { importance } }) => statisticsFor(importance, model),
  async run(model, context) {
    const { edit, options, runtime, sizes, stat, remark, record } = context;
    const dims = await concreteDims(model, sizes, runtime);
    const channels = channelsOf(followChannels(model, { dims, heads: options.heads }));
    const before = describeBefore(model, channels);
    for (const { name, pins } of before.groups) {
      for (const { reason, channels: count, chain } of pins) {
        remark({ kind: 'missed', rule: 'pinned', message: `${count} channels of '${name}' stay: ${reason}${chain.length > 1 ? ` (by way of ${chain.map((each) => `'${each}'`).join(', ')})` : ''}` });
      }
    }
    const removal = await selectChannels(model, channels, options, { select: context.select, runtime, sizes: withoutBatch(model, dims.sizes), statistics: context.statistics.get() });
    for (const { group, spared } of removal.groups) if (spared !== undefined) remark({ kind: 'missed', rule: 'spared', node: group.producers[0]!.node, message: `'${group.name}' loses nothing: it ${spared}` });
    if (removal.removed.size === 0) return;
    const [original, silenced] = [copyOf(model), copyOf(model)];
    const survivors = survivorsOf(channels.flow, removal.removed);
    const raiseBiases = amend(removal.dead, channels.flow, survivors, edit);
    await rewire(model, channels, survivors, dims, context);
    raiseBiases();
    const proof = options.verify ? await prove(model, channels, removal, silenced, dims, context) : null;
    tell(removal, context);
    const recovery = await recover(model, original, survivors, channels, context);
    stat('channels removed', removal.removed.size);
    record('pruning', { ...describeAfter(model, channels, removal.groups, before), proof, ...(recovery !== undefined && { recovery }) } satisfies PruningRecord);
  },
});

/** Cuts the model, and proves that the channels stand where they must. */
async function rewire(model: Model, channels: Channels, survivors: Survivors, dims: DimsOf & { readonly sizes: ReadonlyMap<string, number> }, { edit, runtime, signal }: PassContext<PruneOptions>): Promise<void> {
  const expectation = expectationOf(channels.flow, survivors);
  cut(model, channels.flow, survivors, edit);
  signal.throwIfAborted();
  replay(model, expectation, await concreteDims(model, dims.sizes, runtime));
}

/** Largest difference from the original with silent readers that rounding explains, as a share of the largest output: sums in another order, through many layers. A wrong rewiring is off by about 1. */
const tolerance = { float: 1e-3, float16: 5e-2 };

/** Runs the pruned model beside the original with its readers silenced. Null where the two need not be equal, or the model does not run on made-up inputs, which is remarked. */
async function prove(model: Model, channels: Channels, { removed }: Removal, original: Copy, dims: DimsOf, { options, runtime, remark }: PassContext<PruneOptions>): Promise<number | null> {
  const unproved = (why: string): null => {
    remark({ kind: 'analysis', rule: 'not-compared', message: `the pruned model is not run beside the original: ${why}` });
    return null;
  };
  // What nobody misses is held against the original as it is.
  if (!options.lossless && !zeroReaders(channels, removed, original)) return unproved('removed channels meet a reduction without weights, where removing one changes the others');
  const feeds = feedsAt(model, dims);
  if (feeds === undefined) return unproved('an input has no known shape');
  let difference;
  try {
    difference = await differenceOf(original.model, model, feeds, runtime);
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    return unproved(`the model does not run on made-up inputs (${error.message}); sizes under \`inputs\` of the recipe may help`);
  }
  const half = model.graph.outputs.some(({ value }) => dtypeOfType(value.type) === 'float16') || model.graph.inputs.some(({ type }) => dtypeOfType(type) === 'float16');
  const limit = half ? tolerance.float16 : tolerance.float;
  if (difference.relative > limit) {
    throw new Diagnostic('prune/not-equal', `the pruned model does not compute what the original computes without the removed channels: '${difference.output}' differs by ${difference.relative.toPrecision(2)} of its largest element`, {
      expected: [`at most ${limit}`], suggestion: 'This is a defect in a relation of channels: leave layers out with `where` until it is found, and report it with the model.',
    });
  }
  return difference.relative;
}

/** Fits the layers behind removed channels anew, as the options say. */
async function recover(model: Model, original: Copy, survivors: Survivors, { flow }: Channels, context: PassContext<PruneOptions>): Promise<RecoveryRecord | undefined> {
  const { options: { recover: method, data = 'calibration' }, remark } = context;
  if (method === 'none') return undefined;
  const changed = new Set(Array.from(flow.entries(), ([value]) => value).filter((value) => survivors.kept(value).length > 0));
  const layers = await recoverSequentially(model, original, survivors, changed, await context.data(data), method !== 'mean', context);
  for (const { node, used, dropped, repaired } of layers) {
    const decibels = (share: number): string => (-10 * Math.log10(Math.max(share, 1e-12))).toFixed(1);
    remark({ kind: 'applied', rule: 'recovered', message: `'${node}': ${used === 'none' ? 'left as it was' : `new ${used}`}, ${decibels(dropped)} dB → ${decibels(repaired)} dB on samples that were held out` });
  }
  return { method, layers };
}

/** What was the matter with channels that nobody misses. */
const deadText: Readonly<Record<DeadKind, string>> = {
  zero: 'were zero', unread: 'were read by zero weights alone', constant: 'were constants that biases have taken up', twin: 'were held twice, or constants like others',
};

function tell({ groups, dead, cost: { before, after } }: Removal, { remark }: PassContext<PruneOptions>): void {
  for (const { group, kept, energy, limit } of groups) {
    const gone = kept.filter((each) => !each).length;
    if (gone === 0) continue;
    remark({
      kind: 'applied', rule: 'pruned', node: group.producers[0]!.node,
      message: `'${group.name}' loses ${gone} of ${kept.length} channels${group.producers.length > 1 ? `, with ${group.producers.length - 1} more layers that make them` : ''}; ${(100 * energy).toFixed(1)} % of its energy stays${limit === undefined ? '' : `, and more stays than asked: ${limit}`}`,
    });
  }
  const kinds = (Object.keys(deadText) as DeadKind[]).map((kind) => [dead.filter((each) => each.kind === kind).length, deadText[kind]] as const).filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`);
  if (kinds.length > 0) remark({ kind: 'analysis', rule: 'dead', message: `no output changes: of the channels that went, ${kinds.join(', ')}` });
  const share = (of: 'macs' | 'parameters' | 'bytes'): string => (before[of] === 0 ? '–' : `${((100 * after[of]) / before[of]).toFixed(1)} %`);
  remark({ kind: 'analysis', rule: 'cost', message: `${share('macs')} of the multiply-accumulates stay, ${share('parameters')} of the parameters, ${share('bytes')} of the bytes` });
}

function copyOf(model: Model): Copy {
  const nodes = new Map<Node, Node>();
  const values = new Map<Value, Value | undefined>();
  return { model: cloneModel(model, { nodes, values }), nodes, values };
}

/** Lengths of symbols that do not count samples: costs are per sample. */
function withoutBatch({ graph }: Model, sizes: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const batches = new Set(graph.inputs.map(({ type }) => shapeOf(type)?.[0]));
  return new Map([...sizes].filter(([symbol]) => !batches.has(symbol)));
}
