import { normalize } from 'node:path';
import type { PlannedStep } from './plan.ts';
import type { Problems } from './problems.ts';
import { child, type Place, type Tree } from './tree.ts';

/** The files that the steps will write, in order; two that are the same, and one that is the model or the recipe itself, are problems. No output at all is a warning. */
export function checkOutputs(steps: readonly PlannedStep[], model: string, recipe: string, problems: Problems): string[] {
  const written = new Map<string, { step: PlannedStep; place: Place | undefined }>();
  for (const step of steps) {
    if (step.decision.state === 'skip') continue;
    for (const output of step.pass.outputs?.(step.options) ?? []) {
      const path = normalize(output);
      const place = placeOf(step, output);
      const other = written.get(path);
      if (other) {
        problems.add('recipe/output-conflict', `\`${step.id}\` (step ${step.number}) and \`${other.step.id}\` (step ${other.step.number}) both write ${output}`, place, {
          step: step.id, suggestion: 'give one of them another path', notes: [{ message: 'first written here', ...other.place }],
        });
      } else if (path === normalize(model) || path === normalize(recipe)) {
        problems.add('recipe/output-conflict', `\`${step.id}\` would overwrite ${path === normalize(model) ? 'the model that it reads' : 'the recipe'}, ${output}`, place, { step: step.id, suggestion: 'write another file' });
      }
      written.set(path, other ?? { step, place });
    }
  }
  const last = steps.at(-1);
  if (written.size === 0 && last) {
    problems.add('recipe/no-output', 'no step writes a file, so the compiled model will be lost', last.place, { severity: 'warning', suggestion: 'end with `- pass: export` and an `output`' });
  }
  return [...written.keys()];
}

/** The option that holds the path, or the step itself. */
function placeOf(step: PlannedStep, output: string): Place | undefined {
  return search(step.tree, output) ?? step.place;
}

function search(tree: Tree, text: string): Place | undefined {
  if (tree.kind === 'scalar') return tree.value === text ? tree.place : undefined;
  const parts = tree.kind === 'list' ? tree.items : [...tree.entries.keys()].map((key) => child(tree, key)!);
  for (const part of parts) {
    const place = search(part, text);
    if (place) return place;
  }
  return undefined;
}
