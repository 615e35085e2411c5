import { expect } from 'chai';
import { inferTypes, runPass } from '../../../compiler/manager.ts';
import { createRuntime, type OrtRuntime } from '../../../compiler/runtime/runtime.ts';
import { loadTarget } from '../../../compiler/targets.ts';
import { writeModel } from '../../../ir/onnx/write.ts';
import { Editor } from '../../../ir/edit.ts';
import { normalizeModel } from '../../../ir/normalize.ts';
import { parseModel } from '../../../ir/text/index.ts';
import { fold } from '../../../passes/fold.ts';

/**
 * Two Ifs with constant conditions where the outer condition sends no run: the branch that `hidden` takes has rank 3, which the Gemm behind it refuses as soon as
 * it is told. `plain` contradicts nothing.
 */
const text = `<ir_version: 10, opset_import: ["": 17]>
m (bool c, float[1,4,2] x) => (float[4,3] y) <bool no = {0}, float[2,3] w = {1, 2, 3, 4, 5, 6}, int64[1] axes = {0}> {
  [choose] y = If (c) <
    then_branch = possible () => (float[4,3] p) {
      [plain] a = If (no) <then_branch = t () => (b) { b = Identity (x) }, else_branch = e () => (d) { d = Squeeze (x, axes) }>
      [works] p = Gemm (a, w)
    },
    else_branch = impossible () => (float[4,3] q) {
      [hidden] f = If (no) <then_branch = t () => (g) { g = Squeeze (x, axes) }, else_branch = e () => (h) { h = Neg (x) }>
      [fails] q = Gemm (f, w)
    }
  >
}`;

describe('fold: branches that contradict their readers', () => {
  let runtime: OrtRuntime;
  before(() => { runtime = createRuntime({ threads: 1 }); });
  after(() => runtime.close());

  it('keeps an If that hides from ONNX Runtime what would make it refuse the model', async () => {
    const model = parseModel(text);
    normalizeModel(model, new Editor(model));
    await inferTypes(model, runtime);
    expect(await runtime.refusalOf(writeModel(model))).to.equal(undefined);
    const { remarks } = await runPass(model, fold, { batchNorm: true, compounds: false }, { runtime, target: loadTarget('portable') });
    expect(await runtime.refusalOf(writeModel(model))).to.equal(undefined);
    expect(Array.from(model.graph.walk(), ({ name }) => name)).to.include.members(['choose', 'works', 'hidden', 'fails']).and.not.include('plain');
    const missed = remarks.filter(({ kind }) => kind === 'missed');
    expect(missed.map(({ rule, node }) => [rule, node?.name])).to.deep.equal([['fold/if-constant', 'hidden']]);
    expect(missed[0]!.message).to.include("contradicts 'fails'").and.include('rank 2');
  });
});
