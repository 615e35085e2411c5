import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import type { PassContext } from '../pass.ts';
import { checkCounted, gainOf, isMet, limits, smallest, unmet, type Budget } from './budget.ts';
import type { Channels, ChannelGroup } from './groups.ts';
import { addsUp, combineFor, scoresOf } from './importance/importance.ts';
import { squareSums } from './importance/slabs.ts';
import { Weights } from './importance/weights.ts';
import { Contents } from './lossless/contents.ts';
import { DeadChannels, type DeadChannel } from './lossless/dead.ts';
import type { SelectionOptions } from './options.ts';
import { Recount, type PrunedCost } from './recount.ts';
import { signatureOf } from './selection/classes.ts';
import { roundedCount, roundHalfEven } from './selection/counts.ts';
import { layerWishes, type LayerWish } from './selection/layers.ts';
import { offerOf, poolsOf, type Candidate, type Offer, type Pool } from './selection/pools.ts';
import { removalOrder, type Ranking, type Taken } from './selection/ranking.ts';
import { capOf, checkAmount, summed, tooMuch, type Cap } from './selection/reasons.ts';
import type { Unit } from './units.ts';
import { Widths } from './widths.ts';

/** What was decided about one group of channels. Lists have one entry for each channel, in the group's order. */
export interface GroupSelection {
  readonly group: ChannelGroup;
  /** L2 norms of what the producers hold for a channel, over all of them together; NaN where weights cannot be read. */
  readonly norms: Float64Array;
  /** The last score of each channel before it went, low ones first to go; undefined if the group was not scored. NaN for a channel that has none. */
  readonly scores: Float64Array | undefined;
  readonly kept: readonly boolean[];
  /** Σ norm² of what stays over Σ norm² of all; 1 if nothing is known. */
  readonly energy: number;
  /** Why nothing was taken from it although it has free channels: the end of a sentence that begins with the group. */
  readonly spared: string | undefined;
  /** What kept more of it than was to stay, if something did: a clause. */
  readonly limit: string | undefined;
}

/** Which channels go. */
export interface Removal {
  /** By the atoms that stand for them. */
  readonly removed: ReadonlySet<number>;
  /** With `lossless`, why each can go, and what must be done for it. */
  readonly dead: readonly DeadChannel[];
  /** In the order of the groups. */
  readonly groups: readonly GroupSelection[];
  readonly cost: { readonly before: PrunedCost; readonly after: PrunedCost };
}

/** What a selection may look at. */
export type SelectionContext = Pick<PassContext<unknown>, 'select' | 'runtime' | 'sizes'> & { readonly statistics: ReturnType<PassContext<unknown>['statistics']['get']> };

/**
 * Chooses the channels to remove: scores them, ranks them by `scope`, and takes the worst by amount or until a budget is met, within `maxRatio`, `minKeep` and what must stay. The model is not changed. Ties go by score, then group, then position.
 * Throws `prune/amount`, `prune/budget`, `prune/layers`, `prune/no-scores` and `prune/unreachable`.
 */
export async function selectChannels(model: Model, channels: Channels, options: SelectionOptions, context: SelectionContext): Promise<Removal> {
  checkAmount(options);
  const weights = await Weights.read(model, channels, context.runtime);
  return new ChannelSelection(model, channels, options, context, weights).run();
}

class ChannelSelection {
  private readonly model: Model;
  private readonly channels: Channels;
  private readonly options: SelectionOptions;
  private readonly context: SelectionContext;
  private readonly weights: Weights;
  private readonly wishes: readonly LayerWish[];
  private readonly caps: readonly Cap[];
  private readonly pools: readonly Pool[];
  private readonly widths: Widths;
  private readonly recount: Recount;
  private readonly before: PrunedCost;
  /** For each channel its group, and its place there. */
  private readonly placeOf: ReadonlyMap<number, { readonly group: number; readonly channel: number }>;
  /** For each group why it is not considered, or nothing. */
  private readonly outside: readonly (string | undefined)[];
  /** For each group, how many places each channel takes on the widest of the axes where it is made. */
  private readonly places: readonly ReadonlyMap<number, number>[];
  private readonly scores: (Float64Array | undefined)[];
  private readonly unscored: (string | undefined)[];
  /** Groups that may lose no more: why, and how many units had gone in all when that was first met. */
  private readonly denied = new Map<number, { readonly at: number; readonly reason: string }>();
  /** Those among them that would have lost more by what was asked for. */
  private limited: ReadonlySet<number> = new Set();
  private readonly rounded = new Set<number>();
  private offers: readonly Offer[] = [];
  private removed: ReadonlySet<number> = new Set();

