import { expect } from 'chai';
import fc from 'fast-check';
import { Diagnostic } from '../../../ir/diagnostic.ts';
import { parseModel, printModel } from '../../../ir/text/index.ts';
import { models } from '../arbitrary-model.ts';

const seed = 20;
const pieces = ['"', '\\', '(', ')', '[', ']', '{', '}', '<', '>', ',', '=', '=>', ':', '@', '.', '?', '#', '-', 'nan', 'float', 'seq(', 'sha256:', '1e999', '\n', '\0', '\u{1f600}', '9'.repeat(40), 'x'];

/** One mutation: a stretch of the text is cut, doubled, replaced by a piece or by another stretch, or the text ends there. */
const mutation = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(12), verb: fc.nat(4), piece: fc.constantFrom(...pieces), from: fc.double({ min: 0, max: 1, noNaN: true }) });

function mutate(text: string, changes: readonly { at: number; length: number; verb: number; piece: string; from: number }[]): string {
  return changes.reduce((now, { at, length, verb, piece, from }) => {
    const start = Math.floor(at * now.length);
    const other = Math.floor(from * now.length);
    const [head, middle, tail] = [now.slice(0, start), now.slice(start, start + length), now.slice(start + length)];
    return [head + tail, head + middle + middle + tail, head + piece + tail, head + now.slice(other, other + 3 * length) + tail, verb === 4 && from < 0.2 ? head : head + piece + middle + tail][verb]!;
  }, text);
}

describe('text: hostile input', () => {
  it('mutated texts are read or end in a Diagnostic', function () {
    this.timeout(120_000);
    let read = 0;
    let refused = 0;
    for (const [index, model] of fc.sample(models, { numRuns: 100, seed }).entries()) {
      const text = printModel(model);
      for (const changes of fc.sample(fc.array(mutation, { minLength: 1, maxLength: 3 }), { numRuns: 40, seed: seed + index })) {
        const mutant = mutate(text, changes);
        try {
          printModel(parseModel(mutant));
          read++;
        } catch (error) {
          if (!Diagnostic.is(error)) throw new Error(`not a Diagnostic, for the text:\n${mutant}`, { cause: error });
          if (error.code.startsWith('text/')) expect(error.range).not.to.equal(undefined);
          refused++;
        }
      }
    }
    expect(read).to.be.greaterThan(100);
    expect(refused).to.be.greaterThan(1000);
  });

  const floods: Readonly<Record<string, string>> = {
    'open braces': '{'.repeat(1e6), 'open types': `g (${'seq('.repeat(1e6)}`, 'open bodies': `g () => () { ${'y = a () <b = g () => () { '.repeat(1e5)}`, 'commas': `g () => () { y = a (${','.repeat(1e6)}) }`,
    'digits': `<ir_version: ${'9'.repeat(1e6)}>`, 'a comment': `#${'x'.repeat(1e6)}`, 'a string': `"${'\\'.repeat(1e6)}`, 'blanks': ' '.repeat(1e6), 'lists': `g () => () { y = a <b = ${'['.repeat(1e6)}`,
    'dots': `g () => () { y = a${'.a'.repeat(1e5)}`, 'functions': `g () => () {} ${'f () => () {} '.repeat(1e4)}(`, 'elements': `g () => () <float[2] w = {${'1,'.repeat(1e6)}`,
  };
  for (const [name, text] of Object.entries(floods)) {
    it(`a flood of ${name}`, function () {
      this.timeout(5000);
      try {
        parseModel(text);
      } catch (error) {
        expect(Diagnostic.is(error), String(error)).to.equal(true);
        return;
      }
      expect(name, 'only this flood is a model').to.equal('commas');
    });
  }
});
