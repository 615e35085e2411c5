import type { Statistics } from '../../statistics/statistics.ts';
import { inputChannelAxis } from '../../quantize/channels.ts';
import type { Member } from '../flow.ts';
import type { Family } from './family.ts';
import { slabSums } from './slabs.ts';
import { unreadable } from './weights.ts';

/**
 * √Σ_k ‖W_:k‖² E[x_k²] over what a layer reads of a channel: the norm of the weights times what was seen of their input (Wanda, Sun et al. 2023, for whole channels). The second moments of the layer say it for each position of
 * the kernel, figures of channels for all of them together. Accumulates in float64.
 */
export const activation: Family = {
  aggregate: 'mean', normalize: 'mean',
  score(group, { weights, statistics }) {
    if (group.consumers.length === 0) return 'is read by no layer with weights';
    const found: Float64Array[] = [];
    for (const member of group.consumers) {
      const slabs = weights.slabs(member);
      if (slabs === undefined) return unreadable(member);
      const { data, shape, axis, positions, ids } = slabs;
      const seen = powersOf(member, statistics, shape);
      if (seen === undefined) return `is read by '${member.node.name}', of whose input nothing is known`;
      const inner = shape.slice(axis + 1).reduce((product, dim) => product * dim, 1);
      const { powers, taps } = seen;
      const powerAt = (at: number): number => powers[positions[Math.floor(at / inner) % positions.length]! * taps + (taps === 1 ? 0 : at % taps)]!;
      found.push(weights.perChannel(group, ids, slabSums(data, shape, axis, (x, at) => x * x * powerAt(at))).map(Math.sqrt));
    }
    return found;
  },
};

/** E[x²] for each row of the weights: so many in a row for each channel. */
function powersOf({ node, value }: Member, statistics: Statistics | undefined, shape: readonly number[]): { readonly powers: ArrayLike<number>; readonly taps: number } | undefined {
  const moments = statistics?.moments.get(node.name);
  if (moments?.groups === 1 && node.inputs[1] === value) {
    return { powers: Float64Array.from({ length: moments.size }, (_, row) => moments.gram[row * (moments.size + 1)]!), taps: node.is('Conv') ? shape.slice(2).reduce((product, dim) => product * dim, 1) : 1 };
  }
  const input = node.inputs[0];
  const channels = input === undefined ? undefined : statistics?.channels.get(input.name);
  // The rank of what MatMul reads is that of the figures; only its last axis can be meant.
  const expected = node.is('MatMul') ? channels?.axis : inputChannelAxis(node, undefined);
  return channels === undefined || channels.axis !== expected || node.inputs[1] !== value ? undefined : { powers: channels.meanSquare, taps: 1 };
}