  constructor(model: Model, channels: Channels, options: SelectionOptions, context: SelectionContext, weights: Weights) {
    const { groups, flow } = channels;
    this.model = model;
    this.channels = channels;
    this.options = options;
    this.context = context;
    this.weights = weights;
    this.wishes = layerWishes(options.layers, groups);
    this.caps = groups.map((group, index) => capOf(group, this.wishes[index]!, options));
    this.pools = poolsOf(channels);
    this.widths = new Widths(flow);
    this.recount = new Recount(model, this.widths, context.sizes);
    this.before = this.recount.now();
    if (limits(options.budget)) checkCounted(options.budget, this.before);
    this.placeOf = new Map(groups.flatMap(({ channels: own }, group) => own.map(({ root }, channel) => [root, { group, channel }] as const)));
    const streams = options.residual ? undefined : summedChannels(model, flow);
    this.outside = groups.map(({ producers, channels: own }) => {
      if (streams !== undefined && own.some(({ root }) => streams.has(root))) return 'is a sum of layers, and `residual` is off';
      const left = producers.find(({ node }) => !context.select.has(node));
      if (left === undefined) return undefined;
      return producers.some(({ node }) => context.select.has(node)) ? `is made by '${left.node.name}' too, which is not selected` : 'is not selected';
    });
    this.places = groups.map(({ producers }) => {
      const widest = producers.reduce((best, next) => (next.ids.length > best.ids.length ? next : best));
      const counts = new Map<number, number>();
      for (const id of widest.ids) counts.set(flow.atoms.root(id), (counts.get(flow.atoms.root(id)) ?? 0) + 1);
      return counts;
    });
    this.scores = groups.map(() => undefined);
    this.unscored = groups.map(() => undefined);
  }

  run(): Removal {
    return this.options.lossless ? this.lossless() : this.ranked();
  }

  /** Removes what nobody misses, of the groups that are selected; of an axis that would be left empty one channel stays, and of boxes nothing goes. What only removed channels read goes after them. */
  private lossless(): Removal {
    const { channels: { boxes, flow }, weights, widths } = this;
    const finder = new DeadChannels(this.channels, weights, new Contents(this.model, flow, weights));
    const boxed = new Set(boxes.flatMap(({ roots }) => [...roots]));
    const mayGo = (root: number): boolean => !boxed.has(root) && this.outside[this.placeOf.get(root)!.group] === undefined;
    const [kept, removed] = [new Set<number>(), new Set<number>()];
    const gone: DeadChannel[] = [];
    for (let before = -1; before < gone.length;) {
      before = gone.length;
      for (const dead of finder.find(removed, kept)) {
        const { root, keeper } = dead;
        if (!mayGo(root) || widths.wouldEmpty([root])) continue;
        widths.remove(root);
        removed.add(root);
        gone.push(dead);
        if (keeper !== undefined) kept.add(keeper);
      }
    }
    this.removed = removed;
    return this.outcome(gone);
  }

  private ranked(): Removal {
    const { steps } = this.options;
    let sizes: readonly number[] | undefined;
    for (let step = 1; step <= steps; step++) {
      this.score();
      this.offers = this.pools.map((pool, index) => offerOf(index, pool, this.channels, (root) => this.scoreOf(root), combineFor(this.options)));
      const rankings = this.rankings(sizes, step / steps);
      sizes ??= rankings.map(({ size }) => size);
      this.take(rankings, step / steps);
    }
    return this.outcome();
  }

