import { tokensFor, type Pass, type Token } from '../../passes/pass.ts';
import type { PlannedStep } from './plan.ts';
import { placeText, type Problems } from './problems.ts';

/** What became of a token: the step that gave it, and the one that dropped it since. */
interface History {
  readonly given: PlannedStep;
  readonly dropped?: PlannedStep;
}

/**
 * Follows the tokens through the steps and reports every need that is not met: which step needs what, which step dropped it or which passes
 * give it, and what to do. A step whose condition is still open counts as run.
 */
export function checkTokens(steps: readonly PlannedStep[], passes: ReadonlyMap<string, Pass>, problems: Problems): void {
  const tokens = new Map<Token, History>();
  for (const step of steps) {
    if (step.decision.state === 'skip') continue;
    const { pass, options } = step;
    for (const token of tokensFor(pass.needs, options)) {
      const history = tokens.get(token);
      if (!history || history.dropped) missing(step, token, history, steps, passes, problems);
    }
    const kept = new Set(tokensFor(pass.keeps, options));
    for (const [token, history] of tokens) if (!history.dropped && !kept.has(token)) tokens.set(token, { ...history, dropped: step });
    for (const token of tokensFor(pass.gives, options)) tokens.set(token, { given: step });
  }
}

const named = ({ id, number }: PlannedStep): string => `\`${id}\` (step ${number})`;

function missing(step: PlannedStep, token: Token, history: History | undefined, steps: readonly PlannedStep[], passes: ReadonlyMap<string, Pass>, problems: Problems): void {
  const details = { step: step.id, expected: [token] };
  if (history?.dropped) {
    const { given, dropped } = history;
    problems.add('recipe/missing-token', `${named(step)} needs \`${token}\`; ${named(dropped)} drops the \`${token}\` that ${named(given)} gave`, step.place, {
      ...details, suggestion: `move \`${given.id}\` between \`${dropped.id}\` and \`${step.id}\`, or repeat it there`,
      notes: [note(`\`${token}\` given here`, given), note(`\`${token}\` dropped here, because ${dropped.pass.name} changes the model`, dropped)],
    });
    return;
  }
  const later = steps.find((other) => other.number > step.number && tokensFor(other.pass.gives, other.options).includes(token));
  const skipped = steps.find((other) => other.number < step.number && other.decision.state === 'skip' && tokensFor(other.pass.gives, other.options).includes(token));
  const givers = [...passes.values()].filter(({ gives }) => typeof gives !== 'function' && tokensFor(gives, {}).includes(token)).map(({ name }) => name);
  const who = givers.length === 0 ? 'no known pass gives it; change the option that asks for it, or list the plugin whose pass gives it' : `${givers.map((name) => `\`${name}\``).join(' or ')} gives it`;
  problems.add('recipe/missing-token', `${named(step)} needs \`${token}\`, and no step before it gives it`, step.place, {
    ...details,
    suggestion: later ? `move \`${later.id}\` before \`${step.id}\`` : skipped ? `${named(skipped)} gives it, but its condition skips it: ${skipped.decision.reason}` : givers.length === 0 ? who : `${who}: add it before \`${step.id}\``,
    ...(later && { notes: [note(`\`${token}\` given too late, here`, later)] }),
  });
}

function note(message: string, { place }: PlannedStep): { message: string; file?: string; range?: NonNullable<PlannedStep['range']> } {
  if (place?.path !== undefined) return { message: `${message}: ${placeText(place)}` };
  return { message, ...(place && { file: place.file, ...(place.range && { range: place.range }) }) };
}
