import type { GroupRecord, PruningRecord } from '../../../passes/prune/record.ts';
import { html, Markup } from './markup.ts';
import { counted, figure } from './numbers.ts';

/** Height of a drawing in its own units; it is as wide as the group has channels. */
const height = 100;

/** Most bars of a drawing; of a wider group every second, third … channel is drawn. */
const mostBars = 4096;

/** Most bars that stand apart: of more, an outline without gaps is less than half as long and looks the same. */
const mostApart = 128;

/** What is drawn of a group. */
export type NormsView = 'before' | 'sorted' | 'after';

/** A bar: a norm, and whether the channel stayed. */
interface Bar {
  readonly norm: number;
  readonly stayed: boolean;
}

/** The views of a group: its channels in their order, the same from the largest norm to the smallest, and those that stayed as they are now, which is left out where nothing changed. */
export function viewsOf({ norms, kept, normsAfter }: GroupRecord): NormsView[] {
  const isChanged = kept.includes(false) || normsAfter.some((norm, channel) => norm !== norms[channel]);
  return norms.length === 0 ? [] : ['before', 'sorted', ...(isChanged && normsAfter.length > 0 ? ['after' as const] : [])];
}

/** The drawings of all groups, which lists and pictures refer to by `symbolName`: at most one outline for all bars that stayed and one for all that were removed. */
export function normSymbols({ groups }: PruningRecord, prefix: string): Markup {
  return html`<defs>${groups.map((group, index) => viewsOf(group).map((view) => symbolOf(group, view, symbolName(prefix, index, view))))}</defs>`;
}

/** The name of a drawing in the page. */
export function symbolName(prefix: string, group: number, view: NormsView): string {
  return `${prefix}${group}${view}`;
}

/** How many channels stand between two that are drawn, and one: 1 where all are. */
export function strideOf({ norms }: GroupRecord): number {
  return Math.max(1, Math.ceil(norms.length / mostBars));
}

/** The norm that the full height of all views stands for. */
export function largestNorm({ norms, normsAfter }: GroupRecord): number {
  return [norms, normsAfter].flat().reduce((most, norm) => Math.max(most, norm), 0);
}

function symbolOf(group: GroupRecord, view: NormsView, id: string): Markup {
  const bars = barsOf(group, view);
  const width = Math.max(bars.length, Math.ceil(group.norms.length / strideOf(group)));
  const most = largestNorm(group);
  const paths = (['stayed', 'gone'] as const).map((which) => [which, outline(bars, which, most)] as const);
  return html`<symbol id="${id}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${
    paths.map(([which, path]) => path !== '' && html`<path class="${which}" d="${new Markup(path)}"/>`)}</symbol>`;
}

function barsOf(group: GroupRecord, view: NormsView): Bar[] {
  const { norms, kept, normsAfter } = group;
  const bars = view === 'after' ? normsAfter.map((norm): Bar => ({ norm, stayed: true })) : norms.map((norm, channel): Bar => ({ norm, stayed: kept[channel] !== false }));
  if (view === 'sorted') bars.sort((a, b) => b.norm - a.norm);
  const stride = strideOf(group);
  return bars.filter((_, place) => place % stride === 0);
}

/** One outline around the bars of one kind, in whole units of height; it runs along the bottom where the others stand. Empty without any. */
function outline(bars: readonly Bar[], which: 'stayed' | 'gone', most: number): string {
  const isApart = bars.length <= mostApart;
  let path = '';
  let last = 0;
  /** Channels since the last corner. */
  let flat = 0;
  for (const { norm, stayed } of bars) {
    const up = stayed === (which === 'stayed') && norm > 0 ? Math.max(1, Math.round(height * norm / most)) : 0;
    if (up !== last) {
      path += `${flat > 0 ? `h${flat}` : ''}V${height - up}`;
      [last, flat] = [up, 0];
    }
    if (isApart && up > 0) {
      path += `h.8V${height}h.2`;
      last = 0;
    } else {
      flat++;
    }
  }
  return path === '' ? '' : `M0 ${height}${path}${last > 0 ? `h${flat}V${height}` : ''}z`;
}

