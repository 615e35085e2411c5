import { expect } from 'chai';
import type { OrtRuntime } from '../../../../compiler/runtime/runtime.ts';
import { Editor } from '../../../../ir/edit.ts';
import { isFloat } from '../../../../ir/dtype.ts';
import type { Model } from '../../../../ir/model.ts';
import { Tensor } from '../../../../ir/tensor.ts';
import { cut, cutTensor } from '../../../../passes/prune/cut.ts';
import type { Flow } from '../../../../passes/prune/flow.ts';
import { stridesOf, type Layout } from '../../../../passes/prune/layout.ts';
import { permuted } from '../../../../passes/prune/oracle.ts';
import { Ragged, survivorsOf, type Survivors } from '../../../../passes/prune/survivors.ts';
import { randomFrom } from '../../../../passes/random.ts';
import type { Feeds } from '../../../../passes/runtime.ts';
import { freeOf, probed, reasonsOf, type Probe, type Probed } from './probe.ts';

/** A use of operators that only move elements: nothing but exact equality will do. */
export interface Move extends Probe {
  /** Part of the reason why channels stay, where some do. */
  readonly held?: RegExp;
  /** Number of operators of this kind in the rewired model. */
  readonly after?: Readonly<Record<string, number>>;
  /** The elements of the output are others than those of the input (lengths, classes): only what can go is tested. */
  readonly opaque?: true;
}

/** Declares the tests of moves. */
export function moveAll(moves: readonly Move[], runtime: () => OrtRuntime): void {
  for (const move of moves) {
    it(`${move.name}, opset ${move.opset}`, async () => {
      await checkPlaces(move, runtime());
      if (move.free === 0) return;
      let removed = 0;
      for (let seed = 1; seed <= 6; seed++) removed += await checkRemoval(move, runtime(), seed);
      expect(removed, 'channels removed').to.be.above(0);
      for (let seed = 1; seed <= 2; seed++) await checkOrder(move, runtime(), seed);
    });
  }
}

/** Elements that hold the number of their channel: they must arrive where the layout of the output says. Elements of channels that are held may be anywhere. */
export async function checkPlaces(move: Move, runtime: OrtRuntime): Promise<void> {
  const subject = await probed(move, runtime);
  const { model, channels: { flow }, feeds } = subject;
  expect(freeOf(subject).length, 'channels that can be removed').to.equal(move.free);
  if (move.held !== undefined) expect(model.graph.inputs.flatMap(({ name }) => reasonsOf(subject, name)).join('\n')).to.match(move.held);
  if (move.opaque) return;
  for (const input of model.graph.inputs) {
    for (const part of flow.layout(input)) {
      if (part.ids.every((id) => flow.atoms.pinOf(id) !== undefined)) continue;
      const numbered = new Map(Array.from(feeds, ([name, tensor]) => [name, name in move.parts && isFloat(tensor.dtype) ? withNumbers(tensor, name === input.name ? [part] : []) : tensor]));
      const found = await run(model, numbered, runtime);
      for (const { name, value } of model.graph.outputs) {
        const tensor = found.get(name)!;
        const places = rootsAt(flow, tensor.shape, flow.layout(value));
        tensor.floats().forEach((number, at) => {
          // What is no number of a channel is below 1. What is interpolated between elements of one channel is that channel, rounded.
          if (number < 0.999) return;
          const atom = Math.round(number) - 1;
          expect(Math.abs(number - 1 - atom), `channels are mixed at element ${at} of '${name}'`).to.be.below(1e-4);
          if (flow.atoms.pinOf(atom) !== undefined) return;
          expect(places[at], `channels at element ${at} of '${name}'`).to.include(flow.atoms.root(atom));
        });
      }
    }
  }
}

/** The number of its atom in each element, from 1 on; 0 everywhere without a part. */
function withNumbers(tensor: Tensor, [part]: Layout): Tensor {
  const ids = part === undefined ? [] : atomsAt(tensor.shape, part);
  return Tensor.of(tensor.dtype, Float32Array.from({ length: tensor.size }, (_, at) => (part === undefined ? 0 : ids[at]! + 1)), tensor.shape);
}

/** The atom of a part at each element. */
function atomsAt(shape: readonly number[], { axes, ids }: Layout[number]): number[] {
  const [strides, own] = [stridesOf(shape), stridesOf(axes.map((axis) => shape[axis]!))];
  return Array.from({ length: shape.reduce((total, length) => total * length, 1) }, (_, at) => ids[axes.reduce((sum, axis, index) => sum + (Math.floor(at / strides[axis]!) % shape[axis]!) * own[index]!, 0)]!);
}

