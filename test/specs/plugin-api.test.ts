import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import ts from 'typescript';
import * as onnxpress from '../../compiler/index.ts';
import type { Report } from '../../compiler/index.ts';
import { root } from '../paths.ts';
import { Workplace } from '../compiler/workplace.ts';

const page = readFileSync(join(root, 'specs/plugin-api.md'), 'utf8');
const [, plugin = ''] = /```ts\n(import[^]*?)```/.exec(page) ?? [];
const [, recipe = ''] = /```yaml\n(version[^]*?)```/.exec(page) ?? [];

/** What a stranger's modules for samples and metrics say about themselves, and what a program calls. */
const stranger = `
import { calibrateRecipe, compile, evalModels, mergeStatistics, placementOf, type Evaluation, type ModuleContext, type ModuleMetric, type ModuleSample, type Placement, type Statistics } from 'onnxpress';
import type { Model } from 'onnxpress/ir';
export async function* samples({ inputs }: ModuleContext): AsyncGenerator<ModuleSample> { yield { data: new Float32Array(inputs.length), shape: [1], label: 1 }; }
export const metric = (): ModuleMetric => {
  let sum = 0;
  return { unit: 'percent', add({ scores }, label) { sum += scores!.data[Number(label)] ?? 0; }, value: () => sum };
};
export const placed = (model: Model, target: Parameters<typeof placementOf>[1]): Placement => placementOf(model, target, { select: () => true, sizes: new Map(), attention: 'auto', concat: 'auto', memoryBound: 'both' });
export const seen = (statistics: Statistics): number => statistics.tensors.get('x')?.histogram?.zeros ?? 0;
export async function program(): Promise<Evaluation | undefined> {
  await calibrateRecipe('a.yaml', { output: '1.stats', shard: '1/2' });
  const samples: number = await mergeStatistics(['1.stats', '2.stats'], 'a.stats');
  const { models } = await evalModels(['a.onnx'], { data: 'a.yaml', samples });
  models[0]?.scores[0]?.change?.low.toFixed();
  return (await compile('a.yaml')).report.evaluation;
}
`;

/** A .npy file: version 1, C order. */
function npy(descr: string, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.map((dim) => `${dim},`).join('')}), }`.padEnd(117) + '\n';
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Uint8Array.of(header.length, 0), Buffer.from(header, 'latin1'), bytes]);
}

describe('specs/plugin-api.md', () => {
  const place = new Workplace();
  before(() => {
    place.linkPackage();
    place.write('package.json', '{ "type": "module" }');
    place.write('measures.ts', plugin);
    place.write('stranger.ts', stranger);
  });
  after(() => { place.close(); });

  it('has types for what it shows, and for what modules and programs need', function () {
    this.timeout(60000);
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2023, lib: ['lib.es2023.d.ts'], module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, strict: true,
      noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: true, noEmit: true, types: [],
    };
    const program = ts.createProgram([place.path('measures.ts'), place.path('stranger.ts')], options);
    const mistakes = ts.getPreEmitDiagnostics(program).map(({ messageText, file }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
    expect(mistakes).to.deep.equal([]);
  });

  it('shows a plugin that works with its recipe', async () => {
    place.write('measures.js', ts.transpileModule(plugin, { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true } }).outputText);
    place.write('recipe.yaml', recipe);
    // The second rectifier sees −1 − x², which is never positive.
    place.writeModel('model.onnx', `<ir_version: 8, opset_import: ["": 17]> m (float[N,2] x) => (float[N,2] y) <float one = {1}> {
      [first] a = Relu (x)
      q = Mul (x, x)
      s = Add (q, one)
      n = Neg (s)
      [second] b = Relu (n)
      y = Add (a, b)
    }`);
    const values = Float32Array.from({ length: 40 }, (_, at) => ((at * 7) % 11) - 5);
    place.write('samples.npy', npy('<f4', [20, 2], new Uint8Array(values.buffer)));
    place.write('labels.npy', npy('|u1', [20], Uint8Array.from({ length: 20 }, (_, at) => (values[2 * at]! >= values[2 * at + 1]! ? 0 : 1))));
    const { code, err } = await place.run(['compile', 'recipe.yaml', '--report', 'report.json']);
    expect(code, err).to.equal(0);
    const { steps } = JSON.parse(place.read('report.json')) as Report;
    const [idle, answers] = ['acme/idle-rectifiers', 'acme/answers'].map((name) => steps.find(({ pass }) => pass === name));
    expect(idle!.remarks.map(({ node, message }) => [node?.name, message])).to.deep.equal([['second', 'its input was at most -1 in 20 samples']]);
    expect(Object.keys(idle!.records!['rectifiers'] as object)).to.deep.equal(['first', 'second']);
    expect(answers!.stats).to.deep.equal({ samples: 16 });
    expect(answers!.records!['worth']).to.deep.equal({ metric: 'top1', value: 100, drop: 0 });
    const expected = Array.from(values.subarray(0, 32), (value) => Math.max(0, value));
    expect([...new Float32Array(new Uint8Array(place.bytes('build/answers.bin')).buffer)]).to.deep.equal(expected);
  });

  it('names what the package exports', () => {
    for (const name of ['definePass', 'definePlugin', 'rangeOf', 'gridOf', 'placementOf', 'compile', 'evalModels', 'calibrateRecipe', 'mergeStatistics']) expect(onnxpress).to.have.property(name).that.is.a('function');
  });
});
