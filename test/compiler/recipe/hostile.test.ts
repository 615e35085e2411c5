import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { goldenFolder } from './plan-golden.ts';
import { mistakes, planTexts } from './planning.ts';

const valid = `version: 1
extends: base.yaml
x-where: &where { all: [ { op: Conv }, { not: $head } ] }
vars: { amount: 0.3, name: out }
model: a.onnx
data: { c: { images: x/*.jpg, samples: 16 } }
select: { head: { between: { from: a, to: b } } }
steps:
  - fold
  - { pass: structured-prune, where: *where, with: { amount: "\${vars.amount}" } }
  - { pass: calibrate, with: { data: c } }
  - { pass: quantize-int8, when: { any: [ { opset: ">=13" }, { var: name, is: a } ] } }
  - { pass: export, with: { output: "\${vars.name}.onnx" } }
`;
const texts = (text: string): Record<string, string> => ({ 'recipe.yaml': text, 'base.yaml': 'version: 1\nmodel: b.onnx\nsteps: [ fold ]\n' });

/** Plans, and fails if that takes more than `limit` milliseconds or ends in anything but diagnostics. */
function bounded(text: string, limit = 10_000): string[] {
  const start = performance.now();
  const result = planTexts(texts(text));
  expect(performance.now() - start).to.be.lessThan(limit);
  expect(result.plan !== undefined || result.diagnostics.some(({ severity }) => severity === 'error')).to.equal(true);
  return mistakes(result);
}

