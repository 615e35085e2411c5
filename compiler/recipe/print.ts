import { Document, isCollection, isScalar, type Node as YamlNode, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Plan } from './plan.ts';
import { placeText } from './problems.ts';
import type { Tree } from './tree.ts';
import { viaText } from './variables.ts';

/**
 * The recipe with every default filled in, as YAML that plans to the same when it stands beside the recipe. With `origins`, every value says
 * in a comment where it is written. Variables and conditions that are decided stay visible.
 */
export function printPlan(plan: Plan, { origins = false }: { origins?: boolean } = {}): string {
  const document = new Document({}, { version: '1.2', schema: 'core' });
  document.contents = nodeOf(document, plan.tree, origins, 0);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function nodeOf(document: Document, tree: Tree, origins: boolean, depth: number): YamlNode {
  if (tree.kind === 'scalar') {
    const node = document.createNode(escaped(tree.value)) as YamlNode;
    const origin = originOf(tree);
    if (origins && origin !== undefined && isScalar(node)) node.comment = ` ${origin}`;
    return node;
  }
  if (tree.kind === 'list') {
    const node = document.createNode([]) as YAMLSeq;
    node.items = tree.items.map((item) => nodeOf(document, item, origins, depth + 1));
    // Short lists of plain values read best in one line; comments need lines of their own.
    node.flow = !origins && tree.items.every(({ kind }) => kind === 'scalar');
    return node;
  }
  const node = document.createNode({}) as YAMLMap;
  node.items = [...tree.entries].map(([key, { value }]): Pair => document.createPair(key, nodeOf(document, value, origins, depth + 1)));
  if (!origins && node.items.length <= 3 && node.items.every(({ value }) => !isCollection(value) || (value.flow ?? false))) node.flow = depth > 2;
  if (node.items.length === 0) node.flow = true;
  return node;
}

/** A text that would be taken for a reference is escaped. */
function escaped(value: string | number | boolean | null): string | number | boolean | null {
  return typeof value === 'string' ? value.replaceAll('${', () => '$${') : value;
}

function originOf({ place, via }: Tree): string | undefined {
  if (place) return via ? `${placeText(place)}; ${viaText(via)}` : placeText(place);
  return via && viaText(via);
}
