import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Evaluation } from './evaluate.ts';

/** Below this signal-to-noise ratio, in dB, a tenth of the power of an output is noise. */
const poor = 10;

/** The warning `eval/low-fidelity` for the worst output of the last model, where no metric of the task says whether its noise matters. */
export function lowFidelity({ models }: Evaluation): Diagnostic | undefined {
  const { scores, outputs } = models.at(-1)!;
  const worst = outputs.filter(({ sqnr }) => sqnr < poor && sqnr > -Infinity).sort((a, b) => a.sqnr - b.sqnr)[0];
  if (worst === undefined || scores.some(({ name }) => name !== 'sqnr')) return undefined;
  const percent = 100 * 10 ** (-worst.sqnr / 10);
  return new Diagnostic('eval/low-fidelity', `the output '${worst.output}' is only ${worst.sqnr.toFixed(1)} dB above its noise, which has ${percent.toFixed(0)} % of its power`, {
    severity: 'warning', tensor: worst.output,
    suggestion: 'Give the validation data a `metric` of the task, which says whether it matters; limit it with `maxDrop`, or leave the noisiest layers in float (`--html FILE` ranks them).',
  });
}
