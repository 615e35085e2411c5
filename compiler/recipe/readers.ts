import type { OptionSchema, OptionsSchema } from '../../passes/options.ts';
import type { Pass } from '../../passes/pass.ts';
import type { Problems } from './problems.ts';
import { didYouMean } from './suggest.ts';
import { child, quote, type MapTree, type Place, type Tree } from './tree.ts';

/** What of a step is looked at. */
interface Step {
  readonly id: string;
  readonly pass: Pass;
  readonly options: MapTree;
  readonly tree: Tree;
}

/** Options that name a reader must name a key of `data`. */
export function checkReaders(steps: readonly Step[], data: Tree | undefined, problems: Problems): void {
  const names = data?.kind === 'map' ? [...data.entries.keys()] : [];
  for (const { id, pass, options, tree } of steps) {
    const step = child(tree, 'pass')?.place;
    visit(options, pass.options as OptionsSchema, (text, place) => {
      if (names.includes(text)) return;
      problems.add('recipe/unknown-data', `there is no data ${quote(text)}`, place ?? step, {
        step: id, expected: names, suggestion: didYouMean(text, names) ?? (names.length > 0 ? 'name one of these' : `add it under \`data\`: \`data: { ${text}: { images: "…/*.jpg" } }\``),
      });
    });
  }
}

/** Calls `found` with every option that names a reader, as it is written. */
function visit(tree: Tree, schema: OptionSchema, found: (text: string, place: Place | undefined) => void): void {
  if (tree.kind === 'scalar') {
    if (schema.type === 'string' && schema.format === 'reader' && typeof tree.value === 'string') found(tree.value, tree.place);
  } else if (tree.kind === 'list') {
    if (schema.type === 'array') for (const item of tree.items) visit(item, schema.items, found);
  } else if (schema.type === 'object') {
    for (const [name, { value }] of tree.entries) if (Object.hasOwn(schema.properties, name)) visit(value, schema.properties[name]!, found);
  }
}