  private outcome(dead: readonly DeadChannel[] = []): Removal {
    this.widths.become(this.removed);
    return { removed: this.removed, dead, groups: this.channels.groups.map((_, index) => this.selectionOf(index)), cost: { before: this.before, after: this.recount.now() } };
  }

  /** Scores the channels that are left; what has gone keeps its last score. */
  private score(): void {
    const { model, context: { statistics }, options, channels: { groups } } = this;
    const scoring = { model, statistics, seed: options.seed, weights: this.weights.without(this.removed) };
    groups.forEach((group, index) => {
      if (this.outside[index] !== undefined || group.channels.every(({ pin }) => pin !== undefined)) return;
      const found = scoresOf(group, options, scoring);
      if (typeof found === 'string') this.unscored[index] = found;
      else this.scores[index] = found.map((score, channel) => (this.removed.has(group.channels[channel]!.root) ? this.scores[index]![channel]! : score));
    });
    const first = this.unscored.findIndex((each) => each !== undefined);
    if (first < 0 || this.scores.some((each) => each !== undefined)) return;
    throw new Diagnostic('prune/no-scores', `\`importance: ${options.importance}\` can score no channel: '${groups[first]!.name}' ${this.unscored[first]!}`, {
      suggestion: options.importance === 'activation' || options.importance === 'reconstruction' ? 'Put a `calibrate` step right before this one, or take another importance.' : 'Take another importance.',
    });
  }

  /** NaN for a channel that stays. */
  private scoreOf(root: number): number {
    const place = this.placeOf.get(root);
    if (place === undefined || this.removed.has(root) || this.channels.flow.atoms.pinOf(root) !== undefined) return NaN;
    return this.scores[place.group]?.[place.channel] ?? NaN;
  }

  /** The pools that are ranked together, with what they offer. `sizes` are those of the first step. */
  private rankings(sizes: readonly number[] | undefined, progress: number): Ranking[] {
    const { options: { scope, budget, importance }, channels: { groups } } = this;
    const classes = new Map<string, number[]>();
    this.pools.forEach((pool, index) => {
      const key = scope === 'layer' || this.amountOf(pool) !== undefined ? `pool ${index}` : scope === 'global' ? '' : `class ${signatureOf(pool.groups.map((group) => groups[group]!))}`;
      classes.set(key, [...classes.get(key) ?? [], index]);
    });
    return Array.from(classes.values(), (pools, at): Ranking => {
      const offered = pools.flatMap((pool) => this.offers[pool]!.candidates);
      const candidates = scope !== 'layer' && limits(budget) && addsUp(importance) ? this.perCost(offered, budget) : offered;
      const size = sizes?.[at] ?? candidates.length;
      const amount = this.amountOf(this.pools[pools[0]!]!);
      return { pools, size, gone: size - candidates.length, candidates, ...(amount !== undefined && { fixed: roundHalfEven(amount * progress * size) }) };
    });
  }

  /** Losses over what the budget gains when a unit goes, so that as little as possible is lost for it. */
  private perCost(candidates: readonly Candidate[], budget: Budget): Candidate[] {
    const gains = new Map<string, number>();
    this.widths.become(this.removed);
    const now = this.recount.now();
    return candidates.map((candidate) => {
      const key = this.widths.footprint(candidate.unit);
      let gain = gains.get(key);
      if (gain === undefined) {
        for (const root of candidate.unit) this.widths.remove(root);
        gain = gainOf(budget, now, this.recount.now(), this.before);
        for (const root of candidate.unit) this.widths.restore(root);
        gains.set(key, gain);
      }
      return { ...candidate, score: gain > 0 ? candidate.score / gain : Infinity };
    });
  }

  /** What `layers` says about a pool. */
  private amountOf({ groups }: Pool): number | undefined {
    return groups.map((group) => this.wishes[group]!.amount).find((amount) => amount !== undefined);
  }