describe('hostile recipes', () => {
  it('the text that is mutated below has no mistakes', () => {
    expect(bounded(valid)).to.deep.equal([]);
  });

  const wrap = (text: string): string => `version: 1\nmodel: a.onnx\nsteps: [ fold ]\n${text}`;
  const cases: [string, string, RegExp][] = [
    ['flow lists, deep', wrap(`vars: { a: ${'['.repeat(100_000)} }`), /^recipe\/limit/],
    ['flow lists, closed', wrap(`vars: { a: ${'['.repeat(65)}${']'.repeat(65)} }`), /^recipe\/limit/],
    ['flow maps, deep', wrap(`vars: ${'{a: '.repeat(50_000)}`), /^recipe\/limit/],
    ['block lists, deep', wrap(`vars:\n  a:\n    ${'- '.repeat(50_000)}x`), /^recipe\/limit/],
    ['block maps, deep', wrap(`vars:\n${Array.from({ length: 600 }, (_, depth) => `${' '.repeat(depth + 1)}a:`).join('\n')}`), /^recipe\/limit/],
    ['explicit keys, deep', `${'? '.repeat(50_000)}x`, /^recipe\/(limit|syntax)/],
    ['aliases that multiply', wrap(`x-a0: &a0 [ 1, 2 ]\n${Array.from({ length: 60 }, (_, level) => `x-a${level + 1}: &a${level + 1} [ *a${level}, *a${level} ]`).join('\n')}\nvars: { a: *a60 }`), /^recipe\/limit/],
    ['an alias of itself', wrap('vars: { a: &a [ *a ] }'), /^recipe\/unknown-alias/],
    ['variables that multiply', wrap(`vars:\n  a0: x\n${Array.from({ length: 60 }, (_, level) => `  a${level + 1}: "\${vars.a${level}}\${vars.a${level}}"`).join('\n')}`), /^recipe\/limit/],
    ['variables that multiply as lists', wrap(`vars:\n  a0: [ 1, 2 ]\n${Array.from({ length: 60 }, (_, level) => `  a${level + 1}: [ "\${vars.a${level}}", "\${vars.a${level}}" ]`).join('\n')}`), /^recipe\/limit/],
    ['a long chain of variables', wrap(`vars:\n${Array.from({ length: 5000 }, (_, level) => `  a${level}: "\${vars.a${level + 1}}"`).join('\n')}\n  a5000: 1`), /^recipe\/limit/],
    ['many keys', wrap(`vars:\n${Array.from({ length: 19_000 }, (_, index) => `  a${index}: 1`).join('\n')}`), /^$/],
    ['too many keys', wrap(`vars:\n${Array.from({ length: 21_000 }, (_, index) => `  a${index}: 1`).join('\n')}`), /^recipe\/limit/],
    ['the same key again and again', wrap('b: 1\n'.repeat(20_000)), /^recipe\//],
    ['many unknown keys', wrap(Array.from({ length: 15_000 }, (_, index) => `stepz${index}: 1`).join('\n')), /^recipe\/unknown-key/],
    ['many anchors', wrap(`vars:\n${Array.from({ length: 9_000 }, (_, index) => `  a${index}: &a${index} 1`).join('\n')}`), /^$/],
    ['a file too large', `${wrap('')}#${' '.repeat(300_000)}`, /^recipe\/unreadable/],
    ['a text too long', wrap(`vars: { a: "${'x'.repeat(70_000)}" }`), /^recipe\/limit/],
    ['an open quote over many lines', wrap(`vars: { a: "${'\n'.repeat(100_000)}`), /^recipe\/syntax/],
    ['digits without end', wrap(`vars: { a: ${'9'.repeat(60_000)} }`), /^recipe\/bad-number/],
    ['zeros before a number', wrap(`vars: { a: ${'0'.repeat(60_000)}.${'0'.repeat(60_000)} }`), /^recipe\/limit|^$/],
    ['no text', '', /^recipe\/bad-type/],
    ['zero bytes', '\0\0\0', /^recipe\//],
    ['two documents', `${wrap('')}---\n${wrap('')}`, /^recipe\/syntax/],
    ['a directive of another version', `%YAML 1.1\n---\n${wrap('vars: { a: yes }')}`, /^$/],
    ['extends to a device', 'version: 1\nextends: ../../../../../../dev/zero\n', /^recipe\/unreadable/],
    ['selectors, wide', wrap(`select: { a: { any: [ ${'{ op: A }, '.repeat(6000)}$b ] }, b: { not: $a } }`), /^select\/cycle/],
    ['selectors that refer to each other many times', wrap(`select:\n  s0: { op: A }\n${Array.from({ length: 300 }, (_, level) => `  s${level + 1}: { any: [ $s${level}, $s${level}, $s${level} ] }`).join('\n')}`), /^$/],
    ['a pattern that would backtrack', wrap(`select: { a: { regex: "${'(a*)*'.repeat(40)}b" } }`), /^$/],
    ['a pattern that multiplies', wrap('select: { a: { regex: "(((((a{99}){99}){99}){99}){99}){99}" } }'), /^select\/bad-pattern/],
  ];
  for (const [title, text, expected] of cases) {
    it(title, () => {
      const found = bounded(text).filter((code) => !code.startsWith('recipe/no-output'));
      expect(found[0] ?? '').to.match(expected);
    }).timeout(30_000);
  }

  it('never reaches a prototype', () => {
    for (const key of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']) {
      for (const text of [
        `${key}: { polluted: 1 }`, `vars: { ${key}: { polluted: 1 } }`, `data: { ${key}: { npy: a, polluted: 1 } }`, `select: { ${key}: { op: A, polluted: 1 } }`, `accept: { ${key}: { max: 1 } }`,
        `inputs: { ${key}: { polluted: 1 } }`, `vars: { a: "\${vars.${key}}", b: "\${env.${key}}" }\nenv: [ ${key} ]`,
      ]) bounded(`version: 1\nmodel: a.onnx\n${text}\nsteps: [ { pass: fold, with: { ${key}: 1 }, where: $${key}, when: { var: ${key}, is: 1 } }, { pass: ${key} } ]\n`);
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
      expect((Object as unknown as Record<string, unknown>)['polluted']).to.equal(undefined);
    }
  });

  const seeds = [valid, ...readdirSync(goldenFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => readFileSync(join(goldenFolder, name, 'recipe.yaml'), 'utf8'))];
  const scrap = fc.constantFrom('{', '}', '[', ']', ':', ': ', '\n', ' ', '- ', '&a ', '*a', '<<: ', '!!binary ', '${', '${vars.a}', '"', '\'', '|\n', '>', '#', '%', '\t', '~', '1e999', '-0', '$', '\0', '\ud800', '\u2028', '? ', '---\n', '__proto__: ', 'extends: recipe.yaml\n', 'patch: ');
  const mutation = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat({ max: 12 }), scrap, copy: fc.option(fc.double({ min: 0, max: 1, noNaN: true })) });

  it('mutated ones end in diagnostics', () => {
    fc.assert(fc.property(fc.constantFrom(...seeds), fc.array(mutation, { minLength: 1, maxLength: 5 }), (seed, mutations) => {
      let text = seed;
      for (const { at, length, scrap: inserted, copy } of mutations) {
        const start = Math.floor(at * text.length);
        const from = copy === null ? -1 : Math.floor(copy * text.length);
        text = text.slice(0, start) + (from < 0 ? inserted : text.slice(from, from + 20)) + text.slice(start + length);
      }
      bounded(text);
    }), { numRuns: Number(process.env['FUZZ_RUNS'] ?? 500), seed: 7 });
  }).timeout(60_000);
});