function rootsAt(flow: Flow, shape: readonly number[], layout: Layout): number[][] {
  const lists = layout.map((part) => atomsAt(shape, part).map((id) => flow.atoms.root(id)));
  return Array.from({ length: shape.reduce((total, length) => total * length, 1) }, (_, at) => lists.map((list) => list[at]!));
}

/** Removes channels at random; what the rewired model makes of what is left must be what is left of what it made. Returns how many went. */
export async function checkRemoval(move: Move, runtime: OrtRuntime, seed: number): Promise<number> {
  const subject = await probed(move, runtime);
  const removed = legalRemoval(subject, randomFrom(seed));
  await compare(subject, survivorsOf(subject.channels.flow, removed), runtime, move.opaque);
  for (const [op, count] of Object.entries(move.after ?? {})) expect([...subject.model.graph.nodes()].filter((node) => node.op === op).length, op).to.equal(count);
  return removed.size;
}

async function checkOrder(move: Move, runtime: OrtRuntime, seed: number): Promise<void> {
  const subject = await probed(move, runtime);
  await compare(subject, permuted(subject.channels, randomFrom(seed)), runtime, move.opaque);
}

async function compare({ model, channels: { flow }, feeds }: Probed, survivors: Survivors, runtime: OrtRuntime, opaque = false): Promise<void> {
  const before = await run(model, feeds, runtime);
  const left = new Map(model.graph.inputs.map((input) => [input.name, cutTensor(feeds.get(input.name)!, survivors.kept(input))]));
  const wanted = model.graph.outputs.map(({ name, value }) => ({ name, tensor: cutTensor(before.get(name)!, survivors.kept(value)) }));
  cut(model, flow, survivors, new Editor(model));
  const found = await run(model, left, runtime);
  for (const { name, tensor } of wanted) {
    expect(found.get(name)!.shape, `shape of '${name}'`).to.deep.equal(tensor.shape);
    if (!opaque) expect(Array.from(found.get(name)!.floats()), `'${name}'`).to.deep.equal(Array.from(tensor.floats()));
  }
}

/** Single channels, whole rows along any axis of a part of several axes, and one channel of each row, tried one after the other: what leaves no box or nothing of a value stays. */
function legalRemoval({ channels: { flow } }: Probed, random: () => number): Set<number> {
  const root = (id: number): number => flow.atoms.root(id);
  const candidates: number[][] = [];
  for (const [value, layout] of flow.entries()) {
    for (const { axes, ids } of layout) {
      for (const id of ids) candidates.push([root(id)]);
      if (axes.length === 1) continue;
      const lengths = axes.map((axis) => flow.length(value, axis)!);
      lengths.forEach((length, at) => {
        const stride = stridesOf(lengths)[at]!;
        const indexOf = (place: number): number => Math.floor(place / stride) % length;
        for (let index = 0; index < length; index++) candidates.push(Array.from(ids).filter((_, place) => indexOf(place) === index).map(root));
        const rows = new Map<number, number[]>();
        ids.forEach((id, place) => {
          const row = place - indexOf(place) * stride;
          rows.set(row, [...rows.get(row) ?? [], root(id)]);
        });
        for (let count = 0; count < length; count++) candidates.push(Array.from(rows.values(), (row) => row[Math.floor(random() * row.length)]!));
      });
    }
  }
  let removed = new Set<number>();
  const shuffled = candidates.map((roots) => ({ roots, key: random() })).sort((a, b) => a.key - b.key).slice(0, 24);
  for (const { roots } of shuffled) {
    const more = new Set([...removed, ...roots]);
    if (random() < 0.6 && roots.every((each) => flow.atoms.pinOf(each) === undefined) && isLegal(flow, more)) removed = more;
  }
  return removed;
}

function isLegal(flow: Flow, removed: ReadonlySet<number>): boolean {
  const survivors = survivorsOf(flow, removed);
  try {
    for (const [value] of flow.entries()) if (survivors.kept(value).some(({ positions }) => positions.length === 0)) return false;
    return true;
  } catch (error) {
    if (error instanceof Ragged) return false;
    throw error;
  }
}

export async function run(model: Model, feeds: Feeds, runtime: OrtRuntime): Promise<Map<string, Tensor>> {
  const session = await runtime.open(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}