  /** Removes what one step removes. */
  private take(rankings: readonly Ranking[], progress: number): void {
    const { amount, budget } = this.options;
    const order = this.order(rankings);
    if (!limits(budget)) {
      const targets = rankings.map(({ fixed, size, gone }) => (fixed ?? roundHalfEven((amount ?? 0) * progress * size)) - gone);
      const counts = rankings.map(() => 0);
      const chosen = order.filter(({ ranking }) => counts[ranking]!++ < targets[ranking]!);
      if (progress === 1) this.refuseShortfall(rankings, targets, counts);
      const short = new Set(rankings.flatMap(({ pools }, ranking) => (counts[ranking]! < targets[ranking]! ? pools.flatMap((pool) => this.pools[pool]!.groups) : [])));
      this.limited = new Set([...this.denied].filter(([group, { at }]) => short.has(group) || at < chosen.length).map(([group]) => group));
      this.removed = this.roundedRemoval(chosen);
      return;
    }
    const count = smallest(order.length, (length) => {
      this.widths.become(this.roundedRemoval(order.slice(0, length)));
      return isMet(budget, this.recount.now(), this.before, progress);
    });
    if (count === undefined && progress === 1) throw unmet(budget, this.recount.now(), this.before, this.held());
    const fixed = order.filter(({ ranking }) => rankings[ranking]!.fixed !== undefined).length;
    const chosen = order.slice(0, Math.max(fixed, count ?? order.length));
    this.limited = new Set([...this.denied].filter(([, { at }]) => at < chosen.length).map(([group]) => group));
    this.removed = this.roundedRemoval(chosen);
  }

  /** Units in the order in which they go, each with all before it gone. */
  private order(rankings: readonly Ranking[]): Taken[] {
    this.widths.become(this.removed);
    const lost = this.channels.groups.map(({ channels }) => channels.filter(({ root }) => this.removed.has(root)).length);
    let taken = 0;
    this.denied.clear();
    const { caps, placeOf, widths, denied } = this;
    return removalOrder(rankings, ({ unit }: Candidate): boolean => {
      const own = new Map<number, number>();
      for (const root of unit) own.set(placeOf.get(root)!.group, (own.get(placeOf.get(root)!.group) ?? 0) + 1);
      const over = [...own].filter(([group, count]) => lost[group]! + count > caps[group]!.channels);
      const emptied = over.length === 0 && widths.wouldEmpty(unit);
      for (const [group] of emptied ? own : over) if (!denied.has(group)) denied.set(group, { at: taken, reason: emptied ? 'each part of what is split keeps one' : caps[group]!.reason });
      if (over.length > 0 || emptied) return false;
      for (const [group, count] of own) lost[group]! += count;
      for (const root of unit) widths.remove(root);
      taken++;
      return true;
    });
  }

  /** What goes when widths are rounded up: of each pool the worst, as many as leave a multiple. */
  private roundedRemoval(chosen: readonly Taken[]): Set<number> {
    const units = new Map<number, Unit[]>();
    for (const { candidate: { pool, unit } } of chosen) {
      const own = units.get(pool);
      if (own === undefined) units.set(pool, [unit]);
      else own.push(unit);
    }
    const removed = new Set(this.removed);
    this.rounded.clear();
    for (const [pool, own] of units) {
      const { groups } = this.pools[pool]!;
      const taking = (group: number, roots: Iterable<number>): number => [...roots].reduce((sum, root) => sum + (this.places[group]!.get(root) ?? 0), 0);
      const widths = groups.map((group) => [...this.places[group]!.values()].reduce((sum, count) => sum + count, 0) - taking(group, this.removed));
      const count = roundedCount(own.length, widths, groups.map((group) => own.map((unit) => taking(group, unit))), this.options.roundTo);
      if (count < own.length) for (const group of groups) this.rounded.add(group);
      for (const unit of own.slice(0, count)) for (const root of unit) removed.add(root);
    }
    return removed;
  }

