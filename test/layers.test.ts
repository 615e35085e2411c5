import { expect } from 'chai';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { root } from './paths.ts';

/** What each layer may import of the repository; every folder that holds sources is here. */
const layers: Readonly<Record<string, readonly string[]>> = {
  ir: ['ir'],
  passes: ['ir', 'passes'],
  compiler: ['ir', 'passes', 'compiler'],
  plugins: [],
  examples: ['ir', 'passes', 'compiler', 'examples'],
  bench: ['ir', 'passes', 'compiler', 'bench'],
  test: ['ir', 'passes', 'compiler', 'test', 'bench', 'plugins', 'examples'],
};

/** Layers that reach the world through what they are given: no file system, process, clock or chance; no packages either. */
const pure = new Set(['ir', 'passes']);
const pureModules = new Set(['node:crypto', 'node:module']);
const impureGlobals = new Set([
  'process', 'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'console', 'fetch', 'globalThis', 'global', 'eval', 'Function', 'WebAssembly', 'SharedArrayBuffer', 'WeakRef',
]);
const publicModules = /^onnxpress(\/ir|\/testing|\/specs\/[\w-]+\.json)?$/;
const vagueNames = /^(utils?|helpers?|common|misc|shared|stuff|manager2)(\.|$)/;
const longest = 450;

