import { joinChunks } from '../../ir/bytes.ts';
import { cloneModel } from '../../ir/clone.ts';
import { Diagnostic } from '../../ir/diagnostic.ts';
import { Editor } from '../../ir/edit.ts';
import { hashModel } from '../../ir/hash.ts';
import type { Model } from '../../ir/model.ts';
import { normalizeModel } from '../../ir/normalize.ts';
import { writeModel } from '../../ir/onnx/write.ts';
import { parseModel } from '../../ir/text/index.ts';
import { interfaceOf, verifyModel } from '../../ir/verify.ts';
import { tokensFor, type Pass } from '../../passes/pass.ts';
import type { Target } from '../../passes/target.ts';
import type { Runtime } from '../../passes/runtime.ts';
import { inferTypes, runPass, type StepResult } from '../manager.ts';
import type { Case } from './case.ts';
import type { Tolerance } from './compare.ts';
import { bindOptions } from './declaration.ts';
import { filled } from './feeds.ts';
import { numericDifference } from './numbers.ts';
import { modelText, refusalText, resultText } from './result.ts';

/** What can fail. The first four concern the tests themselves, the others the pass. */
export type Check =
  /** A case cannot be read, is there twice, belongs to nothing, or its options are refused. */
  | 'case'
  /** The pass makes something else than the case says. */
  | 'expectation'
  /** Options that should be refused are not, or with another code. */
  | 'options'
  /** Name, version, summary and options of the pass are declared as they should be. */
  | 'declaration'
  /** The model is sound afterwards. */
  | 'verify'
  /** Names, order, element types and ranks of inputs and outputs are as before. */
  | 'interface'
  /** Outputs on seeded random inputs are as before, within the tolerance. */
  | 'numbers'
  /** Running again changes nothing, unless the pass declares `idempotent: false`. */
  | 'idempotence'
  /** Two runs give the same bytes, remarks and statistics. */
  | 'determinism'
  /** With nothing selected, nothing changes. */
  | 'selection'
  /** All changes went through the editor. */
  | 'editor'
  /** Tensors, which models share, are as they were. */
  | 'tensors'
  /** With `keeps`, values that are still there hold what they held. */
  | 'keeps'
  /** Exactly the declared files are written. */
  | 'outputs'
  /** A pass that refuses throws a Diagnostic, and before it changes anything. */
  | 'refusal';

/** One thing that a pass or its tests got wrong. */
export interface Failure {
  readonly check: Check;
  /** Name of the case, where it is about one. */
  readonly name?: string;
  readonly message: string;
  /** For texts that differ. */
  readonly expected?: string;
  readonly actual?: string;
}

/** What cases are checked in. */
export interface CaseWorld {
  readonly runtime: Runtime;
  readonly target: Target;
  /** For cases that do not state their own. */
  readonly tolerance: Tolerance | 'none';
}

/** What is wrong with a case, and what its file should say if the pass is right. */
export interface CaseResult {
  readonly failures: readonly Failure[];
  readonly actual?: string;
}

/** Runs a pass on one case and makes all checks of it. */
export async function checkCase(pass: Pass, golden: Case, world: CaseWorld): Promise<CaseResult> {
  try {
    return await new CaseCheck(pass, golden, world).run();
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    return { failures: [{ check: 'case', name: golden.name, message: `${error.message} (${error.code})${error.range ? `, line ${error.range.line}` : ''}` }] };
  }
}

class CaseCheck {
  private readonly pass: Pass;
  private readonly golden: Case;
  private readonly world: CaseWorld;
  private readonly options: Readonly<Record<string, unknown>>;
  private readonly failures: Failure[] = [];
  /** What the pass threw. */
  private refusal: unknown;
  /** What was wrong with the model when the pass was done. */
  private mistakes: readonly Diagnostic[] = [];

  constructor(pass: Pass, golden: Case, world: CaseWorld) {
    this.pass = pass;
    this.golden = golden;
    this.world = world;
    const { options, mistakes } = bindOptions(pass, golden.settings.options ?? {});
    if (options === undefined) throw mistakes[0] ?? new Error('neither options nor mistakes');
    this.options = options;
  }

  async run(): Promise<CaseResult> {
    const model = await this.model();
    const before = cloneModel(model);
    const [text, bytes, hash] = [modelText(model), bytesOf(model), hashModel(model, { exact: true })];
    let result: StepResult;
    try {
      result = await this.step(model, this.watched());
    } catch (error) {
      return this.refused(error);
    }
    const after = modelText(model);
    const actual = resultText(text, after, result.remarks);
    this.expect(actual);
    if (result.count === 0 && hashModel(model, { exact: true }) !== hash) this.fail('editor', 'the model changed, but no change went through the editor');
    if (bytesOf(before) !== bytes) this.fail('tensors', 'the pass wrote into a tensor of the model, which others share');
    this.outputs(result);
    if (this.sound(model, before)) {
      await this.attempt('determinism', () => this.determinism(model, result));
      await this.attempt('idempotence', () => this.idempotence(model));
      await this.attempt('selection', () => this.selection(hash));
      if (result.count > 0) await this.numbers(before, model);
    }
    return { failures: this.failures, actual };
  }

  /** The model as a compile gives it to a step: normalised, types inferred. */
  private async model(): Promise<Model> {
    const { golden: { name, input }, world: { runtime } } = this;
    const model = parseModel(input, { name, fill: filled });
    normalizeModel(model, new Editor(model));
    const [mistake] = verifyModel(model);
    if (mistake !== undefined) throw mistake;
    await inferTypes(model, runtime);
    return model;
  }

