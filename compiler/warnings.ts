import { Diagnostic } from '../ir/diagnostic.ts';
import { Diagnostics } from './host.ts';

/** Throws all of them, and `output/too-many-warnings` behind them, if more than `most` are warnings. */
export function limitWarnings(diagnostics: readonly Diagnostic[], most: number = Infinity): void {
  const count = diagnostics.filter(({ severity }) => severity === 'warning').length;
  if (count <= most) return;
  throw new Diagnostics([...diagnostics, new Diagnostic('output/too-many-warnings', `there ${count === 1 ? 'is 1 warning' : `are ${count} warnings`}, and ${most} may be`, {
    suggestion: 'Mend what they say, or allow more with --max-warnings.',
  })]);
}