/** Everything in a file that breaks the rules of DESIGN §1, one sentence each; `path` is relative to the repository's root, with slashes. */
function violations(path: string, text: string): string[] {
  const [layer = ''] = path.split('/');
  const allowed = layers[layer];
  if (allowed === undefined) return [`${path}: '${layer}' is no layer`];
  const found: string[] = [];
  const report = (problem: string): void => { found.push(`${path}: ${problem}`); };
  if (path.split('/').some((part) => vagueNames.test(part))) report('its name does not say what its job is');
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > longest) report(`${lines} lines are more than ${longest}: it has two jobs`);

  const imports = (module: string): void => {
    if (module.startsWith('.')) {
      const target = posix.normalize(posix.join(posix.dirname(path), module));
      const [other = ''] = target.split('/');
      const own = layer === 'plugins' ? target.startsWith(`${path.split('/').slice(0, 2).join('/')}/`) : allowed.includes(other);
      if (!own) report(`imports ${target}, which is not below ${layer}`);
    } else if (module.startsWith('#')) {
      if (pure.has(layer) && !module.startsWith('#specs/')) report(`imports ${module}`);
      if (allowed.length === 0) report(`imports ${module}, which is not public`);
    } else if (module === 'onnxpress' || module.startsWith('onnxpress/')) {
      if (allowed.length > 0 && layer !== 'test') report('imports the public package from inside');
      else if (!publicModules.test(module)) report(`imports ${module}, which is not public`);
    } else if (pure.has(layer) && !pureModules.has(module)) {
      report(`imports ${module}`);
    }
  };

  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) imports(node.moduleSpecifier.text);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) imports(node.argument.literal.text);
    if (ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text === 'Mutable' && layer !== 'ir' && layer !== 'test') report('imports Mutable, which is for ir/ alone');
    if (ts.isCallExpression(node)) {
      const [argument] = node.arguments;
      const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
      const isRequire = ts.isCallExpression(node.expression) && node.expression.expression.getText() === 'createRequire';
      if (isImport || isRequire) {
        if (argument !== undefined && ts.isStringLiteralLike(argument)) imports(argument.text);
        else if (pure.has(layer)) report(`imports what only a run will tell: ${node.getText()}`);
      }
    }
    if (pure.has(layer)) {
      if (ts.isIdentifier(node) && impureGlobals.has(node.text) && !isName(node)) report(`uses ${node.text}`);
      if (ts.isPropertyAccessExpression(node) && ['Math.random', 'import.meta.dirname', 'import.meta.filename'].includes(node.getText())) report(`uses ${node.getText()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true));
  return found;
}

/** True where an identifier only names a member, and does not stand for a variable. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isMethodSignature(parent)
    || ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent)) return parent.name === node;
  return ts.isImportSpecifier(parent) || (ts.isQualifiedName(parent) && parent.right === node);
}

/** All TypeScript sources below a folder of the repository, relative to its root. */
function* sources(folder: string): Iterable<string> {
  for (const name of readdirSync(join(root, folder)).sort()) {
    const path = `${folder}/${name}`;
    if (name === 'node_modules' || name === 'dist') continue;
    if (statSync(join(root, path)).isDirectory()) yield* sources(path);
    else if (/\.[cm]?tsx?$/.test(name)) yield path;
  }
}

const fakes: readonly [path: string, text: string, problem: RegExp | undefined][] = [
  ['ir/a.ts', "import { b } from './b.ts';", undefined],
  ['ir/onnx/a.ts', "export * from '../b.ts';", undefined],
  ['ir/a.ts', "import { createHash } from 'node:crypto';\nimport { createRequire } from 'node:module';\nconst facts = createRequire(import.meta.url)('#specs/onnx-ops.json');", undefined],
  ['ir/a.ts', "import { fold } from '../passes/fold.ts';", /imports passes\/fold\.ts, which is not below ir/],
  ['ir/a.ts', "export { fold } from '../passes/fold.ts';", /passes\/fold/],
  ['ir/a.ts', "export type A = import('../compiler/a.ts').A;", /compiler\/a/],
  ['ir/a.ts', "const a = await import('../compiler/a.ts');", /compiler\/a/],
  ['ir/a.ts', 'const a = await import(name);', /only a run will tell/],
  ['ir/a.ts', "import { readFileSync } from 'node:fs';", /imports node:fs/],
  ['ir/a.ts', "import type { Stats } from 'node:fs';", /imports node:fs/],
  ['ir/a.ts', "import fs from 'fs';", /imports fs/],
  ['ir/a.ts', "import os from 'node:os';", /node:os/],
  ['ir/a.ts', "import { Worker } from 'node:worker_threads';", /node:worker_threads/],
  ['ir/a.ts', "const yaml = createRequire(import.meta.url)('yaml');", /imports yaml/],
  ['ir/a.ts', 'const ort = createRequire(import.meta.url)(name);', /only a run will tell/],
  ['ir/a.ts', "const p = createRequire(import.meta.url)('#package');", /imports #package/],
  ['ir/a.ts', "import { compile } from 'onnxpress';", /public package from inside/],
  ['passes/a.ts', "import { Graph } from '../ir/model.ts';\nimport { b } from './b.ts';", undefined],
  ['passes/a.ts', "import Ajv from 'ajv';", /imports ajv/],
  ['passes/a.ts', "import { plan } from '../compiler/plan.ts';", /compiler\/plan/],
  ['passes/fold/a.ts', "import { plan } from '../../compiler/plan.ts';", /compiler\/plan/],
  ['passes/a.ts', "import { setTimeout } from 'node:timers/promises';", /node:timers/],
  ['passes/a.ts', 'const home = process.env;', /uses process/],
  ['passes/a.ts', 'const now = Date.now();', /uses Date/],
  ['passes/a.ts', 'const now = new Date();', /uses Date/],
  ['passes/a.ts', 'const now = performance.now();', /uses performance/],
  ['passes/a.ts', 'setTimeout(() => {}, 1);', /uses setTimeout/],
  ['passes/a.ts', 'const x = Math.random();', /uses Math\.random/],
  ['passes/a.ts', 'const x = globalThis.process;', /uses globalThis/],
  ['passes/a.ts', "console.log('x');", /uses console/],
  ['passes/a.ts', "import type { Mutable } from '../ir/model.ts';", /Mutable, which is for ir\/ alone/],
  ['passes/a.ts', "import type { Mutable as M } from '../ir/model.ts';", /Mutable/],
  ['passes/a.ts', "// Math.random() and process.env in a comment\nconst text = 'Date.now()';\nconst x = node.process; interface A { Date: number }\nconst b = { performance: 1 };", undefined],
  ['compiler/a.ts', "import { readFileSync } from 'node:fs';\nimport { fold } from '../passes/fold.ts';\nimport { Graph } from '../ir/model.ts';\nimport Ajv from 'ajv';\nconst now = Date.now();", undefined],
  ['compiler/a.ts', "import { a } from '../plugins/template/index.ts';", /plugins\/template/],
  ['compiler/a.ts', "import { a } from '../test/a.ts';", /test\/a/],
  ['compiler/a.ts', "import type { Mutable } from '../ir/model.ts';", /Mutable/],
  ['plugins/template/index.ts', "import { definePass } from 'onnxpress';\nimport type { Node } from 'onnxpress/ir';\nimport { PassTester } from 'onnxpress/testing';\nimport { a } from './a.ts';\nimport fs from 'node:fs';", undefined],
  ['plugins/template/index.ts', "import { Graph } from '../../ir/model.ts';", /ir\/model/],
  ['plugins/template/index.ts', "import { a } from '../other/a.ts';", /plugins\/other/],
  ['plugins/template/index.ts', "import { a } from 'onnxpress/compiler/plan';", /not public/],
  ['plugins/template/index.ts', "import a from '#specs/onnx-ops.json';", /not public/],
  ['ir/utils.ts', '', /does not say what its job is/],
  ['passes/helpers/a.ts', '', /does not say/],
  ['compiler/common.test.ts', '', /does not say/],
  ['ir/useful.ts', '', undefined],
  ['ir/a.ts', 'x;\n'.repeat(450), undefined],
  ['ir/a.ts', 'x;\n'.repeat(451), /451 lines/],
  ['lib/a.ts', '', /'lib' is no layer/],
];

describe('layers', () => {
  for (const [path, text, problem] of fakes) {
    const [first = ''] = text.split('\n');
    it(`${problem === undefined ? 'passes' : 'refuses'} ${first.slice(0, 70)} in ${path}`, () => {
      const found = violations(path, text);
      if (problem === undefined) expect(found).to.deep.equal([]);
      else expect(found).to.have.length(1).and.to.satisfy(([only]: string[]) => problem.test(only!), found.join('\n'));
    });
  }

  for (const folder of Object.keys(layers)) {
    it(`are kept by all sources in ${folder}/`, () => {
      const paths = [...sources(folder)];
      if (folder in { ir: 0, passes: 0, compiler: 0, test: 0 }) expect(paths.length).to.be.above(4);
      expect(paths.flatMap((path) => violations(path, readFileSync(join(root, path), 'utf8')))).to.deep.equal([]);
    });
  }

  it('are all the folders that hold sources', () => {
    const folders = readdirSync(root).filter((name) => !['node_modules', 'dist', 'build', 'coverage'].includes(name) && !name.startsWith('.') && statSync(join(root, name)).isDirectory());
    expect(folders.filter((folder) => !(folder in layers) && [...sources(folder)].length > 0)).to.deep.equal([]);
  });
});
