import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { memorySource } from '../../../ir/bytes.ts';
import { hashModel } from '../../../ir/hash.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { parseModel, printModel } from '../../../ir/text/index.ts';
import { root } from '../../paths.ts';
import { codeOf } from '../diagnostics.ts';

interface Corpus {
  readonly accepted: Readonly<Record<string, { readonly text: string; readonly model: string; readonly printed: string }>>;
  readonly refused: Readonly<Record<string, string>>;
}

const corpus = JSON.parse(readFileSync(join(root, 'test/ir/text/onnx-parser.json'), 'utf8')) as Corpus;
const exact = { exact: true };

describe('text: as onnx.parser 1.23 reads it', () => {
  for (const [name, { text, model, printed }] of Object.entries(corpus.accepted)) {
    it(`same model: ${name}`, () => {
      const theirs = readModel(memorySource(Buffer.from(model, 'base64')));
      expect(hashModel(parseModel(text), exact)).to.equal(hashModel(theirs, exact));
      expect(hashModel(parseModel(printModel(theirs)), exact)).to.equal(hashModel(theirs, exact));
    });
    // onnx.printer writes '...' for complex numbers and ']' for an empty list of strings, and drops documentation, defaults and types of functions.
    if (!printed.includes('...') && !printed.includes('= ]') && name !== 'function') {
      it(`same model as onnx.printer prints it: ${name}`, () => {
        expect(hashModel(parseModel(printed), exact)).to.equal(hashModel(parseModel(text), exact));
      });
    }
  }
  for (const [name, text] of Object.entries(corpus.refused)) {
    it(`refused too: ${name}`, () => {
      expect(codeOf(() => parseModel(text))).to.match(/^text\//);
    });
  }
});
