import { expect } from 'chai';
import fc from 'fast-check';
import { joinChunks, memorySource } from '../../../ir/bytes.ts';
import { hashModel } from '../../../ir/hash.ts';
import { readModel } from '../../../ir/onnx/read.ts';
import { writeModel } from '../../../ir/onnx/write.ts';
import { parseModel, printModel } from '../../../ir/text/index.ts';
import { parseType } from '../../../ir/text/literals.ts';
import { Lexer } from '../../../ir/text/lexer.ts';
import { verifyModel } from '../../../ir/verify.ts';
import { printType, sameType } from '../../../ir/type.ts';
import { models, types } from '../arbitrary-model.ts';

describe('text: laws', () => {
  it('models that are made for these laws are sound', () => {
    fc.assert(fc.property(models, (model) => {
      expect(verifyModel(model).map(({ message }) => message)).to.deep.equal([]);
    }), { numRuns: 100 });
  });

  it('text says what the file says', () => {
    fc.assert(fc.property(models, (model) => {
      const file = readModel(memorySource(joinChunks(writeModel(model).model)));
      expect(hashModel(parseModel(printModel(model)), { exact: true })).to.equal(hashModel(file, { exact: true }));
    }), { numRuns: 150 });
  });

  it('what was read from text prints as that text', () => {
    fc.assert(fc.property(models, (model) => {
      const text = printModel(model);
      expect(printModel(parseModel(text))).to.equal(text);
    }), { numRuns: 150 });
  });

  it('elided text says the same beside the tensors', () => {
    fc.assert(fc.property(models, fc.nat(4), (model, elideAbove) => {
      const tensors = new Map([...model.graph.walk()].flatMap(({ graph, attributes }) => [
        ...[...graph.constants].map(({ tensor }) => tensor!), ...[...attributes.values()].flatMap(({ kind, value }: { kind: string; value?: unknown }) =>
          kind === 'tensor' ? [value as never] : kind === 'tensors' ? (value as never[]) : kind === 'sparseTensor' ? Object.values(value as object) as never[] : []),
      ]).filter((tensor: { hash?: unknown }) => tensor.hash !== undefined).map((tensor) => [tensor.hash(), tensor]));
      const text = printModel(model, { elideAbove });
      expect(hashModel(parseModel(text, { tensor: (hash) => tensors.get(hash) }), { exact: true })).to.equal(hashModel(parseModel(printModel(model)), { exact: true }));
    }), { numRuns: 100 });
  });

  it('types read back', () => {
    fc.assert(fc.property(types, (type) => {
      const text = printType(type);
      expect(sameType(parseType(new Lexer(text, 'type')), type), text).to.equal(true);
    }));
  });
});
