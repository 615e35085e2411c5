import { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model, Value } from '../../ir/model.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Runtime, Session } from '../../passes/runtime.ts';
import { difference, type Tolerance } from './compare.ts';
import { feedsFor, type NamedFeeds } from './feeds.ts';

/** How two models are compared. */
export interface Comparison {
  readonly runtime: Runtime;
  readonly tolerance: Tolerance;
  /** Compare values of the same label inside the models, in place of the outputs. */
  readonly inner?: boolean;
}

/**
 * Runs two models on the same seeded random inputs, in ONNX Runtime without its optimisations and on one thread, and says what is different
 * first; undefined if nothing is. Inputs that the model before does not take (an index out of range, lengths that do not fit) prove nothing and are passed over;
 * if it takes none, that is the difference.
 */
export async function numericDifference(before: Model, after: Model, { runtime, tolerance, inner = false }: Comparison): Promise<string | undefined> {
  const sets = feedsFor(before.graph, tolerance === 'exact');
  if (sets === undefined) return 'no numbers can be made for its inputs: each needs an element type and a rank (or set tolerance: none)';
  const [[first, second], names] = inner ? sharedValues(before, after) : [[[], []], undefined];
  const expected = await runs(before, first, sets, runtime);
  const [untaken] = [...expected.values()].filter((outcome) => Diagnostic.is(outcome));
  if ([...expected.values()].every((outcome) => Diagnostic.is(outcome))) return `the model before the pass takes none of the inputs made for it: ${untaken!.message}`;
  const found = await runs(after, second, sets.filter(({ name }) => !Diagnostic.is(expected.get(name))), runtime);
  for (const [name, outcome] of found) {
    if (Diagnostic.is(outcome)) return `the model after the pass does not take ${name}: ${outcome.message}`;
    const wanted = expected.get(name) as ReadonlyMap<string, Tensor>;
    for (const [output, tensor] of wanted) {
      if (names && !names.has(output)) continue;
      const actual = outcome.get(output);
      const what = actual === undefined ? 'is missing' : difference(tensor, actual, tolerance);
      if (what !== undefined) return `for ${name}, '${output}' ${what}`;
    }
  }
  return undefined;
}

/** Values of the main graphs that bear the same label and are made by nodes. */
function sharedValues(before: Model, after: Model): [[Value[], Value[]], Set<string>] {
  const made = ({ graph }: Model): Map<string, Value> => new Map([...graph.nodes()].flatMap(({ outputs }) => outputs).flatMap((value) => (value === undefined ? [] : [[value.name, value]])));
  const [old, present] = [made(before), made(after)];
  const names = [...old.keys()].filter((name) => present.has(name));
  return [[names.map((name) => old.get(name)!), names.map((name) => present.get(name)!)], new Set(names)];
}

/** What the model makes of each set of inputs: outputs by name, or why it made none. */
async function runs(model: Model, fetch: readonly Value[], sets: readonly NamedFeeds[], runtime: Runtime): Promise<Map<string, ReadonlyMap<string, Tensor> | Diagnostic>> {
  const outcomes = new Map<string, ReadonlyMap<string, Tensor> | Diagnostic>();
  let session: Session;
  try {
    session = await runtime.open(model, { fetch, optimization: 'disabled', threads: 1 });
  } catch (error) {
    if (!Diagnostic.is(error)) throw error;
    return new Map(sets.map(({ name }) => [name, error]));
  }
  try {
    for (const { name, feeds } of sets) {
      try {
        outcomes.set(name, await session.run(feeds));
      } catch (error) {
        if (!Diagnostic.is(error)) throw error;
        outcomes.set(name, error);
      }
    }
  } finally {
    await session.release();
  }
  return outcomes;
}
