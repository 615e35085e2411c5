import { Diagnostic } from '../../../ir/diagnostic.ts';
import type { ChannelGroup } from '../groups.ts';
import { limits } from '../budget.ts';
import type { SelectionOptions } from '../options.ts';
import { atMost } from './counts.ts';
import type { LayerWish } from './layers.ts';

/** How many channels of a group may go at most, and what says so. */
export interface Cap {
  readonly channels: number;
  /** A clause: "`maxRatio` 0.5 allows no more than 8 of 16 to go". */
  readonly reason: string;
}

/** The strictest of what limits a group. */
export function capOf({ channels: { length } }: ChannelGroup, wish: LayerWish, { maxRatio, minKeep }: Pick<SelectionOptions, 'maxRatio' | 'minKeep'>): Cap {
  const ratio = wish.maxRatio ?? maxRatio;
  const byRatio = atMost(ratio, length);
  const byCount = Math.max(0, length - minKeep);
  if (byRatio <= byCount) return { channels: byRatio, reason: `\`maxRatio\` ${ratio} allows no more than ${byRatio} of ${length} to go` };
  return { channels: byCount, reason: minKeep === 1 ? `one of ${length} must stay` : `\`minKeep\` keeps ${Math.min(minKeep, length)} of ${length}` };
}

/** Throws `prune/amount` for options that do not say how much is to go, or contradict each other. */
export function checkAmount({ lossless, amount, budget, layers, maxRatio }: Pick<SelectionOptions, 'lossless' | 'amount' | 'budget' | 'layers' | 'maxRatio'>): void {
  if (lossless) {
    if (amount === undefined && !limits(budget)) return;
    throw new Diagnostic('prune/amount', `\`lossless\` removes what nobody misses, however much that is, and \`${amount === undefined ? 'budget' : 'amount'}\` says how much`, { suggestion: 'Leave one of them out; what nobody misses can go in a step before.' });
  }
  if (amount !== undefined && limits(budget)) throw new Diagnostic('prune/amount', 'both `amount` and `budget` say how much is to be removed', { suggestion: 'Leave one of them out; `layers` can give some layers an amount of their own.' });
  if (amount === undefined && !limits(budget) && !layers.some((entry) => entry.amount !== undefined)) {
    throw new Diagnostic('prune/amount', 'nothing says how much is to be removed', { suggestion: 'Give `amount: 0.3`, or a budget: `budget: { macs: 0.7 }`.' });
  }
  if (amount !== undefined && amount > maxRatio) {
    throw new Diagnostic('prune/amount', `\`amount\` ${amount} is more than \`maxRatio\` ${maxRatio} lets any group lose`, { suggestion: 'Lower `amount`, or raise `maxRatio`.' });
  }
}

/** The refusal of an amount that cannot be removed. */
export function tooMuch(what: string, asked: number, reached: number, all: number, held: readonly string[]): Diagnostic {
  const share = (reached / Math.max(1, all)).toFixed(3).replace(/0+$/, '').replace(/\.$/, '');
  return new Diagnostic('prune/unreachable', `${asked} of the ${all} channels ${what} are to be removed, but at most ${reached} can go (amount ${share})`, {
    notes: held.map((message) => ({ message })), suggestion: 'Lower `amount`, select more layers, or loosen what holds the others.',
  });
}

/** The same reasons of several groups together, most frequent first. */
export function summed(reasons: readonly (readonly [group: string, reason: string])[]): string[] {
  const groups = new Map<string, string[]>();
  for (const [group, reason] of reasons) groups.set(reason, [...groups.get(reason) ?? [], group]);
  return [...groups].sort((a, b) => b[1].length - a[1].length).slice(0, 5).map(([reason, names]) => `'${names[0]!}' ${names.length > 1 ? `(with ${names.length - 1} more groups) ` : ''}${reason}`);
}
