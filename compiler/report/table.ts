import { visible } from './visible.ts';

/** How a column is aligned. */
export type Alignment = 'left' | 'right';

/** A table as plain text: a line of headings, and rows, two spaces between columns; text in the first column to the left, all others to the right unless `align` says otherwise. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[], align: readonly Alignment[] = []): string {
  const shown = rows.map((row) => row.map(visible));
  const widths = headings.map((heading, column) => shown.reduce((widest, row) => Math.max(widest, (row[column] ?? '').length), heading.length));
  const line = (cells: readonly string[]): string => widths.map((width, column) => {
    const cell = cells[column] ?? '';
    return (align[column] ?? (column === 0 ? 'left' : 'right')) === 'left' ? cell.padEnd(width) : cell.padStart(width);
  }).join('  ').trimEnd();
  return [headings, ...shown].map((cells) => `${line(cells)}\n`).join('');
}

/** `1 234 567`: thousands apart by spaces. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}

/** `12.3 MB`, in powers of 1000 as file managers show them; below a kilobyte exact. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]] as const) if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : bytes >= 10 * size ? 1 : 2)} ${unit}`;
  return `${bytes} B`;
}

/** `1.23 s`, `45 ms`. */
export function formatTime(milliseconds: number): string {
  return milliseconds >= 1000 ? `${(milliseconds / 1000).toFixed(2)} s` : `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

/** `120 → 80`, or one number where nothing changed. */
export function formatChange(before: number, after: number, format: (value: number) => string = formatCount): string {
  return before === after ? format(after) : `${format(before)} → ${format(after)}`;
}
