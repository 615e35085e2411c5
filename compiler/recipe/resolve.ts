import type { Diagnostic } from '../../ir/diagnostic.ts';
import type { Model } from '../../ir/model.ts';
import { decide, type Decision } from './condition.ts';
import { ModelIndex } from './model-index.ts';
import type { Plan, PlannedStep } from './plan.ts';
import { Problems } from './problems.ts';
import { selectNodes } from './select.ts';
import { child, withEntries, type MapTree, type Tree } from './tree.ts';

/** A planned step for one model: whether it runs, and which nodes it may touch. */
export interface ResolvedStep extends PlannedStep {
  /** Never pending. */
  readonly decision: Decision;
  /** Names in the model as read of the nodes that `where` selects; undefined without `where`, and for a step that is skipped. */
  readonly selected: ReadonlySet<string> | undefined;
}

/** Resolves selectors and the conditions that were left open, once, against the model as it was read (normalised: every node has a name). */
export function resolvePlan(plan: Plan, model: Model): { readonly steps: readonly ResolvedStep[]; readonly diagnostics: readonly Diagnostic[] } {
  const problems = new Problems();
  for (const file of plan.files.slice(1)) problems.inherited.set(file, undefined);
  const index = new ModelIndex(model);
  const matches = (selector: Tree): boolean => selectNodes(lenient(selector, plan.select), plan.select, index, problems).size > 0;
  const vars = child(plan.tree, 'vars');
  const steps = plan.steps.map((step): ResolvedStep => {
    const decision = step.when ? decide(step.when, { vars, target: plan.target, opset: index.opset ?? 0, matches }) : step.decision;
    if (!step.where || decision.state === 'skip') return { ...step, decision, selected: undefined };
    const nodes = selectNodes(step.where, plan.select, index, problems);
    return { ...step, decision, selected: new Set([...nodes].map(({ name }) => name)) };
  });
  return { steps, diagnostics: problems.list };
}

/** A condition asks whether something matches: nothing is an answer, not a mistake. */
function lenient(selector: Tree, named: Tree | undefined): Tree {
  const target = selector.kind === 'scalar' ? child(named, selector.text.slice(1)) : selector;
  if (target?.kind !== 'map') return selector;
  const yes: Tree = { kind: 'scalar', place: undefined, value: true, text: 'true', base: '', size: 1, depth: 0 };
  return withEntries(target, [['optional', { key: undefined, value: yes }]]) satisfies MapTree;
}