  private step(model: Model, pass: Pass = this.pass, select = this.golden.settings.select): Promise<StepResult> {
    const { options, world: { runtime, target } } = this;
    return runPass(model, pass, options, { runtime, target, select: select && new Set(select) });
  }

  /** The pass, looked at when it throws and when it is done, before the manager goes on. */
  private watched(): Pass {
    const { pass } = this;
    return {
      ...pass,
      run: async (model, context) => {
        const before = hashModel(model, { exact: true });
        try {
          await pass.run(model, context);
        } catch (error) {
          this.refusal = error;
          if (Diagnostic.is(error) && hashModel(model, { exact: true }) !== before) this.fail('refusal', `the pass had changed the model when it threw ${error.code}`);
          throw error;
        }
        // What is broken here may be too broken for type inference, which comes next. Order is not asked for: the manager restores it.
        this.mistakes = verifyModel(model).filter(({ code }) => code !== 'model/order');
      },
    };
  }

  private refused(error: unknown): CaseResult {
    const { refusal, failures, mistakes } = this;
    if (!Diagnostic.is(refusal)) {
      const message = error instanceof Error ? error.message : String(error);
      if (refusal !== undefined) this.fail('refusal', `the pass threw no Diagnostic: ${message}`);
      else this.fail('verify', mistakes.length > 0 ? mistakes.map(said).join('; ') : `ONNX Runtime does not take what the pass left: ${message}`);
      return { failures };
    }
    const actual = refusalText(refusal);
    this.expect(actual);
    return { failures: this.failures, actual };
  }

  private expect(actual: string): void {
    const { golden: { expected } } = this;
    if (expected === undefined) this.fail('expectation', 'nothing is recorded yet; run the tests with UPDATE=1, and read what they wrote', { expected: '', actual });
    else if (expected !== actual) this.fail('expectation', 'the pass made something else; if it is right, run the tests with UPDATE=1', { expected, actual });
  }

  private sound(model: Model, before: Model): boolean {
    const mistakes = verifyModel(model, { nodeNames: true, interface: interfaceOf(before) });
    for (const mistake of mistakes) this.fail(mistake.code === 'model/interface' ? 'interface' : 'verify', said(mistake));
    return mistakes.length === 0;
  }

  /** A further run of the pass; that it fails, when the first did not, is a failure of this check. */
  private async attempt(check: Check, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!Diagnostic.is(error)) throw error;
      this.fail(check, `a further run failed: ${said(error)}`);
    }
  }

  private async determinism(model: Model, first: StepResult): Promise<void> {
    const again = await this.model();
    const second = await this.step(again);
    if (bytesOf(again) !== bytesOf(model)) this.fail('determinism', 'a second run on the same model made another one');
    else if (recordsOf(first) !== recordsOf(second)) this.fail('determinism', 'a second run on the same model made other remarks or statistics');
  }

  private async idempotence(model: Model): Promise<void> {
    if (this.pass.idempotent === false) return;
    const copy = cloneModel(model);
    const { count, remarks } = await this.step(copy);
    if (count === 0) return;
    this.fail('idempotence', `a second run on its own result made ${count} more changes; if that is meant, declare idempotent: false`, {
      expected: modelText(model), actual: resultText('', modelText(copy), remarks),
    });
  }

  private async selection(hash: string): Promise<void> {
    const model = await this.model();
    const { count } = await this.step(model, this.pass, []);
    if (count > 0 || hashModel(model, { exact: true }) !== hash) this.fail('selection', `with nothing selected, the pass made ${count} changes`);
  }

  private outputs({ outputs }: StepResult): void {
    const declared = this.pass.outputs?.(this.options) ?? [];
    const written = outputs.map(({ path }) => path);
    if (declared.toSorted().join('\n') !== written.toSorted().join('\n')) {
      this.fail('outputs', `the pass declares the files [${declared.join(', ')}], and writes [${written.join(', ')}]`);
    }
  }

  private async numbers(before: Model, after: Model): Promise<void> {
    const { world, golden: { settings } } = this;
    const tolerance = settings.tolerance ?? world.tolerance;
    const kept = tokensFor(this.pass.keeps, this.options);
    if (tolerance !== 'none') {
      const found = await numericDifference(before, after, { runtime: world.runtime, tolerance });
      if (found !== undefined) this.fail('numbers', found);
    }
    if (kept.length > 0) {
      const found = await numericDifference(before, after, { runtime: world.runtime, tolerance: tolerance === 'none' ? 'exact' : tolerance, inner: true });
      if (found !== undefined) this.fail('keeps', `the pass keeps ${kept.join(', ')}, but ${found}`);
    }
  }

  private fail(check: Check, message: string, texts: Pick<Failure, 'expected' | 'actual'> = {}): void {
    this.failures.push({ check, name: this.golden.name, message, ...texts });
  }
}

function said({ message, code }: Diagnostic): string {
  return `${message} (${code})`;
}

function recordsOf({ remarks, stats }: StepResult): string {
  return JSON.stringify([remarks, [...stats]]);
}

/** The written file, one character a byte, for comparison. */
function bytesOf(model: Model): string {
  return Buffer.from(joinChunks(writeModel(model).model)).toString('latin1');
}
