import { channelsOf } from '../passes/prune/groups.ts';
import { concreteDims } from '../passes/prune/concrete.ts';
import { followChannels } from '../passes/prune/channels.ts';
import { overviewOf, type ChannelsOverview } from '../passes/prune/overview.ts';
import { quietHost, type Host } from './host.ts';
import { openTyped } from './inspect.ts';
import { formatTable } from './report/table.ts';
import { createRuntime } from './runtime/runtime.ts';
import { visible } from './report/visible.ts';

/** How `inspect --groups` opens a model. */
export interface InspectGroupsOptions {
  readonly host?: Partial<Host>;
  /** As for `inspect`. */
  readonly shapes?: readonly string[];
  /** Whether heads of attention count as channels, or the features in all heads. Default `heads`. */
  readonly heads?: 'heads' | 'features';
}

/** The groups of channels that `structured-prune` sees in a model. Throws Diagnostics for an unreadable model or wrong shapes. */
export async function inspectGroups(path: string, { host, shapes, heads = 'heads' }: InspectGroupsOptions = {}): Promise<ChannelsOverview> {
  const opened = await openTyped(path, quietHost(host), shapes);
  const runtime = createRuntime();
  try {
    const dims = await concreteDims(opened.model, new Map(), runtime);
    return overviewOf(opened.model, channelsOf(followChannels(opened.model, { dims, heads })));
  } finally {
    opened.close();
    await runtime.close();
  }
}

/** For people: one line for each group, then why channels stay. */
export function groupsText(file: string, { groups, parameters, prunable }: ChannelsOverview): string {
  const some = (names: readonly string[]): string => (names.length > 2 ? `${names.slice(0, 2).join(', ')} and ${names.length - 2} more` : names.join(', '));
  const rows = groups.map(({ name, channels, free, producers, consumers }) => [name, String(channels), String(free), some(producers.filter((each) => each !== name)), some(consumers)]);
  const share = parameters === 0 ? 0 : (100 * prunable) / parameters;
  const held = groups.flatMap(({ name, pins }) => pins.map(({ reason, channels, chain }) => `${visible(name)}: ${channels} channels stay: ${visible(reason)}${chain.length > 1 ? ` (by way of ${visible(some(chain))})` : ''}\n`));
  return [
    `${file}: ${groups.length} groups of channels; ${share.toFixed(1)} % of the parameters belong to channels that can be removed\n\n`,
    formatTable(['group', 'channels', 'removable', 'made also by', 'read by'], rows, ['left', 'right', 'right', 'left', 'left']),
    held.length === 0 ? '' : `\n${held.join('')}`,
  ].join('');
}
