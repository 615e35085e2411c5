import { expect } from 'chai';
import { inferTypes } from '../../../../compiler/manager.ts';
import type { OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { filled } from '../../../../compiler/testing/feeds.ts';
import { randomRemoval, type Followed } from '../../../../compiler/testing/pruning.ts';
import { cloneModel } from '../../../../ir/clone.ts';
import { isFloat } from '../../../../ir/dtype.ts';
import { Editor } from '../../../../ir/edit.ts';
import type { Model, Node, Value } from '../../../../ir/model.ts';
import { normalizeModel } from '../../../../ir/normalize.ts';
import { sizeOf, Tensor } from '../../../../ir/tensor.ts';
import { parseModel } from '../../../../ir/text/index.ts';
import { Atoms } from '../../../../passes/prune/atoms.ts';
import { followGraph } from '../../../../passes/prune/channels.ts';
import { concreteDims } from '../../../../passes/prune/concrete.ts';
import { cut, cutTensor } from '../../../../passes/prune/cut.ts';
import { Flow, type HeadMode } from '../../../../passes/prune/flow.ts';
import { channelsOf } from '../../../../passes/prune/groups.ts';
import { stridesOf, type Layout } from '../../../../passes/prune/layout.ts';
import { permuted, zeroReaders } from '../../../../passes/prune/oracle.ts';
import { feedsAt } from '../../../../passes/prune/proof.ts';
import { survivorsOf, type Survivors } from '../../../../passes/prune/survivors.ts';
import { randomFrom } from '../../../../passes/random.ts';
import type { Feeds } from '../../../../passes/runtime.ts';

/** One use of an operator whose row is held against what ONNX Runtime computes. */
export interface Probe {
  readonly name: string;
  readonly opset: number;
  readonly graph: string;
  /** The parts of each input that can shrink, each by its axes. */
  readonly parts: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly heads?: HeadMode;
  /** Channels that can be removed. */
  readonly free: number;
  /**
   * What removal must equal: the output of before, cut; the same after the removed channels of the inputs have been set to zero (sums); or nothing (means). Where channels end in weights,
   * these are set to zero in any case.
   */
  readonly removal?: 'exact' | 'zero' | 'shape';
  /** Numbers for inputs that random ones do not suit. */
  readonly feeds?: Feeds;
}

/** float32 sums of a few dozen terms in another order, relative to the largest number of an output. */
const tolerance = 1e-5;

/** A probe whose channels have been followed. */
export interface Probed extends Followed {
  readonly feeds: Feeds;
}

/** Follows the channels of a probe; `told` says which values the rules are told the shapes of. */
export async function probed(probe: Probe, runtime: OrtRuntime, told: (value: Value) => boolean = () => true): Promise<Probed> {
  const { name, opset, graph, parts, heads } = probe;
  const model = parseModel(`<ir_version: 10, opset_import: ["" : ${opset}]> g ${graph}`, { name, fill: filled });
  normalizeModel(model, new Editor(model));
  await inferTypes(model, runtime);
  const dims = await concreteDims(model, new Map(), runtime);
  const flow = new Flow(new Atoms(), (value) => (told(value) ? dims(value) : undefined), heads);
  for (const input of model.graph.inputs) {
    flow.set(input, (parts[input.name] ?? []).map((axes) => ({ axes, ids: flow.fresh(sizeOf(axes.map((axis) => dims(input)![axis]!))) })));
  }
  followGraph(model.graph, flow);
  const { boxes } = channelsOf(flow);
  // Inputs bring channels that no layer of the model makes: all count as one group.
  const roots = new Set([...flow.entries()].flatMap(([, layout]) => layout.flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.root(id)))));
  const channels = Array.from(roots, (root) => ({ root, pin: flow.atoms.pinOf(root) }));
  const groups = [{ name, channels, producers: [], consumers: [], reductions: [] }];
  return { model, dims, sizes: dims.sizes, channels: { flow, groups, boxes }, feeds: new Map([...feedsAt(model, dims, 7)!, ...probe.feeds ?? []]) };
}

/** The channels of a probe that can be removed. */
export function freeOf({ channels: { groups } }: Probed): number[] {
  return groups.flatMap(({ channels }) => channels.filter(({ pin }) => pin === undefined).map(({ root }) => root));
}

