import { html, type Content, type Markup } from './markup.ts';

/** A heading; `#` before it makes a column of numbers, to the right. */
type Heading = string;

/** A table that scrolls by itself where it is too wide; the first cell of each row names it. */
export function table(headings: readonly Heading[], rows: readonly (readonly Content[])[]): Markup {
  const isNumeric = headings.map((heading) => heading.startsWith('#'));
  const titles = headings.map((heading, column) => {
    if (heading === '') return html`<td></td>`;
    return isNumeric[column] ? html`<th scope="col" class="n">${heading.slice(1)}</th>` : html`<th scope="col">${heading}</th>`;
  });
  const cell = (content: Content, column: number): Markup => {
    if (column === 0) return html`<th scope="row">${content}</th>`;
    return isNumeric[column] ? html`<td class="n">${content}</td>` : html`<td>${content}</td>`;
  };
  return html`<div class="scroll"><table><thead><tr>${titles}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table></div>`;
}

/** Names, the first `most` of them, and how many more there are. */
export function names(list: readonly Content[], total: number = list.length, most: number = 6): Markup {
  const shown = list.slice(0, most);
  return html`${shown.map((name, index) => html`${index > 0 && ', '}<bdi>${name}</bdi>`)}${total > shown.length && ` and ${total - shown.length} more`}`;
}

/** Items on lines of their own. */
export function lines(items: readonly Content[]): Markup {
  return html`${items.map((item, index) => html`${index > 0 && html`<br>`}${item}`)}`;
}
