import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { diagnosticCatalogue } from '../../../compiler/diagnostics.ts';
import { diagnose, goldenFolder } from './plan-golden.ts';

const folders = readdirSync(goldenFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
const codes = Object.keys(diagnosticCatalogue).filter((code) => /^(recipe|select)\//.test(code));

/** Codes as they were raised, by folder; filled by the cases below. */
const raised = new Map<string, Set<string>>();

describe('golden recipes', () => {
  for (const folder of folders) {
    it(`${folder}: exactly the expected text`, () => {
      const { diagnostics, text } = diagnose(join(goldenFolder, folder));
      raised.set(folder, new Set(diagnostics.map(({ code }) => code)));
      const expectedFile = join(goldenFolder, folder, 'expected.txt');
      if (process.env['UPDATE'] === '1') writeFileSync(expectedFile, text);
      expect(text).to.equal(existsSync(expectedFile) ? readFileSync(expectedFile, 'utf8') : '(no expected.txt: run with UPDATE=1)');
    });
  }

  for (const code of codes) {
    it(`${code} has a golden folder of its own that raises it`, () => {
      expect([...raised.get(code.replace('/', '-')) ?? []]).to.include(code);
    });
  }

  it('raises no code that the catalogue does not explain', () => {
    expect([...raised.values()].flatMap((set) => [...set]).filter((code) => !(code in diagnosticCatalogue))).to.deep.equal([]);
  });
});
