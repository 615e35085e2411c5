import type { Graph, Model, Value } from '../../ir/model.ts';
import { stridesOf } from './layout.ts';
import type { Channels, ChannelGroup } from './groups.ts';

/** Why some channels of a group stay. */
export interface PinOverview {
  /** Ends a sentence that begins with the channels: "… is an output of the model". */
  readonly reason: string;
  readonly channels: number;
  /** Names of the nodes from what makes the channels to the place where they are held. */
  readonly chain: readonly string[];
}

/** One group of channels, for people. */
export interface GroupOverview {
  readonly name: string;
  readonly channels: number;
  /** How many of them can be removed. */
  readonly free: number;
  readonly producers: readonly string[];
  readonly consumers: readonly string[];
  readonly reductions: readonly string[];
  readonly pins: readonly PinOverview[];
}

/** What of a model can be removed. */
export interface ChannelsOverview {
  readonly groups: readonly GroupOverview[];
  /** Elements of floating-point and quantized weights, and those among them that belong to a channel that can be removed. */
  readonly parameters: number;
  readonly prunable: number;
}

/** Looks over the channels of a model. */
export function overviewOf(model: Model, channels: Channels): ChannelsOverview {
  return { groups: channels.groups.map((group) => groupOverview(group, channels)), ...parametersOf(model, channels) };
}

function groupOverview({ name, channels, producers, consumers, reductions }: ChannelGroup, { flow }: Channels): GroupOverview {
  const names = (members: ChannelGroup['producers']): string[] => [...new Set(members.map(({ node }) => node.name))];
  const pins = new Map<string, { reason: string; channels: number; chain: readonly string[] }>();
  for (const { root, pin } of channels) {
    if (pin === undefined) continue;
    const where = pin.node === undefined ? '' : `at '${pin.node.name}' (${pin.node.op}), `;
    const reason = `${where}${pin.value === undefined ? '' : `'${pin.value.name}' `}${pin.reason}`;
    const known = pins.get(reason);
    if (known === undefined) pins.set(reason, { reason, channels: 1, chain: flow.atoms.chain(root).map((node) => node.name) });
    else known.channels++;
  }
  return {
    name, channels: channels.length, free: channels.filter(({ pin }) => pin === undefined).length,
    producers: names(producers), consumers: names(consumers), reductions: names(reductions), pins: [...pins.values()],
  };
}

/** Counts elements of constants with channels; a constant that lies in a body counts like any other. */
function parametersOf(model: Model, { flow, groups }: Channels): { readonly parameters: number; readonly prunable: number } {
  const free = new Set(groups.flatMap(({ channels }) => channels.filter(({ pin }) => pin === undefined).map(({ root }) => root)));
  let [parameters, prunable] = [0, 0];
  for (const value of constantsOf(model)) {
    const { dtype, shape, size } = value.constant!;
    if (dtype === 'string' || dtype === 'bool' || dtype === 'int64' || dtype === 'int32') continue;
    parameters += size;
    const strides = stridesOf(shape);
    let touched: Uint8Array | undefined;
    for (const { axes, ids } of flow.isFree(value) ? [] : flow.layout(value)) {
      if (!ids.some((id) => free.has(flow.atoms.root(id)))) continue;
      touched ??= new Uint8Array(size);
      const own = axes.map((axis) => shape[axis]!);
      const ownStrides = stridesOf(own);
      for (let at = 0; at < size; at++) {
        if (touched[at] === 1) continue;
        let place = 0;
        axes.forEach((axis, index) => { place += (Math.floor(at / strides[axis]!) % own[index]!) * ownStrides[index]!; });
        if (free.has(flow.atoms.root(ids[place]!))) touched[at] = 1;
      }
    }
    if (touched !== undefined) prunable += touched.reduce((total, each) => total + each, 0);
  }
  return { parameters, prunable };
}

function constantsOf(model: Model): Set<Value> {
  const graphs = new Set<Graph>([model.graph]);
  for (const node of model.graph.walk()) for (const body of node.subgraphs) graphs.add(body);
  return new Set([...graphs].flatMap((graph) => [...graph.constants]));
}
