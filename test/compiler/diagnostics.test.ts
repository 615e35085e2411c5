import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { expect } from 'chai';
import { diagnosticCatalogue, explainCode } from '../../compiler/diagnostics.ts';
import { explain } from '../../compiler/explain.ts';
import { diagnosticsPage } from '../../compiler/reference.ts';
import { root } from '../paths.ts';

/** Areas of codes; a quoted text that begins with one of them and a slash is a code. Remarks of passes are made from rules, and have no rows. */
const areas = [
  'accept', 'bisect', 'data', 'edit', 'eval', 'export', 'fold', 'input', 'internal', 'model', 'opset', 'output', 'plugin', 'prune', 'quantize', 'recipe', 'runtime', 'select', 'statistics', 'target', 'tensor', 'testing', 'text', 'usage', 'verify',
];
const literal = new RegExp(`'((?:${areas.join('|')})/[a-z0-9]+(?:-[a-z0-9]+)*)'`, 'g');

/** Codes that are put together from a part, with the values that the part has. */
const composed: Readonly<Record<string, readonly string[]>> = { 'model/${side}': ['model/inputs', 'model/outputs'] };

const catalogue = Object.keys(diagnosticCatalogue);

/** Texts of the sources outside of the catalogue, by path. Comments are left out: a code that only a comment names is raised by nobody. */
const sources = new Map(['ir', 'passes', 'compiler'].flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  .map((file) => join(folder, file).replaceAll(sep, '/'))
  .filter((path) => path.endsWith('.ts') && !/^compiler\/diagnostics[./]/.test(path))
  .map((path): [string, string] => [path, withoutComments(readFileSync(join(root, path), 'utf8'))])));

function withoutComments(text: string): string {
  return text.replace(/^ *\/\*\*[^]*?\*\//gm, '').replace(/^ *\/\/.*$/gm, '');
}

/** Codes in the sources, each with the files that name it. */
function codesInSources(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (code: string, path: string): void => { found.set(code, [...found.get(code) ?? [], path]); };
  for (const [path, text] of sources) {
    for (const [, code] of text.matchAll(literal)) add(code!, path);
    for (const [template, codes] of Object.entries(composed)) if (text.includes(`\`${template}\``)) for (const code of codes) add(code, path);
  }
  return found;
}

describe('the catalogue of diagnostics and the sources', () => {
  const found = codesInSources();

  it('are both there', () => {
    expect(sources.size).to.be.greaterThan(50);
    expect(found.get('model/cycle')).to.include('ir/order.ts');
    expect(found.get('runtime/open')).to.include('compiler/runtime/session.ts');
  });

  it('every code in the sources has a row', () => {
    expect([...found].filter(([code]) => explainCode(code) === undefined)).to.deep.equal([]);
  });

  it('every Diagnostic gets its code as a literal of a known area, or is listed as composed', () => {
    const raising = /\b(?:Diagnostic|diagnosticAt|refused|problems\.add|error|fail|broken|report)\(\s*([`'])([a-z]+\/[^`']*)\1/g;
    const raised = [...sources].flatMap(([path, text]) => Array.from(text.matchAll(raising), ([, , code]) => ({ path, code: code! })));
    expect(raised.length).to.be.greaterThan(100);
    expect(raised.filter(({ code }) => !(code in composed) && !found.has(code))).to.deep.equal([]);
  });

  it('every row is of a code that some source raises', () => {
    expect(catalogue.filter((code) => !found.has(code))).to.deep.equal([]);
  });
});

describe('a row of the catalogue of diagnostics', () => {
  for (const [code, { title, text }] of Object.entries(diagnosticCatalogue)) {
    it(`${code} has a title of one line, and a text that adds to it`, () => {
      expect(title).to.match(/^[A-Z`].{8,120}[^\s.]\.$/);
      expect(text).to.equal(text.trim());
      // The last line is a sentence, or an example.
      expect(text).to.match(/(?:\.|\n {4}\S.*)$/);
      expect(text).not.to.include(title);
      expect(text.length).to.be.within(60, 800);
    });
  }
});

describe('the pages of diagnostics', () => {
  it('specs/diagnostics.md has a section for every code, and every area once', () => {
    const page = diagnosticsPage();
    expect(Array.from(page.matchAll(/^### (.+)$/gm), ([, code]) => code)).to.have.members(catalogue).and.have.lengthOf(catalogue.length);
    const sections = Array.from(page.matchAll(/^## (.+)$/gm), ([, area]) => area);
    expect(sections).to.have.members([...new Set(catalogue.map((code) => code.split('/')[0]))]).and.have.lengthOf(new Set(sections).size);
  });

  it('explain prints title and text, and for a misspelt code the near ones', () => {
    const { title, text } = explainCode('model/cycle')!;
    expect(explain('model/cycle')).to.equal(`model/cycle: ${title}\n\n${text}\n`);
    expect(() => explain('model/cycel')).to.throw().that.includes({ code: 'usage/unknown-code' })
      .with.property('expected').that.includes('model/cycle');
  });
});