/** Channels of inputs that are neither pinned, nor followed to an output, nor put down as ended: a rule has lost them. */
function lost({ model, channels: { flow } }: Probed): number[] {
  const standing = new Set(model.graph.outputs.flatMap(({ value }) => flow.layout(value)).flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.root(id))));
  const roots = model.graph.inputs.flatMap((input) => flow.layout(input)).flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.root(id)));
  const ended = endedOf(flow);
  return roots.filter((root) => flow.atoms.pinOf(root) === undefined && !standing.has(root) && !ended.has(root));
}

/** Channels that end somewhere, in weights or in a sum. */
function endedOf(flow: Flow): Set<number> {
  return new Set(flow.members.filter(({ role }) => role !== 'producer').flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.root(id))));
}

/** Why an input stays: the reasons of its pins. */
export function reasonsOf({ model, channels: { flow } }: Probed, input: string): string[] {
  const value = model.graph.inputs.find(({ name }) => name === input);
  return [...new Set(flow.layout(value).flatMap(({ ids }) => Array.from(ids, (id) => flow.atoms.pinOf(id)?.reason ?? 'free')))];
}

/** Declares the tests of probes. */
export function probeAll(probes: readonly Probe[], runtime: () => OrtRuntime): void {
  for (const probe of probes) {
    it(`${probe.name}, opset ${probe.opset}: other channels do not feel one`, () => checkInfluence(probe, runtime()));
    it(`${probe.name}, opset ${probe.opset}: what is left computes what it did`, async () => {
      let removed = 0;
      for (let seed = 1; seed <= 4; seed++) removed += await checkRemoval(probe, runtime(), seed);
      expect(removed, 'channels removed').to.be.above(0);
    });
    it(`${probe.name}, opset ${probe.opset}: nothing is lost where shapes are not known`, async () => {
      for (const told of [() => false, (value: Value) => value.producer === undefined, (value: Value) => value.producer !== undefined]) expect(lost(await probed(probe, runtime(), told))).to.deep.equal([]);
    });
    it(`${probe.name}, opset ${probe.opset}: another order changes nothing but the order`, async () => {
      for (let seed = 1; seed <= 2; seed++) await checkOrder(probe, runtime(), seed);
    });
  }
}

/** Changes all that belongs to one channel: what changes must belong to it as well, unless it ends here. */
async function checkInfluence(probe: Probe, runtime: OrtRuntime): Promise<void> {
  const subject = await probed(probe, runtime);
  const { flow } = subject.channels;
  const free = freeOf(subject);
  expect(free.length, 'channels that can be removed').to.equal(probe.free);
  expect(lost(subject), 'channels that nothing tells of').to.deep.equal([]);
  const ended = endedOf(flow);
  const passing = free.filter((root) => !ended.has(root));
  const before = await run(subject.model, subject.feeds, runtime);
  let felt = 0;
  for (const root of passing) {
    const copied = new Map<Value, Value | undefined>();
    const copy = cloneModel(subject.model, { values: copied });
    const edit = new Editor(copy);
    const feeds = new Map(subject.feeds);
    for (const [value, layout] of flow.entries()) {
      const tensor = value.constant ?? (value.isInput ? feeds.get(value.name) : undefined);
      const mask = tensor === undefined ? undefined : maskOf(tensor.shape, layout, (id) => flow.atoms.root(id) === root);
      if (tensor === undefined || !mask!.includes(1)) continue;
      const other = disturbed(tensor, mask!);
      if (value.isInput) feeds.set(value.name, other);
      else edit.setTensor(copied.get(value)!, other);
    }
    const after = await run(copy, feeds, runtime);
    for (const { name, value } of subject.model.graph.outputs) {
      const [a, b] = [before.get(name)!.floats(), after.get(name)!.floats()];
      const own = maskOf(before.get(name)!.shape, flow.layout(value), (id) => flow.atoms.root(id) === root);
      for (let at = 0; at < a.length; at++) {
        if (Object.is(a[at], b[at])) continue;
        felt++;
        expect(own[at], `element ${at} of '${name}' changes with a channel that it does not belong to`).to.equal(1);
      }
    }
  }
  if (passing.length > 0) expect(felt, 'elements that change with their channel').to.be.above(0);
}

