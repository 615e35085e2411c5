import { patchSchema } from './envelope.ts';
import type { Problems } from './problems.ts';
import { freeId, identify, longForm, pinned, type IdentifiedStep } from './steps.ts';
import { didYouMean } from './suggest.ts';
import { child, listTree, markOf, quote, stringOf, withEntries, type Entry, type MapTree, type Tree } from './tree.ts';
import { mergeByKey } from './merge.ts';
import { validateTree } from './validate.ts';

/**
 * The inherited recipe with its steps edited as the `patch` of `tree` says; the inherited recipe itself where there is no patch or it is
 * malformed (the problem is added). Ids are those of the steps as inherited, whatever the edits before did.
 */
export function applyPatch(parent: MapTree, tree: MapTree, problems: Problems): MapTree {
  const patch = tree.entries.get('patch');
  if (!patch) return parent;
  const place = patch.key;
  const steps = child(parent, 'steps');
  if (!tree.entries.has('extends')) {
    problems.add('recipe/patch-conflict', '`patch` edits the steps of an inherited recipe, and this one extends none', place, { suggestion: 'write the steps under `steps`, or name a recipe with `extends`' });
    return parent;
  }
  if (tree.entries.has('steps')) {
    problems.add('recipe/patch-conflict', '`steps` replaces all inherited steps, so there is nothing for `patch` to edit', place, { suggestion: 'keep one of the two' });
    return parent;
  }
  const valid = validateTree(patchSchema, patch.value, problems, { key: place, what: 'patch' });
  if (!valid || patch.value.kind !== 'list' || steps?.kind !== 'list') return parent;
  let edited = identify(steps.items);
  for (const edit of patch.value.items) edited = applyEdit(edited, edit as MapTree, problems);
  return withEntries(parent, [['steps', { key: place, value: pinned(edited, listTree(steps.place, [])) }]]);
}

function applyEdit(steps: IdentifiedStep[], edit: MapTree, problems: Problems): IdentifiedStep[] {
  const indexOf = (key: string): number => {
    const { value } = edit.entries.get(key)!;
    const id = stringOf(value) ?? '';
    const index = steps.findIndex((step) => step.id === id);
    if (index < 0) {
      const ids = steps.map((step) => step.id);
      const near = didYouMean(id, ids);
      problems.add('recipe/unknown-step', `the inherited recipe has no step ${quote(id)}`, markOf({ tree: value, key: undefined }), { expected: ids, suggestion: near ?? 'use one of these ids' });
    }
    return index;
  };
  if (edit.entries.has('remove')) {
    const index = indexOf('remove');
    return steps.filter((_, at) => at !== index);
  }
  if (edit.entries.has('edit')) {
    const index = indexOf('edit');
    return steps.map((step, at) => (at === index ? { ...step, tree: editStep(step.tree, edit) } : step));
  }
  const inserted = insertedStep(steps, edit.entries.get('insert')!.value);
  if (edit.entries.has('first')) return [inserted, ...steps];
  if (edit.entries.has('last')) return [...steps, inserted];
  const after = edit.entries.has('after');
  const index = indexOf(after ? 'after' : 'before');
  return index < 0 ? steps : steps.toSpliced(after ? index + 1 : index, 0, inserted);
}

function insertedStep(steps: readonly IdentifiedStep[], written: Tree): IdentifiedStep {
  const tree = longForm(written);
  const own = stringOf(child(tree, 'id'));
  const id = own ?? freeId(stringOf(child(tree, 'pass')) ?? 'step', new Set(steps.map((step) => step.id)));
  return { id, tree, explicit: own !== undefined };
}

/** Options and acceptance are merged key by key; where and when are replaced. */
function editStep(step: Tree, edit: MapTree): Tree {
  if (step.kind !== 'map') return step;
  const changes: [string, Entry][] = [];
  for (const key of ['with', 'where', 'when', 'accept']) {
    const entry = edit.entries.get(key);
    const before = child(step, key);
    if (!entry) continue;
    const merges = before && (key === 'with' || key === 'accept');
    changes.push([key, merges ? { key: entry.key, value: mergeByKey(before, entry.value) } : entry]);
  }
  return withEntries(step, changes);
}
