import type { FileRecord, Report } from '../report.ts';
import { formatBytes } from '../table.ts';
import { html, type Content, type Markup } from './markup.ts';
import { table } from './table.ts';

/** The files that went in and came out. */
export function fileSection({ inputs, outputs }: Report): Markup {
  return html`<section id="files"><h2>Files</h2>
${table(['file', 'was', '#size', 'SHA-256'], [...rows(inputs, 'read'), ...rows(outputs, 'written')])}</section>`;
}

function rows(files: Readonly<Record<string, FileRecord>>, what: string): Content[][] {
  return Object.entries(files).map(([file, { bytes, sha256 }]) => [
    html`<bdi>${file}</bdi>`, what, formatBytes(bytes), html`<code title="${sha256}">${sha256.slice(0, 16)}</code>`,
  ]);
}