/** Removes channels at random; returns how many. */
async function checkRemoval(probe: Probe, runtime: OrtRuntime, seed: number): Promise<number> {
  const subject = await probed(probe, runtime);
  const { flow } = subject.channels;
  const removed = randomRemoval(subject, 0.15 * seed + 0.1, randomFrom(seed));
  const { model, nodes, values } = copyOf(subject.model);
  zeroReaders(subject.channels, removed, { model, nodes, values });
  const feeds = new Map(subject.feeds);
  if (probe.removal === 'zero') {
    for (const input of subject.model.graph.inputs) {
      const tensor = feeds.get(input.name)!;
      const mask = maskOf(tensor.shape, flow.layout(input), (id) => removed.has(flow.atoms.root(id)));
      if (isFloat(tensor.dtype)) feeds.set(input.name, Tensor.of(tensor.dtype, tensor.floats().map((number, at) => (mask[at] === 1 ? 0 : number)), tensor.shape));
    }
  }
  const expected = await run(model, feeds, runtime);
  await compare(subject, survivorsOf(flow, removed), feeds, expected, runtime, probe.removal !== 'shape');
  return removed.size;
}

async function checkOrder(probe: Probe, runtime: OrtRuntime, seed: number): Promise<void> {
  const subject = await probed(probe, runtime);
  const expected = await run(cloneModel(subject.model), subject.feeds, runtime);
  await compare(subject, permuted(subject.channels, randomFrom(seed)), subject.feeds, expected, runtime, true);
}

/** Rewires and cuts the model and its inputs, and compares what it computes with what was expected of before, cut. */
async function compare({ model, channels: { flow } }: Probed, survivors: Survivors, feeds: Feeds, expected: Feeds, runtime: OrtRuntime, numbers: boolean): Promise<void> {
  const own = new Map(model.graph.inputs.map((input) => [input.name, cutTensor(feeds.get(input.name)!, survivors.kept(input))]));
  const wanted = new Map(model.graph.outputs.map(({ name, value }) => [name, cutTensor(expected.get(name)!, survivors.kept(value))]));
  cut(model, flow, survivors, new Editor(model));
  const found = await run(model, own, runtime);
  for (const [name, tensor] of wanted) {
    const other = found.get(name)!;
    expect(other.shape, `shape of '${name}'`).to.deep.equal(tensor.shape);
    if (!numbers) continue;
    const [a, b] = [tensor.floats(), other.floats()];
    const scale = Math.max(1e-30, ...Array.from(a, Math.abs));
    for (let at = 0; at < a.length; at++) expect(Math.abs(a[at]! - b[at]!) / scale, `element ${at} of '${name}'`).to.be.at.most(tolerance);
  }
}

/** 1 for each element that stands at a place of one of these atoms. */
function maskOf(shape: readonly number[], layout: Layout, chosen: (id: number) => boolean): Uint8Array {
  const mask = new Uint8Array(sizeOf(shape));
  const strides = stridesOf(shape);
  for (const { axes, ids } of layout) {
    const picked = Uint8Array.from(ids, (id) => (chosen(id) ? 1 : 0));
    const own = stridesOf(axes.map((axis) => shape[axis]!));
    for (let at = 0; at < mask.length; at++) {
      const place = axes.reduce((sum, axis, index) => sum + (Math.floor(at / strides[axis]!) % shape[axis]!) * own[index]!, 0);
      if (picked[place] === 1) mask[at] = 1;
    }
  }
  return mask;
}

/** Other numbers where the mask says so, moved by different amounts: many operators do not see a shift of all. */
function disturbed(tensor: Tensor, mask: Uint8Array): Tensor {
  const change = (number: number, at: number): number => (mask[at] === 1 ? (isFloat(tensor.dtype) ? number + 0.5 + ((at * 7) % 5) / 4 : number > 0 ? number - 1 : number + 1) : number);
  return isFloat(tensor.dtype) ? Tensor.of(tensor.dtype, tensor.floats().map(change), tensor.shape) : Tensor.of(tensor.dtype, tensor.ints().map(change), tensor.shape);
}

async function run(model: Model, feeds: Feeds, runtime: OrtRuntime): Promise<Map<string, Tensor>> {
  const session = await runtime.open(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

function copyOf(model: Model): { readonly model: Model; readonly nodes: Map<Node, Node>; readonly values: Map<Value, Value | undefined> } {
  const nodes = new Map<Node, Node>();
  const values = new Map<Value, Value | undefined>();
  return { model: cloneModel(model, { nodes, values }), nodes, values };
}

