import type { Node } from '../../../ir/model.ts';
import type { Placement } from '../../../passes/placement/placement.ts';

const nameOf = (node: Node): string => node.outputs[0]?.name ?? node.name;

/**
 * A placement in lines that people read, sorted so that nothing depends on the order of nodes. Nodes are called by their first output:
 *
 *     pair x: c s          the pair on x is read by the nodes that make c and s
 *     one scale: x y       the pairs on x and y share it (and are observed together, unless it is said to be fixed)
 *     kernel c: c r s      computed before the result is rounded
 *     weight c: axis 0     or `whole`, one scale for all; with the rule, and the bias where there is one
 *     int8 c PLC-01        a decision
 *     float y PRN-03
 */
export function describePlacement({ pairs, classes, weights, regions, decisions }: Placement): string[] {
  const lines = pairs.map(({ value, consumers }) => `pair ${value.name}: ${consumers.map(({ node }) => nameOf(node)).sort().join(' ')}`);
  classes.forEach(({ fixed }, index) => {
    const members = pairs.filter(({ scaleClass }) => scaleClass === index).map(({ value }) => value.name).sort().join(' ');
    if (fixed !== undefined) lines.push(`fixed scale: ${members} [${fixed.min}, ${fixed.max}]`);
    else if (members.includes(' ')) lines.push(`one scale: ${members}`);
  });
  for (const { head, members } of regions) if (members.length > 1) lines.push(`kernel ${nameOf(head)}: ${members.map(nameOf).join(' ')}`);
  for (const { node, axis, rule, bias, addedBias } of weights) {
    const added = addedBias === undefined ? '' : `, bias ${nameOf(addedBias.node)}:${addedBias.input}`;
    lines.push(`weight ${nameOf(node)}: ${axis === undefined ? 'whole' : `axis ${axis}`} ${rule}${bias === undefined ? '' : ', bias'}${added}`);
  }
  for (const { node, int8, rule } of decisions) lines.push(`${int8 ? 'int8' : 'float'} ${nameOf(node)} ${rule}`);
  const order = ['pair', 'one', 'fixed', 'kernel', 'weight', 'int8', 'float'];
  const rank = (line: string): number => order.findIndex((word) => line.startsWith(`${word} `));
  return lines.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
