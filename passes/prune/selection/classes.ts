import type { Node } from '../../../ir/model.ts';
import type { ChannelGroup } from '../groups.ts';

/**
 * What groups have in common whose channels can be compared (isomorphic pruning, Fang et al. 2024): the operators that make them and those that read them, with how often. Sizes do not count, but a grouped convolution is another operator.
 */
export function signatureOf(groups: readonly ChannelGroup[]): string {
  return groups.map(({ producers, consumers, reductions }) => [producers, consumers, reductions].map((members) => members.map(({ node }) => operatorOf(node)).sort().join('+')).join('>')).join(';');
}

function operatorOf(node: Node): string {
  return node.int('group', 1) > 1 ? `${node.op}/groups` : node.op;
}
