import type { Model, Node } from '../../ir/model.ts';
import { costOf, graphCost } from '../cost.ts';
import type { Channels, ChannelGroup } from './groups.ts';
import { slabSums } from './importance/slabs.ts';
import { overviewOf, type GroupOverview } from './overview.ts';
import type { CostRecord, GroupRecord, LayerRecord, PruningRecord } from './record.ts';
import type { GroupSelection } from './select.ts';

/** What is put down before the cut. */
export interface Before {
  readonly groups: readonly GroupOverview[];
  readonly prunable: number;
  readonly cost: CostRecord;
  readonly layers: ReadonlyMap<Node, { readonly macs: number | undefined; readonly parameters: number; readonly widths: Widths }>;
}

/** Channels that a layer reads and makes. */
interface Widths {
  readonly inputs: number;
  readonly outputs: number;
}

/** Describes the model that is about to be cut. */
export function describeBefore(model: Model, channels: Channels): Before {
  const { groups, parameters, prunable } = overviewOf(model, channels);
  const nodes = new Set(channels.flow.members.map(({ node }) => node));
  return {
    groups, prunable: parameters === 0 ? 0 : prunable / parameters, cost: costRecord(model),
    layers: new Map(Array.from(nodes, (node) => [node, { ...costOf(node), widths: widthsOf(node, channels) }])),
  };
}

/** Describes what was cut: everything that the report shows but the proof and the recovery. */
export function describeAfter(model: Model, channels: Channels, selections: readonly GroupSelection[], before: Before): Omit<PruningRecord, 'proof'> {
  return {
    cost: { before: before.cost, after: costRecord(model) }, prunable: before.prunable,
    groups: selections.map((selection, index) => groupRecord(selection, before.groups[index]!, channels)),
    layers: [...before.layers].flatMap(([node, { macs, parameters, widths }]): LayerRecord[] => {
      const [after, cost] = [widthsOf(node, channels), costOf(node)];
      if (after.inputs === widths.inputs && after.outputs === widths.outputs) return [];
      return [{
        node: node.name, op: node.op, inputs: [widths.inputs, after.inputs], outputs: [widths.outputs, after.outputs],
        macs: [macs ?? null, cost.macs ?? null], parameters: [parameters, cost.parameters],
      }];
    }),
  };
}

function costRecord(model: Model): CostRecord {
  const { macs, unknown, parameters, bytes } = graphCost(model.graph);
  return { macs: unknown.length > 0 ? null : macs, parameters, bytes };
}

/** Lengths of the axes on which channels end and begin, as the weights have them now. */
function widthsOf(node: Node, { flow }: Channels): Widths {
  const own = flow.members.filter((member) => member.node === node);
  const length = (role: 'consumer' | 'producer'): number => {
    const member = own.find((each) => each.role === role);
    return member === undefined ? 0 : flow.length(member.value, member.axis) ?? member.ids.length;
  };
  return { inputs: length('consumer'), outputs: length('producer') };
}

function groupRecord({ group, norms, scores, kept, energy, spared }: GroupSelection, { pins, producers, consumers }: GroupOverview, channels: Channels): GroupRecord {
  const known = (value: number): number => (Number.isFinite(value) ? value : 0);
  return {
    name: group.name, producers, consumers, norms: Array.from(norms, known), scores: scores === undefined ? null : Array.from(scores, known), kept, energy, pins,
    normsAfter: normsNow(group, kept, channels) ?? Array.from(norms.filter((_, channel) => kept[channel]!), known), spared: spared ?? null,
  };
}

/** L2 norms of what the producers hold now for the channels that stayed; nothing where one of them is no plain constant. */
function normsNow({ channels: own, producers }: ChannelGroup, kept: readonly boolean[], { flow }: Channels): number[] | undefined {
  const place = new Map(own.filter((_, channel) => kept[channel]!).map(({ root }, index) => [root, index]));
  const squares = new Float64Array(place.size);
  for (const { value, axis, ids } of producers) {
    const tensor = value.constant;
    const stayed = ids.filter((id) => place.has(flow.atoms.root(id)));
    if (tensor === undefined || tensor.shape[axis] !== stayed.length) return undefined;
    slabSums(tensor.floats(), tensor.shape, axis, (x) => x * x).forEach((square, at) => { squares[place.get(flow.atoms.root(stayed[at]!))!]! += square; });
  }
  return Array.from(squares, Math.sqrt);
}
