import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generatedFiles } from '../../compiler/generate.ts';
import { root } from '../paths.ts';

describe('generated pages', () => {
  const files = generatedFiles();
  for (const [path, text] of files) {
    it(`${path} is up to date (npm run generate)`, () => {
      expect(readFileSync(join(root, path), 'utf8')).to.equal(text);
    });
  }

  it('there is no page of a pass that does not exist', () => {
    expect(readdirSync(join(root, 'specs/passes')).map((name) => `specs/passes/${name}`)).to.have.members([...files.keys()].filter((path) => path.startsWith('specs/passes/')));
  });
});
