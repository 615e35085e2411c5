import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Pass } from '../../passes/pass.ts';
import type { OrtRuntime } from '../runtime/runtime.ts';
import { createRuntime } from '../runtime/runtime.ts';
import { loadTarget } from '../targets.ts';
import { readCase, withExpectation, type Case } from './case.ts';
import { checkCase, type CaseWorld, type Failure } from './check.ts';
import type { Tolerance } from './compare.ts';
import { bindOptions, declarationMistake } from './declaration.ts';

/** The tests of one pass. */
export interface PassTests {
  /** Folder with the golden cases, files that end in `.onnxtxt`; every one is run. See `readCase` for their form. */
  readonly folder: string;
  /** Options that must be refused, and the code of the Diagnostic. */
  readonly invalid?: readonly { readonly options: Readonly<Record<string, unknown>>; readonly code: string }[];
  /** How far outputs may be from those before the pass, for cases that do not say: default 1e-5 of the largest output. */
  readonly tolerance?: Tolerance | 'none';
  /** Name of the target whose facts the pass reads; default `portable`. */
  readonly target?: string;
  /** Rewrite the expectations of all cases. Default: if the variable UPDATE is `1`. Never under CI. */
  readonly update?: boolean;
  /** Default: if the variable CI is set. */
  readonly ci?: boolean;
}

const extension = '.onnxtxt';

/**
 * Checks a pass: its declaration, options that it must refuse, and all golden cases of a folder, each with the checks that every pass must
 * stand (`Check` lists them). Returns what failed; an empty list is success. Knows no test framework.
 */
export async function checkPass(pass: Pass, tests: PassTests): Promise<Failure[]> {
  const plan = new TestPlan(pass, tests);
  const runtime = createRuntime();
  try {
    const failures = [...plan.declaration(), ...plan.folder()];
    for (const invalid of tests.invalid ?? []) failures.push(...plan.refuses(invalid));
    for (const file of plan.files) failures.push(...await plan.run(file, runtime));
    return failures;
  } finally {
    await runtime.close();
  }
}

/** `describe`, `it` and `after` of mocha and of what is like it. */
interface Framework {
  readonly describe: (title: string, body: () => void) => void;
  readonly it: (title: string, body: () => Promise<void> | void) => void;
  readonly after?: (body: () => Promise<void>) => void;
  readonly afterAll?: (body: () => Promise<void>) => void;
}

/** `checkPass` as tests of mocha (or another framework with global `describe` and `it`): one for each case, one for the rest. Call it in a test file. */
export function testPass(pass: Pass, tests: PassTests): void {
  const { describe, it, after, afterAll } = globalThis as unknown as Framework;
  const plan = new TestPlan(pass, tests);
  describe(`pass ${pass.name}`, () => {
    let runtime: OrtRuntime | undefined;
    (after ?? afterAll)?.(async () => { await runtime?.close(); });
    it('is declared well', () => { raise(plan.declaration()); });
    it('has cases that are sound', () => { raise(plan.folder()); });
    for (const invalid of tests.invalid ?? []) it(`refuses ${JSON.stringify(invalid.options)}`, () => { raise(plan.refuses(invalid)); });
    for (const file of plan.files) it(file.slice(0, -extension.length), async () => { raise(await plan.run(file, runtime ??= createRuntime())); });
  });
}

class TestPlan {
  readonly files: readonly string[];
  private readonly pass: Pass;
  private readonly tests: PassTests;
  private readonly ci: boolean;
  private readonly update: boolean;
  private readonly strays: readonly string[];

  constructor(pass: Pass, tests: PassTests) {
    this.pass = pass;
    this.tests = tests;
    this.ci = tests.ci ?? Boolean(process.env['CI']);
    this.update = !this.ci && (tests.update ?? process.env['UPDATE'] === '1');
    const names = existsSync(tests.folder) ? readdirSync(tests.folder).sort() : [];
    this.files = names.filter((name) => name.endsWith(extension));
    this.strays = names.filter((name) => !name.endsWith(extension));
  }

  declaration(): Failure[] {
    const mistake = declarationMistake(this.pass);
    return mistake === undefined ? [] : [{ check: 'declaration', message: mistake }];
  }

  refuses({ options, code }: NonNullable<PassTests['invalid']>[number]): Failure[] {
    const codes = bindOptions(this.pass, options).mistakes.map((mistake) => mistake.code);
    if (codes.includes(code)) return [];
    return [{ check: 'options', message: `${JSON.stringify(options)} must be refused with ${code}, and is ${codes.length === 0 ? 'accepted' : `refused with ${codes.join(', ')}`}` }];
  }

  /** Cases that are there twice, and, under CI, files that are no cases. */
  folder(): Failure[] {
    const failures: Failure[] = [];
    if (this.files.length === 0) failures.push({ check: 'case', message: `there are no cases (*${extension}) in ${this.tests.folder}` });
    const seen = new Map<string, string>();
    for (const file of this.files) {
      const text = this.read(file);
      // Comments, blanks and the expectation do not make a case another one; its settings do.
      const key = text.split(/^---$/m)[0]!.split('\n').filter((line) => !/^#(?! ?[a-z]+:)/.test(line)).join(' ').replace(/\s+/g, ' ').trim();
      const twin = seen.get(key);
      if (twin !== undefined) failures.push({ check: 'case', name: nameOf(file), message: `is the same case as ${nameOf(twin)}; remove one of them` });
      seen.set(key, file);
    }
    if (this.ci) for (const stray of this.strays) failures.push({ check: 'case', name: stray, message: `is no case: its name does not end in ${extension}` });
    return failures;
  }

  async run(file: string, runtime: OrtRuntime): Promise<readonly Failure[]> {
    const { tolerance = 1e-5, target = 'portable' } = this.tests;
    const world: CaseWorld = { runtime, target: loadTarget(target), tolerance };
    let golden: Case;
    try {
      golden = readCase(nameOf(file), this.read(file));
    } catch (error) {
      if (!Diagnostic.is(error)) throw error;
      return [{ check: 'case', name: nameOf(file), message: error.message }];
    }
    const { failures, actual } = await checkCase(this.pass, golden, world);
    if (!this.update || actual === undefined) return failures;
    if (actual !== golden.expected) writeFileSync(join(this.tests.folder, file), withExpectation(golden, actual));
    return failures.filter(({ check }) => check !== 'expectation');
  }

  private read(file: string): string {
    return readFileSync(join(this.tests.folder, file), 'utf8');
  }
}

function nameOf(file: string): string {
  return file.slice(0, -extension.length);
}

/** Throws all failures as one error, with texts that a test framework can compare. */
function raise(failures: readonly Failure[]): void {
  const [first] = failures;
  if (first === undefined) return;
  const error = new Error(failures.map(({ check, message }) => `${check}: ${message}`).join('\n'));
  const { expected, actual } = failures.find((failure) => failure.actual !== undefined) ?? {};
  throw Object.assign(error, actual === undefined ? {} : { expected: expected ?? '', actual, showDiff: true });
}
