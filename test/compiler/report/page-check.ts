/** One element of a page. */
export interface PageElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

const empty = new Set(['meta', 'input', 'br']);
const raw = new Set(['style', 'script']);
const entities = /^(?:amp|lt|gt|quot|#39);/;

/**
 * Reads a page as strictly as XML does, and throws for what is not well-formed: tags that do not match, attributes without quotes or said twice, stray
 * characters of markup, ids that are said twice, references within the page to nothing, and whatever would load or run something. Gives its elements.
 */
export function checkPage(page: string): PageElement[] {
  if (!page.startsWith('<!doctype html>\n')) throw new Error('no doctype');
  const elements: PageElement[] = [];
  const open: string[] = [];
  let rest = page.slice('<!doctype html>\n'.length);
  while (rest !== '') {
    const tag = /^<(\/?)([a-z][a-z0-9]*)((?: [a-z-]+(?:="[^"<>]*")?)*)(\/?)>/i.exec(rest);
    if (tag === null) {
      const text = /^[^<>]+/.exec(rest)?.[0];
      if (text === undefined) throw new Error(`stray markup: ${rest.slice(0, 60)}`);
      checkText(text);
      rest = rest.slice(text.length);
      continue;
    }
    const [whole, closing, name, attributes, selfClosed] = tag as unknown as [string, string, string, string, string];
    rest = rest.slice(whole.length);
    if (closing !== '') {
      const last = open.pop();
      if (last !== name || attributes !== '') throw new Error(`</${name}> closes <${last ?? ''}>`);
      continue;
    }
    elements.push({ name, attributes: attributesOf(attributes) });
    if (raw.has(name)) {
      const end = rest.indexOf(`</${name}>`);
      if (end < 0) throw new Error(`<${name}> is not closed`);
      rest = rest.slice(end + name.length + 3);
    } else if (selfClosed === '' && !empty.has(name)) {
      open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(', ')}`);
  checkReferences(elements);
  return elements;
}

function attributesOf(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name, value = ''] of text.matchAll(/ ([a-z-]+)(?:="([^"]*)")?/gi)) {
    if (attributes.has(name!)) throw new Error(`the attribute ${name!} is said twice`);
    if (/^(?:on|src|action|formaction)/i.test(name!)) throw new Error(`the attribute ${name!} runs or loads something`);
    checkText(value);
    attributes.set(name!, value);
  }
  return attributes;
}

function checkText(text: string): void {
  if (text.split('&').slice(1).some((after) => !entities.test(after))) throw new Error(`stray &: ${text.slice(0, 60)}`);
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  const hidden = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udfff]/u.exec(text);
  if (hidden !== null) throw new Error(`hidden character ${hidden[0].codePointAt(0)!.toString(16)} in: ${text.slice(0, 60)}`);
}

function checkReferences(elements: readonly PageElement[]): void {
  const ids = new Set<string>();
  for (const { attributes } of elements) {
    const id = attributes.get('id');
    if (id === undefined) continue;
    if (ids.has(id)) throw new Error(`the id ${id} is said twice`);
    ids.add(id);
  }
  for (const { name, attributes } of elements) {
    const href = attributes.get('href');
    if (href !== undefined && !(href.startsWith('#') && ids.has(href.slice(1)))) throw new Error(`<${name}> refers to ${href}`);
    if (['link', 'img', 'iframe', 'object', 'embed', 'base'].includes(name)) throw new Error(`<${name}> loads something`);
  }
}
