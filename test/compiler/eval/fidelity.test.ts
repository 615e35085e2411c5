import { expect } from 'chai';
import type { Evaluation, OutputFidelity, Score } from '../../../compiler/eval/evaluate.ts';
import { lowFidelity } from '../../../compiler/eval/fidelity.ts';

describe('the warning of noise', () => {
  const evaluation = (outputs: readonly OutputFidelity[], metrics: readonly string[]): Evaluation => {
    const scores = metrics.map((name): Score => ({ name, unit: '', higherIsBetter: true, value: 1 }));
    const sizes = { bytes: 1, deployedBytes: 1 };
    return { data: 'validation', random: false, samples: 1, optimization: 'disabled', models: [{ name: 'original', ...sizes, scores: [], outputs: [] }, { name: 'compiled', ...sizes, scores, outputs }] };
  };

  it('names the worst output below 10 dB', () => {
    const found = lowFidelity(evaluation([{ output: 'a', sqnr: 30 }, { output: 'b', sqnr: 9 }, { output: 'c', sqnr: 3 }], ['sqnr']));
    expect(found).to.include({ code: 'eval/low-fidelity', severity: 'warning', tensor: 'c' });
    // 10^-0.3 is a half.
    expect(found!.message).to.include("'c' is only 3.0 dB").and.include('50 % of its power');
  });

  const quiet: readonly (readonly [string, readonly OutputFidelity[], readonly string[]])[] = [
    ['10 dB and more', [{ output: 'a', sqnr: 10 }, { output: 'b', sqnr: Infinity }], []],
    ['an output that is never a number', [{ output: 'a', sqnr: NaN }], []],
    ['an output that is zero in the original', [{ output: 'a', sqnr: -Infinity }], []],
    ['a metric of the task', [{ output: 'a', sqnr: 3 }], ['map']],
    ['classes that agree or not', [{ output: 'a', sqnr: 3 }], ['agreement']],
  ];
  for (const [what, outputs, metrics] of quiet) it(`says nothing of ${what}`, () => { expect(lowFidelity(evaluation(outputs, metrics))).to.equal(undefined); });
});