/** Units of the picture of all groups: in each panel text of 12, and three rows of bars with their names above them. */
const panel = { width: 250, gap: 26, row: 44, between: 13, head: 38, columns: 4 };

/** Most letters of a title, which is about the width of a panel. */
const letters = 38;

/** From the top of a panel down. */
const rows: readonly NormsView[] = ['before', 'sorted', 'after'];

/**
 * All groups of a pruning side by side as one SVG file, which needs nothing beside it, and is read on light and dark ground: of each group the L2 norms of its
 * channels in their order, the same sorted, and those of the channels that stayed, all three to the scale of the largest. Removed channels have another colour.
 */
export function normsPlot(record: PruningRecord): string {
  const { width, height: tall } = sizeOf(record);
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${tall}" viewBox="0 0 ${width} ${tall}" role="img">
<title>${pictureText(record)}</title>
<style>${new Markup(plotStyle)}</style>
<rect class="ground" width="${width}" height="${tall}"/>
${normSymbols(record, 'n')}
${panels(record, 'n')}</svg>
`.text.replaceAll(/[\ufffe\uffff]/g, '�');
}

/** The same picture within a page that holds the drawings and the style. */
export function normsPicture(record: PruningRecord, prefix: string): Markup {
  const { width, height: tall } = sizeOf(record);
  return html`<svg class="multiples" width="${width}" height="${tall}" viewBox="0 0 ${width} ${tall}" role="img" aria-label="${pictureText(record)}">${panels(record, prefix)}</svg>`;
}

function pictureText({ groups }: PruningRecord): string {
  return `Norms of channels in ${counted(groups.length, 'group')}: all in their order, all sorted, and those that stayed. Removed channels are orange.`;
}

const panelHeight = panel.head + rows.length * panel.row + (rows.length - 1) * panel.between;

function sizeOf({ groups }: PruningRecord): { readonly width: number; readonly height: number } {
  const deep = Math.ceil(groups.length / panel.columns);
  return { width: panel.columns * (panel.width + panel.gap) + panel.gap, height: Math.max(1, deep) * (panelHeight + panel.gap) + panel.gap };
}

function panels({ groups }: PruningRecord, prefix: string): Markup {
  return html`${groups.map((group, index) => {
    const left = panel.gap + (index % panel.columns) * (panel.width + panel.gap);
    const top = panel.gap + Math.floor(index / panel.columns) * (panelHeight + panel.gap);
    const views = new Set(viewsOf(group));
    const drawn = rows.map((view, row) => {
      const y = panel.head + row * (panel.row + panel.between);
      return views.has(view) && html`<use href="#${symbolName(prefix, index, view)}" y="${y}" width="${panel.width}" height="${panel.row}"/><text class="row" x="${panel.width}" y="${y - 3}">${view}</text>`;
    });
    return html`<g transform="translate(${left} ${top})"><title>${group.name}</title><text y="10">${shortened(group.name)}</text><text class="dim" y="25">${widthText(group)}, largest ${figure(largestNorm(group))}</text>${drawn}</g>
`;
  })}`;
}

/** `64 → 48 channels`. */
export function widthText({ kept }: GroupRecord): string {
  const stayed = kept.filter(Boolean).length;
  return stayed === kept.length ? counted(stayed, 'channel') : `${kept.length} → ${counted(stayed, 'channel')}`;
}

/** The end of a name says more than its beginning. */
function shortened(name: string): string {
  return name.length > letters ? `…${name.slice(1 - letters)}` : name;
}

/** The colours of the page, said out, since many viewers of SVG know no variables; and no font that has to be loaded. */
const plotStyle = `
svg { font: 12px sans-serif; } .ground { fill: #fff; } text { fill: #1b1f24; } .dim, .row { fill: #57606a; } .row { text-anchor: end; font-size: 9px; } .stayed { fill: #5b8fb9; } .gone { fill: #bf4b00; }
@media (prefers-color-scheme: dark) { .ground { fill: #14171b; } text { fill: #e3e7ec; } .dim, .row { fill: #9aa4af; } .stayed { fill: #4f86b3; } .gone { fill: #ff9a4d; } }
`;