  /** Refuses an amount that cannot be removed. What rounding to whole channels asks too much, and what `layers` and `minKeep` keep, is no such thing where each group has its own share. */
  private refuseShortfall(rankings: readonly Ranking[], targets: readonly number[], reached: readonly number[]): void {
    rankings.forEach(({ pools, size, gone, fixed }, at) => {
      const [asked, most] = [targets[at]! + gone, Math.min(targets[at]!, reached[at]!) + gone];
      if (asked <= most) return;
      const { scope, minKeep, amount } = this.options;
      const alone = scope === 'layer' || fixed !== undefined;
      const own = pools.flatMap((pool) => this.pools[pool]!.groups);
      if (alone && (minKeep > 1 || own.some((group) => this.wishes[group]!.maxRatio !== undefined) || (fixed === undefined && amount! * size - most < 1))) return;
      const name = this.channels.groups[own[0]!]!.name;
      throw tooMuch(alone ? `of '${name}'` : scope === 'global' ? 'of all groups' : `of '${name}' and the groups like it`, asked, most, size, summed(own.filter((group) => this.denied.has(group)).map((group) => [this.channels.groups[group]!.name, `may lose no more: ${this.denied.get(group)!.reason}`])));
    });
  }

  /** What keeps channels, in words. */
  private held(): string[] {
    return summed(this.channels.groups.flatMap(({ name, channels }, index) => {
      const pin = channels.find((channel) => channel.pin !== undefined)?.pin;
      const reason = this.outside[index] ?? this.unscored[index] ?? this.offers[this.poolOf(index)]?.reason
        ?? (this.rounded.has(index) ? `keeps widths that are multiples of ${this.options.roundTo}` : undefined) ?? (this.denied.has(index) ? `may lose no more: ${this.denied.get(index)!.reason}` : undefined)
        ?? (pin === undefined ? undefined : `has ${channels.filter((channel) => channel.pin !== undefined).length} of ${channels.length} channels that stay: ${pin.value === undefined ? 'one' : `'${pin.value.name}'`} ${pin.reason}`);
      return reason === undefined ? [] : [[name, reason] as const];
    }));
  }

  private poolOf(group: number): number {
    return this.pools.findIndex(({ groups }) => groups.includes(group));
  }

  private selectionOf(index: number): GroupSelection {
    const group = this.channels.groups[index]!;
    const kept = group.channels.map(({ root }) => !this.removed.has(root));
    const squares = this.weights.scores(group, group.producers, squareSums);
    const norms = Float64Array.from(group.channels, (_, channel) => (typeof squares === 'string' ? NaN : Math.sqrt(squares.reduce((sum, each) => sum + (Number.isNaN(each[channel]!) ? 0 : each[channel]!), 0))));
    const [all, left] = [norms, norms.filter((_, channel) => kept[channel]!)].map((each) => each.reduce((sum, norm) => sum + norm ** 2, 0)) as [number, number];
    return {
      group, norms, kept, scores: this.scores[index], energy: all > 0 ? left / all : 1,
      spared: kept.includes(false) || group.channels.every(({ pin }) => pin !== undefined) ? undefined : this.sparedBecause(index),
      limit: this.limited.has(index) ? this.denied.get(index)!.reason : undefined,
    };
  }

  private sparedBecause(index: number): string {
    const { options: { amount, scope, roundTo } } = this;
    if (this.options.lossless) return 'has no channel that nobody misses';
    const pool = this.poolOf(index);
    const own = this.amountOf(this.pools[pool]!) ?? (scope === 'layer' ? amount : undefined);
    const known = this.outside[index] ?? this.unscored[index] ?? this.offers[pool]!.reason;
    if (known !== undefined) return known;
    if (this.offers[pool]!.candidates.length === 0) return 'has no channel that can go without others that stay';
    if (this.caps[index]!.channels === 0) return `may lose none: ${this.caps[index]!.reason}`;
    if (this.rounded.has(index)) return `keeps all of its width when that is rounded up to a multiple of ${roundTo}`;
    return own === undefined ? 'has only channels that matter more than those that went' : `has ${this.offers[pool]!.candidates.length} channels that can go, of which an amount of ${own} rounds to none`;
  }
}

/** Channels of sums of two things that depend on the input: residual streams. */
function summedChannels(model: Model, flow: Channels['flow']): ReadonlySet<number> {
  const sums = [...model.graph.walk()].filter((node) => node.is('Add', 'Sum') && node.inputs.filter((value) => value !== undefined && value.constant === undefined).length > 1);
  return new Set(sums.flatMap(({ outputs: [sum] }) => flow.layout(sum).flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.root(id)))));
}
