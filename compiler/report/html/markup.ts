import { visible } from '../visible.ts';

/** Text that is HTML already: everything else is escaped where it is put in. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template may hold: text and numbers are escaped, lists joined, nothing is nothing. */
export type Content = Markup | string | number | undefined | false | readonly Content[];

/** A template of HTML. What is put in is escaped unless it is Markup: so that no name of a model can become an element or end an attribute. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(strings.map((string, at) => string + textOf(contents[at])).join(''));
}

function textOf(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Markup) return content.text;
  return typeof content === 'object' ? content.map(textOf).join('') : escaped(String(content));
}

/** Longest text of a file or model that is shown whole. */
const longest = 400;

/** For elements and quoted attributes, with control and direction characters made visible, and the middle of endless texts left out. */
function escaped(text: string): string {
  const short = text.length > longest ? `${text.slice(0, longest / 2)} … ${text.slice(-longest / 2)}` : text;
  return visible(short).replaceAll(/[\ud800-\udfff]/gu, '�')
    .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll('\'', '&#39;');
}
